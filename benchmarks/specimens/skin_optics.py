"""Colour of bare skin from what it holds: melanin over blood, wavelength by wavelength.

Two layers: an epidermis that only absorbs (melanosomes, baseline; Jacques 2013, "Optical properties of biological
tissues: a review"), crossed twice, over a thick dermis that scatters (reduced scattering of skin, ibid.) and absorbs
(baseline and haemoglobin; extinction compiled by Prahl, OMLC), with Kubelka and Munk's infinite layer and Saunderson's
correction for the surface's inner reflection. The spectrum under D65 becomes linear Rec.709 through the CIE 1931
observer (fits by Wyman, Sloan and Shirley 2013). The program's own skin (core_models/skin_colour.py) is a curve
drawn through measured colours: another process, on purpose.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import map_coordinates

from ...core_models.colour import XYZ_FROM_RGB
from ...core_models.skin_colour import typology_angle

WAVELENGTHS_NM = np.arange(400.0, 701.0, 10.0)
# Molar extinction, cm⁻¹/M, at those wavelengths (Prahl).
_OXYGENATED = np.array([
    266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26630, 23684, 20933, 20035, 24202, 39957, 53236, 43016,
    32613, 44496, 50104, 14401, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290,
])  # fmt: skip
_DEOXYGENATED = np.array([
    223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590, 39036, 46592,
    53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795, 2408, 2052, 1794,
])  # fmt: skip
_BLOOD_GRAMS_PER_LITRE, _GRAMS_PER_MOLE = 150.0, 64500.0
_OXYGENATION = 0.7
# CIE standard illuminant D65 at those wavelengths.
_D65 = np.array([
    82.75, 91.49, 93.43, 86.68, 104.86, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80, 104.79, 107.69, 104.41,
    104.05, 100.0, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70, 80.03, 80.21, 82.28, 78.28, 69.72, 71.61,
])  # fmt: skip
_RGB_FROM_XYZ = np.linalg.inv(XYZ_FROM_RGB)
# Light crosses the epidermis (60 µm) twice and obliquely.
_EPIDERMIS_CM = 2 * 1.6 * 0.006
# Melanin lies in clumps and caps, so that light finds ways around it: depths are gamma-distributed with this shape
# (∞ would be Beer and Lambert's even layer, whose dark skins are far more chromatic than measured ones).
_EVENNESS = 1.0
# Light scattered back by the horny layer before any pigment, and inner reflection at the surface (Saunderson). The
# mirror-like reflection of the surface is gloss, not albedo.
_HORNY_LAYER, _INNER = 0.025, 0.45

MELANIN = np.geomspace(0.001, 2.5, 70)
"""Volume fraction of melanosomes in the epidermis: nodes of the table (above 1 they stand for moles and the like)."""
BLOOD = np.geomspace(0.0008, 0.25, 40)
"""Volume fraction of blood in the dermis: nodes of the table."""

TYPOLOGY_RANGES = {1: (55, 75), 2: (41, 55), 3: (28, 41), 4: (10, 28), 5: (-30, 10), 6: (-65, -30)}
"""ITA (degrees) of the six tones: classes of Chardon et al. 1991 and Del Bino & Bernerd 2013, one a type."""


def reflectance(melanin: np.ndarray, blood: np.ndarray) -> np.ndarray:
    """Spectral reflectance (…, 31) of skin with volume fractions `melanin` and `blood` (…)."""
    nm = WAVELENGTHS_NM
    baseline = 0.244 + 85.3 * np.exp(-(nm - 154.0) / 66.2)
    melanosome = 6.6e11 * nm**-3.33
    mixture = _OXYGENATION * _OXYGENATED + (1 - _OXYGENATION) * _DEOXYGENATED
    haemoglobin = np.log(10) * mixture * _BLOOD_GRAMS_PER_LITRE / _GRAMS_PER_MOLE
    melanin, blood = np.asarray(melanin)[..., None], np.asarray(blood)[..., None]
    depth = _EPIDERMIS_CM * (melanin * melanosome + baseline)
    epidermis = (1 + depth / _EVENNESS) ** -_EVENNESS
    scattering = 46.0 * (nm / 500.0) ** -1.421
    ratio = 2 * (blood * haemoglobin + (1 - blood) * baseline) / (0.75 * scattering)
    dermis = 1 + ratio - np.sqrt(ratio**2 + 2 * ratio)
    inside = epidermis * dermis
    return _HORNY_LAYER + (1 - _HORNY_LAYER) * (1 - _INNER) * inside / (1 - _INNER * inside)


def rgb_of_spectrum(spectrum: np.ndarray) -> np.ndarray:
    """Linear Rec.709 (…, 3) of reflectance spectra (…, 31) under D65; white gives 1."""
    weights = _observer() * _D65[:, None]
    return (spectrum @ weights / weights[:, 1].sum()) @ _RGB_FROM_XYZ.T


def rgb_of_light(spectrum: np.ndarray) -> np.ndarray:
    """Linear Rec.709 (3,) of a light's spectrum (31,), scaled to luminance 1."""
    xyz = spectrum @ _observer()
    return _RGB_FROM_XYZ @ (xyz / xyz[1])


def _observer() -> np.ndarray:
    """CIE 1931 colour-matching functions (31, 3)."""

    def lobe(height: float, centre: float, left: float, right: float) -> np.ndarray:
        width = np.where(centre > WAVELENGTHS_NM, left, right)
        return height * np.exp(-0.5 * ((WAVELENGTHS_NM - centre) / width) ** 2)

    x = lobe(1.056, 599.8, 37.9, 31.0) + lobe(0.362, 442.0, 16.0, 26.7) - lobe(0.065, 501.1, 20.4, 26.2)
    y = lobe(0.821, 568.8, 46.9, 40.5) + lobe(0.286, 530.9, 16.3, 31.1)
    z = lobe(1.217, 437.0, 11.8, 36.0) + lobe(0.681, 459.0, 26.0, 13.8)
    return np.stack([x, y, z], axis=1)


@cache
def _table() -> np.ndarray:
    melanin, blood = np.meshgrid(MELANIN, BLOOD, indexing="ij")
    return np.log(np.maximum(rgb_of_spectrum(reflectance(melanin, blood)), 1e-3))


def skin_rgb(melanin: np.ndarray, blood: np.ndarray) -> np.ndarray:
    """Linear Rec.709 albedo (…, 3) of skin, from a table over both fractions (…)."""
    where = [
        np.log(np.clip(fraction, nodes[0], nodes[-1]) / nodes[0]) / np.log(nodes[1] / nodes[0])
        for fraction, nodes in ((melanin, MELANIN), (blood, BLOOD))
    ]
    where = np.stack(np.broadcast_arrays(*where))
    flat = where.reshape(2, -1)
    channels = [map_coordinates(_table()[..., c], flat, order=1, mode="nearest") for c in range(3)]
    return np.exp(np.stack(channels, axis=-1)).reshape(*where.shape[1:], 3)


def melanin_for(angle: float, blood: float) -> float:
    """Melanin that gives skin with this much blood an ITA of `angle` degrees."""
    angles = typology_angle(skin_rgb(MELANIN, np.full_like(MELANIN, blood)))
    return float(np.exp(np.interp(-angle, -angles, np.log(MELANIN))))
