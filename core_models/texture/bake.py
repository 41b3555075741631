"""Photo and posed mesh → light, albedo and confidence, per texel and per vertex: the stages of this package in
order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..colour import linear_to_srgb_uint8
from ..geometry.mesh import vertex_normals
from .albedo import darken_openings, divide_out, light_texels, smooth_normals, smooth_residual
from .atlas import Atlas, build_atlas
from .complete import complete_albedo, plan_completion
from .images import extend, resize_map
from .lighting_fit import LightFit, fit_light, log_slopes
from .sampling import PhotoPyramid, build_pyramid, sample_pyramid
from .unwrap import Surface, drop_slivers, place_texels, see_texels
from .vertex_colours import average_to_vertices
from .visibility import view_depth

if TYPE_CHECKING:
    from ..morphable.model import MorphableModel

PLAN_SIZE = 512
"""Light, shading, confidence and tone are smooth: they are found at this size and resampled to the texture's."""
_LIGHT_SAMPLES = 3000
_BAND = 1 << 20
"""Texels encoded at a time."""


@dataclass(frozen=True)
class PosedMesh:
    """A morphable model's mesh where the photo's camera sees it, as numpy arrays."""

    vertices: np.ndarray
    """(N, 3) float32 decimetres, camera frame."""
    normals: np.ndarray
    """(N, 3) float32 unit."""
    faces: np.ndarray
    """(F, 3) int64."""
    uv: np.ndarray
    """(N, 2) float32, symmetric about u = ½."""
    face_region: np.ndarray
    """(F,) uint8."""
    region_names: tuple[str, ...]
    albedo_mean: np.ndarray
    """(N, 3) float32 linear."""
    albedo_basis: np.ndarray
    """(Ka, N, 3) float32 linear per σ."""

    def albedo(self, light: LightFit) -> np.ndarray:
        """The albedo (N, 3) linear that the light was fitted with."""
        fitted = np.flatnonzero(light.log_coefficients)
        slopes = log_slopes(self.albedo_mean, self.albedo_basis[fitted])
        return np.minimum(
            self.albedo_mean * np.exp(np.tensordot(light.log_coefficients[fitted], slopes, 1)), 1.0
        )

    def regions(self, *names: str) -> tuple[int, ...]:
        """Indices of the named regions that this model has."""
        return tuple(index for index, name in enumerate(self.region_names) if name in names)


@dataclass(frozen=True)
class TextureResult:
    """What the photo says about the face's skin and light; fields as in `Reconstruction`."""

    sh: np.ndarray
    """(3, 9) float32, camera frame."""
    albedo_coefficients: np.ndarray
    """(Ka,) float32, standard deviations."""
    vertex_albedo_linear: np.ndarray
    """(N, 3) float32."""
    vertex_shading_linear: np.ndarray
    """(N, 3) float32; albedo × shading is the photo's appearance where seen."""
    vertex_confidence: np.ndarray
    """(N,) float32, 1 seen … 0 invented."""
    albedo_srgb: np.ndarray
    """(S, S, 3) uint8, complete, continued outside the layout."""
    shading_linear: np.ndarray
    """(S, S, 3) float16."""
    confidence: np.ndarray
    """(S, S) uint8, 255 seen … 0 invented."""
    light_residual: float
    """Weighted RMS of (photo − model albedo × light) ÷ photo on skin: how far the light model is from the truth."""


