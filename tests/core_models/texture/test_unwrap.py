"""Atlas, photo sampling and visibility, each against something that is known without them."""

from __future__ import annotations

import numpy as np
import pytest

from semblance.core_models.colour import srgb_to_linear
from semblance.core_models.render.visibility import unoccluded, view_depth
from semblance.core_models.texture.atlas import build_atlas
from semblance.core_models.texture.sampling import build_pyramid, sample_pyramid
from semblance.core_models.texture.unwrap import drop_slivers, place_texels, see_texels

K = np.array([[800.0, 0, 200], [0, 800.0, 150], [0, 0, 1]])


def _sheet(depth: float, half: float, n: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A square of n² vertices facing the camera: vertices, faces, uv."""
    x, y = np.meshgrid(np.linspace(-half, half, n), np.linspace(-half, half, n))
    vertices = np.stack([x, y, np.full_like(x, -depth)], -1).reshape(-1, 3)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + n + 1], -1)
    upper = np.stack([corner, corner + n + 1, corner + n], -1)
    uv = (vertices[:, :2] / half + 1) / 2
    return vertices.astype(np.float32), np.concatenate([lower, upper]), uv.astype(np.float32)


def _place(atlas, vertices, faces, uv):
    normals = np.tile(np.float32([0, 0, 1]), (len(vertices), 1))
    return place_texels(atlas, vertices, normals, faces, uv, np.zeros(len(faces), np.uint8), K)


def test_atlas_interpolates_the_layout_itself():
    _, faces, uv = _sheet(6.0, 1.0)
    atlas = build_atlas(uv * 0.8 + 0.1, faces, 64)
    assert np.allclose(atlas.weights.sum(1), 1, atol=1e-5)
    rows, columns = np.divmod(atlas.texels, 64)
    centres = np.stack([(columns + 0.5) / 64, 1 - (rows + 0.5) / 64], -1)
    assert np.abs(atlas.weights @ (uv * 0.8 + 0.1) - centres).max() < 1 / 256
    assert 0.6 < atlas.covered().mean() < 0.68
    assert sum(len(band.texels) for band in atlas.bands()) == len(atlas.texels)


def test_gather_undoes_image_and_resamples():
    _, faces, uv = _sheet(6.0, 1.0)
    atlas = build_atlas(uv, faces, 32)
    values = np.random.default_rng(0).random((len(atlas.texels), 3)).astype(np.float32)
    assert np.array_equal(atlas.gather(atlas.image(values)), values)
    ramp = np.tile((np.arange(8) + 0.5) / 8, (8, 1))
    inner = (atlas.texels % 32 > 2) & (atlas.texels % 32 < 29)
    assert np.allclose(atlas.gather(ramp)[inner], ((atlas.texels % 32 + 0.5) / 32)[inner], atol=1e-6)


def test_texels_land_on_their_pixels_with_the_right_footprint():
    vertices, faces, uv = _sheet(8.0, 1.0)
    atlas = build_atlas(uv, faces, 50)
    surface = _place(atlas, vertices, faces, uv)
    rows, columns = np.divmod(atlas.texels, 50)
    assert np.allclose(surface.pixels[:, 0], 100 + 4 * (columns + 0.5), atol=0.05)
    assert np.allclose(surface.pixels[:, 1], 50 + 4 * (rows + 0.5), atol=0.05)
    assert np.allclose(surface.footprint, 4.0, rtol=1e-3)


def test_magnified_photo_is_sampled_exactly_on_a_ramp():
    photo = np.tile(np.linspace(40, 200, 400).astype(np.uint8)[None, :, None], (300, 1, 3))
    points = np.float32([[100.5, 80.5], [250.5, 33.5]])
    colours = sample_pyramid(build_pyramid(photo, points, np.ones(2)), points, np.ones(2))
    assert np.allclose(colours, srgb_to_linear(photo[[80, 33], [100, 250]]), atol=2e-4)


@pytest.mark.parametrize("footprint", [8.0, 11.0, 16.0])
def test_minified_photo_is_averaged_in_linear_light(footprint):
    photo = np.zeros((320, 320, 3), np.uint8)
    photo[::2, ::2] = photo[1::2, 1::2] = 255
    points = np.random.default_rng(1).uniform(60, 260, (50, 2)).astype(np.float32)
    size = np.full(50, footprint, np.float32)
    colours = sample_pyramid(build_pyramid(photo, points, size), points, size)
    assert np.allclose(colours, 0.5, atol=2e-3)


def test_crop_and_whole_photo_give_the_same_sample():
    photo = np.random.default_rng(2).integers(0, 255, (200, 240, 3), np.uint8)
    near = np.float32([[120.3, 90.7], [131.0, 99.2]])
    far = np.concatenate([near, np.float32([[3, 3], [236, 190]])])
    for footprint in (1.0, 2.0):
        sizes = np.full(4, footprint)
        cropped = sample_pyramid(build_pyramid(photo, far[:3], sizes[:3]), near, sizes[:2])
        whole = sample_pyramid(build_pyramid(photo, far, sizes), near, sizes[:2])
        assert np.allclose(cropped, whole, atol=1e-5)


def test_what_lies_behind_is_not_seen():
    front, front_faces, uv = _sheet(6.0, 0.5)
    back, back_faces, _ = _sheet(6.5, 1.2)
    vertices = np.concatenate([front, back])
    faces = np.concatenate([front_faces, back_faces + len(front)])
    view = view_depth(vertices, faces, K, np.zeros(len(faces), bool))
    atlas = build_atlas(uv, back_faces, 256)
    surface = _place(atlas, back, back_faces, uv)
    beyond = np.abs(surface.positions[:, :2]).max(1) - 0.5 * 6.5 / 6
    hidden, free = beyond < -0.01, beyond > 0.01
    share = unoccluded(view, surface.positions, surface.cosine)
    assert share[hidden].max() == 0
    assert share[free].min() == 1
    confidence = see_texels(surface, view, np.ones((300, 400), np.float32), ())
    assert confidence[hidden].max() == 0
    assert confidence[free & (beyond < 0.02)].mean() < 0.8
    assert (confidence == 1).mean() > 0.5


def test_steep_surface_does_not_shadow_itself():
    vertices, faces, _ = _sheet(0.0, 1.0, n=33)
    tilt = np.radians(70)
    turned = vertices @ np.array(
        [[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]]
    )
    turned = (turned - [0, 0, 7]).astype(np.float32)
    view = view_depth(turned, faces, K, np.zeros(len(faces), bool))
    share = unoccluded(view, turned, np.full(len(turned), np.cos(tilt)))
    assert share.min() == 1


def test_nothing_outside_photo_mask_or_facing_away_is_believed():
    vertices, faces, uv = _sheet(8.0, 3.0)
    atlas = build_atlas(uv, faces, 64)
    surface = _place(atlas, vertices, faces, uv)
    view = view_depth(vertices, faces, K, np.zeros(len(faces), bool))
    mask = np.ones((300, 400), np.float32)
    mask[:, :120] = 0
    confidence = see_texels(surface, view, mask, ())
    x, y = surface.pixels.T
    assert confidence[(x < 118) | (x > 400) | (y < 0) | (y > 300)].max() == 0
    assert confidence[(x > 124) & (x < 396) & (y > 4) & (y < 296)].min() == 1
    away = surface.__class__(**{**surface.__dict__, "cosine": -surface.cosine})
    assert see_texels(away, view, np.ones_like(mask), ()).max() == 0


def test_slivers_are_dropped_and_areas_kept():
    _, faces, uv = _sheet(6.0, 1.0)
    atlas = build_atlas(uv, faces, 256)
    confidence = np.zeros((256, 256), np.float32)
    confidence[20:120, 20:120] = 1
    confidence[180:182, 20:200] = 1
    opened = atlas.image(drop_slivers(atlas, atlas.gather(confidence), np.zeros(len(atlas.texels), bool)))
    assert opened[180:182].max() == 0
    assert opened[24:116, 24:116].min() == 1
    assert (opened <= confidence).all()
    kept = drop_slivers(atlas, atlas.gather(confidence), np.ones(len(atlas.texels), bool))
    assert np.array_equal(kept, atlas.gather(confidence))
