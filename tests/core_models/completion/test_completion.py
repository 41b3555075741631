"""Membranes and completion: exact where the answer is known, no seams, mirrored detail where that side was seen."""

from __future__ import annotations

import numpy as np
import pytest

from semblance.core_models.completion.analytic import Places, complete_albedo, plan_completion
from semblance.core_models.completion.poisson import poisson_sheet
from semblance.core_models.completion.skin_grain import RestSurface
from semblance.core_models.images import extend
from semblance.core_models.texture.atlas import Atlas, build_atlas
from semblance.core_models.texture.vertex_colours import average_to_vertices, vertex_colours


def _disc(size: int) -> np.ndarray:
    row, column = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.hypot(row, column) < size * 0.47


def test_membrane_between_two_edges_is_a_ramp():
    size = 128
    weights = np.zeros((size, size))
    weights[:, 0] = weights[:, -1] = 1e3
    values = np.zeros((size, size, 1))
    values[:, -1] = 1.0
    sheet = poisson_sheet(values, weights, np.ones((size, size), bool), np.zeros(1), 1e-9)
    ramp = np.linspace(0, 1, size)
    assert np.abs(sheet[..., 0] - ramp).max() < 0.03


def test_membrane_of_one_value_is_that_value_on_any_domain():
    inside = _disc(128)
    weights = np.where(np.random.default_rng(0).random((128, 128)) < 0.01, 1.0, 0.0)
    sheet = poisson_sheet(np.full((128, 128, 3), 0.7), weights, inside, np.full(3, 0.7), 1e-4)
    assert np.allclose(sheet, 0.7, atol=1e-4)


def test_membrane_without_values_is_its_pull():
    sheet = poisson_sheet(np.zeros((64, 64, 2)), np.zeros((64, 64)), _disc(64), np.array([0.3, -1.0]), 1e-3)
    assert np.allclose(sheet, [0.3, -1.0], atol=1e-4)


def _plane_atlas(size: int):
    uv = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    return build_atlas(uv, np.array([[0, 1, 2], [0, 2, 3]]), size)


def _places(atlas: Atlas, skin: np.ndarray, blink: np.ndarray, beard: np.ndarray | None = None) -> Places:
    beard = np.zeros_like(blink) if beard is None else beard
    return Places(atlas.covered(), skin, blink, np.ones_like(blink), beard)


def _complete(
    atlas: Atlas, seen: np.ndarray, confidence: np.ndarray, model: np.ndarray, skin: np.ndarray | None = None
) -> np.ndarray:
    """The completed albedo (S, S, 3), without grain."""
    skin = atlas.covered() if skin is None else skin
    plan = plan_completion(seen, confidence, model, _places(atlas, skin, np.zeros_like(confidence)))
    nowhere = RestSurface(np.zeros((4, 3)), np.zeros((4, 3)), np.ones(4))
    return atlas.image(complete_albedo(plan, atlas, atlas.gather(np.ascontiguousarray(seen)), None, nowhere))


