"""The skin's gloss, told from its colour: skin is coloured, what its surface mirrors is not (Shafer 1985).

Division by diffuse light leaves k · albedo + s · colour, s ≥ 0, the colour about white and the same all over: cameras
make skin redder than its light is. What a skin of ordinary gloss would mirror of the
light found, from where it stands, says where s may lie and about how strong it is; each texel's colour does the rest.
Hair is washed out too, so nothing is taken for gloss that the light does not put there.
"""

from __future__ import annotations

import numpy as np

from ..images import smoothstep
from ..render.transport import Directions
from ..texture.atlas import Atlas

ROUGHNESS = 0.38
"""α of the microfacets (GGX) of facial skin; Weyrich et al. 2006 found 0.25 to 0.5."""
REFLECTANCE = 0.028
"""Of skin's surface, seen head on: index of refraction 1.4."""
COLOUR_SIGMA = 0.09
"""Relative σ of a texel's albedo, channel by channel, about a multiple of the expected one."""
BRIGHTNESS_SIGMA = 0.35
"""σ of that multiple about 1."""
_LEAST_COLOUR_SIGMA = 0.003
_DOUBT, _LEAST_DOUBT = 2.0, 0.006
"""σ of s: relative to what ordinary gloss gives, and beside it."""
_MOST, _MOST_SHARE = 5.0, 0.75
"""Largest s, as a multiple of ordinary gloss, and as a share of the texel's darkest channel."""
_HAIR = (0.3, 0.8)
"""Multiples k of the skin's albedo between which a texel passes from hair or nostril, which keeps all, to skin."""
_PASSES = 3
_COLOUR_PRIOR, _EFFECTIVE_SAMPLES = 0.3, 160.0
"""σ of the mirrored light's colour about the diffuse light's, and independent samples of it on a face."""
_BURNT, _LEAST_PRECISION = (0.85, 0.97), 0.02
"""Linear levels of a photo between which a channel stops telling anything; the share of its say that it keeps."""
_SOFT = 0.002
"""Of the texture's side: half a millimetre."""
_BLACK = 1e-4


def gloss_transport(
    vertices: np.ndarray, normals: np.ndarray, seen: np.ndarray, directions: Directions
) -> np.ndarray:
    """(N, D) float32: `gloss_transport(…) @ radiance` is what ordinary skin's surface mirrors to the camera.

    vertices (N, 3) camera frame, unit normals (N, 3), seen (N, D) as from `transport.visibility`.
    """
    view = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    along = np.clip(view @ directions.towards.T, -0.999, 1)
    cosine = np.maximum(normals @ directions.towards.T, 0)
    to_camera = np.maximum((normals * view).sum(1, keepdims=True), 0.05)
    half_view = np.sqrt((1 + along) / 2)
    half_normal = np.minimum((cosine + to_camera) / (2 * half_view), 1)
    squared = ROUGHNESS**2
    facets = squared / (np.pi * (half_normal**2 * (squared - 1) + 1) ** 2)
    mirrored = REFLECTANCE + (1 - REFLECTANCE) * (1 - half_view) ** 5
    # Geometry term after Kelemen and Szirmay-Kalos 2001.
    return (facets * mirrored * cosine / (4 * half_view**2) * seen * directions.solid_angle).astype(
        np.float32
    )


def find_gloss(
    atlas: Atlas,
    appearance: np.ndarray,
    shading: np.ndarray,
    expected: np.ndarray,
    ordinary: np.ndarray,
    where: np.ndarray,
) -> np.ndarray:
    """The factor (M, 3) by which gloss brightens each channel of what the photo shows; what is burnt out comes back to
    the expected colour.

    appearance, diffuse shading, expected albedo (M, 3), linear; ordinary (M,): what ordinary skin mirrors in this
    light, relative to white's diffuse reflection; where (M,) 0…1: on skin.
    """
    smooth = np.maximum(atlas.blurred(appearance / shading, _SOFT), _BLACK)
    burnt = smoothstep(atlas.blurred(appearance, _SOFT), *_BURNT) * where[:, None]
    precision = (1 - burnt + _LEAST_PRECISION) / _deviation(smooth) ** 2
    colour = np.ones(3)
    for _ in range(_PASSES):
        skin, mirrored = _split(smooth, expected, ordinary, precision, colour)
        mirrored = mirrored * where
        colour = _mirrored_colour(smooth - skin[:, None] * expected, mirrored, precision * where[:, None])
    gloss = np.minimum(atlas.blurred(mirrored[:, None], _SOFT) * colour, _MOST_SHARE * smooth)
    return smooth / ((1 - burnt) * (smooth - gloss) + burnt * skin[:, None] * expected)


def _split(
    delit: np.ndarray, expected: np.ndarray, ordinary: np.ndarray, precision: np.ndarray, colour: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The most probable k (M,) and s (M,) ≥ 0 of delit ≈ k · expected + s · colour, (M, 3) and (3,), precision 1/σ²."""
    doubt = 1 / (_DOUBT * ordinary + _LEAST_DOUBT) ** 2
    kk = (precision * expected**2).sum(1) + 1 / BRIGHTNESS_SIGMA**2
    ks = (precision * expected) @ colour
    ss = precision @ colour**2 + doubt
    k_pull = (precision * expected * delit).sum(1) + 1 / BRIGHTNESS_SIGMA**2
    s_pull = (precision * delit) @ colour + doubt * ordinary
    determinant = kk * ss - ks**2
    skin = (k_pull * ss - s_pull * ks) / determinant
    mirrored = np.clip((s_pull * kk - k_pull * ks) / determinant, 0, _MOST * ordinary)
    return skin, mirrored * smoothstep(skin, *_HAIR)


def _mirrored_colour(rest: np.ndarray, mirrored: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Colour (3,) about 1 of what is mirrored, from rest (M, 3) ≈ mirrored (M,) · colour, precision (M, 3)."""
    share = _EFFECTIVE_SAMPLES / len(mirrored)
    prior = 1 / _COLOUR_PRIOR**2
    pull = prior + share * (precision * rest).T @ mirrored
    colour = pull / (prior + share * precision.T @ mirrored**2)
    return colour / colour.mean()


def _deviation(delit: np.ndarray) -> np.ndarray:
    """σ (M, 3) of delit about its model."""
    return COLOUR_SIGMA * delit + _LEAST_COLOUR_SIGMA
