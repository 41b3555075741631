"""Appearance = albedo × shading, taken apart without a network.

Shading is the fitted order-2 light times a smooth, nearly grey residual (cast shadows, what the light model lacks);
everything finer stays in the albedo, so that no skin detail is lost to the light.
"""

from __future__ import annotations

import cv2
import numpy as np

from .atlas import Atlas

SHADING_FLOOR = 0.06
"""Of the mean shading."""
SHADING_SIGMA = 0.009
"""Of the texture's side, about 2.5 mm on the face: landmarks are no surer than that, and a lip's or a nostril's edge
that shades beside its own picture leaves a pale and a dark line."""
GREY_RESIDUAL = (0.03, 0.7)
CHROMA_RESIDUAL = (0.035, 0.85)
"""Of the smooth misfit between photo and model × light: the σ that it is smoothed with, as a part of the texture's
side (0.03 is about 8 mm on the face, the finest cast shadow that is followed), and the share of it that is believed
to be light. Colour is smoothed more: some of it is flushed skin, most the camera's saturated shadows."""
_GREY_LIMIT, _CHROMA_LIMIT = 1.5, 0.8
"""Largest |log| of the residual's mean over the channels and of their departure from it."""
_SUPPORT = 0.05
"""Weight of 'no residual' beside the seen texels: where nothing is seen the residual fades to 1."""
ALBEDO_RANGE = (0.003, 0.97)
"""Linear reflectances that skin, lips, hair and sclera stay within."""


def smooth_shading(atlas: Atlas, shading: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Shading (M, C) of the texels `where` (M,) bool averaged over `SHADING_SIGMA` of the texture, and floored."""
    columns = np.concatenate([shading * where[:, None], where[:, None]], axis=1).astype(np.float32)
    sums = atlas.gather(cv2.GaussianBlur(atlas.image(columns), (0, 0), SHADING_SIGMA * atlas.size))
    smooth = np.where(where[:, None], sums[:, :-1] / np.maximum(sums[:, -1:], 1e-3), shading)
    floor = SHADING_FLOOR * shading.mean(0)
    return 0.5 * (smooth + floor + np.sqrt((smooth - floor) ** 2 + floor**2))


def smooth_residual(
    atlas: Atlas,
    appearance: np.ndarray,
    explained: np.ndarray,
    grey_weights: np.ndarray,
    chroma_weights: np.ndarray,
) -> np.ndarray:
    """The factor (M, 3) by which light differs from the fitted one, smooth over the texture.

    appearance (M, 3) and explained = model albedo × fitted shading (M, 3), both linear; weights (M,): where to
    measure its mean over the channels, and where their departure from it.
    """
    ratio = np.log(np.maximum(appearance, 1e-3) / np.maximum(explained, 1e-3))
    grey = ratio.mean(1, keepdims=True)
    smooth_grey = _smooth(atlas, _limited(grey, 2 * _GREY_LIMIT), grey_weights, *GREY_RESIDUAL)
    smooth_chroma = _smooth(
        atlas, _limited(ratio - grey, 2 * _CHROMA_LIMIT), chroma_weights, *CHROMA_RESIDUAL
    )
    smooth = _limited(smooth_grey, _GREY_LIMIT) + _limited(smooth_chroma, _CHROMA_LIMIT)
    return np.exp(atlas.gather(smooth))


def _limited(values: np.ndarray, limit: float) -> np.ndarray:
    return limit * np.tanh(values / limit)


def _smooth(atlas: Atlas, values: np.ndarray, weights: np.ndarray, sigma: float, share: float) -> np.ndarray:
    """`share` of the weighted average (S, S, C) of texel values (M, C) under a Gaussian of `sigma` texture sides."""
    columns = np.concatenate([values * weights[:, None], weights[:, None]], axis=1)
    sums = cv2.GaussianBlur(atlas.image(columns.astype(np.float32)), (0, 0), sigma * atlas.size)
    return share * sums[..., :-1] / (sums[..., -1:] + _SUPPORT)


def divide_out(appearance: np.ndarray, shading: np.ndarray) -> np.ndarray:
    """Albedo (M, 3) = appearance ÷ shading, inside `ALBEDO_RANGE`."""
    return np.clip(appearance / shading, *ALBEDO_RANGE)
