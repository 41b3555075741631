"""What else stands in the light of the face and is of known colour: the whites of the eyes, teeth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ..colour import LUMINANCE, linear_from_lab
from ..texture.observation import TexelObservation
from .environment_light import Environment, weighted_quantile

SCLERA_LINEAR = np.array([0.49, 0.41, 0.36])
"""What the whites of the eyes show of the light that the model lets through to them: lashes take some."""
TEETH_LINEAR = 1.2 * linear_from_lab(np.array([76.0, -0.1, 16.7]))
"""The brightest of what teeth show of half the light (in logarithms) that the lips let through: they are wet. CIELAB
of shade A2, the usual one, after O'Brien, Groh and Boenke 1990; rendered teeth show less, retouched ones more."""
SCLERA_SIGMAS, TEETH_SIGMAS = (0.2, 0.15), (0.3, 0.2)
"""σ of the logarithm of a well-resolved one's level, and of its departures from that by channel, in clear light."""
SHADED_SHARE, SHADED_RANGE, SHADED_CHROMA_SIGMA = 0.35, 2.5, 0.5
"""How often lashes, lids, lips or glasses shade them, by up to how much in logarithms; what shades also tints."""
_SEEN = 0.5
_ENOUGH_PIXELS = 30.0
"""At which σ has fallen to √2 times the least."""
_BRIGHTEST_SCLERA, _BRIGHTEST_TEETH = 0.15, 0.3
"""Share of the texels that counts: where the model has its sclera, lids, lashes, iris and shadow take the others in
most photos; where it has its mouth, gums and tongue."""
_SCLERA_LUMINANCE = 0.3
"""Linear; the model's eyes are brighter than that on the sclera only."""
_LEAST_EYE_SHADING = 0.8
"""Relative to the skin's mean: fitted lids shade the eye more often than it is dark."""
_OPEN = 0.3
"""Of the lips' area in the photo: an open mouth's; closed ones have up to 0.2."""
_LESS_RED = 0.15
"""By how much teeth are less red than the skin, log(red ÷ green)."""
_LEAST_LEVEL = 1e-4
_LEAST_LIKELIHOOD = 1e-12


@dataclass(frozen=True)
class WhiteReference:
    """Something of known colour in the light of the face, its shading divided out."""

    gain: np.ndarray
    """(3,) linear: the light's level and colour, if nothing shades this."""
    level_sigma: float
    chroma_sigma: float

    @classmethod
    def of(
        cls, colour: np.ndarray, known: np.ndarray, sigmas: tuple[float, float], n_pixels: float
    ) -> WhiteReference:
        """From the colour (3,) seen and the known one, with level's and chroma's σ, where the photo has n_pixels."""
        spread = np.sqrt(1.0 + _ENOUGH_PIXELS / max(n_pixels, 1.0))
        return cls(np.maximum(colour, _LEAST_LEVEL) / known, sigmas[0] * spread, sigmas[1] * spread)

    def cost(self, log_gain: np.ndarray) -> np.ndarray:
        """−2 log likelihood (G,) of the light's level and colour, logarithms (G, 3)."""
        departure = np.log(self.gain) - log_gain
        level = departure @ LUMINANCE
        squared = ((departure - departure.mean(1, keepdims=True)) ** 2).sum(1)
        clear = np.exp(-0.5 * (level / self.level_sigma) ** 2) / (self.level_sigma * np.sqrt(2 * np.pi))
        within = ndtr(-level / self.level_sigma) * ndtr((SHADED_RANGE + level) / self.level_sigma)
        likelihood = (1 - SHADED_SHARE) * clear * _density(squared, self.chroma_sigma) + (
            SHADED_SHARE * within / SHADED_RANGE * _density(squared, SHADED_CHROMA_SIGMA)
        )
        return -2 * np.log(likelihood + _LEAST_LIKELIHOOD)


def _density(squared: np.ndarray, sigma: float) -> np.ndarray:
    """Of a Gaussian over two dimensions, but for 2π."""
    return np.exp(-0.5 * squared / sigma**2) / sigma**2


def find_white_references(
    observation: TexelObservation, environment: Environment, transport: np.ndarray
) -> Iterator[WhiteReference]:
    """The whites of the eyes and teeth, if the photo shows them, in a light that gives the skin a mean shading of 1.

    transport (N, D): of the light to the vertices.
    """
    shading = environment.shading(transport)
    for cue in (_sclera(observation, shading), _teeth(observation, shading)):
        if cue is not None:
            yield cue


def _sclera(observation: TexelObservation, shading: np.ndarray) -> WhiteReference | None:
    eyes = np.flatnonzero((observation.seen > _SEEN) & observation.where("eyes"))
    here = observation.atlas.weights[eyes]
    white = (here @ observation.mesh.albedo_mean).mean(1) > _SCLERA_LUMINANCE
    eyes, here = eyes[white], here[white]
    if not len(eyes):
        return None
    delit = observation.appearance[eyes] / np.maximum(here @ shading, _LEAST_EYE_SHADING)
    pixels = min(len(eyes), int(observation.pixels(eyes).sum()))
    return WhiteReference.of(
        brightest(delit, np.ones(len(eyes)), _BRIGHTEST_SCLERA), SCLERA_LINEAR, SCLERA_SIGMAS, pixels
    )


def _teeth(observation: TexelObservation, shading: np.ndarray) -> WhiteReference | None:
    mouth, lips, skin = (
        np.flatnonzero((observation.seen > _SEEN) & observation.where(name))
        for name in ("mouth", "lips", "skin")
    )
    pixels = observation.pixels(mouth)
    if not len(lips) or not len(skin) or pixels.sum() <= _OPEN * observation.pixels(lips).sum():
        return None
    colour = brightest(observation.appearance[mouth], pixels, _BRIGHTEST_TEETH)
    complexion = np.median(observation.appearance[skin], axis=0)
    if colour.min() < _LEAST_LEVEL or _redness(colour) > _redness(complexion) - _LESS_RED:
        return None
    shade = np.median(observation.atlas.weights[lips] @ shading, axis=0)
    return WhiteReference.of(colour / np.sqrt(shade), TEETH_LINEAR, TEETH_SIGMAS, pixels.sum())


def _redness(colour: np.ndarray) -> float:
    return float(np.log(max(colour[0], _LEAST_LEVEL) / max(colour[1], _LEAST_LEVEL)))


def brightest(colours: np.ndarray, weights: np.ndarray, share: float) -> np.ndarray:
    """Median (3,) of the brightest of colours (n, 3) that hold a `share` of the weights (n,)."""
    luminance = colours @ LUMINANCE
    chosen = luminance >= weighted_quantile(luminance, weights, 1 - share)
    return np.median(colours[chosen], axis=0)