def bake_texture(
    photo_srgb: np.ndarray,
    face_mask: np.ndarray,
    model: MorphableModel,
    vertices_camera: np.ndarray,
    K: np.ndarray,
    size: int = 1024,
) -> TextureResult:
    """Unwrap a photo onto a posed model and take its light off.

    Args:
        photo_srgb: (H, W, 3) uint8.
        face_mask: (H, W) float 0…1, soft: where this face's skin, lips, brows and eyes are.
        model: gives triangles, layout, regions and the albedo prior.
        vertices_camera: (N, 3) decimetres, camera frame.
        K: (3, 3), pixels of the photo.
        size: S of the textures; at least 64, a multiple of it best.
    """
    mesh = pose_mesh(model, vertices_camera)
    plan_atlas = build_atlas(mesh.uv, mesh.faces, min(size, PLAN_SIZE))
    atlas = plan_atlas if size <= PLAN_SIZE else build_atlas(mesh.uv, mesh.faces, size)

    surface = _place(plan_atlas, mesh, K)
    seen = see_face(mesh, plan_atlas, surface, face_mask, K)
    pyramid = build_pyramid(photo_srgb, surface.pixels, surface.footprint * (plan_atlas.size / size))
    appearance = sample_pyramid(pyramid, surface.pixels, surface.footprint)

    light = estimate_light(mesh, plan_atlas, surface, appearance, seen)
    prior = (plan_atlas.weights @ mesh.albedo(light)).astype(np.float32)
    shading = estimate_shading(mesh, plan_atlas, surface, appearance, seen, light, prior)

    albedo_map, prior_map = plan_atlas.image(divide_out(appearance, shading)), plan_atlas.image(prior)
    covered, seen_map = plan_atlas.covered(), plan_atlas.image(seen)
    plan = plan_completion(albedo_map, seen_map, prior_map, covered)

    maps = _Maps(extend(plan_atlas.image(shading), covered), extend(seen_map, covered))
    fine_shading = atlas.gather(maps.shading)
    fine_seen = divide_out(_sample_bands(atlas, mesh, pyramid, K), fine_shading)
    return _assemble(mesh, atlas, light, complete_albedo(plan, atlas, fine_seen), fine_shading, maps)


def pose_mesh(model: MorphableModel, vertices_camera: np.ndarray) -> PosedMesh:
    """The model's arrays beside its posed vertices (N, 3) in decimetres, camera frame."""
    vertices = torch.as_tensor(vertices_camera, dtype=torch.float32)
    return PosedMesh(
        vertices=vertices.numpy(),
        normals=vertex_normals(vertices[None], model.faces)[0].numpy(),
        faces=model.faces.numpy(),
        uv=model.uv.float().numpy(),
        face_region=model.face_region.numpy(),
        region_names=tuple(model.region_names),
        albedo_mean=model.albedo_mean.float().numpy(),
        albedo_basis=model.albedo_basis.float().numpy(),
    )


def see_face(
    mesh: PosedMesh, atlas: Atlas, surface: Surface, face_mask: np.ndarray, K: np.ndarray
) -> np.ndarray:
    """Confidence (M,) that the photo shows each texel; face_mask (H, W) 0…1."""
    eyes = mesh.regions("eyes")
    view = view_depth(mesh.vertices, mesh.faces, K, np.isin(mesh.face_region, eyes))
    seen = see_texels(surface, view, face_mask, eyes)
    return drop_slivers(atlas, seen, keep=np.isin(surface.region, mesh.regions("eyes", "mouth")))


