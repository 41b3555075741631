"""Where the lamps' shadows really end: the mesh puts them within a few millimetres, the photo shows them.

Between the surrounding alone and the surrounding with all lamps in full view lies what light can be at a place; how far
up in that range a place stands is measured there, and what is smaller than a few millimetres is left to the skin by a
median, which keeps the edges of larger areas.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..texture.atlas import Atlas

_MEDIAN = 0.022
"""Of the texture's side, about 6 mm: what is narrower than half of it is skin detail."""
_SOFT = 0.004
"""Of the texture's side: about a millimetre, the blur of skin under a shadow's edge."""
_CONTRAST = (0.25, 0.9)
"""Logarithm of full light ÷ surrounding over which the photo is believed against the mesh."""
_REACH = 0.012
"""Of the texture's side: how far what is measured spreads over what is not skin."""
_SUPPORT = 0.05


def find_shadows(
    atlas: Atlas,
    lit: np.ndarray,
    surround: np.ndarray,
    lamps: np.ndarray,
    lamps_unhidden: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """The share (M, 1) of the lamps' light that arrives.

    lit (M, 3): appearance ÷ expected albedo; surround, lamps, lamps_unhidden (M, 3): shading by the surrounding, by the
    lamps, and by the lamps if nothing stood in their way; weights (M,) 0…1: how surely it is skin.
    """
    full = np.maximum(lamps_unhidden.mean(1), 1e-4)
    below = np.maximum(surround.mean(1), 1e-3)
    expected = np.clip(lamps.mean(1) / full, 0, 1)
    measured = np.clip((lit.mean(1) - below) / full, 0, 1)
    ramp = np.clip((np.log1p(full / below) - _CONTRAST[0]) / (_CONTRAST[1] - _CONTRAST[0]), 0, 1)
    trust = (weights * ramp).astype(np.float32)
    difference = atlas.image(((measured - expected) * trust).astype(np.float32))
    believed = atlas.image(trust)
    spread = cv2.GaussianBlur(difference, (0, 0), _REACH * atlas.size) / (
        cv2.GaussianBlur(believed, (0, 0), _REACH * atlas.size) + _SUPPORT
    )
    arriving = atlas.image(expected.astype(np.float32)) + difference + (1 - believed) * spread
    width = 2 * round(_MEDIAN * atlas.size / 2) + 1
    median = cv2.medianBlur(np.round(np.clip(arriving, 0, 1) * 255).astype(np.uint8), width) / np.float32(255)
    settled = cv2.GaussianBlur(believed * median + (1 - believed) * arriving, (0, 0), _SOFT * atlas.size)
    return np.clip(atlas.gather(settled), 0, 1)[:, None]
