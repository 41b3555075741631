"""The whole texture stage on a head in closed form, whose photo is ray-cast and knows nothing of our renderer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from semblance.core_models.bake import TextureResult
from semblance.core_models.colour import linear_to_srgb, srgb_to_linear
from semblance.core_models.images import sample_bilinear
from semblance.core_models.morphable.model import ModelData, MorphableModel
from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.observed import baked
from semblance.tests.synthetic import synthetic_reconstruction

SKIN = np.float32([0.45, 0.28, 0.20])
N_SIDE = 97
SIZE = 256


@dataclass(frozen=True)
class _Case:
    truth: Reconstruction
    model: MorphableModel
    vertices: np.ndarray
    """(N, 3) decimetres, camera frame."""
    result: TextureResult


def _model(truth: Reconstruction) -> MorphableModel:
    """A model that knows the head's geometry, and of its colour no more than evenly tinted skin."""
    n = len(truth.vertices)
    mean = np.tile(SKIN, (n, 1))
    grid = np.arange(n).reshape(N_SIDE, N_SIDE)
    return MorphableModel(
        ModelData(
            model_id="ellipsoid",
            albedo_space="linear",
            expression_names=(),
            region_names=tuple(truth.region_names),
            mean=truth.vertices * 10,
            identity_basis=np.zeros((1, n, 3)),
            expression_basis=np.zeros((0, n, 3)),
            albedo_mean=mean,
            albedo_basis=np.stack([mean * 0.3, mean * np.float32([0.05, -0.05, -0.1])]),
            faces=truth.faces,
            uv=truth.uv,
            mirror=grid[:, ::-1].ravel(),
            twin=np.arange(n),
            face_region=truth.face_region,
            landmark_ids=np.zeros(1, int),
            landmark_vertices=np.zeros((1, 3), int),
            landmark_weights=np.float32([[1, 0, 0]]),
        )
    )


def _camera_vertices(truth: Reconstruction) -> np.ndarray:
    return ((truth.vertices @ truth.rotation.T + truth.translation) * 10).astype(np.float32)


@lru_cache(maxsize=4)
def _case(yaw: float, size: int = SIZE) -> _Case:
    truth = synthetic_reconstruction(N_SIDE, size, (360, 450), yaw)
    model, vertices = _model(truth), _camera_vertices(truth)
    result = baked(truth.photo_srgb, truth.mask / 255.0, model, vertices, truth.K, size)
    return _Case(truth, model, vertices, result)


def _appearance(albedo_srgb: np.ndarray, shading: np.ndarray) -> np.ndarray:
    return np.clip(linear_to_srgb(srgb_to_linear(albedo_srgb) * shading.astype(np.float32)), 0, 1)


@pytest.mark.parametrize("yaw", [0.0, 35.0])
def test_albedo_times_shading_is_the_photo_where_seen(yaw):
    case = _case(yaw)
    seen = case.result.confidence > 220
    found = _appearance(case.result.albedo_srgb, case.result.shading_linear)
    truth = _appearance(case.truth.albedo_srgb, case.truth.shading_linear)
    assert seen.mean() > 0.4
    assert np.abs(found - truth)[seen].mean() < 0.004


@pytest.mark.parametrize("yaw", [0.0, 35.0])
def test_no_holes_and_no_impossible_values(yaw):
    result = _case(yaw).result
    assert result.albedo_srgb.shape == (SIZE, SIZE, 3)
    assert result.albedo_srgb.min() > 5
    for field in (
        "shading_linear",
        "vertex_albedo_linear",
        "vertex_shading_linear",
        "vertex_confidence",
        "sh",
    ):
        assert np.isfinite(getattr(result, field)).all(), field
    assert result.shading_linear.min() > 0
    assert result.vertex_albedo_linear.min() > 0
    assert result.vertex_albedo_linear.max() < 1
    assert (result.vertex_confidence >= 0).all()
    assert (result.vertex_confidence <= 1).all()


