"""Appearance = albedo × shading, taken apart without a network.

Shading is the fitted light's times a smooth residual (shadows and colours that the light model lacks); everything
finer stays in the albedo, so that no skin detail is lost to the light.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..texture.atlas import Atlas

SHADING_FLOOR = 0.06
"""Of the mean shading."""
SHADING_SIGMA = 0.009
"""Of the texture's side, about 2.5 mm on the face: landmarks are no surer than that, and a lip's or a nostril's edge
that shades beside its own picture leaves a pale and a dark line."""
GREY_RESIDUAL = (0.025, 0.78)
CHROMA_RESIDUAL = (0.035, 0.85)
"""Of the smooth misfit between photo and model × light: the σ that it is smoothed with, as a part of the texture's
side (0.025 is about 7 mm on the face, the finest cast shadow that is followed), and the share of it that is believed
to be light. Colour is smoothed more: some of it is flushed skin, most the camera's saturated shadows."""
_UNUSUAL = 0.4
"""Log departure from its surroundings at which a place's say has halved: a mole is no shadow."""
_GREY_LIMIT, _CHROMA_LIMIT = 1.5, 0.8
"""Largest |log| of the residual's mean over the channels and of their departure from it."""
_TINT_SUPPORT = 0.005
"""Mean square log shading below which the photo's shadows say little about their colour."""
_SUPPORT = 0.05
"""Weight of 'no residual' beside the seen texels: where nothing is seen the residual fades to 1."""


def smooth_shading(atlas: Atlas, shading: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Shading (M, C) of the texels `where` (M,) bool averaged over `SHADING_SIGMA` of the texture, and floored."""
    sums = atlas.blurred(np.concatenate([shading * where[:, None], where[:, None]], axis=1), SHADING_SIGMA)
    smooth = np.where(where[:, None], sums[:, :-1] / np.maximum(sums[:, -1:], 1e-3), shading)
    floor = SHADING_FLOOR * shading.mean(0)
    return 0.5 * (smooth + floor + np.sqrt((smooth - floor) ** 2 + floor**2))


def grey_residual(
    atlas: Atlas, appearance: np.ndarray, explained: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The factor (M, 1) by which the light's level differs from the fitted one, smooth over the texture.

    appearance (M, 3) and explained = model albedo × fitted shading (M, 3), both linear; weights (M,): where to
    measure.
    """
    grey = _limited(_log_ratio(appearance, explained).mean(1, keepdims=True), 2 * _GREY_LIMIT)
    first = atlas.gather(_smooth(atlas, grey, weights, GREY_RESIDUAL[0], 1.0)).reshape(-1)
    usual = weights / (1 + ((grey[:, 0] - first) / _UNUSUAL) ** 2)
    smooth = _smooth(atlas, grey, usual, *GREY_RESIDUAL)
    return np.exp(atlas.gather(_limited(smooth, _GREY_LIMIT))).reshape(-1, 1)


def chroma_residual(
    atlas: Atlas, appearance: np.ndarray, explained: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The same (M, 3) of the light's colour."""
    smooth = _smooth(
        atlas, _limited(_chroma(appearance, explained), 2 * _CHROMA_LIMIT), weights, *CHROMA_RESIDUAL
    )
    return np.exp(atlas.gather(_limited(smooth, _CHROMA_LIMIT)))


def shadow_tint(
    appearance: np.ndarray, explained: np.ndarray, shading: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The factor (M, 3) that colours shading (M, 3) where it is dark, as this photo does: light that enters skin comes
    out of shadows red, and a camera's contrast saturates them.

    appearance, explained as above; weights (M,).
    """
    level = np.log(shading.mean(1))
    total = max(float(weights.sum()), 1e-6)
    dark = np.minimum(level - np.average(level, weights=weights), 0) if total > 1 else np.zeros_like(level)
    chroma = _limited(_chroma(appearance, explained), _CHROMA_LIMIT)
    lit = weights * (dark == 0)
    usual = (lit @ chroma) / max(float(lit.sum()), 1e-6)
    slope = (weights * dark) @ (chroma - usual) / (weights @ dark**2 + _TINT_SUPPORT * total)
    return np.exp(dark[:, None] * slope)


def _log_ratio(appearance: np.ndarray, explained: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(appearance, 1e-3) / np.maximum(explained, 1e-3))


def _chroma(appearance: np.ndarray, explained: np.ndarray) -> np.ndarray:
    ratio = _log_ratio(appearance, explained)
    return ratio - ratio.mean(1, keepdims=True)


def _limited(values: np.ndarray, limit: float) -> np.ndarray:
    return limit * np.tanh(values / limit)


def _smooth(atlas: Atlas, values: np.ndarray, weights: np.ndarray, sigma: float, share: float) -> np.ndarray:
    """`share` of the weighted average (S, S, C) of texel values (M, C) under a Gaussian of `sigma` texture sides."""
    columns = np.concatenate([values * weights[:, None], weights[:, None]], axis=1)
    sums = cv2.GaussianBlur(atlas.image(columns.astype(np.float32)), (0, 0), sigma * atlas.size)
    return share * sums[..., :-1] / (sums[..., -1:] + _SUPPORT)
