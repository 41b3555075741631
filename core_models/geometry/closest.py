"""Nearest places on a triangle mesh."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

_CANDIDATES = 16
"""Triangles tried per point, those with the nearest centres: enough where triangles are of like size."""


def closest_places(
    points: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Triangle (P,) and barycentric weights (P, 3) of the place on a mesh that is nearest to each of `points` (P, 3).

    vertices (N, 3), faces (F, 3); any unit.
    """
    corners = vertices[faces]
    count = min(_CANDIDATES, len(faces))
    tried = cKDTree(corners.mean(1)).query(points, k=count)[1].reshape(len(points), count)
    a, b, c = (corners[tried, k] for k in range(3))
    weights = _closest_weights(points[:, None], a, b, c)
    gap = np.linalg.norm(np.einsum("pkv,pkvc->pkc", weights, corners[tried]) - points[:, None], axis=-1)
    rows, best = np.arange(len(points)), gap.argmin(1)
    return tried[rows, best], weights[rows, best]


def _closest_weights(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Barycentric weights (…, 3) of the place on each triangle nearest to `p`: inside, or on the nearest edge."""
    ab, ac, ap = b - a, c - a, p - a
    d = [(x * y).sum(-1) for x, y in ((ab, ab), (ab, ac), (ac, ac), (ap, ab), (ap, ac))]
    area = np.maximum(d[0] * d[2] - d[1] ** 2, 1e-20)
    second, third = (d[2] * d[3] - d[1] * d[4]) / area, (d[0] * d[4] - d[1] * d[3]) / area
    inside = np.stack([1 - second - third, second, third], axis=-1)
    edges = [_on_edge(p, ends, k) for k, ends in enumerate(((a, b), (b, c), (c, a)))]
    gaps = np.stack([gap for _, gap in edges])
    nearest = np.take_along_axis(np.stack([w for w, _ in edges]), gaps.argmin(0)[None, ..., None], axis=0)[0]
    return np.where((inside >= 0).all(-1, keepdims=True), inside, nearest)


def _on_edge(p: np.ndarray, ends: tuple[np.ndarray, np.ndarray], first: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (…, 3) of the nearest place on the edge from corner `first` to the next, and its distance (…)."""
    start, along = ends[0], ends[1] - ends[0]
    share = np.clip(((p - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-20), 0, 1)
    weights = np.zeros((*share.shape, 3))
    weights[..., first], weights[..., (first + 1) % 3] = 1 - share, share
    return weights, np.linalg.norm(p - start - share[..., None] * along, axis=-1)
