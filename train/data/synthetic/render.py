"""A quick picture of a head by the program's own rasteriser: many distant lamps with shadow maps, gloss, occluders.

No light bounces and none enters the skin; what it has over order-2 light is cast shadows, highlights and things in
front of the face. Camera frame, decimetres, scene-linear Rec.709.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ....core_models.render.lamps import Rig, unshadowed
from ....core_models.render.lighting import COSINE_LOBE, sh_basis
from ....core_models.render.trace import CameraMesh, Trace

SKIN_REFLECTANCE = 0.028
"""Of skin seen head-on, by its index of refraction of about 1.4."""


@dataclass(frozen=True, eq=False)
class Thing:
    """A mesh of the scene."""

    mesh: CameraMesh
    albedo: np.ndarray
    """(S, S, 3) in the mesh's layout, or (N, 3) at its vertices; linear."""
    roughness: np.ndarray | float
    """GGX's α, (N,) or one for all."""
    gloss: np.ndarray | float = SKIN_REFLECTANCE
    """Reflectance head-on, (N,) or one for all."""


@dataclass(frozen=True, eq=False)
class Render:
    """What the camera takes before it becomes a photo."""

    linear: np.ndarray
    """(H, W, 3) float32, things over black."""
    coverage: np.ndarray
    """(H, W) 0…1."""
    own: np.ndarray
    """(H, W) 0…1: share of the pixel that shows the named regions of the first thing."""


def render_scene(
    things: list[Thing], rig: Rig, side: int, own: tuple[str, ...], device: torch.device | str = "cpu"
) -> Render:
    """Picture of side² pixels; the first thing is the head, whose regions `own` make the mask."""
    trace = Trace.of(_joined(things), side, side, device=device)
    starts = np.cumsum([0, *(len(thing.mesh.vertices) for thing in things)])
    first_faces = np.cumsum([0, *(len(thing.mesh.faces) for thing in things)])
    albedo = torch.zeros_like(trace.weights)
    for index, thing in enumerate(things):
        mine = (trace.triangle >= first_faces[index]) & (trace.triangle < first_faces[index + 1])
        if thing.albedo.ndim == 3:
            albedo[mine] = trace.texture(thing.albedo)[mine]
        else:
            colours = np.zeros((starts[-1], 3), np.float32)
            colours[starts[index] : starts[index + 1]] = thing.albedo
            albedo[mine] = trace.interpolate(colours)[mine]
    roughness, gloss = (
        torch.as_tensor(
            np.concatenate([np.broadcast_to(v, n) for v, n in zip(values, np.diff(starts), strict=True)]),
            dtype=torch.float32,
            device=device,
        )
        for values in ([thing.roughness for thing in things], [thing.gloss for thing in things])
    )
    diffuse, specular = (trace.interpolate(each) for each in shade_vertices(trace, rig, roughness, gloss))
    linear = trace.sums(albedo * diffuse + specular)
    return Render(linear, trace.coverage, trace.share(tuple(f"0:{name}" for name in own)))


def shade_vertices(trace: Trace, rig: Rig, roughness: Tensor, gloss: Tensor) -> tuple[Tensor, Tensor]:
    """What each vertex sends to the camera if it were white and mat, and by its gloss: (N, 3) each.

    roughness and gloss (N,), see `Thing`.
    """
    normals, towards = trace.vertex_normals, -functional.normalize(trace.vertices, dim=1)
    directions, colours = rig.directions(normals.device), rig.colours(normals.device)
    seen = unshadowed(trace.vertices, normals, trace.faces, directions, rig.shadows)
    diffuse = torch.full_like(normals, rig.ambient).addmm_(
        ((directions @ normals.T).clamp(min=0) * seen).T, colours
    )
    specular = torch.zeros_like(normals)
    for direction, open_to, colour in zip(directions, seen, colours, strict=True):
        shine = np.pi * _glossy(normals, towards, direction, roughness, gloss) * open_to
        specular += shine[:, None] * colour
    return diffuse, specular


def _glossy(normals: Tensor, towards: Tensor, direction: Tensor, roughness: Tensor, gloss: Tensor) -> Tensor:
    """(N,) reflection of a distant lamp times the cosine of incidence (Walter et al. 2007, Schlick's Fresnel)."""
    facing = normals @ direction
    out = (normals * towards).sum(1).clamp(min=1e-3)
    half = functional.normalize(towards + direction, dim=1, eps=1e-6)
    squared = roughness**2
    upright = (normals * half).sum(1).clamp(min=0)
    spread = squared / (np.pi * (upright**2 * (squared - 1) + 1) ** 2)
    fresnel = gloss + (1 - gloss) * (1 - (half @ direction).clamp(0, 1)) ** 5
    masked_out, masked_in = (
        2 * cosine / (cosine + (squared + (1 - squared) * cosine**2).sqrt()) for cosine in (out, facing)
    )
    return torch.where(facing > 0, spread * fresnel * masked_out * masked_in / (4 * out), 0)


def light_sh(rig: Rig) -> np.ndarray:
    """(3, 9): the light without shadows as order-2 irradiance / π."""
    basis = sh_basis(rig.directions().double()).numpy() * COSINE_LOBE * np.pi
    sh = rig.colours().double().numpy().T @ basis
    sh[:, 0] += rig.ambient * 2 * np.sqrt(np.pi)
    return sh


def _joined(things: list[Thing]) -> CameraMesh:
    """All meshes as one; regions are named "number:region"."""
    starts = np.cumsum([0, *(len(thing.mesh.vertices) for thing in things)])
    names = [[f"{index}:{name}" for name in thing.mesh.region_names] for index, thing in enumerate(things)]
    first_names = np.cumsum([0, *map(len, names)])
    return CameraMesh(
        vertices=np.concatenate([thing.mesh.vertices for thing in things]).astype(np.float32),
        faces=np.concatenate([t.mesh.faces + start for t, start in zip(things, starts, strict=False)]),
        uv=np.concatenate([thing.mesh.uv for thing in things]),
        face_region=np.concatenate(
            [t.mesh.face_region.astype(int) + first for t, first in zip(things, first_names, strict=False)]
        ),
        region_names=tuple(name for group in names for name in group),
        K=things[0].mesh.K,
    )
