"""Which dense vertices of the default model lie above and below an eye or the mouth: from the cage's rings."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..geometry.subdivision import Subdivision
from ..landmarks import (
    INNER_LIPS,
    LOWER_LIP_RED,
    RIGHT_EYE,
    RIGHT_LOWER_FOLD,
    RIGHT_UPPER_FOLD,
    UPPER_LIP_RED,
)

_LEAST_SHARE = 0.1
_FOLLOWING_ROWS = 2
"""Rows of cage vertices beyond the lips' red and the lids' folds that still count as lip and lid."""


@dataclass(frozen=True)
class Opening:
    """Dense vertex numbers about an eye or the mouth.

    upper, lower: skin and inside together, right to the corners; upper_edge, lower_edge: those of them on the lid
    margin or the inner lip line; inside: those on the pocket or bag, without the edges.
    """

    upper: np.ndarray
    lower: np.ndarray
    upper_edge: np.ndarray
    lower_edge: np.ndarray
    inside: np.ndarray

    def mirrored(self, mirror: np.ndarray) -> Opening:
        """The same on the other side; `mirror` (N,) of the dense vertices."""
        return Opening(**{field.name: mirror[getattr(self, field.name)] for field in fields(self)})

    def among(self, vertices: np.ndarray) -> Opening:
        """The same as places in the sorted list of `vertices` (n,), which holds all of them."""
        return Opening(
            **{field.name: np.searchsorted(vertices, getattr(self, field.name)) for field in fields(self)}
        )


def right_eye_opening(fine: Subdivision, faces: np.ndarray, rings: np.ndarray) -> Opening:
    """Of the subject's right eye; cage `faces` (F, 3), pocket `rings` (R, 16)."""
    return _opening(fine, faces, RIGHT_EYE, rings, [RIGHT_UPPER_FOLD, RIGHT_LOWER_FOLD])


def mouth_opening(fine: Subdivision, faces: np.ndarray, rings: np.ndarray) -> Opening:
    """Of the mouth; cage `faces` (F, 3), bag `rings` (R, 20)."""
    return _opening(fine, faces, INNER_LIPS, rings, [UPPER_LIP_RED, LOWER_LIP_RED])


def _opening(
    fine: Subdivision, faces: np.ndarray, loop: np.ndarray, rings: np.ndarray, outside: list[np.ndarray]
) -> Opening:
    """Loops run from one corner along the lower half to the other corner, and back along the upper half."""
    half = len(loop) // 2
    halves = (np.arange(half + 1, len(loop)), np.arange(1, half))
    cores = [
        np.concatenate([loop[part], rings[:, part].ravel(), skin])
        for part, skin in zip(halves, outside, strict=True)
    ]
    upper, lower = (
        _share(fine, _grown(core, faces, np.setdiff1d(np.concatenate([loop, rings.ravel(), *cores]), core)))
        for core in cores
    )
    behind = np.isin(faces, rings).any(1)[fine.parent]
    inside, before = np.unique(fine.faces[behind]), np.unique(fine.faces[~behind])
    edge = np.intersect1d(inside, before)
    # Corners belong to the lower half, whatever rounding says.
    above = upper > lower + 1e-9
    upper_half = np.flatnonzero(above & (upper > _LEAST_SHARE))
    lower_half = np.flatnonzero(~above & (lower > _LEAST_SHARE))
    return Opening(
        upper=upper_half,
        lower=lower_half,
        upper_edge=np.intersect1d(edge, upper_half),
        lower_edge=np.intersect1d(edge, lower_half),
        inside=np.setdiff1d(inside, edge),
    )


def _grown(vertices: np.ndarray, faces: np.ndarray, never: np.ndarray) -> np.ndarray:
    for _ in range(_FOLLOWING_ROWS):
        touched = np.unique(faces[np.isin(faces, vertices).any(1)])
        vertices = np.union1d(vertices, np.setdiff1d(touched, never))
    return vertices


def _share(fine: Subdivision, vertices: np.ndarray) -> np.ndarray:
    chosen = np.zeros(fine.matrix.shape[1])
    chosen[vertices] = 1
    return np.asarray(fine.matrix @ chosen)
