"""How bright a whole photo is against what photographers make of a scene."""

from __future__ import annotations

import numpy as np

from ..colour import LUMINANCE, srgb_to_linear

WELL_EXPOSED = ((0.90, 0.5), (0.98, 0.82))
"""Quantiles of a well exposed photo's luminance, and the least that one of them has, so that neither a dark backdrop
nor the lack of anything white makes it a dark one: a quarter of 100 portraits are darker."""
_LEAST_LEVEL = 1e-4
_MANY_PIXELS = 60_000
_DARKEST = -2.5
"""Beyond, a photo is black whatever it shows."""


def photo_exposure(photo_srgb: np.ndarray) -> float:
    """Logarithm, 0 or less, of how dark a photo (H, W, 3) uint8 is: what is bright in a scene, clothes, walls, windows
    and all, stands in its light whatever the skin. Brighter than usual tells nothing: a wall may be white.
    """
    step = max(1, int(np.sqrt(photo_srgb[..., 0].size / _MANY_PIXELS)))
    luminance = srgb_to_linear(photo_srgb[::step, ::step]) @ LUMINANCE
    shares, least = np.transpose(WELL_EXPOSED)
    brightness = float((np.quantile(luminance, shares) / least).max())
    return float(np.clip(np.log(max(brightness, _LEAST_LEVEL)), _DARKEST, 0.0))
