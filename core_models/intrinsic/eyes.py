"""Eyeballs: the photo shows iris and sclera under gloss, lashes' shadows and half a lid; the albedo must not.

What stands out from a radial profile of the iris and an even sclera, brighter or darker, is light and goes into the
shading; fine structure stays. What lids hide takes the profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE
from ..images import smoothstep
from ..morphable.eyeballs import IRIS_RADIUS_MM, PUPIL_RADIUS_MM, RADIUS_MM, build_eyeballs
from ..skin_colour import ALBEDO_RANGE
from ..texture.observation import TexelObservation
from .environment_light import weighted_quantile

_LEAST_SEEN = 0.5
_LEAST_TEXELS = 25
_RESOLVED_PIXELS = (8.0, 16.0)
"""Diameter of the iris in the photo over which its own profile takes over from the model's, tinted."""
_LIMBUS_MM = (5.5, 6.3)
_RING_MM = (2.4, 5.3)
"""Where an iris shows its colour, clear of pupil and limbus."""
_MOST_GLOSS = np.log(12.0)
"""Log of how much brighter than the light on the eyes a highlight may be. Renderers blur albedo and light apart: more
than that would shine on the sclera beside a dark iris.
"""
_LEAST_CHANNEL = 0.25
"""Of an iris's luminance: photos crush the blue of brown eyes to black."""
_DARKER = 0.6
"""Of the sclera's luminance: an iris that seems brighter was not found where it is."""
_IRIS_TRUST, _DARKEST_IRIS = 0.75, 0.018
"""Share of the photo's say in the iris's level, which lashes and lids shade; the darkest luminance of an iris."""
_PUPIL_SHARE = 0.4
"""Brightest pupil beside its iris."""
_SCLERA_MM = (6.6, 11.0)
_SCLERA_SHARES = (0.5, 0.85)
"""Quantiles of the sclera's luminance between which neither lashes nor gloss are."""
_SCLERA_TRUST = np.array([0.3, 0.6])
"""Share of the photo's say in the sclera's level and in its colour: scleras differ little, their light much."""
_LIGHT_RANGE = (0.4, 2.5)
_DETAIL = (0.25, 0.55)
"""Log departures from the profile that are still the eye's own, and those that are light."""
_CONTINUED = (-0.9, 0.4)
"""Range of the logarithm of that light."""
_HELD = (0.75, 1.3)
_BIN_MM = 0.45
_SPREAD = 0.008
"""Of the texture's side: how far light on the seen part of an eyeball is continued under the lids."""


@dataclass(frozen=True)
class _Eyes:
    """The eyeballs' texels."""

    texels: np.ndarray
    """(E,) places in the observation's texels."""
    radius: np.ndarray
    """(E,) mm from the optical axis, seen from the front."""
    colour: np.ndarray
    """(E, 3) appearance ÷ shading."""
    model: np.ndarray
    """(E, 3) the model's albedo."""
    seen: np.ndarray
    """(E,) confidence 0…1."""

    def between(self, low: float, high: float) -> np.ndarray:
        """(E,) weights of what is seen well and lies at such a radius."""
        return self.seen * ((self.seen > _LEAST_SEEN) & (self.radius > low) & (self.radius < high))