def _scene(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A symmetric freckled albedo (S, S, 3), the smooth albedo a model has, and the confidence of a left-side view."""
    row, column = np.mgrid[:size, :size] + 0.5
    folded = np.abs(column - size / 2) / size
    freckles = 1 + 0.2 * np.sin(60 * folded) * np.sin(50 * row / size)
    truth = np.float32([0.45, 0.28, 0.2]) * freckles[..., None]
    model = np.broadcast_to(np.float32([0.6, 0.45, 0.38]), truth.shape)
    confidence = np.clip((0.62 - column / size) * 10, 0, 1)
    return truth.astype(np.float32), model, confidence.astype(np.float32)


def test_hidden_half_is_the_mirrored_seen_half():
    truth, model, confidence = _scene(256)
    atlas = _plane_atlas(256)
    seen = np.where(confidence[..., None] > 0, truth, 0.9).astype(np.float32)
    filled = _complete(atlas, seen, confidence, model)
    within = np.s_[16:-16, 16:-16]
    assert np.abs(filled / truth - 1)[within].max() < 0.05


def test_what_neither_side_shows_is_the_model_in_the_seen_tone_without_a_seam():
    truth, model, _ = _scene(256)
    row = np.mgrid[:256, :256][0]
    confidence = np.clip((row - 100) / 40, 0, 1).astype(np.float32)
    atlas = _plane_atlas(256)
    seen = np.where(confidence[..., None] > 0, truth, 0.05).astype(np.float32)
    filled = _complete(atlas, seen, confidence, model)
    assert np.abs(filled[:60] / [0.45, 0.28, 0.2] - 1).max() < 0.12
    step = np.abs(np.diff(np.log(filled), axis=0)).max((1, 2))
    assert step[90:150].max() <= step[150:].max() * 1.1


def test_mirrored_input_is_completed_to_the_mirror_image():
    truth, model, confidence = _scene(128)
    atlas = _plane_atlas(128)
    results = []
    for flip in (False, True):
        images = [image[:, ::-1] if flip else image for image in (truth, confidence, model)]
        filled = _complete(atlas, *images)
        results.append(filled[:, ::-1] if flip else filled)
    assert np.allclose(results[0], results[1], atol=1e-4)


def _smooth_face(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Even skin (S, S, 3), all of it seen but the right side."""
    column = np.mgrid[:size, :size][1] / size
    skin = np.broadcast_to(np.float32([0.45, 0.28, 0.2]), (size, size, 3)).copy()
    return skin, (column < 0.6).astype(np.float32)


def test_what_is_there_once_is_not_mirrored():
    size = 256
    seen, confidence = _smooth_face(size)
    row, column = np.mgrid[:size, :size] / size
    mole = np.hypot(row - 0.6, column - 0.2) < 0.006
    frame = np.abs(row - 0.4 - 0.3 * (column - 0.2)) < 0.012
    painted = np.where((mole | (frame & (column < 0.35)))[..., None], 0.05, seen).astype(np.float32)
    filled = _complete(_plane_atlas(size), painted, confidence, seen)
    assert filled[mole].mean() < 0.1
    hidden = column > 0.65
    assert np.abs(np.log(filled / seen))[hidden].max() < 0.05


def test_dark_brow_is_mirrored_where_the_model_has_one():
    size = 256
    skin, confidence = _smooth_face(size)
    row, column = np.mgrid[:size, :size] / size
    folded = np.minimum(column, 1 - column)
    brow = (np.abs(row - 0.3) < 0.015) & (np.abs(folded - 0.25) < 0.1)
    hairs = np.where(np.sin(column * size) > 0, 0.04, 0.09)[..., None]
    seen = np.where(brow[..., None], hairs, skin).astype(np.float32)
    model = np.where(brow[..., None], 0.12, skin).astype(np.float32)
    filled = _complete(_plane_atlas(size), seen, confidence, model)
    hidden = brow & (column > 0.65)
    assert np.abs(np.log(filled / seen[:, ::-1]))[hidden].mean() < 0.1


def test_strands_beside_what_is_hidden_go_and_a_scar_far_from_it_stays():
    size = 256
    skin, _ = _smooth_face(size)
    row, column = np.mgrid[:size, :size] / size
    confidence = (row > 0.25).astype(np.float32)
    strand = (np.abs(column - 0.3) < 0.008) & (row < 0.29)
    scar = (np.abs(column - 0.3) < 0.008) & (np.abs(row - 0.6) < 0.04)
    seen = np.where((strand | scar)[..., None], 0.06, skin).astype(np.float32)
    filled = _complete(_plane_atlas(size), seen, confidence, skin)
    assert np.abs(np.log(filled / skin))[strand].max() < 0.3
    assert np.allclose(filled[scar], seen[scar], rtol=0.02)


def test_lashes_stay_at_the_edge_of_the_lid():
    size = 512
    skin, _ = _smooth_face(size)
    row, column = np.mgrid[:size, :size] / size
    from_edge = np.hypot(row - 0.5, column - 0.3) - 0.06
    lid = (from_edge > 0) & (from_edge < 0.03)
    lashes = lid & (from_edge < 0.02) & (np.sin(60 * np.arctan2(row - 0.5, column - 0.3)) > 0)
    seen = np.where(lashes[..., None], 0.03, skin).astype(np.float32)
    atlas, sees = _plane_atlas(size), np.ones((size, size), np.float32)
    plan = plan_completion(seen, sees, skin, _places(atlas, from_edge > 0, lid.astype(np.float32)))
    grown = lashes & (from_edge < 0.002)
    lying = lashes & (from_edge > 0.01)
    assert plan.confidence[grown].min() > 0.9
    assert plan.confidence[lying].max() < 0.1


def test_extend_keeps_inside_and_takes_the_nearest_outside():
    inside = _disc(64)
    image = np.where(inside, np.arange(64)[None, :], -1.0)
    wide = extend(image, inside)
    assert np.array_equal(wide[inside], image[inside])
    assert wide.min() >= 0
    assert wide[32, 0] == image[32, inside[32].argmax()]


@pytest.mark.parametrize("size", [64, 200])
def test_vertex_colours_of_a_linear_texture_are_exact(size):
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 21))
    uv = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
    corner = (np.arange(20)[:, None] * 21 + np.arange(20)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 22], -1), np.stack([corner, corner + 22, corner + 21], -1)]
    )
    atlas = build_atlas(uv, faces, size)
    truth = (uv @ rng.random((2, 3))).astype(np.float32)
    found = average_to_vertices(atlas, atlas.weights @ truth, uv)
    assert np.abs(found - truth).max() < 0.02
    detail = rng.random((len(uv), 3)).astype(np.float32)
    texels = atlas.weights @ detail
    fitted = atlas.weights @ average_to_vertices(atlas, texels, uv)
    assert np.sqrt(((fitted - texels) ** 2).mean()) < 0.6 * texels.std()


def test_highlights_on_the_eyes_do_not_colour_their_vertices():
    x, y = np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 1, 11))
    uv = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
    corner = (np.arange(10)[:, None] * 11 + np.arange(10)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 12], -1), np.stack([corner, corner + 12, corner + 11], -1)]
    )
    atlas = build_atlas(uv, faces, 64)
    albedo = np.tile(np.float32([0.05, 0.03, 0.02]), (len(atlas.texels), 1))
    sparkle = np.exp(np.random.default_rng(0).normal(0, 2, albedo.shape)).astype(np.float32)
    found, shading = vertex_colours(atlas, albedo, sparkle, uv, np.ones(len(uv), bool))
    np.testing.assert_allclose(found, np.tile(albedo[:1], (len(uv), 1)), rtol=1e-3)
    assert shading.min() > 0


def test_a_beard_reaches_where_the_photo_ends():
    """Dark hair beside what is hidden is a strand of the head's, unless it is known to be a beard."""
    skin, _ = _smooth_face(256)
    row = np.mgrid[:256, :256][0]
    confidence = (row < 200).astype(np.float32)
    model, beard = skin.copy(), ((row > 180) & (row < 200)).astype(np.float32)
    skin[beard > 0] *= 0.1
    atlas = _plane_atlas(256)
    shares = [
        plan_completion(
            skin, confidence, model, _places(atlas, atlas.covered(), np.zeros_like(confidence), known)
        ).seen_share[190, 128]
        for known in (beard, None)
    ]
    assert shares[0] > 0.95
    assert shares[1] < 0.5
