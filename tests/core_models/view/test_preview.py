"""Pictures of a result: framing, textures, lights, and the preview sheet."""

import dataclasses

import numpy as np
import pytest

from semblance.core_models.colour import linear_to_srgb_uint8, srgb_to_linear
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.lamps import Lamp, Rig
from semblance.core_models.view.framing import (
    FRAME_MARGIN,
    Frame,
    face_frame,
    frame_photo,
    frame_view,
    inside_photo,
    portrait_view,
)
from semblance.core_models.view.preview import TILE, preview_sheet
from semblance.core_models.view.traced_head import TracedHead
from semblance.tests.synthetic import synthetic_reconstruction


@pytest.fixture(scope="module")
def head() -> Reconstruction:
    return synthetic_reconstruction(n=48, texture_size=128, photo_size=(320, 400))


@pytest.fixture(scope="module")
def surface(head) -> TracedHead:
    return TracedHead.of(head, frame_view(head, face_frame(head), 128))


def test_the_frame_holds_the_landmarks_in_its_middle(head) -> None:
    frame = face_frame(head)
    inside = (head.landmarks - [frame.left, frame.top]) / frame.side
    low, high = inside.min(axis=0), inside.max(axis=0)
    np.testing.assert_allclose(low + high, 1.0, atol=1e-5)
    assert (high - low).max() == pytest.approx(1 / FRAME_MARGIN)


def test_a_frame_of_whole_pixels_is_the_photo_itself(head) -> None:
    part = frame_photo(head, Frame(40.0, 60.0, 100.0), 100)
    np.testing.assert_array_equal(linear_to_srgb_uint8(part), head.photo_srgb[60:160, 40:140])


def test_a_frame_between_pixels_keeps_its_place(head) -> None:
    """On a ramp of light the average over a box is the value at its centre, wherever the box begins."""
    ramp_linear = (np.arange(320) + 0.5) / 320
    ramp = linear_to_srgb_uint8(np.broadcast_to(ramp_linear[:, None], (400, 320, 3)))
    sloped = dataclasses.replace(head, photo_srgb=np.ascontiguousarray(ramp))
    frame = Frame(40.7, 60.3, 200.0)
    part = frame_photo(sloped, frame, 50)
    expected = (frame.left + (np.arange(50) + 0.5) * 4) / 320
    np.testing.assert_allclose(
        part[20].mean(axis=1), expected, atol=0.45 / 320
    )  # a byte is worth up to 0.37 px


def test_shrinking_averages_light_not_codes(head) -> None:
    stripes = np.zeros_like(head.photo_srgb)
    stripes[:, ::2] = 255
    part = frame_photo(dataclasses.replace(head, photo_srgb=stripes), Frame(0.0, 0.0, 200.0), 100)
    np.testing.assert_allclose(part, 0.5, atol=1e-6)


@pytest.mark.parametrize(
    "frame", [Frame(-50.0, 100.0, 200.0), Frame(250.0, 350.0, 90.0), Frame(-900.0, 0.0, 64.0)]
)
def test_outside_the_photo_its_edge_is_repeated(head, frame) -> None:
    part, inside = frame_photo(head, frame, 64), inside_photo(head, frame, 64)
    assert part.shape == (64, 64, 3)
    background = srgb_to_linear(head.photo_srgb[0, 0])
    np.testing.assert_allclose(part[~inside], np.broadcast_to(background, part[~inside].shape), atol=0.05)
    width, height = head.image_size
    expected = (min(frame.left + frame.side, width) - max(frame.left, 0)) / frame.side
    expected *= (min(frame.top + frame.side, height) - max(frame.top, 0)) / frame.side
    assert inside.mean() == pytest.approx(max(expected, 0.0), abs=0.04)


def test_enlarging_is_smooth(head) -> None:
    part = frame_photo(head, Frame(150.0, 150.0, 20.0), 200)
    assert np.abs(np.diff(part, axis=1)).max() < 0.2 * np.ptp(part)