def clear_eyes(
    observation: TexelObservation, shading: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shading (M, 3) and expected albedo (M, 3) of the texels with gloss, lashes and lids' shadows on the eyeballs in
    the shading, and in the albedo what they hide; both unchanged where no eye is seen.
    """
    eyes = _find_eyes(observation, shading, prior)
    ring = eyes.between(*_RING_MM)
    if (ring > 0).sum() < _LEAST_TEXELS:
        return shading, prior
    sclera, light = _sclera(eyes)
    if weighted_quantile(eyes.colour / light @ LUMINANCE, ring) > _DARKER * np.median(sclera @ LUMINANCE):
        ring = 0 * ring
    iris = _iris(eyes, eyes.colour / light, ring, _iris_pixels(observation, eyes))
    outside = smoothstep(eyes.radius, *_LIMBUS_MM)[:, None]
    base = np.exp((1 - outside) * np.log(iris) + outside * np.log(sclera))
    # What the albedo cannot be, the shading must not make up for: brown irises hold next to no blue.
    base = np.maximum(base, ALBEDO_RANGE[0])
    departure = np.log(np.maximum(eyes.colour, 1e-4) / base)
    own = departure - np.log(light)
    own *= 1 - smoothstep(np.abs(own @ LUMINANCE), *_DETAIL)[:, None]
    own += np.maximum(departure - np.log(light) - own - _MOST_GLOSS, 0.0)
    own *= smoothstep(eyes.seen, _LEAST_SEEN, 1.0)[:, None]
    brighter = _continued(observation, eyes, departure - own)
    shading, prior = shading.copy(), prior.copy()
    shading[eyes.texels] *= np.exp(brighter)
    prior[eyes.texels] = base * np.exp(own)
    return shading, prior


def _find_eyes(observation: TexelObservation, shading: np.ndarray, prior: np.ndarray) -> _Eyes:
    mesh, texels = observation.mesh, np.flatnonzero(observation.where("eyes"))
    balls = build_eyeballs()
    polar = np.zeros(len(mesh.vertices), np.float32)
    vertices = np.unique(mesh.faces[np.isin(mesh.face_region, mesh.regions("eyes"))])
    if len(vertices) != len(balls.polar):
        texels = texels[:0]
    else:
        polar[vertices] = balls.polar
    angle = observation.atlas.weights[texels] @ polar
    radius = np.where(angle < np.pi / 2, RADIUS_MM * np.sin(angle), RADIUS_MM)
    colour = np.maximum(observation.appearance[texels] / np.maximum(shading[texels], 1e-3), 1e-4)
    return _Eyes(texels, radius, colour, prior[texels], observation.seen[texels])


def _sclera(eyes: _Eyes) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (E, 3) of the sclera, and the light (3,) on the eyes relative to what the shading says."""
    weights = eyes.between(*_SCLERA_MM)
    if (weights > 0).sum() < _LEAST_TEXELS:
        return eyes.model, np.ones(3)
    luminance = eyes.colour @ LUMINANCE
    low, high = (weighted_quantile(luminance, weights, share) for share in _SCLERA_SHARES)
    weights = weights * ((luminance >= low) & (luminance <= high))
    shown = np.average(np.log(eyes.colour / eyes.model), axis=0, weights=weights)
    level, chroma = shown.mean(), shown - shown.mean()
    factor = np.clip(_SCLERA_TRUST[0] * level, -0.3, 0.2) + np.clip(_SCLERA_TRUST[1] * chroma, -0.15, 0.15)
    inside = eyes.radius < IRIS_RADIUS_MM
    plain = eyes.model[~inside & (eyes.radius < _SCLERA_MM[1])].mean(0)
    albedo = np.where(inside[:, None], plain, eyes.model) * np.exp(factor)
    return albedo, np.clip(np.exp(shown - factor), *_LIGHT_RANGE)


def _iris_pixels(observation: TexelObservation, eyes: _Eyes) -> float:
    """Diameter of an iris in the photo: that of the disc with the area of the larger one's texels."""
    iris = eyes.texels[eyes.radius < IRIS_RADIUS_MM]
    left = observation.surface.pixels[iris, 0] > np.median(observation.surface.pixels[iris, 0])
    areas = [(observation.surface.footprint[iris[side]] ** 2).sum() for side in (left, ~left)]
    return float(2 * np.sqrt(max(areas) / np.pi))


def _iris(eyes: _Eyes, colour: np.ndarray, ring: np.ndarray, pixels: float) -> np.ndarray:
    """Albedo (E, 3) of iris and pupil by radius: the photo's, `pixels` allowing, beside the model's in its tint.

    colour (E, 3): what the photo shows in the light on the eyes; ring (E,): weights of the iris's own colour.
    """
    inside = eyes.radius < IRIS_RADIUS_MM
    usual = np.median(eyes.model[inside & (eyes.radius > _RING_MM[0]) & (eyes.radius < _RING_MM[1])], axis=0)
    typical = (
        usual if not ring.any() else np.array([weighted_quantile(channel, ring) for channel in colour.T])
    )
    typical = np.maximum(typical, _LEAST_CHANNEL * typical @ LUMINANCE)
    level = max(
        (typical @ LUMINANCE) ** _IRIS_TRUST * (usual @ LUMINANCE) ** (1 - _IRIS_TRUST), _DARKEST_IRIS
    )
    lift = level / (typical @ LUMINANCE)
    plain = eyes.seen * (
        ring.any() & (eyes.seen > _LEAST_SEEN) & (colour @ LUMINANCE < 2 * typical @ LUMINANCE)
    )
    resolved = float(smoothstep(np.array(pixels), *_RESOLVED_PIXELS))
    middles = np.arange(_BIN_MM / 2, IRIS_RADIUS_MM, _BIN_MM)
    rows = []
    for middle in middles:
        near = np.abs(eyes.radius - middle) < _BIN_MM
        row = eyes.model[near & inside].mean(0) * (lift * typical / usual)
        weights = plain * near
        share = resolved * weights.sum() / (weights.sum() + 6.0)
        if share > 0:
            shown = lift * np.array([weighted_quantile(channel, weights) for channel in colour.T])
            row = np.exp((1 - share) * np.log(row) + share * np.log(np.maximum(shown, 1e-3)))
        rows.append(np.minimum(row, _PUPIL_SHARE * level) if middle < PUPIL_RADIUS_MM else row)
    return np.stack([np.interp(eyes.radius, middles, row) for row in np.array(rows).T], axis=1)


def _continued(observation: TexelObservation, eyes: _Eyes, values: np.ndarray) -> np.ndarray:
    """Texel `values` (E, 3) where seen, elsewhere those around without colour, fading to nothing farther in."""
    columns = np.zeros((len(observation.seen), 2), np.float32)
    well = eyes.seen * (eyes.seen > _LEAST_SEEN)
    columns[eyes.texels] = np.stack([well * (values @ LUMINANCE), well], axis=1)
    around = observation.atlas.blurred(columns, _SPREAD)[eyes.texels]
    near = np.clip(around[:, :1] / (around[:, 1:] + 0.02), *_CONTINUED)
    return eyes.seen[:, None] * values + (1 - eyes.seen[:, None]) * near


def held_to(expected: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """An eyeball's `albedo` (E, 3) kept near that `expected` (E, 3) from a smaller map, whose light cannot follow every
    highlight's and lash's edge.
    """
    return np.clip(albedo, _HELD[0] * expected, _HELD[1] * expected)
