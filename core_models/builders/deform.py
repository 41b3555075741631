"""Smooth deformation fields on a triangle mesh from a few handles (builder only; millimetres)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl


def cotangent_laplacian(vertices: np.ndarray, faces: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
    """Cotangent stiffness matrix (N, N) of `vertices` (N, 3) and lumped vertex areas (N,) in mm² (Pinkall 1993)."""
    n = len(vertices)
    matrix = sp.csr_matrix((n, n))
    for k in range(3):
        i, j, opposite = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        u, v = vertices[i] - vertices[opposite], vertices[j] - vertices[opposite]
        double_area = np.maximum(np.linalg.norm(np.cross(u, v), axis=1), 1e-6)
        # Obtuse and sliver triangles would make weights negative or huge: both break the maximum principle.
        weight = np.clip((u * v).sum(1) / double_area, 0.02, 5) / 2
        matrix = matrix + sp.csr_matrix((weight, (i, j)), (n, n)) + sp.csr_matrix((weight, (j, i)), (n, n))
    area = np.bincount(faces.ravel(), np.repeat(double_area / 6, 3), minlength=n)
    return sp.diags(np.asarray(matrix.sum(1)).ravel()) - matrix, area


def interpolate_handles(
    vertices: np.ndarray, faces: np.ndarray, handles: np.ndarray, values: np.ndarray, biharmonic: bool = True
) -> np.ndarray:
    """Smoothest field (N, C) that takes `values` (H, C) at the vertices `handles` (H,).

    Harmonic fields stay inside the range of their values; biharmonic ones have no creases at the handles
    (Botsch & Kobbelt 2004).
    """
    stiffness, area = cotangent_laplacian(vertices, faces)
    inverse_mass = sp.diags(1 / np.maximum(area, 1e-3 * area.mean()))
    energy = (stiffness @ inverse_mass @ stiffness if biharmonic else stiffness).tocsr()
    free = np.setdiff1d(np.arange(len(vertices)), handles)
    field = np.zeros((len(vertices), values.shape[1]))
    field[handles] = values
    system = (energy[free][:, free] + 1e-9 * sp.identity(len(free))).tocsc()
    field[free] = spl.spsolve(system, -(energy[free][:, handles] @ values)).reshape(len(free), -1)
    return field


def mirrored(field: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Mirror image of a vector field or of positions (N, 3): vertex i gets its partner's vector, x negated."""
    return field[mirror] * np.array([-1.0, 1.0, 1.0])


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`source` (N, 3) moved onto `target` (N, 3) by the best rotation, scale and shift (Umeyama 1991)."""
    x, y = source - source.mean(0), target - target.mean(0)
    u, singular, vt = np.linalg.svd(x.T @ y)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return (singular * signs).sum() / (x**2).sum() * x @ (u * signs @ vt) + target.mean(0)
