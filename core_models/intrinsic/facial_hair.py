"""Beard and stubble among what the mask takes for skin: rough where skin is smooth. Their darkness is no shadow."""

from __future__ import annotations

import cv2
import numpy as np

from ..images import smoothstep
from ..texture.atlas import Atlas

_FINE = 0.004
"""Of the texture's side: hairs stand out against a Gaussian of this σ."""
_WINDOW, _GAPS = 0.042, 0.05
"""Of the texture's side: a place is as rough as the median over a square of the first (11 mm), so that edges and
wrinkles count nothing; smooth strips narrower than the second between rough ones are hair too."""
_ROUGHNESS = (2.0, 3.2)
"""Contrast in units of the face's smoother part, above the beard where that is seen, between which skin passes to
hair."""
_SMOOTH_SHARE = 0.35
_LEAST_CONTRAST, _MOST_CONTRAST = 0.008, 0.5
"""Of the logarithm."""
_UPPER_LIP = 0.3
"""Of the way up from the mouth to the brows: beards begin below."""
_BLACK = 0.004
"""Linear, added before the logarithm: noise in deep shadow is no hair."""


def find_hair(atlas: Atlas, appearance: np.ndarray, skin: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """Share of hair (M,) 0…1 in texels of linear colour (M, 3) that count as skin by (M,) 0…1.

    zone (M,) bool: where hair may grow; the layout must be mirror-symmetric, as beards are and shadows' edges not.
    """
    sure = skin > 0.5
    if not sure.any():
        return np.zeros(len(skin), np.float32)
    contrast = _contrast(atlas, np.log(np.maximum(appearance.mean(1), 0) + _BLACK), skin) + _LEAST_CONTRAST
    above = contrast[sure & ~zone]
    typical = np.quantile(above if len(above) > len(contrast[sure]) / 8 else contrast[sure], _SMOOTH_SHARE)
    rough = atlas.image(
        (smoothstep(np.log(contrast / typical), *np.log(_ROUGHNESS)) * sure * zone).astype(np.float32)
    )
    width = _odd(atlas, _GAPS)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    across = np.where(atlas.image(sure)[:, ::-1], cv2.dilate(rough, disc)[:, ::-1], 1.0)
    whole = cv2.morphologyEx(np.minimum(rough, across), cv2.MORPH_CLOSE, disc)
    return atlas.gather(cv2.GaussianBlur(whole, (0, 0), 2 * _FINE * atlas.size))


def beard_zone(atlas: Atlas, lips: np.ndarray, brows: np.ndarray) -> np.ndarray:
    """(M,) bool: the texels below the middle of the upper lip; lips, brows (M,) bool. All of them without both."""
    rows = atlas.texels // atlas.size
    if not (lips.any() and brows.any()):
        return np.ones(len(rows), bool)
    mouth = np.median(rows[lips])
    return rows > mouth - _UPPER_LIP * (mouth - np.median(rows[brows]))


def _contrast(atlas: Atlas, level: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(M,) usual departure of level (M,) from its surroundings on skin (M,)."""
    fine = np.abs(level - _average(atlas, level, skin, _FINE))
    fine = np.where(skin > 0.5, fine, _average(atlas, fine, skin, _WINDOW / 3))
    coded = np.round(np.clip(fine / _MOST_CONTRAST, 0, 1) * 255).astype(np.uint8)
    median = cv2.medianBlur(atlas.image(coded), _odd(atlas, _WINDOW))
    return atlas.gather(median) * np.float32(_MOST_CONTRAST / 255)


def _average(atlas: Atlas, values: np.ndarray, weights: np.ndarray, sigma: float) -> np.ndarray:
    """(M,) mean of values (M,) by weights (M,) under a Gaussian of `sigma` texture sides."""
    sums = atlas.blurred(np.stack([values * weights, weights], axis=1), sigma)
    return sums[:, 0] / np.maximum(sums[:, 1], 1e-3)


def _odd(atlas: Atlas, width: float) -> int:
    return round(width * atlas.size) | 1
