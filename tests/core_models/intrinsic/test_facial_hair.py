"""A beard is told from skin by its roughness; pores, wrinkles, moles and shadows are no beard."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.facial_hair import beard_zone, find_hair
from semblance.core_models.texture.atlas import build_atlas

SIZE = 512
ATLAS = build_atlas(np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [0, 2, 3]]), SIZE)
ROW, COLUMN = np.divmod(ATLAS.texels, SIZE)
SKIN = np.float32([0.45, 0.28, 0.20])
CHIN = (ROW > 340) & (ROW < 470) & (np.abs(COLUMN - 256) < 120)


def _skin() -> np.ndarray:
    """(M, 3) with pores."""
    rng = np.random.default_rng(0)
    return (SKIN * np.exp(0.02 * rng.normal(size=(len(ROW), 1)))).astype(np.float32)


def _find(appearance: np.ndarray) -> np.ndarray:
    return find_hair(ATLAS, appearance, np.ones(len(ROW), np.float32), np.ones(len(ROW), bool))


def test_a_beard_is_found_dark_or_grey():
    strands = np.random.default_rng(1).random(len(ROW))[:, None]
    inner = CHIN & (ROW > 350) & (ROW < 460) & (np.abs(COLUMN - 256) < 110)
    for hair in ([0.03, 0.022, 0.018], [0.6, 0.58, 0.55]):
        photo = np.where(CHIN[:, None], strands * np.float32(hair) + (1 - strands) * SKIN, _skin())
        share = _find(photo.astype(np.float32))
        assert share[inner].min() > 0.8
        assert share[ROW < 300].max() < 0.05


def test_shadows_wrinkles_and_moles_are_no_beard():
    shadow = np.where(COLUMN < 200, 0.25, 1.0)[:, None]
    wrinkle = np.where(np.abs(ROW - 120 - 10 * np.sin(COLUMN / 30)) < 1, 0.6, 1.0)[:, None]
    moles = np.where(np.hypot(ROW % 90 - 45, COLUMN % 90 - 45) < 4, 0.3, 1.0)[:, None]
    assert _find(_skin() * shadow).max() < 0.1
    assert _find(_skin() * wrinkle).max() < 0.1
    assert _find(_skin() * moles).mean() < 0.02


def test_where_no_skin_is_seen_there_is_no_hair():
    assert find_hair(ATLAS, _skin(), np.zeros(len(ROW), np.float32), CHIN).max() == 0


def test_beards_grow_below_the_nose():
    lips, brows = (np.abs(ROW - row) < 10 for row in (300, 100))
    zone = beard_zone(ATLAS, lips, brows)
    assert zone[ROW > 250].all()
    assert not zone[ROW < 200].any()
