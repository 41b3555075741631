"""Light and albedo taken apart: known lights come back, detail stays in the albedo, shadows go to the light."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semblance.core_models.render.lighting import shade
from semblance.core_models.texture.albedo import (
    ALBEDO_RANGE,
    darken_openings,
    divide_out,
    light_texels,
    smooth_normals,
    smooth_residual,
)
from semblance.core_models.texture.atlas import build_atlas
from semblance.core_models.texture.lighting_fit import GREY_LEVEL, fit_light

SKIN = np.float32([0.45, 0.28, 0.20])
LIGHT = np.float32([3.2, 0.5, 0.9, -0.6, 0.1, 0.05, 0.1, -0.1, 0.05])


def _skin(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals of a half sphere towards the camera, mean albedo, modes: tone and redness."""
    normals = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    normals[:, 2] = np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mean = np.tile(SKIN, (n, 1))
    return normals, mean, np.stack([mean * 0.3, mean * np.float32([0.05, -0.1, -0.1])])


def _shade(normals: np.ndarray, sh: np.ndarray) -> np.ndarray:
    return shade(torch.as_tensor(normals), torch.as_tensor(sh)).numpy()


def test_white_light_on_average_skin_comes_back():
    normals, mean, modes = _skin()
    truth = _shade(normals, np.tile(LIGHT, (3, 1)))
    fit = fit_light(mean * truth, normals, np.ones(len(mean)), mean, modes)
    found = _shade(normals, fit.sh)
    assert np.abs(found / truth - 1).mean() < 0.08
    assert np.abs(found / found.mean() - truth / truth.mean()).mean() < 0.04
    assert np.abs(fit.albedo_coefficients).max() < 0.4
    assert fit.residual < 0.03


@pytest.mark.parametrize("tone", [-2.0, 1.5])
def test_tone_is_shared_between_skin_and_exposure(tone):
    normals, mean, modes = _skin()
    albedo = mean + tone * modes[0]
    fit = fit_light(
        albedo * _shade(normals, np.tile(LIGHT, (3, 1))), normals, np.ones(len(mean)), mean, modes
    )
    assert np.sign(fit.albedo_coefficients[0]) == np.sign(tone)
    assert abs(fit.albedo_coefficients[0]) > 0.3 * abs(tone)
    assert fit.residual < 0.03


def test_red_skin_does_not_turn_the_light_red():
    normals, mean, modes = _skin()
    photo = (mean + 1.5 * modes[1]) * _shade(normals, np.tile(LIGHT, (3, 1)))
    fit = fit_light(photo, normals, np.ones(len(mean)), mean, modes)
    cast = fit.sh[:, 0] / fit.sh[:, 0].mean()
    assert np.abs(cast - 1).max() < 0.12
    assert fit.albedo_coefficients[1] > 0.4


def test_highlights_shadows_and_weightless_samples_do_not_move_the_light():
    normals, mean, modes = _skin()
    photo = mean * _shade(normals, np.tile(LIGHT, (3, 1)))
    clean = fit_light(photo, normals, np.ones(len(mean)), mean, modes)
    spoilt, weights = photo.copy(), np.ones(len(mean))
    spoilt[:150] = 1.0
    spoilt[150:300] *= 0.3
    spoilt[300:900], weights[300:900] = np.nan, 0
    fit = fit_light(spoilt, normals, weights, mean, modes)
    ratio = _shade(normals, fit.sh) / _shade(normals, clean.sh)
    assert np.abs(ratio - 1).mean() < 0.06


def test_nothing_seen_gives_plain_grey_light():
    normals, mean, modes = _skin(10)
    fit = fit_light(mean, normals, np.zeros(10), mean, modes)
    assert np.allclose(_shade(normals, fit.sh), GREY_LEVEL, atol=1e-5)
    assert not fit.albedo_coefficients.any()


def test_dark_side_has_a_floor():
    normals = np.float32([[0, 0, 1], [0, 0, -1], [1, 0, 0]])
    dark = np.zeros((3, 9), np.float32)
    dark[:, 2] = 2.0
    shading = light_texels(normals, dark)
    assert shading.min() > 0.02
    assert shading[0] == pytest.approx(_shade(normals[:1], dark)[0], rel=0.02)


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
    residual = smooth_residual(atlas, albedo * shading * shadow, SKIN * shading, everywhere, everywhere)
    steps = np.abs(np.diff(np.log(atlas.image(residual[:, 0])), axis=1)).max()
    assert steps < 0.03
    inner = (column > 10) & (column < 118)
    assert np.corrcoef(residual[inner, 0], shadow[inner, 0])[0, 1] > 0.98
    found = divide_out(albedo * shading * shadow, shading * residual)
    assert np.allclose(found * shading * residual, albedo * shading * shadow, atol=1e-6)


def test_residual_fades_where_nothing_is_seen():
    atlas = _grid_atlas()
    column = atlas.texels % 128
    photo, model = np.full((len(column), 3), 0.1), np.full((len(column), 3), 0.3)
    seen = (column < 40).astype(float)
    residual = smooth_residual(atlas, photo, model, seen, seen)[:, 0]
    assert residual[column < 20].max() < 0.7
    assert residual[column > 100].min() > 0.98


def test_albedo_is_a_reflectance_whatever_the_photo_says():
    photo = np.float32([[0, 0, 0], [50, 1, 0.2], [1e-6, 0.5, 1]])
    albedo = divide_out(photo, np.float32([[0.5, 0.5, 0.5]]))
    assert albedo.min() >= np.float32(ALBEDO_RANGE[0])
    assert albedo.max() <= np.float32(ALBEDO_RANGE[1])


def test_only_what_an_opening_hides_is_in_its_shadow():
    atlas = _grid_atlas()
    column = atlas.texels % 128
    inside = (column > 40) & (column < 80)
    hidden = darken_openings(atlas, inside, np.zeros(len(column)))[:, 0]
    assert hidden[(column > 45) & (column < 75)].max() < 0.5
    assert hidden[(column < 30) | (column > 90)].min() > 0.99
    assert np.all(darken_openings(atlas, inside, np.ones(len(column))) == 1)


def test_a_crease_shades_softly_and_an_eyeball_sharply():
    atlas = _grid_atlas()
    x = atlas.texels % atlas.size / atlas.size
    tilt = np.where(x < 0.5, -0.6, 0.6)
    normals = np.stack([tilt, np.zeros_like(tilt), np.full_like(tilt, 0.8)], axis=1).astype(np.float32)
    smooth = smooth_normals(atlas, normals, np.ones(len(normals), bool))
    np.testing.assert_allclose(np.linalg.norm(smooth, axis=1), 1, atol=1e-5)
    at_crease, away = np.abs(x - 0.5) < 0.005, np.abs(x - 0.5) > 0.1
    assert np.abs(smooth[at_crease, 0]).max() < 0.3
    np.testing.assert_allclose(smooth[away], normals[away], atol=1e-3)
    np.testing.assert_array_equal(smooth_normals(atlas, normals, np.zeros(len(normals), bool)), normals)


def test_painted_lips_do_not_colour_the_light():
    atlas = _grid_atlas()
    lips = np.abs(atlas.texels // atlas.size - 64) < 10
    model = np.tile([0.4, 0.3, 0.2], (len(lips), 1)).astype(np.float32)
    photo = np.where(lips[:, None], model * [1.5, 0.5, 0.8], model).astype(np.float32)
    residual = smooth_residual(atlas, photo, model, np.ones(len(lips)), (~lips).astype(float))
    np.testing.assert_allclose(residual / residual.mean(1, keepdims=True), 1, atol=1e-3)
