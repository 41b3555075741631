"""Appearance = albedo × shading, taken apart without a network.

Shading is the fitted order-2 light times a smooth, nearly grey residual (cast shadows, what the light model
lacks); everything finer stays in the albedo, so that no skin detail is lost to the light.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..render.lighting import shade
from .atlas import Atlas

SHADING_FLOOR = 0.12
"""Of the mean shading: below, division by it would turn noise into albedo."""
RESIDUAL_SIGMA = 0.04
"""Of the texture's side: the finest cast shadow that the residual follows, about 1 cm on the face."""
RESIDUAL_SHARE = 0.75
"""How much of the smooth, grey misfit is light; the rest, and all of its colour, is believed to be skin."""
_RESIDUAL_LIMIT = 0.9
"""Largest |log| of the residual."""
_SUPPORT = 0.05
"""Weight of 'no residual' beside the seen texels: where nothing is seen the residual fades to 1."""
ALBEDO_RANGE = (0.003, 0.97)
"""Linear reflectances that skin, lips, hair and sclera stay within."""


def light_texels(normals: np.ndarray, sh: np.ndarray) -> np.ndarray:
    """Shading (M, 3) of unit normals (M, 3) under sh (3, 9), lifted softly to `SHADING_FLOOR` of its mean."""
    shading = shade(
        torch.as_tensor(normals, dtype=torch.float32), torch.as_tensor(sh, dtype=torch.float32)
    ).numpy()
    floor = SHADING_FLOOR * max(float(shading.mean()), 1e-3)
    return 0.5 * (shading + floor + np.sqrt((shading - floor) ** 2 + floor**2))


def smooth_residual(
    atlas: Atlas, appearance: np.ndarray, explained: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The factor (M, 1) by which light differs from the fitted one, smooth over the texture.

    appearance (M, 3) and explained = model albedo × fitted shading (M, 3), both linear; weights (M,): where
    to measure it.
    """
    ratio = np.log(np.maximum(appearance, 1e-3) / np.maximum(explained, 1e-3)).mean(1)
    ratio = np.clip(ratio, -2 * _RESIDUAL_LIMIT, 2 * _RESIDUAL_LIMIT)
    sigma = RESIDUAL_SIGMA * atlas.size
    sums = cv2.GaussianBlur(
        atlas.image(np.stack([ratio * weights, weights], 1).astype(np.float32)), (0, 0), sigma
    )
    smooth = RESIDUAL_SHARE * sums[..., 0] / (sums[..., 1] + _SUPPORT)
    limited = _RESIDUAL_LIMIT * np.tanh(smooth / _RESIDUAL_LIMIT)
    return np.exp(atlas.gather(limited))[:, None]


def divide_out(appearance: np.ndarray, shading: np.ndarray) -> np.ndarray:
    """Albedo (M, 3) = appearance ÷ shading, inside `ALBEDO_RANGE`."""
    return np.clip(appearance / shading, *ALBEDO_RANGE)
