"""What portraits taught about the default model: offsets of its mean and of its hand-made expressions (builder only).

`semblance.train.corrections` measures them; `build` adds them. Only these averages are kept, never a person's face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..landmarks import MESH_COUNT
from ..morphable.expressions import NAMES
from ..morphable.eyeballs import RADIUS_MM
from .deform import mirrored

CORRECTIONS_PATH = Path(__file__).parent.parent / "weights" / "portrait_corrections.npz"
_NEAR_EYE_MM, _BEYOND_EYE_MM = 2.5, 12.0


@dataclass(frozen=True)
class Corrections:
    """Offsets of the landmarks in mm: mean (468, 3) and expressions (52, 468, 3) at weight 1, in the order of NAMES."""

    mean: np.ndarray
    expressions: np.ndarray

    @classmethod
    def none(cls) -> Corrections:
        """No correction: the model as drawn by hand."""
        return cls(np.zeros((MESH_COUNT, 3)), np.zeros((len(NAMES), MESH_COUNT, 3)))

    def plus(self, other: Corrections) -> Corrections:
        """Both corrections, one after the other."""
        return Corrections(self.mean + other.mean, self.expressions + other.expressions)


def load_corrections(path: Path = CORRECTIONS_PATH) -> Corrections:
    """Read a file that `save_corrections` wrote."""
    none = Corrections.none()
    with np.load(path, allow_pickle=False) as archive:
        none.mean[:] = archive["mean"]
        none.expressions[[NAMES.index(name) for name in archive["names"]]] = archive["expressions"]
    return none


def save_corrections(corrections: Corrections, path: Path) -> None:
    """Write the mean's and the non-zero expressions' offsets as float16."""
    used = np.flatnonzero(np.abs(corrections.expressions).max((1, 2)) > 0)
    np.savez_compressed(
        path,
        mean=corrections.mean.astype(np.float16),
        names=np.array([NAMES[k] for k in used]),
        expressions=corrections.expressions[used].astype(np.float16),
    )


def clear_of_eyes(offsets: np.ndarray, points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """`offsets` (K, 468, 3) of `points` (468, 3) without the part that would press lids into an eyeball.

    `centres` (2, 3) of the eyeballs. The inward part fades in within `_BEYOND_EYE_MM` of the ball's surface.
    """
    for centre in centres:
        arm = points - centre
        distance = np.linalg.norm(arm, axis=1, keepdims=True)
        share = (distance - RADIUS_MM - _NEAR_EYE_MM) / (_BEYOND_EYE_MM - _NEAR_EYE_MM)
        outward = arm / distance
        inwards = np.minimum((offsets * outward).sum(2, keepdims=True), 0)
        offsets = offsets - (1 - np.clip(share, 0, 1)) * inwards * outward
    return offsets


def symmetric(corrections: Corrections, mirror: np.ndarray, partner: list[int]) -> Corrections:
    """Averaged with its mirror image: `mirror` (468,) of landmarks, `partner` (52,) of expressions."""
    reflected = np.stack([mirrored(offsets, mirror) for offsets in corrections.expressions[partner]])
    return Corrections(
        (corrections.mean + mirrored(corrections.mean, mirror)) / 2, (corrections.expressions + reflected) / 2
    )
