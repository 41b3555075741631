"""Light and albedo taken apart: known lights come back, detail stays in the albedo, shadows go to the light."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.separated import divide_out
from semblance.core_models.intrinsic.shading_residual import (
    chroma_residual,
    grey_residual,
    shadow_tint,
    smooth_shading,
)
from semblance.core_models.skin_colour import ALBEDO_RANGE
from semblance.core_models.texture.atlas import build_atlas

SKIN = np.float32([0.45, 0.28, 0.20])


def _grid_atlas(size: int = 128):
    uv = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    return build_atlas(uv, np.array([[0, 1, 2], [0, 2, 3]]), size)


def test_freckles_stay_skin_and_soft_shadows_become_light():
    atlas = _grid_atlas()
    row, column = np.divmod(atlas.texels, 128)
    freckles = np.where((row % 4 < 2) & (column % 4 < 2), 0.7, 1.0)[:, None]
    shadow = 1 - 0.4 / (1 + np.exp(-(column - 64) / 12.0))[:, None]
    albedo, shading = SKIN * freckles, np.ones((len(row), 3)) * 0.8
    everywhere = np.ones(len(row))
    residual = grey_residual(atlas, albedo * shading * shadow, SKIN * shading, everywhere)
    steps = np.abs(np.diff(np.log(atlas.image(residual[:, 0])), axis=1)).max()
    assert steps < 0.03
    inner = (column > 10) & (column < 118)
    assert np.corrcoef(residual[inner, 0], shadow[inner, 0])[0, 1] > 0.98
    found = divide_out(albedo * shading * shadow, shading * residual)
    assert np.allclose(found * shading * residual, albedo * shading * shadow, atol=1e-6)


def test_a_mole_is_no_shadow():
    atlas = _grid_atlas()
    row, column = np.divmod(atlas.texels, 128)
    mole = np.hypot(row - 64, column - 64) < 3
    photo = np.where(mole[:, None], 0.25, 1.0) * np.tile(SKIN, (len(row), 1))
    residual = grey_residual(atlas, photo, np.tile(SKIN, (len(row), 1)), np.ones(len(row)))
    assert residual[mole].min() > 0.8


def test_residual_fades_where_nothing_is_seen():
    atlas = _grid_atlas()
    column = atlas.texels % 128
    photo, model = np.full((len(column), 3), 0.1), np.full((len(column), 3), 0.3)
    seen = (column < 40).astype(float)
    residual = grey_residual(atlas, photo, model, seen)[:, 0]
    assert residual[column < 20].max() < 0.7
    assert residual[column > 100].min() > 0.98


def test_albedo_is_a_reflectance_whatever_the_photo_says():
    photo = np.float32([[0, 0, 0], [50, 1, 0.2], [1e-6, 0.5, 1]])
    albedo = divide_out(photo, np.float32([[0.5, 0.5, 0.5]]))
    assert albedo.min() >= np.float32(ALBEDO_RANGE[0])
    assert albedo.max() <= np.float32(ALBEDO_RANGE[1])


def test_a_crease_shades_softly_and_an_eyeball_sharply():
    atlas = _grid_atlas()
    x = atlas.texels % atlas.size / atlas.size
    shading = np.where(x < 0.5, 0.3, 1.2)[:, None] * np.ones(3, np.float32)
    everywhere = np.ones(len(x), bool)
    smooth = smooth_shading(atlas, shading, everywhere)
    assert np.abs(np.diff(atlas.image(smooth)[64, :, 0])).max() < 0.4
    away = np.abs(x - 0.5) > 0.1
    np.testing.assert_allclose(smooth[away], shading[away], rtol=0.05)
    np.testing.assert_allclose(smooth_shading(atlas, shading, ~everywhere), shading, rtol=0.05)


def test_no_place_is_quite_dark():
    atlas = _grid_atlas()
    shading = np.where(atlas.texels % 128 < 64, 0.0, 1.0)[:, None] * np.ones(3, np.float32)
    assert smooth_shading(atlas, shading, np.ones(len(shading), bool)).min() > 0.01


def test_painted_lips_do_not_colour_the_light():
    atlas = _grid_atlas()
    lips = np.abs(atlas.texels // atlas.size - 64) < 10
    model = np.tile([0.4, 0.3, 0.2], (len(lips), 1)).astype(np.float32)
    photo = np.where(lips[:, None], model * [1.5, 0.5, 0.8], model).astype(np.float32)
    residual = chroma_residual(atlas, photo, model, (~lips).astype(float))
    np.testing.assert_allclose(residual, 1, atol=1e-3)


def test_shadows_take_the_colour_that_the_photo_gives_them():
    level = np.exp(np.linspace(-1.5, 0.5, 4000))[:, None]
    shading = level * np.float32([1.0, 0.95, 0.9])
    reddened = SKIN * shading * np.minimum(level / 0.6, 1) ** np.float32([-0.3, 0.1, 0.2])
    weights = np.ones(len(level))
    tint = shadow_tint(reddened, SKIN * shading, shading, weights)
    before, after = (np.ptp(np.log(reddened / (SKIN * light))[:, 0]) for light in (shading, shading * tint))
    assert after < 0.25 * before
    np.testing.assert_allclose(shadow_tint(SKIN * shading, SKIN * shading, shading, weights), 1, atol=1e-6)
    assert np.isfinite(shadow_tint(reddened, SKIN * shading, shading, 0 * weights)).all()