def test_pictures_are_premultiplied_and_composite(surface) -> None:
    picture = surface.picture("clay", None)
    background = np.array([0.1, 0.2, 0.3], np.float32)
    over = picture.over(background)
    empty, full = picture.coverage == 0, picture.coverage == 1
    assert empty.any() and full.any() and (~empty & ~full).any()
    np.testing.assert_allclose(over[empty], np.broadcast_to(background, over[empty].shape))
    np.testing.assert_array_equal(over[full], picture.linear[full])
    np.testing.assert_allclose(
        picture.linear, picture.coverage[..., None] * picture.linear[64, 64], atol=1e-5
    )


def test_region_shares_add_up_to_the_coverage(head, surface) -> None:
    coverage = surface.picture("uv", None).coverage
    total = sum(surface.region_share([name]) for name in head.region_names)
    np.testing.assert_allclose(total, coverage, atol=1e-6)
    np.testing.assert_allclose(surface.region_share(list(head.region_names)), coverage, atol=1e-6)
    assert surface.region_share(["lips"]).max() == 1.0
    assert not surface.region_share(["no such region"]).any()


def test_regions_can_be_left_out(head, surface) -> None:
    without = surface.picture("uv", "image", without=("rim", "eyes"))
    whole = surface.picture("uv", "image")
    np.testing.assert_allclose(
        without.coverage, whole.coverage - surface.region_share(("rim", "eyes")), atol=1e-6
    )
    rest = without.coverage == 1
    np.testing.assert_array_equal(without.linear[rest], whole.linear[rest])


def test_clay_has_no_stored_shading(surface) -> None:
    with pytest.raises(ValueError, match="clay"):
        surface.picture("clay", "image")


def test_a_fine_texture_does_not_alias(head) -> None:
    """A checkerboard of single texels, far below the pixel, must become even grey."""
    checker = (np.indices((2048, 2048)).sum(axis=0) % 2 * 255).astype(np.uint8)
    fine = dataclasses.replace(
        head,
        albedo_srgb=np.repeat(checker[..., None], 3, axis=-1),
        shading_linear=np.zeros((2048, 2048, 3), np.float16),
        confidence=np.zeros((2048, 2048), np.uint8),
    )
    picture = TracedHead.of(fine, frame_view(fine, face_frame(fine), 64)).picture("uv", None)
    inner = picture.linear[24:40, 24:40]
    np.testing.assert_allclose(inner, 0.5, atol=0.02)


def test_normals_ignore_seams(head) -> None:
    """The head cut in two along a meridian, vertices doubled there, shades like the whole one."""
    n = 48
    cut = np.arange(n) * n + n // 2
    copy = np.arange(n * n)
    copy[cut] = n * n + np.arange(n)
    right = (head.faces % n).max(axis=1) > n // 2
    faces = np.where(right[:, None], copy[head.faces], head.faces).astype(np.int32)
    doubled = {
        name: np.concatenate([getattr(head, name), getattr(head, name)[cut]])
        for name in ("vertices", "neutral_vertices", "uv", "vertex_albedo_linear", "vertex_shading_linear")
    }
    confidence = np.ones(n * n + n, np.float32)
    offsets = np.concatenate([head.shape_key_offsets, head.shape_key_offsets[:, cut]], axis=1)
    split = dataclasses.replace(
        head, **doubled, faces=faces, vertex_confidence=confidence, shape_key_offsets=offsets
    )
    view = frame_view(head, face_frame(head), 96)
    whole, seamed = (TracedHead.of(one, view).picture("clay", "sh") for one in (head, split))
    np.testing.assert_allclose(seamed.linear, whole.linear, atol=1e-4)


@pytest.mark.parametrize("yaw", [-45.0, 0.0, 45.0, 90.0])
def test_portraits_hold_the_whole_head(head, yaw) -> None:
    coverage = TracedHead.of(head, portrait_view(head, yaw, 120, 160)).picture("uv", None).coverage
    border = np.concatenate([coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1]])
    assert not border.any()
    rows = np.flatnonzero(coverage.any(axis=1))
    assert rows[-1] - rows[0] > 0.6 * 120


def test_positive_yaw_turns_the_face_to_the_right(head) -> None:
    """The subject's right eye, image left, comes into view and the lips move right."""
    columns = [
        np.average(np.arange(160), weights=surface.region_share(["lips"]).sum(axis=0))
        for surface in (TracedHead.of(head, portrait_view(head, yaw, 160, 160)) for yaw in (-30.0, 0.0, 30.0))
    ]
    assert columns[0] < columns[1] < columns[2]


