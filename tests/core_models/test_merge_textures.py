"""Textures of several photos become one."""

from __future__ import annotations

import numpy as np
import pytest

from semblance.core_models.bake import TextureResult
from semblance.core_models.colour import linear_to_srgb_uint8, srgb_to_linear
from semblance.core_models.intrinsic.sharp_lamps import SharpLamps
from semblance.core_models.merge_textures import merge_textures
from semblance.core_models.texture.atlas import build_atlas

SIZE = 128
GRID = 33
AXIS = np.linspace(0, 1, GRID)
UV = np.stack(np.meshgrid(AXIS, AXIS), -1).reshape(-1, 2).astype(np.float32)
CORNER = (np.arange(GRID - 1)[:, None] * GRID + np.arange(GRID - 1)).ravel()
FACES = np.concatenate(
    [
        np.stack([CORNER, CORNER + 1, CORNER + GRID + 1], 1),
        np.stack([CORNER, CORNER + GRID + 1, CORNER + GRID], 1),
    ]
)
ATLAS = build_atlas(UV, FACES, SIZE)
X = (np.arange(SIZE) + 0.5) / SIZE
STRIPES = 1 + 0.3 * np.sign(np.sin(2 * np.pi * 32 * X))[None, :, None] * np.ones((SIZE, 1, 3))
SKIN = np.array([0.5, 0.3, 0.2])


def texture(albedo: np.ndarray, confidence: np.ndarray) -> TextureResult:
    """albedo (S, S, 3) linear, confidence (S, S) 0…1; the light is even and 1."""
    n = len(UV)
    vertex = albedo[
        np.clip(((1 - UV[:, 1]) * SIZE).astype(int), 0, SIZE - 1),
        np.clip((UV[:, 0] * SIZE).astype(int), 0, SIZE - 1),
    ]
    return TextureResult(
        sh=np.zeros((3, 9), np.float32),
        sh_map=np.zeros((0, 0, 27), np.float16),
        lamps=SharpLamps(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)),
        albedo_coefficients=np.zeros(3, np.float32),
        vertex_albedo_linear=vertex.astype(np.float32),
        vertex_shading_linear=np.ones((n, 3), np.float32),
        vertex_confidence=np.ones(n, np.float32),
        albedo_srgb=linear_to_srgb_uint8(albedo.astype(np.float32)),
        shading_linear=np.ones((SIZE, SIZE, 3), np.float16),
        confidence=np.round(confidence * 255).astype(np.uint8),
        is_grey=False,
        light_residual=0.1,
    )


def linear(result: TextureResult) -> np.ndarray:
    return srgb_to_linear(result.albedo_srgb.astype(np.float32) / 255)


def left(width: float = 0.5) -> np.ndarray:
    return np.broadcast_to((width > X).astype(float), (SIZE, SIZE))


def test_one_photo_is_itself() -> None:
    only = texture(SKIN * STRIPES, left())
    merged = merge_textures([only], [1.0], ATLAS, UV)
    np.testing.assert_allclose(linear(merged), linear(only), rtol=0.03, atol=0.003)


def test_each_side_comes_from_the_photo_that_shows_it() -> None:
    plain = np.broadcast_to(SKIN, STRIPES.shape)
    first = texture(np.where(left()[..., None] > 0, SKIN * STRIPES, plain), left())
    second = texture(np.where(left(0.4)[..., None] > 0, plain, SKIN * STRIPES), 1 - left(0.4))
    merged = merge_textures([first, second], [1.0, 1.0], ATLAS, UV)
    inner = np.s_[8:-8, 8:-8]
    np.testing.assert_allclose(linear(merged)[inner], (SKIN * STRIPES)[inner], rtol=0.1)
    assert merged.confidence.min() == 255


def test_a_photo_in_another_tone_leaves_no_seam() -> None:
    whole = np.ones((SIZE, SIZE))
    first = texture(np.broadcast_to(SKIN, STRIPES.shape), left(0.6))
    second = texture(np.broadcast_to(1.3 * SKIN, STRIPES.shape), whole)
    albedo = linear(merge_textures([first, second], [1.0, 1.0], ATLAS, UV))
    assert albedo.std((0, 1)).max() < 0.005
    np.testing.assert_allclose(albedo.mean((0, 1)), np.sqrt(1.3) * SKIN, rtol=0.02)


def test_albedo_times_light_stays_the_first_photo() -> None:
    shade = 1 + 0.3 * np.sin(2 * np.pi * X)[None, :, None] * np.ones((SIZE, 1, 3))
    whole = np.ones((SIZE, SIZE))
    first = texture(SKIN * STRIPES * shade, whole)  # took a shadow for skin
    second = texture(SKIN * STRIPES, whole)
    merged = merge_textures([first, second], [1.0, 0.5], ATLAS, UV)
    appearance = linear(merged) * merged.shading_linear
    np.testing.assert_allclose(appearance[8:-8, 8:-8], linear(first)[8:-8, 8:-8], rtol=0.06)
    spread = [(linear(each) / STRIPES).std((0, 1)).max() for each in (first, merged)]
    assert spread[1] < 0.65 * spread[0]


def test_detail_comes_from_the_sharper_photo() -> None:
    whole = np.ones((SIZE, SIZE))
    blurred = texture(np.broadcast_to(SKIN, STRIPES.shape), whole)
    sharp = texture(SKIN * STRIPES, whole)
    merged = linear(merge_textures([blurred, sharp], [0.4, 1.0], ATLAS, UV))[8:-8, 8:-8]
    assert merged.std() == pytest.approx((SKIN * STRIPES).std(), rel=0.1)
