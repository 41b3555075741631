"""Appearance = albedo × shading, taken apart without a network.

Shading is the fitted order-2 light times a smooth, nearly grey residual (cast shadows, what the light model lacks);
everything finer stays in the albedo, so that no skin detail is lost to the light.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..render.lighting import shade
from .atlas import Atlas

SHADING_FLOOR = 0.4
"""Of the mean shading: fine shapes turned from the light are not darker than that, for skin around lights them (below,
division would paint pale rims around lips and nostrils). What is darker over a wide area goes into the residual."""
NORMAL_SIGMA = 0.012
"""Of the texture's side, about 3 mm on the face: landmarks are no surer than that, and a lip's or a nostril's edge that
shades beside its own picture leaves a pale and a dark line."""
GREY_RESIDUAL = (0.03, 0.7)
CHROMA_RESIDUAL = (0.035, 0.85)
"""Of the smooth misfit between photo and model × light: the σ that it is smoothed with, as a part of the texture's
side (0.03 is about 8 mm on the face, the finest cast shadow that is followed), and the share of it that is believed
to be light. Colour is smoothed more: some of it is flushed skin, most the camera's saturated shadows."""
_GREY_LIMIT, _CHROMA_LIMIT = 1.5, 0.8
"""Largest |log| of the residual's mean over the channels and of their departure from it."""
_CHROMA_SUPPORT = 0.6
"""Of the mean shading: how much of the mean light's colour is mixed into the fitted one's, so that a colour that
order-2 light invents where next to no light falls does not come back inverted in the skin."""
OPENING_SHADOW = 0.65
"""Share of the light that does not reach what an opening (mouth, lids) hides from the photo."""
_OPENING_RIM = 0.008
"""Of the texture's side: how far that shadow reaches out of the opening, onto the inner side of the lips."""
_SUPPORT = 0.05
"""Weight of 'no residual' beside the seen texels: where nothing is seen the residual fades to 1."""
ALBEDO_RANGE = (0.003, 0.97)
"""Linear reflectances that skin, lips, hair and sclera stay within."""


def light_texels(normals: np.ndarray, sh: np.ndarray) -> np.ndarray:
    """Shading (M, 3) of unit normals (M, 3) under sh (3, 9), softly lifted to `SHADING_FLOOR` of its mean."""
    shading = shade(
        torch.as_tensor(normals, dtype=torch.float32), torch.as_tensor(sh, dtype=torch.float32)
    ).numpy()
    mean = np.maximum(shading.mean(0), 1e-3)
    support = _CHROMA_SUPPORT * mean
    grey = shading.mean(1, keepdims=True)
    colour = (shading + support) / (grey + support.mean())
    floor = SHADING_FLOOR * mean.mean()
    return colour * 0.5 * (grey + floor + np.sqrt((grey - floor) ** 2 + floor**2))


def smooth_normals(atlas: Atlas, normals: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Unit normals (M, 3), those of the texels `where` (M,) bool averaged over `NORMAL_SIGMA` of the texture."""
    image = atlas.image((normals * where[:, None]).astype(np.float32))
    blurred = atlas.gather(cv2.GaussianBlur(image, (0, 0), NORMAL_SIGMA * atlas.size))
    length = np.linalg.norm(blurred, axis=1, keepdims=True)
    return np.where(where[:, None] & (length > 1e-3), blurred / np.maximum(length, 1e-3), normals)


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


def darken_openings(atlas: Atlas, inside: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The factor (M, 1) for light inside openings, `inside` (M,) bool, that are not seen; seen (M,) 0…1.

    Order-2 light knows no shadows: without this the inner side of a lower lip would shine up at the sky.
    """
    blurred = cv2.GaussianBlur(atlas.image(inside.astype(np.float32)), (0, 0), _OPENING_RIM * atlas.size)
    near = np.clip(2 * atlas.gather(blurred), 0, 1)
    return (1 - OPENING_SHADOW * near * (1 - seen))[:, None]


def divide_out(appearance: np.ndarray, shading: np.ndarray) -> np.ndarray:
    """Albedo (M, 3) = appearance ÷ shading, inside `ALBEDO_RANGE`."""
    return np.clip(appearance / shading, *ALBEDO_RANGE)
