"""Colours beyond skin's are the light's; moles, freckles and lightness are not."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.chroma import MOST_CHROMA, chroma_of_light
from semblance.core_models.texture.atlas import build_atlas

SIZE = 128
ATLAS = build_atlas(np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [0, 2, 3]]), SIZE)
COUNT = len(ATLAS.texels)
SKIN = np.tile(np.float32([0.30, 0.17, 0.11]), (COUNT, 1))
EVERYWHERE = np.ones(COUNT, np.float32)


def _chroma(colour: np.ndarray) -> np.ndarray:
    ratio = np.log(colour / SKIN)
    return ratio - ratio.mean(1, keepdims=True)


def test_purple_skin_becomes_nearly_skin() -> None:
    purple = SKIN * np.float32([0.8, 1.0, 3.0])
    factor = chroma_of_light(ATLAS, purple, SKIN, EVERYWHERE)
    assert np.linalg.norm(_chroma(purple), axis=1).min() > 2 * MOST_CHROMA
    assert np.linalg.norm(_chroma(purple / factor), axis=1).max() < 1.01 * MOST_CHROMA


def test_lightness_stays() -> None:
    dark_and_orange = SKIN * np.float32([0.5, 0.2, 0.02])
    factor = chroma_of_light(ATLAS, dark_and_orange, SKIN, EVERYWHERE)
    np.testing.assert_allclose(np.log(factor).mean(1), 0, atol=1e-5)


def test_a_blush_stays() -> None:
    blush = SKIN * np.float32([1.08, 0.96, 0.95])
    factor = chroma_of_light(ATLAS, blush, SKIN, EVERYWHERE)
    assert np.abs(np.log(factor)).max() < 0.01


def test_lips_and_eyes_are_left_alone() -> None:
    factor = chroma_of_light(ATLAS, SKIN * np.float32([1, 1, 4]), SKIN, 0 * EVERYWHERE)
    np.testing.assert_allclose(factor, 1)