def test_what_is_turned_away_or_outside_the_mask_is_invented():
    case = _case(35.0)
    edges = case.result.confidence[:, : SIZE // 20].max(), case.result.confidence[:, -SIZE // 20 :].max()
    assert min(edges) == 0
    mask = case.truth.mask / 255.0
    half = mask.copy()
    half[: mask.shape[0] // 2] = 0
    masked = baked(case.truth.photo_srgb, half, case.model, case.vertices, case.truth.K, 128)
    assert masked.confidence[:40].max() == 0
    assert masked.confidence[90].max() == 255


def test_hidden_cheek_is_the_mirrored_one():
    case = _case(35.0)
    found, truth = (srgb_to_linear(image) for image in (case.result.albedo_srgb, case.truth.albedo_srgb))
    hidden = (case.result.confidence == 0) & (case.result.confidence[:, ::-1] > 220)
    assert hidden.mean() > 0.05
    assert np.abs(np.log(found / found[:, ::-1]))[hidden].mean() < 0.08
    ratio = (found / truth)[hidden].mean(1)
    assert ratio.std() / ratio.mean() < 0.12


def test_light_is_found_up_to_what_tone_and_exposure_share():
    case = _case(0.0)
    seen = case.result.vertex_confidence > 0.9
    ratio = case.result.vertex_shading_linear[seen] / case.truth.vertex_shading_linear[seen]
    level = ratio.mean(0)
    assert 0.6 < level.mean() < 1.7
    assert np.abs(ratio / level - 1).mean() < 0.05
    cast = case.result.sh[:, 0] / case.result.sh[:, 0].mean()
    true_cast = case.truth.sh[:, 0] / case.truth.sh[:, 0].mean()
    assert np.abs(cast - true_cast).max() < 0.12


def test_vertices_agree_with_the_texture():
    case = _case(0.0)
    u, v = case.truth.uv.T
    seen = case.result.vertex_confidence > 0.9
    image = srgb_to_linear(case.result.albedo_srgb)
    texture = sample_bilinear(image, u * SIZE, (1 - v) * SIZE)
    difference = np.abs(linear_to_srgb(texture) - linear_to_srgb(case.result.vertex_albedo_linear))
    assert difference[seen].mean() < 0.01


def test_mirrored_photo_gives_the_mirrored_texture():
    case = _case(35.0)
    truth = case.truth
    mirrored = (case.vertices * np.float32([-1, 1, 1])).reshape(N_SIDE, N_SIDE, 3)[:, ::-1]
    K = truth.K.copy()
    K[0, 2] = truth.photo_srgb.shape[1] - K[0, 2]
    flipped = baked(
        np.ascontiguousarray(truth.photo_srgb[:, ::-1]),
        np.ascontiguousarray(truth.mask[:, ::-1]) / 255.0,
        case.model,
        np.ascontiguousarray(mirrored.reshape(-1, 3)),
        K,
        SIZE,
    )
    both = (case.result.confidence > 250) & (flipped.confidence[:, ::-1] > 250)
    difference = case.result.albedo_srgb.astype(int) - flipped.albedo_srgb[:, ::-1].astype(int)
    assert both.mean() > 0.3
    assert np.abs(difference)[both].mean() < 1.5
    assert np.abs(difference).mean() < 4


def test_larger_texture_is_the_same_texture():
    small, large = _case(0.0).result, _case(0.0, 2 * SIZE).result
    reduced = large.albedo_srgb.reshape(SIZE, 2, SIZE, 2, 3).mean((1, 3))
    seen = small.confidence > 250
    assert np.abs(reduced - small.albedo_srgb)[seen].mean() < 1.5


def test_photo_that_shows_nothing_of_the_face_gives_the_model():
    case = _case(0.0)
    empty = np.zeros_like(case.truth.mask, dtype=np.float32)
    result = baked(case.truth.photo_srgb, empty, case.model, case.vertices, case.truth.K, 64)
    assert result.confidence.max() == 0
    assert np.allclose(srgb_to_linear(result.albedo_srgb), SKIN, atol=0.01)
