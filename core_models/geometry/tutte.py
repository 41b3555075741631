"""Embedding of a disc-like mesh in the plane, without flips.

Mean-value Tutte embedding (Floater 2003) into a convex outline, then rounds that pull large triangles tighter until
areas follow a wish. Convex outline and positive weights forbid flips.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

_ROUNDS = 25


def balanced_embedding(
    weights: sp.csr_matrix, boundary: np.ndarray, outline: np.ndarray, faces: np.ndarray, wish: np.ndarray
) -> np.ndarray:
    """UVs (N, 2) with `boundary` (B,) on the convex `outline` (B, 2) and areas in proportion to `wish` (F,).

    `weights` (N, N) from `mean_value_weights`, `faces` (F, 3).
    """
    stiffness = np.ones(weights.shape[0])
    uv = _embedding(weights, boundary, outline)
    for _ in range(_ROUNDS):
        area = np.abs(signed_areas(uv, faces))
        ratio = _per_vertex(area, faces) / area.sum() / (_per_vertex(wish, faces) / wish.sum())
        stiffness *= np.clip(ratio, 0.2, 5) ** 0.25
        scale = sp.diags(np.sqrt(stiffness))
        uv = _embedding(scale @ weights @ scale, boundary, outline)
    return uv


def signed_areas(uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed UV areas (F,); positive when counter-clockwise."""
    a, b, c = uv[faces[:, 0]], uv[faces[:, 1]], uv[faces[:, 2]]
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def triangle_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Areas (F,) in space of `faces` (F, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def _per_vertex(values: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return np.bincount(faces.ravel(), np.repeat(values, 3))


def mean_value_weights(vertices: np.ndarray, faces: np.ndarray) -> sp.csr_matrix:
    """tan(α/2)/length of both triangles at each edge, (N, N), not symmetric."""
    n = len(vertices)
    matrix = sp.csr_matrix((n, n))
    for k in range(3):
        i, a, b = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        u, v = vertices[a] - vertices[i], vertices[b] - vertices[i]
        lu, lv = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
        half = np.tan(np.arccos(np.clip((u * v).sum(1) / (lu * lv), -1, 1)) / 2)
        matrix = (
            matrix + sp.csr_matrix((half / lu, (i, a)), (n, n)) + sp.csr_matrix((half / lv, (i, b)), (n, n))
        )
    return matrix


def _embedding(weights: sp.csr_matrix, boundary: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Every free vertex at the weighted mean of its neighbours."""
    n = weights.shape[0]
    laplacian = (sp.identity(n) - sp.diags(1 / np.asarray(weights.sum(1)).ravel()) @ weights).tocsr()
    free = np.setdiff1d(np.arange(n), boundary)
    uv = np.zeros((n, 2))
    uv[boundary] = outline
    uv[free] = spl.spsolve(laplacian[free][:, free].tocsc(), -(laplacian[free][:, boundary] @ outline))
    return uv
