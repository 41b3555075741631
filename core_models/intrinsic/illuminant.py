"""How strong and of which colour the light is, against how dark and of which colour the skin: the three numbers that
division by a light of free level leaves open.

What skin shows is gain · albedo, channel by channel. The albedo must lie on the curve of human skin colours, every
place on it as likely as any other; the light's level and colour are those that photographers choose, weaker where the
whole photo is dark; and the whites of the eyes and teeth, about as bright in everybody, stand in the same light. The
posterior mean over all skin colours decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE
from ..skin_colour import skin_colour
from .white_references import WhiteReference

LEVEL, LEVEL_SIGMA = 0.95, 0.37
"""Median of the light's level (what a white surface as lit as the average skin shows) and σ of its logarithm."""
WARMTH, WARMTH_SIGMA, TINT_SIGMA = 0.05, 0.15, 0.12
"""Mean and σ of log(red ÷ blue), σ of log(green² ÷ (red · blue)) of a white-balanced photo's light."""
BLOOD = (-0.03, 0.15)
"""Mean and σ of the skin's optical density of blood beyond the curve's, and of what cameras add to its saturation."""
BLUER_SIGMA = 0.1
"""σ of log(red ÷ blue) by which skin may be bluer than grey: never, but light is not known exactly."""
_WARMTH = np.array([1.0, 0.0, -1.0])
_TINT = np.array([-1.0, 2.0, -1.0])
_N_MELANIN, _N_BLOOD = 121, 17


@dataclass(frozen=True)
class Illuminant:
    """Light and skin told apart."""

    gain: np.ndarray
    """(3,) linear: the light's level and colour."""
    albedo: np.ndarray
    """(3,) linear: the skin's."""


def estimate_illuminant(
    skin: np.ndarray,
    cues: Iterable[WhiteReference] = (),
    grey: bool = False,
    coolest: float = np.inf,
    log_level: float = 0.0,
) -> Illuminant:
    """Tell light from skin.

    Args:
        skin: (3,) linear, appearance ÷ shading of typical skin, the shading's mean over seen skin being 1.
        cues: what else stands in the light, its shading divided out too.
        grey: the photo is black and white: only its lightness tells, the skin's colour is the curve's.
        coolest: log(red ÷ blue) of appearance ÷ shading where the face shows least colour: in gloss, grey hair, pale
            make-up. No skin is bluer than grey, so the light cannot be warmer than that.
        log_level: logarithm of the level that is expected, beside the usual: of a dark photo, below 0.
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
    cost = ((blood.ravel() - BLOOD[0]) / BLOOD[1]) ** 2 + _light_cost(log_gain, np.log(LEVEL) + log_level)
    if not grey:
        cost = cost + (np.maximum(log_gain @ _WARMTH - coolest, 0) / BLUER_SIGMA) ** 2
    for cue in cues:
        cost = cost + cue.cost(log_gain)
    weights = np.exp(-0.5 * (cost - cost.min()))
    albedo = np.exp(weights @ log_albedo / weights.sum())
    return Illuminant(np.maximum(skin, 1e-4) / albedo, albedo)


def _light_cost(log_gain: np.ndarray, log_level: float) -> np.ndarray:
    """Squared departures (G,) in σ of gains' logarithms (G, 3) from a photographer's light."""
    return (
        ((log_gain @ LUMINANCE - log_level) / LEVEL_SIGMA) ** 2
        + ((log_gain @ _WARMTH - WARMTH) / WARMTH_SIGMA) ** 2
        + (log_gain @ _TINT / TINT_SIGMA) ** 2
    )
