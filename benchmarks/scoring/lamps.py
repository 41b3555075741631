"""Distant lamps with cast shadows: the light in which finished heads are compared, and that of our own renders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from semblance.core_models.render.interpolate import barycentrics, interpolate
from semblance.core_models.render.rasterize import rasterize

_MAP_SIZE = 320
"""Texels of a shadow map, which spans the scene: below a millimetre each on a head."""
_DISTANCE = 20.0
"""Of the lamp, in radii of the scene: nearly parallel light."""
_BIAS_DM = 0.012
"""Deeper than this below what the lamp sees is in shadow."""
_STEEPEST = 5.0
"""Tangent of the angle of incidence for which the bias is still enlarged."""


@dataclass(frozen=True)
class Light:
    """Distant lamps and an even light around them, camera frame."""

    name: str
    directions: np.ndarray
    """(D, 3) unit, towards the lamps."""
    colours: np.ndarray
    """(D, 3): what each adds to a white surface that faces it."""
    ambient: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Light of every surface, without shadows."""


def _light(name: str, lamps: list[tuple[tuple[float, ...], tuple[float, ...]]], ambient: float) -> Light:
    directions = np.array([direction for direction, _ in lamps], np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Light(name, directions, np.array([colour for _, colour in lamps], np.float32), (ambient,) * 3)


HELD_OUT = (
    _light("key", [((-0.85, 0.35, 0.45), (1.3, 1.25, 1.15))], 0.12),
    _light("cross", [((0.9, 0.1, 0.4), (1.2, 0.8, 0.5)), ((-0.9, 0.2, 0.3), (0.3, 0.6, 1.1))], 0.08),
    _light("above", [((0.1, 0.9, 0.45), (1.3, 1.3, 1.35))], 0.12),
    _light("front", [((0.2, 0.3, 1.0), (0.7, 0.7, 0.7))], 0.35),
)
"""Lights that no specimen was photographed in; a white surface facing the lamps is about white."""


def lit(vertices: np.ndarray, normals: np.ndarray, faces: torch.Tensor, light: Light) -> np.ndarray:
    """(N, 3): what white vertices (N, 3), unit normals (N, 3), show under a light, shadowed by the faces (F, 3)."""
    total = np.tile(np.array(light.ambient, np.float32), (len(vertices), 1))
    for direction, colour in zip(light.directions, light.colours, strict=True):
        facing = np.maximum(normals @ direction, 0.0) * unshadowed(vertices, normals, faces, direction)
        total += facing[:, None] * colour
    return total


@torch.no_grad()
def unshadowed(
    vertices: np.ndarray, normals: np.ndarray, faces: torch.Tensor, direction: np.ndarray
) -> np.ndarray:
    """(N,) 0…1: share of a shadow map's texels around each vertex (camera frame, dm) that a distant lamp lights."""
    low, high = vertices.min(0), vertices.max(0)
    centred = vertices - (low + high) / 2
    radius = float(np.linalg.norm(centred, axis=1).max())
    from_lamp = centred @ _towards(direction).T - [0.0, 0.0, _DISTANCE * radius]
    focal, half = 0.95 * _DISTANCE * _MAP_SIZE / 2, _MAP_SIZE / 2
    K = torch.tensor([[[focal, 0, half], [0, focal, half], [0, 0, 1.0]]])
    points = torch.as_tensor(from_lamp, dtype=torch.float32)
    nearest = _depth_map(points[None], faces, K)
    depth = -from_lamp[:, 2]
    column, row = (half + focal * from_lamp[:, axis] * sign / depth - 1.0 for axis, sign in ((0, 1), (1, -1)))
    incidence = np.clip(normals @ direction, 1e-3, 1.0)
    slope = np.minimum(np.sqrt(1 - incidence**2) / incidence, _STEEPEST)
    limit = depth - _BIAS_DM - slope * radius / (0.95 * half) * 1.5
    return _share_lit(nearest, column, row, limit)


def _share_lit(nearest: np.ndarray, column: np.ndarray, row: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """(N,): bilinear share of 3 × 3 look-ups in a depth map that lie behind `limit`."""
    last = _MAP_SIZE - 1
    left, top = np.floor(column).astype(np.int32), np.floor(row).astype(np.int32)
    fx, fy = (column - left).astype(np.float32), (row - top).astype(np.float32)
    across, down = np.array([1 - fx, np.ones_like(fx), fx]), np.array([1 - fy, np.ones_like(fy), fy])
    total = np.zeros(len(column), np.float32)
    for j in range(3):
        rows = np.clip(top + j, 0, last) * _MAP_SIZE
        for i in range(3):
            lit_there = nearest[rows + np.clip(left + i, 0, last)] >= limit
            total += across[i] * down[j] * lit_there
    return total / 4


def _depth_map(points: torch.Tensor, faces: torch.Tensor, K: torch.Tensor) -> np.ndarray:
    """(size²,): depth of the first surface that the lamp meets, infinite where there is none."""
    ids = rasterize(points, faces, K, _MAP_SIZE, _MAP_SIZE)
    depth = -interpolate(points[..., 2:], faces, ids, barycentrics(points, faces, K, ids))[0, ..., 0]
    return torch.where(ids[0] >= 0, depth, torch.inf).reshape(-1).numpy()


def _towards(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that takes a unit direction to +z."""
    across = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(across, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])
