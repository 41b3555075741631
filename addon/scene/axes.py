"""From the head's axes (x the subject's left, y up, z out of the face) to Blender's (Z up, facing −Y)."""

from __future__ import annotations

import numpy as np

HEAD_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""(3, 3) rotation: (x, y, z) → (x, −z, y). Lengths are metres on both sides."""


def to_blender(points: np.ndarray) -> np.ndarray:
    """(…, 3) in the head frame → (…, 3) float32 in Blender's axes."""
    x, y, z = np.moveaxis(np.asarray(points, np.float32), -1, 0)
    return np.stack([x, -z, y], axis=-1)
