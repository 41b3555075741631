"""The colours of human skin: a curve of melanin contents, and blood around it.

The curve runs through CIELAB (D65) colours of facial skin from the lightest to the darkest, drawn through the ranges
measured by Xiao et al. 2017 (Caucasian, Chinese, Kurdish, Thai) and Weyrich et al. 2006 (skin types I–VI). Chroma rises
towards tanned skin and falls again towards very dark skin, which plain absorption by melanin would not give. Lightness
classes are those of Chardon et al. 1991: the individual typology angle, ITA = atan((L* − 50)/b*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .colour import lab_from_linear, linear_from_lab

ALBEDO_RANGE = (0.003, 0.97)
"""Linear reflectances that skin, lips, hair and sclera stay within."""
# L*, a*, b* from very light to very dark; ITA from +68 to −72 degrees.
_CURVE_LAB = np.array([
    (77, 5.5, 11), (72.5, 7.5, 12.5), (67.5, 9.5, 15.5), (62.5, 11.5, 18.5), (57.5, 12.5, 20),
    (51.8, 13, 20), (45.5, 12.5, 17.5), (39.5, 10.5, 14), (33, 8, 9.8), (27, 6.5, 7.5),
])  # fmt: skip
ITA_CLASSES = {
    "very light": (55, 90),
    "light": (41, 55),
    "intermediate": (28, 41),
    "tan": (10, 28),
    "brown": (-30, 10),
    "dark": (-90, -30),
}
"""Degrees; Chardon et al. 1991 as extended by Del Bino & Bernerd 2013."""

# Optical density of blood in linear Rec.709 R, G, B per density in green: from the extinction of haemoglobin at 75 %
# oxygenation (Prahl, OMLC) through the diffuse reflectance of dermis (Jacques 2013) under D65.
BLOOD_DENSITY = np.array([0.29, 1.0, 1.0])
_BLOOD_STD = 0.13


def typology_angle(rgb: np.ndarray) -> np.ndarray:
    """ITA in degrees (…) of linear Rec.709 colours (…, 3)."""
    lab = lab_from_linear(rgb)
    return np.degrees(np.arctan2(lab[..., 0] - 50, lab[..., 2]))


def skin_colour(melanin: np.ndarray | float, blood: np.ndarray | float = 0.0) -> np.ndarray:
    """Linear Rec.709 albedo (…, 3).

    melanin (…): place on the curve, 0 very light … 1 very dark; blood (…): extra optical density (natural logarithm) in
    green. Between the knots density is linear, as for a mixture of absorbers.
    """
    knots = -np.log(linear_from_lab(_CURVE_LAB))
    place = np.asarray(melanin) * (len(knots) - 1)
    density = np.stack([np.interp(place, np.arange(len(knots)), knots[:, k]) for k in range(3)], axis=-1)
    return np.exp(-density - np.asarray(blood)[..., None] * BLOOD_DENSITY)


def melanin_density() -> np.ndarray:
    """Change of optical density (3,) in R, G, B with melanin, along the middle of the curve, 1 in green."""
    change = np.log(skin_colour(0.25)) - np.log(skin_colour(0.75))
    return change / change[1]


@dataclass(frozen=True)
class SkinSpan:
    """Mean (3,) and three modes (3, 3), per standard deviation, of human skin in linear Rec.709."""

    mean: np.ndarray
    modes: np.ndarray

    def coefficients(self, colour: np.ndarray) -> np.ndarray:
        """Standard deviations (…, 3) at which the span shows linear `colour` (…, 3) exactly."""
        return (colour - self.mean) @ np.linalg.inv(self.modes)


def skin_span() -> SkinSpan:
    """Three modes that hold every colour of the curve exactly.

    ±2 σ of the first are the darkest and the lightest skin; the second bends that straight line to the curve; the third
    is blood. (Principal axes would leave the range of skin at −2 σ: the curve is bent, a Gaussian is not.)
    """
    light, middle, dark = skin_colour(np.array([0.0, 0.5, 1.0]))
    bow = middle - (dark + (light - dark) * ((middle - dark).sum() / (light - dark).sum()))
    mean = (light + dark) / 2 + 0.5 * bow
    return SkinSpan(mean, np.stack([(light - dark) / 4, bow / 3, -_BLOOD_STD * mean * BLOOD_DENSITY]))
