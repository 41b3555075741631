"""Photo and posed mesh → light, albedo and confidence, per texel and per vertex: the stages of this package in
order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..colour import linear_to_srgb_uint8
from ..geometry.mesh import vertex_normals
from .albedo import divide_out
from .atlas import Atlas, build_atlas
from .complete import Places, complete_albedo, plan_completion
from .cues import photo_exposure
from .eyes import held_to
from .group import GroupLight
from .images import extend, resize_map
from .light import FaceLight, Sight, take_light_off
from .posed import PosedMesh, pose_mesh
from .sampling import PhotoPyramid, build_pyramid, sample_pyramid
from .sew import HEAD_REGIONS, head_texels, sew_head
from .skin_grain import RestSurface, grained, measure_grain, rest_surface
from .unwrap import Surface, drop_slivers, place_texels, see_texels
from .vertex_colours import average_to_vertices, vertex_colours
from .visibility import view_depth

if TYPE_CHECKING:
    from ..morphable.model import MorphableModel


@dataclass(frozen=True)
class Effort:
    """How finely the light is found."""

    n_directions: int
    """Even; that it may come from."""
    plan_size: int
    """Light, shading, confidence and tone are smooth: they are found at this texture size and resampled."""


STANDARD, DRAFT = Effort(128, 512), Effort(32, 256)
INSIDES = ("eyes", "mouth", "teeth", "gums", "tongue")
"""Regions that are not skin."""
_MILLIMETRES = 100.0
"""In a decimetre."""
_AROUND_SIZE = 512
"""Of the colours outside the layout."""
_BAND = 1 << 20
"""Texels encoded at a time."""


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
    is_grey: bool
    """The photo is black and white: the skin's colour is a guess."""
    light_residual: float
    """Weighted RMS of (photo − model albedo × light) ÷ photo on skin: how far the light model is from the truth."""


def bake_texture(
    photo_srgb: np.ndarray,
    face_mask: np.ndarray,
    model: MorphableModel,
    vertices_camera: np.ndarray,
    K: np.ndarray,
    size: int = 1024,
    effort: Effort = STANDARD,
    group: GroupLight | None = None,
    tick: Callable[[float], None] = lambda done: None,
) -> TextureResult:
    """Unwrap a photo onto a posed model and take its light off.

    Args:
        photo_srgb: (H, W, 3) uint8.
        face_mask: (H, W) float 0…1, soft: where this face's skin, lips, brows and eyes are.
        model: gives triangles, layout, regions and the albedo prior.
        vertices_camera: (N, 3) decimetres, camera frame.
        K: (3, 3), pixels of the photo.
        size: S of the textures; at least 64, a multiple of it best.
        effort: what may be spent on the light.
        group: what other faces of the same photo have shown of its light; this one is added.
        tick: told the fraction done, 0…1, between the steps; what it raises ends the work.
    """
    mesh = pose_mesh(model, vertices_camera)
    plan_atlas = build_atlas(mesh.uv, mesh.faces, min(size, effort.plan_size))
    atlas = plan_atlas if size <= effort.plan_size else build_atlas(mesh.uv, mesh.faces, size)
    tick(0.1)

    surface = _place(plan_atlas, mesh, K)
    seen = see_face(mesh, plan_atlas, surface, face_mask, K)
    pyramid = build_pyramid(photo_srgb, surface.pixels, surface.footprint * (plan_atlas.size / size))
    appearance = sample_pyramid(pyramid, surface.pixels, surface.footprint)

    sight = Sight(mesh, plan_atlas, surface, appearance, seen, photo_exposure(photo_srgb))
    light = take_light_off(sight, effort.n_directions, group or GroupLight())
    tick(0.55)
    albedo_map = plan_atlas.image(divide_out(appearance, light.shading))
    prior_map = plan_atlas.image(light.prior)
    covered, seen_map = plan_atlas.covered(), plan_atlas.image(seen)
    places = Places(
        covered,
        plan_atlas.image(~np.isin(surface.region, mesh.regions(*INSIDES, *HEAD_REGIONS))),
        plan_atlas.image(plan_atlas.weights @ blink_motion(model)),
        plan_atlas.image(surface.cosine),
        plan_atlas.image(light.hair),
    )
    plan = plan_completion(albedo_map, seen_map, prior_map, places)
    tick(0.65)

    maps = _Maps(extend(plan_atlas.image(light.shading), covered), extend(plan.confidence, covered))
    fine_shading = atlas.gather(maps.shading)
    fine_seen = divide_out(_sample_bands(atlas, mesh, pyramid, K), fine_shading)
    tick(0.7)
    eyes = np.isin(mesh.face_region[atlas.triangles], mesh.regions("eyes"))
    fine_seen[eyes] = held_to(atlas.gather(extend(prior_map, covered))[eyes], fine_seen[eyes])
    rest = model_at_rest(model)
    grain = measure_grain(atlas, fine_seen, plan.bare, rest)
    tick(0.75)
    albedo = complete_albedo(plan, atlas, fine_seen, grain, rest)
    head = head_texels(atlas, mesh)
    albedo[head] = grained(atlas.weights[head] @ light.vertex_prior, grain, rest, atlas.part(head))
    tick(0.85)
    return _assemble(mesh, atlas, light, sew_head(atlas, mesh, albedo), fine_shading, maps)


