"""Distant lamps with cast shadows: light that a photo never saw, and the light of pictures made by ourselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..geometry.camera import project
from .shadow_map import depth_at, depth_maps
from .trace import Trace

_DISTANCE = 20.0
"""Of the lamp, in radii of the mesh: nearly parallel light."""
_BIAS = 0.01
"""Decimetres; deeper than this below what the lamp sees is in shadow."""


@dataclass(frozen=True)
class Shadows:
    """How sharply cast shadows are drawn."""

    side: int
    """Texels of a shadow map, which spans the mesh."""
    taps: tuple[float, ...]
    """Texels; a grid of look-ups at these offsets in x and y softens the shadow's edge."""


SOFT = Shadows(384, (-4.0, -2.0, 0.0, 2.0, 4.0))
"""An edge of some millimetres on a head: wider than a triangle, so that vertices are dense enough to ask."""
CRISP = Shadows(768, (-0.67, 0.0, 0.67))
"""An edge of two texels: below a millimetre on a head, about two with a body."""


@dataclass(frozen=True)
class Lamp:
    """A distant light: where it comes from (camera frame, any length), the RGB it adds to a white surface facing it."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Rig:
    """Lamps and an even white light under a name; lamps are shadowed by the mesh, the even light is not."""

    name: str
    lamps: tuple[Lamp, ...]
    ambient: float = 0.0
    shadows: Shadows = SOFT

    def directions(self, device: torch.device | str = "cpu") -> Tensor:
        """(D, 3) unit, towards the lamps."""
        towards = [functional.normalize(torch.tensor(lamp.direction), dim=0) for lamp in self.lamps]
        return torch.stack(towards).to(device) if towards else torch.zeros(0, 3, device=device)

    def colours(self, device: torch.device | str = "cpu") -> Tensor:
        """(D, 3) of the lamps."""
        return torch.tensor([lamp.colour for lamp in self.lamps], device=device).reshape(-1, 3)

    @torch.no_grad()
    def light(self, trace: Trace) -> Tensor:
        """(P, 3): the RGB that each sample of a white surface shows."""
        device = trace.weights.device
        directions = self.directions(device)
        seen = unshadowed(trace.vertices, trace.vertex_normals, trace.faces, directions, self.shadows)
        total = torch.full((len(trace.triangle), 3), self.ambient, device=device)
        for direction, open_to, colour in zip(directions, seen, self.colours(device), strict=True):
            facing = (trace.normals @ direction).clamp(min=0)[:, None]
            total = total + facing * trace.interpolate(open_to[:, None]) * colour
        return total


@torch.no_grad()
def unshadowed(
    vertices: Tensor, normals: Tensor, faces: Tensor, directions: Tensor, shadows: Shadows
) -> Tensor:
    """(D, N) 0…1: how far each vertex is out of the mesh's shadow for distant lamps, by soft shadow maps (Reeves et al.
    1987).

    vertices (N, 3) decimetres, unit normals (N, 3), faces (F, 3) int64, unit directions (D, 3) towards the lamps.
    """
    centre = (vertices.amin(dim=0) + vertices.amax(dim=0)) / 2
    radius = float((vertices - centre).norm(dim=1).max())
    half, focal = shadows.side / 2, _DISTANCE * shadows.side / 2 * 0.95
    K = vertices.new_tensor([[[focal, 0.0, half], [0.0, focal, half], [0.0, 0.0, 1.0]]])
    away = vertices.new_tensor([0.0, 0.0, -_DISTANCE * radius])
    if not len(directions):
        return vertices.new_zeros(0, len(vertices))
    shares = []
    # As in `depth_maps`: lamp by lamp is kinder to a CPU, one batch to a GPU.
    for some in directions.split(1 if vertices.device.type == "cpu" else len(directions)):
        turned = torch.stack([(vertices - centre) @ _rotation_to_z(each).T + away for each in some])
        maps, _ = depth_maps(turned, faces, K, shadows.side, shadows.side)
        cosine = torch.stack([normals @ each for each in some])
        shares.append(_soft_share(maps, turned, K, cosine, radius * _DISTANCE / focal, shadows.taps))
    return torch.cat(shares)


def _soft_share(
    maps: Tensor, points: Tensor, K: Tensor, cosine: Tensor, texel: float, taps: tuple[float, ...]
) -> Tensor:
    """(D, N): share of a grid of look-ups in maps (D, S, S), of texels of `texel` decimetres, that points (D, N, 3) of
    this cosine (D, N) to the lamps are not behind.
    """
    depth = -points[..., 2]
    column, row = project(points, K).unbind(-1)
    # A tap beside a point sees the same slanted surface at another depth, by this slope; grazing light is dim anyway.
    slope = (1 / cosine.clamp(min=0.1) ** 2 - 1).sqrt()
    total = torch.zeros_like(depth)
    for dy in taps:
        for dx in taps:
            bias = _BIAS + texel * (1.0 + (dx**2 + dy**2) ** 0.5) * slope
            total += depth < depth_at(maps, (column + dx).long(), (row + dy).long()) + bias
    return total / len(taps) ** 2


def _rotation_to_z(direction: Tensor) -> Tensor:
    """A rotation (3, 3) that takes a unit direction to +z."""
    across = [0.0, 1.0, 0.0] if abs(float(direction[1])) < 0.9 else [1.0, 0.0, 0.0]
    right = functional.normalize(torch.linalg.cross(direction.new_tensor(across), direction), dim=0)
    return torch.stack([right, torch.linalg.cross(direction, right), direction])