def test_a_lamp_lights_the_side_it_stands_on(head) -> None:
    view = portrait_view(head, 0.0, 96, 96)
    traced = TracedHead.of(head, view)
    lit = {
        name: traced.picture("clay", Rig(name, (Lamp(direction, (1.0, 1.0, 1.0)),)).light).linear.sum(axis=-1)
        for name, direction in (("left", (-1.0, 0.0, 0.2)), ("top", (0.0, 1.0, 0.2)))
    }
    assert lit["left"][:, :48].sum() > 2 * lit["left"][:, 48:].sum()
    assert lit["top"][:48].sum() > 2 * lit["top"][48:].sum()
    even = traced.picture("clay", Rig("even", (), ambient=1.0).light)
    np.testing.assert_allclose(even.linear, 0.4 * np.repeat(even.coverage[..., None], 3, -1), atol=1e-3)


def test_a_ridge_casts_a_shadow(head) -> None:
    """A wall on the face, lit from the left: the skin to its right faces the lamp, and is dark all the same."""
    ridge = head.vertices.copy()
    wall = np.abs(head.uv[:, 0] - 0.5) < 0.02
    ridge[wall, 2] += 0.03
    walled = dataclasses.replace(head, vertices=ridge)
    light = Rig("left", (Lamp((-0.8, 0.0, 0.6), (1.0, 1.0, 1.0)),)).light
    view = portrait_view(head, 0.0, 128, 128)
    free, shadowed = (
        TracedHead.of(one, view).picture("clay", light).linear[..., 0] for one in (head, walled)
    )
    assert free[64, 74:80].min() > 0.07
    assert shadowed[64, 74:80].max() < 0.1 * free[64, 74:80].min()
    np.testing.assert_allclose(shadowed[64, 30:50], free[64, 30:50], rtol=0.05)


def test_a_convex_head_casts_no_shadow_on_itself(head) -> None:
    view = portrait_view(head, 0.0, 128, 128)
    surface = TracedHead.of(head, view)
    lamp = Lamp((-0.8, 0.3, 0.6), (1.0, 1.0, 1.0))
    direction = np.array(lamp.direction) / np.linalg.norm(lamp.direction)
    expected = np.maximum(surface.trace.normals.numpy() @ direction, 0)
    np.testing.assert_allclose(Rig("one", (lamp,)).light(surface.trace)[:, 0].numpy(), expected, atol=0.05)


def test_the_sheet(head) -> None:
    before = head.albedo_srgb.copy()
    sheet = preview_sheet(head)
    assert sheet.dtype == np.uint8
    assert 2000 < sheet.shape[1] < 2300
    step = TILE + 20
    rows, columns = (round(side / step) for side in sheet.shape[:2])
    assert (rows, columns) == (4, 4)
    tiles = [sheet[20 : 20 + TILE, 20 + i * step :][:, :TILE].astype(float) for i in range(4)]
    assert np.abs(tiles[0] - tiles[2]).mean() < 2.0  # the render lies on the photo it was made from
    assert np.abs(tiles[0] - tiles[3]).mean() > 20.0
    np.testing.assert_array_equal(head.albedo_srgb, before)


def test_the_sheet_tints_what_is_not_believed(head) -> None:
    half = np.full(head.photo_srgb.shape[:2], 255, np.uint8)
    frame = face_frame(head)
    half[:, : round(frame.left + frame.side / 2)] = 0
    sheet = preview_sheet(dataclasses.replace(head, mask=half)).astype(float)
    photo, believed = (sheet[20 : 20 + TILE, 20 + i * (TILE + 20) :][:, :TILE] for i in range(2))
    difference = np.abs(photo - believed).mean(-1)
    assert difference[:, : TILE // 2 - 4].min() > 5.0
    assert difference[:, TILE // 2 + 4 :].max() < 1.0


def test_a_sheet_of_a_head_that_nobody_sees_is_still_made(head) -> None:
    behind = dataclasses.replace(head, translation=np.float32([0, 0, 1.0]))
    assert preview_sheet(behind).shape == preview_sheet(head).shape
