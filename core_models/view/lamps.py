"""Distant lamps with cast shadows, for pictures of a finished result in light that the photo never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..geometry.camera import project
from ..render.interpolate import barycentrics, interpolate
from ..render.rasterize import rasterize
from .surface import LightFunction, Surface

_MAP_SIZE = 384
"""Texels of a shadow map, which spans the head: below a millimetre each."""
_DISTANCE = 20.0
"""Of the lamp, in head radii: nearly parallel light."""
_TAPS = (-4.0, -2.0, 0.0, 2.0, 4.0)
"""Texels; a grid of look-ups softens the shadow's edge to some millimetres."""
_BIAS = 0.01
"""Decimetres; deeper than this below what the lamp sees is in shadow."""


@dataclass(frozen=True)
class Lamp:
    """A distant light: where it comes from (camera frame), the RGB it adds to a white surface facing it."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]


def lamp_light(lamps: Sequence[Lamp], ambient: float = 0.0) -> LightFunction:
    """Lamps and an even white light, as `Surface.picture` takes it; lamps are shadowed by the head, the rest is not."""

    def light(surface: Surface) -> torch.Tensor:
        total = torch.full((len(surface.triangle), 3), ambient)
        for lamp in lamps:
            direction = functional.normalize(torch.tensor(lamp.direction), dim=0)
            facing = (surface.normals @ direction).clamp(min=0)[:, None]
            seen = surface.at_samples(_unshadowed(surface, direction)[:, None])
            total = total + facing * seen * torch.tensor(lamp.colour)
        return total

    return light


def _unshadowed(surface: Surface, direction: torch.Tensor) -> torch.Tensor:
    """(N,) at the vertices, 1 where the lamp is seen, 0 in shadow: a soft shadow map (Reeves et al. 1987).

    The blur is wider than a triangle, so vertices are dense enough to ask.
    """
    vertices = surface.vertices_camera
    centre = (vertices.amin(dim=0) + vertices.amax(dim=0)) / 2
    radius = float((vertices - centre).norm(dim=1).max())
    away = torch.tensor([0.0, 0.0, -_DISTANCE * radius])
    turn = _rotation_to_z(direction)
    focal = _DISTANCE * _MAP_SIZE / 2 * 0.95
    half = _MAP_SIZE / 2
    K = torch.tensor([[[focal, 0.0, half], [0.0, focal, half], [0.0, 0.0, 1.0]]])
    seen_by_lamp = ((vertices - centre) @ turn.T + away)[None]
    depth_map = _depth_map(seen_by_lamp, surface.faces, K)
    depth = -seen_by_lamp[0, :, 2]
    column, row = project(seen_by_lamp, K)[0].unbind(-1)
    texel = radius * _DISTANCE / focal
    # A tap beside a point sees the same slanted surface at another depth, by this slope; grazing light is dim anyway.
    slope = (1 / (surface.vertex_normals @ direction).clamp(min=0.1) ** 2 - 1).sqrt()
    total = torch.zeros_like(depth)
    for dy in _TAPS:
        for dx in _TAPS:
            bias = _BIAS + texel * (1.0 + (dx**2 + dy**2) ** 0.5) * slope
            x, y = ((at + tap).long().clamp(0, _MAP_SIZE - 1) for at, tap in ((column, dx), (row, dy)))
            total += depth < depth_map[y * _MAP_SIZE + x] + bias
    return total / len(_TAPS) ** 2


def _depth_map(vertices: torch.Tensor, faces: torch.Tensor, K: torch.Tensor) -> torch.Tensor:
    """(size²,): depth of the first surface that the lamp meets, infinite where there is none."""
    ids = rasterize(vertices, faces, K, _MAP_SIZE, _MAP_SIZE)
    depth = -interpolate(vertices[..., 2:], faces, ids, barycentrics(vertices, faces, K, ids))[0, ..., 0]
    return torch.where(ids[0] >= 0, depth, torch.inf).reshape(-1)


def _rotation_to_z(direction: torch.Tensor) -> torch.Tensor:
    """A rotation (3, 3) that takes a unit direction to +z."""
    across = [0.0, 1.0, 0.0] if abs(float(direction[1])) < 0.9 else [1.0, 0.0, 0.0]
    right = functional.normalize(torch.linalg.cross(torch.tensor(across), direction), dim=0)
    return torch.stack([right, torch.linalg.cross(direction, right), direction])
