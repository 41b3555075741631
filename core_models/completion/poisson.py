"""A smooth sheet through scattered, weighted values: the Poisson problem of seamless blending, solved coarse to
fine."""

from __future__ import annotations

import cv2
import numpy as np

_SWEEPS = 24
"""Jacobi sweeps per level; a level inherits all that is smoother than two of its cells from the coarser one."""
_DAMPING = np.float32(0.8)
"""Undamped, Jacobi never settles the checkerboard."""
_COARSEST = 4
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def poisson_sheet(
    values: np.ndarray, weights: np.ndarray, inside: np.ndarray, pull: np.ndarray, pull_weight: float
) -> np.ndarray:
    """Minimise Σ w (m − v)² + p Σ (m − pull)² + Σ |∇m|² over the texels `inside`, free at their border.

    S should be a power of two. values (S, S, C), weights w (S, S) ≥ 0, inside (S, S) bool, pull (C,), p > 0 keeps
    what is far from every value at `pull`. Returns m (S, S, C) float32, continued outside. (Pérez et al. 2003 with
    soft instead of hard boundary values; cascadic iteration after Bornemann and Deuflhard 1996.)
    """
    size = inside.shape[0]
    weights = np.where(inside, weights, 0.0).astype(np.float32)
    values = np.where(weights[..., None] > 0, values, 0.0).astype(np.float32)
    if size > _COARSEST and size % 2 == 0:
        start = _finer(poisson_sheet(*_coarser(values, weights, inside), pull, 4 * pull_weight))
    else:
        start = np.broadcast_to(pull.astype(np.float32), values.shape).copy()
    domain = inside.astype(np.float32)
    # Outside, the sheet is continued as a membrane of its own, so that coarse cells over a border hold sense.
    reach = cv2.filter2D(domain, -1, _CROSS, borderType=cv2.BORDER_CONSTANT)
    p = np.float32(pull_weight)
    fixed = weights[..., None] * values + p * pull.astype(np.float32)
    scale = (1.0 / (weights + p + reach))[..., None]
    sheet = start
    for _ in range(_SWEEPS):
        neighbours = cv2.filter2D(sheet * domain[..., None], -1, _CROSS, borderType=cv2.BORDER_CONSTANT)
        sheet = sheet + _DAMPING * ((fixed + neighbours.reshape(values.shape)) * scale - sheet)
    return np.where(inside[..., None], sheet, start)


def _coarser(
    values: np.ndarray, weights: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool 2 × 2 cells: weights add up, values are averaged by weight, a cell is inside when any of its four is."""
    total = _pool(weights)
    mean = _pool(values * weights[..., None]) / np.maximum(total, 1e-12)[..., None]
    return mean, total, _pool(inside.astype(np.float32)) > 0


def _pool(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image.reshape(height // 2, 2, width // 2, 2, *image.shape[2:]).sum((1, 3))


def _finer(image: np.ndarray) -> np.ndarray:
    size = image.shape[0] * 2
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, -1)
