"""UV coordinates of the cage: one mirror-symmetric island, large face, small inside and rim (builder only)."""

from __future__ import annotations

import numpy as np

from ..geometry.tutte import balanced_embedding, mean_value_weights, triangle_areas
from .topology import Cage

_INSIDE_SHARE, _RIM_SHARE = 0.25, 0.1
# Superellipse exponents of the outline's upper and lower half; the round lower half leaves corners for the eyeballs.
_UPPER_EXPONENT, _LOWER_EXPONENT = 4.0, 2.0
_HALF_SIZE = 0.495


def face_uv(targets: np.ndarray, cage: Cage) -> np.ndarray:
    """UVs (N, 2) in [0, 1], symmetric about u = 0.5, of cage vertices at `targets` (N, 3)."""
    uv = balanced_embedding(
        mean_value_weights(targets, cage.faces),
        cage.rim_rings[-1],
        _outline(targets, cage),
        cage.faces,
        _area_wish(targets, cage),
    )
    reflected = np.stack([1 - uv[cage.mirror, 0], uv[cage.mirror, 1]], axis=1)
    return (uv + reflected) / 2


def _outline(targets: np.ndarray, cage: Cage) -> np.ndarray:
    """Positions (36, 2) of the last rim ring on a superellipse, spaced by arc length from the top."""
    ring = targets[cage.rim_rings[-1]]
    length = np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1)
    share = np.concatenate([[0], np.cumsum(length)])[:-1] / length.sum()
    angle = np.pi / 2 - np.sign(ring[1, 0]) * 2 * np.pi * share
    c, s = np.cos(angle), np.sin(angle)
    p = np.where(s > 0, _UPPER_EXPONENT, _LOWER_EXPONENT)
    radius = (np.abs(c) ** p + np.abs(s) ** p) ** (-1 / p)
    return 0.5 + _HALF_SIZE * radius[:, None] * np.stack([c, s], axis=1)


def _area_wish(targets: np.ndarray, cage: Cage) -> np.ndarray:
    wish = triangle_areas(targets, cage.faces)
    inside = np.concatenate([cage.eye_rings.ravel(), cage.eye_centres, cage.mouth_rings.ravel()])
    wish[np.isin(cage.faces, inside).any(1)] *= _INSIDE_SHARE
    wish[np.isin(cage.faces, cage.rim_rings).any(1)] *= _RIM_SHARE
    return wish
