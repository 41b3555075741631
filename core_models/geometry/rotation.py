"""Rotations about the axes of model space and of the camera's frame."""

from __future__ import annotations

import numpy as np


def rotation_x(angle: float) -> np.ndarray:
    """Rotation (3, 3) about x; positive turns +z towards −y (chin down, look down)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(angle: float) -> np.ndarray:
    """Rotation (3, 3) about y; positive turns +z towards +x (the subject's left)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
