"""Distant lamps with cast shadows: the light in which finished heads are compared, and that of our own renders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shadows import SIZE, nearest_depths, share_lit

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


def lit(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, light: Light) -> np.ndarray:
    """(N, 3): what white vertices (N, 3), unit normals (N, 3), show under a light, shadowed by the faces (F, 3)."""
    total = np.tile(np.array(light.ambient, np.float32), (len(vertices), 1))
    for direction, colour in zip(light.directions, light.colours, strict=True):
        facing = np.maximum(normals @ direction, 0.0) * unshadowed(vertices, normals, faces, direction)
        total += facing[:, None] * colour
    return total


def unshadowed(
    vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """(N,) 0…1: share of a shadow map's texels around each vertex (camera frame, dm) that a distant lamp lights."""
    seen = (vertices - (vertices.min(0) + vertices.max(0)) / 2) @ _towards(direction).T
    scale = 0.48 * SIZE / float(np.abs(seen[:, :2]).max())
    x, y, depth = (seen * (scale, -scale, -1.0) + (SIZE / 2, SIZE / 2, 0.0)).T.astype(np.float32)
    incidence = np.clip(normals @ direction, 1e-3, 1.0)
    slope = np.minimum(np.sqrt(1 - incidence**2) / incidence, _STEEPEST)
    limit = (depth - _BIAS_DM - 1.5 * slope / scale).astype(np.float32)
    return share_lit(nearest_depths(x, y, depth, faces), x, y, limit)


def _towards(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that takes a unit direction to +z."""
    across = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(across, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction])
