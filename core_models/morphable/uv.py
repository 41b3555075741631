"""UV coordinates of the cage: one mirror-symmetric island without flips (builder only).

Mean-value Tutte embedding (Floater 2003) into a convex outline, then rounds that pull large triangles tighter until
areas follow a wish: the face large, its inside and the rim small. Convex outline and positive weights forbid flips.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

from .topology import Cage

_ROUNDS = 25
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
