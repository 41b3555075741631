"""Photo and posed mesh → light, albedo and confidence, per texel and per vertex: observe, separate, complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .colour import linear_to_srgb_uint8
from .completion.completed import Complete, Completed
from .images import extend, resize_map
from .intrinsic.group_light import GroupLight
from .intrinsic.separated import Separate, Separated
from .intrinsic.sharp_lamps import SharpLamps
from .texture.atlas import Atlas
from .texture.observation import TexelObservation
from .texture.vertex_colours import average_to_vertices, vertex_colours

_AROUND_SIZE = 512
"""Of the colours outside the layout."""
_BAND = 1 << 20
"""Texels encoded at a time."""


@dataclass(frozen=True)
class TextureResult:
    """What the photo says about the face's skin and light; fields as in `Reconstruction`."""

    sh: np.ndarray
    """(3, 9) float32, camera frame."""
    sh_map: np.ndarray
    """(Q, Q, 27) float16; Q = 0 where the separation knows none."""
    lamps: SharpLamps
    """Camera frame."""
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
    """See `Separated.residual`."""


def bake_texture(
    observation: TexelObservation,
    separate: Separate,
    complete: Complete,
    group: GroupLight | None = None,
    tick: Callable[[float], None] = lambda done: None,
) -> TextureResult:
    """Take the light off an observed face and complete its albedo.

    Args:
        observation: of the photo.
        separate: into albedo and light.
        complete: the albedo.
        group: what other faces of the same photo have shown of its light; this one is added.
        tick: told the fraction done, 0…1, between the steps; what it raises ends the work.
    """
    separated = separate(observation, group or GroupLight())
    tick(0.5)
    completed = complete(separated)
    tick(0.85)
    return _encoded(observation, separated, completed)


def _encoded(observation: TexelObservation, separated: Separated, completed: Completed) -> TextureResult:
    """Images and vertex colours."""
    mesh, atlas = observation.mesh, observation.layout.full
    confidence = np.where(atlas.covered(), resize_map(completed.confidence, atlas.size), 0.0)
    eyes = np.zeros(len(mesh.uv), bool)
    eyes[mesh.faces[np.isin(mesh.face_region, mesh.regions("eyes"))]] = True
    vertex_albedo, vertex_shading = vertex_colours(
        atlas, completed.albedo, separated.full_shading, mesh.uv, eyes
    )
    vertex_confidence = average_to_vertices(atlas, atlas.gather(confidence)[:, None], mesh.uv)[:, 0]
    sh_map = separated.sh_map if separated.sh_map is not None else np.zeros((0, 0, 27))
    return TextureResult(
        sh=separated.sh.astype(np.float32),
        sh_map=sh_map.astype(np.float16),
        lamps=separated.lamps,
        albedo_coefficients=separated.albedo_coefficients,
        vertex_albedo_linear=vertex_albedo,
        vertex_shading_linear=vertex_shading,
        vertex_confidence=np.clip(vertex_confidence, 0.0, 1.0).astype(np.float32),
        albedo_srgb=_encode_texture(atlas, completed.albedo),
        shading_linear=resize_map(separated.shading_map, atlas.size).astype(np.float16),
        confidence=np.round(np.clip(confidence, 0.0, 1.0) * 255).astype(np.uint8),
        is_grey=separated.is_grey,
        light_residual=separated.residual,
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