def blink_motion(model: MorphableModel) -> np.ndarray:
    """(N,) float32, how far a blink moves the vertices, of the most it moves any; 0 for a model that does not blink."""
    blinks = [index for index, name in enumerate(model.expression_names) if "blink" in name.lower()]
    if not blinks:
        return np.zeros(len(model.uv), np.float32)
    motion = model.expression_basis[blinks].float().norm(dim=-1)
    return (motion / motion.amax(1, keepdim=True)).amax(0).numpy()


def model_at_rest(model: MorphableModel) -> RestSurface:
    """The model's mean head."""
    mean = model.mean.float().reshape(-1, 3)
    normals = vertex_normals(mean[None], model.twin[model.faces])[0, model.twin]
    return rest_surface(
        mean.numpy() * _MILLIMETRES, normals.numpy(), model.faces.numpy(), model.uv.float().numpy()
    )


def see_face(
    mesh: PosedMesh, atlas: Atlas, surface: Surface, face_mask: np.ndarray, K: np.ndarray
) -> np.ndarray:
    """Confidence (M,) that the photo shows each texel; face_mask (H, W) 0…1. None on the head behind the face."""
    eyes = mesh.regions("eyes")
    view = view_depth(mesh.vertices, mesh.faces, K, np.isin(mesh.face_region, eyes))
    seen = see_texels(surface, view, face_mask, eyes)
    seen[head_texels(atlas, mesh)] = 0.0
    return drop_slivers(atlas, seen, keep=np.isin(surface.region, mesh.regions("eyes", "mouth")))


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
    mesh: PosedMesh, atlas: Atlas, light: FaceLight, albedo: np.ndarray, shading: np.ndarray, maps: _Maps
) -> TextureResult:
    """Images and vertex colours from the texels' albedo (M, 3) and shading (M, 3)."""
    covered = atlas.covered()
    confidence = np.where(covered, resize_map(maps.confidence, atlas.size), 0.0)
    eyes = np.zeros(len(mesh.uv), bool)
    eyes[mesh.faces[np.isin(mesh.face_region, mesh.regions("eyes"))]] = True
    vertex_albedo, vertex_shading = vertex_colours(atlas, albedo, shading, mesh.uv, eyes)
    vertex_confidence = average_to_vertices(atlas, atlas.gather(confidence)[:, None], mesh.uv)[:, 0]
    return TextureResult(
        sh=light.environment.sh().astype(np.float32),
        albedo_coefficients=light.albedo_coefficients,
        vertex_albedo_linear=vertex_albedo,
        vertex_shading_linear=vertex_shading,
        vertex_confidence=np.clip(vertex_confidence, 0.0, 1.0).astype(np.float32),
        albedo_srgb=_encode_texture(atlas, albedo),
        shading_linear=resize_map(maps.shading, atlas.size).astype(np.float16),
        confidence=np.round(np.clip(confidence, 0.0, 1.0) * 255).astype(np.uint8),
        is_grey=light.is_grey,
        light_residual=light.environment.residual,
    )


def _encode_texture(atlas: Atlas, albedo: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 sRGB of texel albedos (M, 3) linear, continued outside the layout coarsely."""
    encoded = np.concatenate(
        [linear_to_srgb_uint8(band) for band in np.array_split(albedo, 1 + len(albedo) // _BAND)]
    )
    image = atlas.image(encoded)
    block = max(1, atlas.size // _AROUND_SIZE)
    small, small_covered = image[::block, ::block], atlas.covered()[::block, ::block]
    around = resize_map(extend(small, small_covered), atlas.size)
    return np.where(atlas.covered()[..., None], image, around)