def estimate_light(
    mesh: PosedMesh, atlas: Atlas, surface: Surface, appearance: np.ndarray, seen: np.ndarray
) -> LightFit:
    """Light and albedo coefficients from well-seen skin; appearance (M, 3) linear, seen (M,)."""
    skin = np.flatnonzero((seen > 0.5) & np.isin(surface.region, mesh.regions("skin", "lips")))
    chosen = skin[:: max(1, len(skin) // _LIGHT_SAMPLES)]
    interpolate = atlas.weights[chosen]
    modes = interpolate @ mesh.albedo_basis.transpose(1, 0, 2).reshape(len(mesh.vertices), -1)
    return fit_light(
        appearance[chosen],
        surface.normals[chosen],
        seen[chosen],
        interpolate @ mesh.albedo_mean,
        modes.reshape(len(chosen), len(mesh.albedo_basis), 3).transpose(1, 0, 2),
    )


def estimate_shading(
    mesh: PosedMesh,
    atlas: Atlas,
    surface: Surface,
    appearance: np.ndarray,
    seen: np.ndarray,
    light: LightFit,
    prior: np.ndarray,
) -> np.ndarray:
    """Shading (M, 3): the fitted light, its shadow in openings, and the smooth residual that the skin shows.

    prior (M, 3): the model's albedo.
    """
    openings = darken_openings(atlas, np.isin(surface.region, mesh.regions("mouth")), seen)
    outside = np.isin(surface.region, mesh.regions("skin", "lips", "brows", "rim"))
    shading = light_texels(smooth_normals(atlas, surface.normals, outside), light.sh) * openings
    skin = seen * np.isin(surface.region, mesh.regions("skin"))
    # Lips tell how much light there is, not its colour: they may be painted, and the teeth would turn green.
    skin_and_lips = seen * np.isin(surface.region, mesh.regions("skin", "lips"))
    return shading * smooth_residual(atlas, appearance, prior * shading, skin_and_lips, skin)


@dataclass(frozen=True)
class _Maps:
    """Smooth results at plan size, continued outside the layout: shading (P, P, 3), confidence (P, P)."""

    shading: np.ndarray
    confidence: np.ndarray


def _place(atlas: Atlas, mesh: PosedMesh, K: np.ndarray) -> Surface:
    return place_texels(atlas, mesh.vertices, mesh.normals, mesh.faces, mesh.uv, mesh.face_region, K)


def _sample_bands(atlas: Atlas, mesh: PosedMesh, pyramid: PhotoPyramid, K: np.ndarray) -> np.ndarray:
    """The photo's linear colours (M, 3) at all texels."""
    colours = np.empty((len(atlas.texels), 3), np.float32)
    start = 0
    for band in atlas.bands():
        surface = _place(band, mesh, K)
        colours[start : start + len(band.texels)] = sample_pyramid(pyramid, surface.pixels, surface.footprint)
        start += len(band.texels)
    return colours


def _assemble(
    mesh: PosedMesh, atlas: Atlas, light: LightFit, albedo: np.ndarray, shading: np.ndarray, maps: _Maps
) -> TextureResult:
    """Images and vertex colours from the texels' albedo (M, 3) and shading (M, 3)."""
    covered = atlas.covered()
    confidence = np.where(covered, resize_map(maps.confidence, atlas.size), 0.0)
    vertex_shading = np.maximum(average_to_vertices(atlas, shading, mesh.uv), 1e-3)
    vertex_appearance = average_to_vertices(atlas, albedo * shading, mesh.uv)
    vertex_confidence = average_to_vertices(atlas, atlas.gather(confidence)[:, None], mesh.uv)[:, 0]
    return TextureResult(
        sh=light.sh,
        albedo_coefficients=light.albedo_coefficients,
        vertex_albedo_linear=divide_out(vertex_appearance, vertex_shading),
        vertex_shading_linear=vertex_shading,
        vertex_confidence=np.clip(vertex_confidence, 0.0, 1.0),
        albedo_srgb=_encode_texture(atlas, albedo),
        shading_linear=resize_map(maps.shading, atlas.size).astype(np.float16),
        confidence=np.round(np.clip(confidence, 0.0, 1.0) * 255).astype(np.uint8),
        light_residual=light.residual,
    )


def _encode_texture(atlas: Atlas, albedo: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 sRGB of texel albedos (M, 3) linear, continued outside the layout at plan size."""
    encoded = np.concatenate(
        [linear_to_srgb_uint8(band) for band in np.array_split(albedo, 1 + len(albedo) // _BAND)]
    )
    image = atlas.image(encoded)
    block = max(1, atlas.size // PLAN_SIZE)
    small, small_covered = image[::block, ::block], atlas.covered()[::block, ::block]
    around = resize_map(extend(small, small_covered), atlas.size)
    return np.where(atlas.covered()[..., None], image, around)
