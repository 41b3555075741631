"""The sharp ones among the lights around a face, as a few lamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..colour import LUMINANCE
from .environment_light import Environment

_NEAR = 1.6
"""Distances between neighbouring directions, within which what shines is one lamp: the fit shares it out."""
_LEAST_SHARE = 0.25
"""Of the strongest lamp's luminance; weaker ones are as often what the fit makes of a smooth light's rest."""


@dataclass(frozen=True)
class SharpLamps:
    """L distant lamps."""

    directions: np.ndarray
    """(L, 3) float32 unit, towards the lamps."""
    irradiance: np.ndarray
    """(L, 3) float32 linear RGB over π: what a white surface that faces the lamp shows of it."""
    angle: np.ndarray
    """(L,) float32 radians that the lamp fills in the sky: as wide as the fit's directions tell."""


def sharp_lamps(environment: Environment) -> SharpLamps:
    """The environment's lamps, the strongest first, each the sum of those around it."""
    towards, solid_angle = environment.directions.towards, environment.directions.solid_angle
    each = environment.lamps * (solid_angle[:, None] / np.pi)
    left = each @ LUMINANCE
    reach = np.cos(_NEAR * np.sqrt(4 * np.pi / len(towards)))
    least = _LEAST_SHARE * left.max(initial=0.0)
    directions, irradiance, angles = [], [], []
    while left.max(initial=0.0) > max(least, 1e-6):
        group = (towards @ towards[left.argmax()] > reach) & (left > 0)
        middle = left[group] @ towards[group]
        directions.append(middle / np.linalg.norm(middle))
        irradiance.append(each[group].sum(0))
        angles.append(2 * np.arccos(1 - solid_angle[group].sum() / (2 * np.pi)))
        left = np.where(group, 0.0, left)
    return SharpLamps(
        np.array(directions, np.float32).reshape(-1, 3),
        np.array(irradiance, np.float32).reshape(-1, 3),
        np.array(angles, np.float32),
    )
