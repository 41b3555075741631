"""Colours that no skin has belong to the light: folds lit by red skin beside them, highlights in a light whose colour
was missed.
"""

from __future__ import annotations

import numpy as np

from ..texture.atlas import Atlas

MOST_CHROMA = 0.4
"""Departure of skin from its own typical colour, in logarithms of the channels about their mean, that is approached
but not passed. Moles and bruises stay below it."""
_SOFT = 0.004
"""Of the texture's side: a millimetre. Averaged before the logarithm, for in deep shadow a channel is noise about 0."""
_DARK = 1e-3


def chroma_of_light(atlas: Atlas, delit: np.ndarray, expected: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The factor (M, 3), of no lightness, by which the light colours delit (M, 3) beyond what skin may show.

    delit: appearance ÷ shading, linear; expected (M, 3) albedo; where (M,) 0…1: on skin.
    """
    shown, usual = (atlas.blurred(colour * where[:, None], _SOFT) for colour in (delit, expected))
    ratio = np.log((shown + _DARK) / (usual + _DARK))
    chroma = (ratio - ratio.mean(1, keepdims=True)) * where[:, None]
    amount = np.linalg.norm(chroma, axis=1, keepdims=True)
    allowed = MOST_CHROMA * np.tanh(amount / MOST_CHROMA) / np.maximum(amount, 1e-6)
    return np.exp(chroma * (1 - allowed))
