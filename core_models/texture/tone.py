"""How strong and of which colour the light is, against how dark and of which colour the skin: the three numbers that
division by a light of free level leaves open.

What skin shows is gain · albedo, channel by channel. The albedo must lie on the curve of human skin colours, every
place on it as likely as any other; the light's level and colour are those that photographers choose; and the whites of
the eyes, about as bright in everybody, stand in the same light. The posterior mean over all skin colours decides, and
its pull towards the middle is undone, so that doubt does not draw towards one tone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ..colour import LUMINANCE
from ..morphable.skin import skin_colour

LEVEL, LEVEL_SIGMA = 0.85, 0.42
"""Median of the light's level (what a white surface as lit as the average skin shows) and σ of its logarithm, …"""
ADAPTATION, _USUAL_LUMINANCE = 0.2, 0.25
"""… for skin of that luminance; of a darker one, photographers and cameras make up for this part of the logarithm."""
EXPANSION = 1.2
"""A posterior mean lies nearer to the middle of all skins than the skin does; undone by this factor in logarithms."""
WARMTH_SIGMA, TINT_SIGMA = 0.25, 0.12
"""σ of log(red ÷ blue) and of log(green² ÷ (red · blue)) of a white-balanced photo's light."""
BLOOD = (-0.03, 0.15)
"""Mean and σ of the skin's optical density of blood beyond the curve's, and of what cameras add to its saturation."""
SCLERA_LINEAR = np.array([0.49, 0.41, 0.36])
"""What the whites of the eyes show of the light that the model lets through to them: lashes take some."""
SCLERA_SIGMA = 0.3
"""σ of the logarithm of a well-resolved sclera's level, where neither shade nor glare changes it."""
SHADED_SHARE, SHADED_RANGE = 0.2, 2.5
"""How often lashes, lids or glasses shade it, and by up to how much in logarithms."""
GLARE_SHARE, GLARE_RANGE = 0.05, 1.0
"""How often highlights or glasses brighten it, and by up to how much."""
SCLERA_CHROMA_SIGMA = 0.2
BLUER_SIGMA = 0.1
"""σ of log(red ÷ blue) by which skin may be bluer than grey: never, but light is not known exactly."""
_WHITEST_SHARE = 0.15
"""Of the eyes' texels where the model has its sclera: lids, lashes, iris and shadow take the others in most photos."""
_ENOUGH_SCLERA = 30.0
"""Samples at which its σ has fallen to √2 times the least."""
_WARMTH = np.array([1.0, 0.0, -1.0])
_TINT = np.array([-1.0, 2.0, -1.0])
_LEAST = 1e-12
_MOST_ALBEDO = 0.8
_N_MELANIN, _N_BLOOD = 121, 17


@dataclass(frozen=True)
class Tone:
    """Light and skin told apart."""

    gain: np.ndarray
    """(3,) linear: the light's level and colour."""
    albedo: np.ndarray
    """(3,) linear: the skin's."""


@dataclass(frozen=True)
class Sclera:
    """The whites of the eyes, their shading divided out."""

    colour: np.ndarray
    """(3,) linear."""
    n_samples: int

    @classmethod
    def of(cls, colours: np.ndarray, n_pixels: int) -> Sclera:
        """The whitest of the eyes' texels, colours (n, 3) ÷ shading, of which the photo shows `n_pixels`."""
        luminance = colours @ LUMINANCE
        whitest = luminance >= np.quantile(luminance, 1 - _WHITEST_SHARE)
        return cls(np.median(colours[whitest], axis=0), n_pixels)


def settle_tone(
    skin: np.ndarray, sclera: Sclera | None = None, grey: bool = False, coolest: float = np.inf
) -> Tone:
    """Tell light from skin.

    Args:
        skin: (3,) linear, appearance ÷ shading of typical skin, the shading's mean over seen skin being 1.
        sclera: the same of the eyes, if they are large enough.
        grey: the photo is black and white: only its lightness tells, the skin's colour is the curve's.
        coolest: log(red ÷ blue) of appearance ÷ shading where the face shows least colour: in gloss, grey hair, pale
            make-up. No skin is bluer than grey, so the light cannot be warmer than that.
    """
    melanin, blood = np.meshgrid(
        np.linspace(0.0, 1.0, _N_MELANIN),
        BLOOD[0] + BLOOD[1] * np.linspace(-2.5, 2.5, _N_BLOOD),
        indexing="ij",
    )
    log_albedo = np.log(skin_colour(melanin.ravel(), blood.ravel()))
    log_gain = np.log(np.maximum(skin, 1e-4)) - log_albedo
    if grey:
        luminance = np.log(np.exp(log_albedo) @ LUMINANCE)
        log_gain = np.broadcast_to(
            (np.log(np.maximum(skin @ LUMINANCE, 1e-4)) - luminance)[:, None], log_gain.shape
        )
    cost = ((blood.ravel() - BLOOD[0]) / BLOOD[1]) ** 2 + _light_cost(log_gain, log_albedo)
    if not grey:
        cost = cost + (np.maximum(log_gain @ _WARMTH - coolest, 0) / BLUER_SIGMA) ** 2
    if sclera is not None and sclera.n_samples:
        cost = cost + _sclera_cost(log_gain, sclera)
    weights = np.exp(-0.5 * (cost - cost.min()))
    weights /= weights.sum()
    middle = np.log(skin_colour(0.5))
    albedo = np.minimum(np.exp(middle + EXPANSION * (weights @ log_albedo - middle)), _MOST_ALBEDO)
    return Tone(np.maximum(skin, 1e-4) / albedo, albedo)


def _light_cost(log_gain: np.ndarray, log_albedo: np.ndarray) -> np.ndarray:
    """Squared departures (G,) in σ of gains' logarithms (G, 3) from a photographer's light on albedos (G, 3)."""
    adapted = -ADAPTATION * (log_albedo @ LUMINANCE - np.log(_USUAL_LUMINANCE))
    return (
        ((log_gain @ LUMINANCE - np.log(LEVEL) - adapted) / LEVEL_SIGMA) ** 2
        + (log_gain @ _WARMTH / WARMTH_SIGMA) ** 2
        + (log_gain @ _TINT / TINT_SIGMA) ** 2
    )


def _sclera_cost(log_gain: np.ndarray, sclera: Sclera) -> np.ndarray:
    """Squared departures (G,) in σ of what the sclera shows from what it should show under gains (G, 3)."""
    spread = np.sqrt(1.0 + _ENOUGH_SCLERA / sclera.n_samples)
    difference = np.log(np.maximum(sclera.colour, 1e-4)) - np.log(SCLERA_LINEAR) - log_gain
    level = difference @ LUMINANCE
    sigma = SCLERA_SIGMA * spread
    clear = np.exp(-0.5 * (level / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    likelihood = (
        (1 - SHADED_SHARE - GLARE_SHARE) * clear
        + SHADED_SHARE * _uniform(-level, SHADED_RANGE, sigma)
        + GLARE_SHARE * _uniform(level, GLARE_RANGE, sigma)
    )
    chroma = difference - difference.mean(1, keepdims=True)
    return -2 * np.log(likelihood + _LEAST) + (chroma**2).sum(1) / (SCLERA_CHROMA_SIGMA * spread) ** 2


def _uniform(value: np.ndarray, width: float, sigma: float) -> np.ndarray:
    """Density (G,) of what is uniform over 0…width, blurred by σ."""
    return ndtr(value / sigma) * ndtr((width - value) / sigma) / width
