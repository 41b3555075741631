"""UV coordinates of any face that is one piece: one island without flips, as symmetric as the face is.

Holes are filled first; the longest border goes onto a rounded square, each of its points where it lies around the face,
so that both sides come out alike whatever their triangles. The rest is `geometry.tutte`.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..geometry.closest import closest_places
from ..geometry.patch import border_loops
from ..geometry.tutte import balanced_embedding, mean_value_weights, signed_areas, triangle_areas

_HALF_SIZE, _EXPONENT = 0.495, 3.0
"""Of the superellipse."""
_LENGTH_SHARE = 0.1
"""Of a border point's place that follows the border's length; the rest follows the angle about its middle."""
_WEIGHT_RANGE = 1e3
"""Around their median: triangles without area have weights without bound."""
_SMOOTHINGS, _ATTEMPTS = 10, 20
_ALIKE_DM = 0.03
"""The other side's surface is believed to be the mirror image of this one's up to here."""


def flatten(vertices: np.ndarray, faces: np.ndarray, share: np.ndarray) -> np.ndarray:
    """UVs (N, 2) in [0, 1]; (½, ½) for vertices in no triangle.

    vertices (N, 3) dm; faces (F, 3), one patch; share (F,): how large a triangle is wanted for its area.
    """
    used, numbers = np.unique(faces, return_inverse=True)
    points, triangles = vertices[used].astype(np.float64), numbers.reshape(-1, 3)
    flat = _embed(points, triangles, share)
    uv = np.full((len(vertices), 2), 0.5)
    uv[used] = _symmetric(flat, points, triangles)
    return uv


def _embed(points: np.ndarray, faces: np.ndarray, share: np.ndarray) -> np.ndarray:
    outer, *holes = border_loops(faces)
    middles = np.array([points[hole].mean(0) for hole in holes]).reshape(-1, 3)
    fans = [
        np.stack([np.roll(hole, -1), hole, np.full(len(hole), len(points) + k)], axis=1)
        for k, hole in enumerate(holes)
    ]
    filled, every = np.concatenate([points, middles]), np.concatenate([faces, *fans])
    wish = triangle_areas(filled, every) + 1e-7
    wish[: len(faces)] *= share
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = mean_value_weights(filled, every)
    typical = np.median(weights.data)
    low, high = typical / _WEIGHT_RANGE, typical * _WEIGHT_RANGE
    weights.data = np.clip(np.nan_to_num(weights.data, nan=typical), low, high)
    return balanced_embedding(weights, outer, _outline(points[outer]), every, wish)[: len(points)]


def _outline(border: np.ndarray) -> np.ndarray:
    """Places (B, 2) on the superellipse of border points (B, 3) in order, by their angle about the border's axis."""
    middle = border.mean(0)
    arm = border - middle
    axis = np.cross(arm, np.roll(arm, -1, axis=0)).sum(0)
    axis /= np.linalg.norm(axis)
    right = np.array([1.0, 0, 0]) - axis[0] * axis
    right /= np.linalg.norm(right)
    up = np.cross(axis, right)
    start = int((arm @ up - np.abs(arm @ right)).argmax())
    order = np.roll(np.arange(len(border)), -start)
    seen = np.unwrap(np.arctan2(arm[order] @ up, arm[order] @ right))
    steps = np.linalg.norm(np.roll(border[order], -1, axis=0) - border[order], axis=1)
    even = seen[0] + 2 * np.pi * np.concatenate([[0], np.cumsum(steps)[:-1]]) / steps.sum()
    rising = (np.maximum.accumulate(seen) + np.minimum.accumulate(seen[::-1])[::-1]) / 2
    rising = np.clip(rising, seen[0], seen[0] + 2 * np.pi - 1e-3)
    angle = np.empty(len(border))
    angle[order] = (1 - _LENGTH_SHARE) * rising + _LENGTH_SHARE * even
    c, s = np.cos(angle), np.sin(angle)
    radius = (np.abs(c) ** _EXPONENT + np.abs(s) ** _EXPONENT) ** (-1 / _EXPONENT)
    return 0.5 + _HALF_SIZE * radius[:, None] * np.stack([c, s], axis=1)


def _symmetric(uv: np.ndarray, points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """UVs halfway to the reflected ones of the other side, smoothly, and only where no triangle turns over."""
    flipped = points * [-1.0, 1.0, 1.0]
    face, weights = closest_places(flipped, points, faces)
    gap = np.linalg.norm(np.einsum("pv,pvc->pc", weights, points[faces[face]]) - flipped, axis=1)
    other = np.einsum("pv,pvc->pc", weights, uv[faces[face]])
    step = (np.stack([1 - other[:, 0], other[:, 1]], axis=1) - uv) / 2 * (gap < _ALIKE_DM)[:, None]
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    graph = sp.csr_matrix((np.ones(len(ends)), ends.T), (len(uv), len(uv)))
    graph = graph + graph.T + sp.identity(len(uv))
    graph = sp.diags(1 / np.asarray(graph.sum(1)).ravel()) @ graph
    for _ in range(_SMOOTHINGS):
        step = graph @ step
    for _ in range(_ATTEMPTS):
        turned = signed_areas(uv + step, faces) <= 0
        if not turned.any():
            return uv + step
        free = np.ones(len(uv))
        free[faces[turned]] = 0.0
        step = step * np.minimum(free, graph @ free)[:, None]
    return uv
