"""Distances between skin colours. Linear Rec.709 reflectances in, D65."""

from __future__ import annotations

import numpy as np
from skimage.color import deltaE_ciede2000

from ...core_models.colour import LUMINANCE, lab_from_linear, linear_to_srgb
from ...core_models.skin_colour import typology_angle

PSNR_CEILING = 100.0
"""dB; what equal pictures score."""


def ciede2000(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(…, 3), (…, 3) → (…) colour differences (CIE 142-2001)."""
    lab = (lab_from_linear(np.clip(colour, 0.0, 1.0).astype(np.float64)) for colour in (first, second))
    return deltaE_ciede2000(*lab)


def rms(difference: np.ndarray) -> float:
    """Root of the mean square over everything."""
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


def best_scale(colours: np.ndarray, truth: np.ndarray) -> float:
    """The one factor on colours (M, 3) that brings their luminance nearest to the truth's, least squares."""
    mine, theirs = colours @ LUMINANCE, truth @ LUMINANCE
    return float((mine * theirs).sum() / max((mine * mine).sum(), 1e-12))


def psnr_srgb(first: np.ndarray, second: np.ndarray) -> float:
    """dB between linear pictures (M, 3) as a screen shows them: clipped and encoded."""
    encoded = (linear_to_srgb(np.clip(picture, 0.0, 1.0).astype(np.float32)) for picture in (first, second))
    error = rms(np.subtract(*encoded))
    return PSNR_CEILING if error < 10 ** (-PSNR_CEILING / 20) else float(-20 * np.log10(error))


def skin_ita(colours: np.ndarray) -> float:
    """Individual typology angle, degrees, of the median colour of skin (M, 3)."""
    return float(typology_angle(np.median(colours.astype(np.float64), axis=0)))


def angle_difference(first: float, second: float) -> float:
    """first − second in −180 … 180 degrees."""
    return (first - second + 180.0) % 360.0 - 180.0
