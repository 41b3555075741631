"""A quick picture of a head by the program's own rasteriser: many distant lamps with shadow maps, gloss, occluders.

No light bounces and none enters the skin; what it has over order-2 light is cast shadows, highlights and things in
front of the face. Camera frame, decimetres, scene-linear Rec.709.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import torch

from semblance.core_models.render.lighting import sh_basis

from ..scoring.lamps import Light, unshadowed
from ..scoring.trace import Frame, Shape, Trace

SKIN_REFLECTANCE = 0.028
"""Of skin seen head-on, by its index of refraction of about 1.4."""
_BAND_OF_COSINE = (1.0, 2 / 3, 2 / 3, 2 / 3, 0.25, 0.25, 0.25, 0.25, 0.25)
"""Band l of max(0, cos) over π (Ramamoorthi and Hanrahan 2001)."""


@dataclass(frozen=True, eq=False)
class Thing:
    """A mesh of the scene."""

    shape: Shape
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


def render_scene(things: list[Thing], light: Light, side: int, own: tuple[str, ...]) -> Render:
    """Picture of side² pixels; the first thing is the head, whose regions `own` make the mask."""
    shape = _joined(things)
    starts = np.cumsum([0, *(len(thing.shape.vertices) for thing in things)])
    roughness, gloss = (
        np.concatenate([np.broadcast_to(v, n) for v, n in zip(values, np.diff(starts), strict=True)])
        for values in ([thing.roughness for thing in things], [thing.gloss for thing in things])
    )
    diffuse, specular = shade_vertices(shape, light, roughness.astype(np.float32), gloss.astype(np.float32))
    trace = Trace.of(shape, Frame(0.0, 0.0, float(side), side))
    first_faces = np.cumsum([0, *(len(thing.shape.faces) for thing in things)])
    albedo = torch.zeros(len(trace.triangle), 3)
    for index, thing in enumerate(things):
        mine = (trace.triangle >= first_faces[index]) & (trace.triangle < first_faces[index + 1])
        if thing.albedo.ndim == 3:
            albedo[mine] = trace.texture(thing.albedo)[mine]
        else:
            colours = np.zeros((len(shape.vertices), 3), np.float32)
            colours[starts[index] : starts[index + 1]] = thing.albedo
            albedo[mine] = trace.interpolate(colours)[mine]
    both = trace.interpolate(np.concatenate([diffuse, specular], axis=1))
    linear = trace.sums(albedo * both[:, :3] + both[:, 3:])
    return Render(linear, trace.coverage, trace.share(tuple(f"0:{name}" for name in own)))


def shade_vertices(
    shape: Shape, light: Light, roughness: np.ndarray, gloss: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What each vertex sends to the camera if it were white and mat, and by its gloss: (N, 3) each."""
    normals, towards = shape.normals, -shape.vertices / np.linalg.norm(shape.vertices, axis=1, keepdims=True)
    diffuse = np.tile(np.array(light.ambient, np.float32), (len(normals), 1))
    specular = np.zeros_like(diffuse)
    for direction, colour in zip(light.directions, light.colours, strict=True):
        facing = np.maximum(normals @ direction, 0.0)
        seen = unshadowed(shape.vertices, normals, shape.faces, direction)
        diffuse += (facing * seen)[:, None] * colour
        specular += (np.pi * _glossy(normals, towards, direction, roughness, gloss) * seen)[:, None] * colour
    return diffuse, specular


@numba.njit(cache=True, fastmath=True)
def _glossy(normals, towards, direction, roughness, gloss):  # type: ignore[no-untyped-def]
    """(N,) reflection of a distant lamp times the cosine of incidence (Walter et al. 2007, Schlick's Fresnel)."""
    shine = np.zeros(len(normals), np.float32)
    for i in range(len(normals)):
        n, v = normals[i], towards[i]
        facing = n[0] * direction[0] + n[1] * direction[1] + n[2] * direction[2]
        if facing <= 0:
            continue
        out = max(n[0] * v[0] + n[1] * v[1] + n[2] * v[2], 1e-3)
        hx, hy, hz = v[0] + direction[0], v[1] + direction[1], v[2] + direction[2]
        length = max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
        upright = max((n[0] * hx + n[1] * hy + n[2] * hz) / length, 0.0)
        squared = roughness[i] ** 2
        spread = squared / (np.pi * (upright * upright * (squared - 1) + 1) ** 2)
        aside = 1 - min(max((hx * direction[0] + hy * direction[1] + hz * direction[2]) / length, 0.0), 1.0)
        fresnel = gloss[i] + (1 - gloss[i]) * aside**5
        masked = 2 * out / (out + np.sqrt(squared + (1 - squared) * out * out))
        masked *= 2 * facing / (facing + np.sqrt(squared + (1 - squared) * facing * facing))
        shine[i] = spread * fresnel * masked / (4 * out)
    return shine


def light_sh(light: Light) -> np.ndarray:
    """(3, 9): the light without shadows as order-2 irradiance / π."""
    basis = sh_basis(torch.as_tensor(light.directions, dtype=torch.float64)).numpy() * _BAND_OF_COSINE * np.pi
    sh = light.colours.astype(np.float64).T @ basis
    sh[:, 0] += np.array(light.ambient) * 2 * np.sqrt(np.pi)
    return sh


def _joined(things: list[Thing]) -> Shape:
    """All meshes as one; regions are named "number:region"."""
    starts = np.cumsum([0, *(len(thing.shape.vertices) for thing in things)])
    names = [[f"{index}:{name}" for name in thing.shape.region_names] for index, thing in enumerate(things)]
    first_names = np.cumsum([0, *map(len, names)])
    return Shape(
        vertices=np.concatenate([thing.shape.vertices for thing in things]).astype(np.float32),
        faces=np.concatenate([t.shape.faces + start for t, start in zip(things, starts, strict=False)]),
        uv=np.concatenate([thing.shape.uv for thing in things]),
        face_region=np.concatenate(
            [t.shape.face_region.astype(int) + first for t, first in zip(things, first_names, strict=False)]
        ),
        region_names=tuple(name for group in names for name in group),
        K=things[0].shape.K,
    )
