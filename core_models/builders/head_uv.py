"""Room for the head in the layout: cranium halves in the upper corners, ears beside the eyeballs (builder only)."""

from __future__ import annotations

import numpy as np

from ..geometry.tutte import balanced_embedding, mean_value_weights, triangle_areas
from . import ear

# Left half, right edge of the layout: the corner between the face's outline and the border.
_CORNER = 0.990
_HYPOTENUSE_SUM = 1.850
_BULGE = 0.025
_EAR_CENTRE, _EAR_RADIUS = np.array([1 - 0.2041, 0.0465]), 0.0415
_FRONT_SHARE = 0.72


def cranium_uv(vertices: np.ndarray, faces: np.ndarray, n_outer: int, n_rim: int) -> np.ndarray:
    """UVs (n, 2) of the left half: its rim on the corner's long side, neck and middle of the back on the border.

    The first `n_outer` vertices are the boundary in order, of which the first `n_rim` lie on the rim; the next
    N_AROUND are the ear's hole.
    """
    hole = n_outer + np.arange(ear.N_AROUND)
    filled = np.concatenate([vertices, vertices[hole].mean(0, keepdims=True)])
    lid = np.stack([hole, np.roll(hole, -1), np.full(len(hole), len(vertices))], axis=1)
    every = np.concatenate([faces, _turned_like(faces, lid)])
    uv = balanced_embedding(
        mean_value_weights(filled, every),
        np.arange(n_outer),
        _outline(vertices[:n_outer], n_rim),
        every,
        triangle_areas(filled, every),
    )
    return uv[: len(vertices)]


def ear_uv(n_rings: int) -> np.ndarray:
    """UVs (1 + n_rings · N_AROUND, 2) of the left ear: a disc, front in the middle, back around it."""
    edge = ear.outline() - ear.outline().mean(0)
    angle = np.unwrap(np.arctan2(edge[:, 1], edge[:, 0]))
    n_front = 12
    radius = np.concatenate(
        [
            _FRONT_SHARE * np.linspace(0, 1, n_front + 1)[1:],
            np.linspace(_FRONT_SHARE, 1, n_rings - n_front + 1)[1:],
        ]
    )
    disc = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _EAR_CENTRE + _EAR_RADIUS * np.concatenate([np.zeros((1, 2)), disc.reshape(-1, 2)])


def _turned_like(faces: np.ndarray, lid: np.ndarray) -> np.ndarray:
    """`lid` turned so that its edges run against those of `faces`."""
    edges = {tuple(pair) for k in range(3) for pair in faces[:, [k, (k + 1) % 3]].tolist()}
    return lid[:, ::-1] if tuple(lid[0, :2].tolist()) in edges else lid


def _outline(outer: np.ndarray, n_rim: int) -> np.ndarray:
    """UVs (n_outer, 2) of the boundary vertices `outer` (n_outer, 3), counter-clockwise, each side bulging a little."""
    far = _HYPOTENUSE_SUM - _CORNER
    corners = np.array([(far, _CORNER), (_CORNER, far), (_CORNER, _CORNER)])
    lengths = np.linalg.norm(np.roll(outer, -1, axis=0) - outer, axis=1)
    # Where the neck's end turns into the middle of the back.
    back = n_rim + np.flatnonzero((outer[n_rim:, 0] == 0) & (outer[n_rim:, 2] < -110))[0]
    stops = [0, n_rim - 1, back, len(outer)]
    pieces = []
    for k in range(3):
        start, end = corners[k], corners[(k + 1) % 3]
        length = lengths[stops[k] : stops[k + 1]]
        share = np.concatenate([[0], np.cumsum(length)[:-1]]) / length.sum()
        along = end - start
        across = np.array([along[1], -along[0]])
        pieces.append(start + share[:, None] * along + (4 * _BULGE * share * (1 - share))[:, None] * across)
    return np.concatenate(pieces)
