"""Texture → vertex colours that, interpolated over the triangles, come as near to the texture as they can."""

from __future__ import annotations

import numpy as np

from ..images import sample_bilinear
from ..skin_colour import ALBEDO_RANGE
from .atlas import Atlas

_SHARPENING_STEPS = 4
"""Landweber steps after the first average: each halves the blur of averaging and interpolating; more would ring."""
_LEAST_SHADING = 1e-3
_LEAST_WEIGHT = 0.25
"""Texels; a vertex around which less lies takes the texture's value at its own place."""


def vertex_colours(
    atlas: Atlas, albedo: np.ndarray, shading: np.ndarray, uv: np.ndarray, eyes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Albedo and shading (N, 3) at the vertices from the texels' (M, 3), linear; their product is the appearance.

    Skin's albedo is appearance ÷ shading, which keeps the render true; on the eyes (N,) bool highlights change the
    shading more from texel to texel than vertices can follow, so there the albedo is averaged itself.
    """
    appearance = average_to_vertices(atlas, albedo * shading, uv)
    plain = average_to_vertices(atlas, albedo, uv)
    shading = np.maximum(average_to_vertices(atlas, shading, uv), _LEAST_SHADING)
    albedo = np.clip(np.where(eyes[:, None], plain, appearance / shading), *ALBEDO_RANGE)
    shading = np.where(eyes[:, None], np.maximum(appearance / albedo, _LEAST_SHADING), shading)
    return albedo.astype(np.float32), shading.astype(np.float32)


def average_to_vertices(atlas: Atlas, values: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Vertex values (N, C) for texel values (M, C): averages over each vertex's triangles with its interpolation
    weights.

    That is the first step of the least-squares fit `atlas.weights @ vertices ≈ values`; a few more follow. uv (N, 2).
    """
    gather = atlas.weights.T
    total = np.asarray(gather.sum(1)).reshape(-1, 1)
    well_covered = total[:, 0] > _LEAST_WEIGHT
    scale = np.where(well_covered[:, None], 1.0 / np.maximum(total, _LEAST_WEIGHT), 0.0).astype(np.float32)
    result = scale * (gather @ values)
    bare = np.flatnonzero(~well_covered)
    if bare.size:
        image, u, v = atlas.image(values), uv[bare, 0], uv[bare, 1]
        result[bare] = sample_bilinear(image, u * atlas.size, (1 - v) * atlas.size)
    for _ in range(_SHARPENING_STEPS):
        result += scale * (gather @ (values - atlas.weights @ result))
    return result
