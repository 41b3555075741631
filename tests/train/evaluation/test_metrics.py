"""The evaluation's numbers: known values, the truth scores near perfect, and every kind of damage is seen."""

import dataclasses

import numpy as np
import pytest
from skimage.draw import polygon

from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.view.framing import Frame, face_frame
from semblance.tests.synthetic import OVAL, synthetic_reconstruction
from semblance.train.evaluation.metrics import (
    PSNR_CEILING,
    SCORED_REGIONS,
    landmark_rms_percent,
    oval_mask,
    score_frame,
    score_pictures,
)


@pytest.fixture(scope="module")
def truth() -> Reconstruction:
    return synthetic_reconstruction(n=96, texture_size=256, photo_size=(480, 600))


def psnr(reconstruction: Reconstruction, mode: str = "uv_image", size: int = 224) -> float:
    return score_frame(reconstruction, size).scores[mode].psnr


def test_pictures_with_known_scores() -> None:
    photo = np.random.default_rng(1).uniform(0.2, 0.6, (40, 40, 3)).astype(np.float32)
    region = np.zeros((40, 40), bool)
    region[10:30, 10:30] = True
    equal = score_pictures(photo, photo, region)
    assert (equal.l1, equal.psnr) == (0.0, PSNR_CEILING)
    assert equal.ssim == pytest.approx(1.0)
    brighter = score_pictures(photo, photo + np.float32(0.1), region)
    assert brighter.l1 == pytest.approx(0.1, rel=1e-5)
    assert brighter.psnr == pytest.approx(20.0, abs=1e-4)
    assert brighter.ssim < 0.999


def test_only_the_region_counts() -> None:
    photo = np.full((40, 40, 3), 0.5, np.float32)
    region = np.zeros((40, 40), bool)
    region[15:25, 15:25] = True
    elsewhere = photo.copy()
    elsewhere[:8] = 1.0
    assert score_pictures(photo, elsewhere, region).psnr == PSNR_CEILING
    assert score_pictures(photo, elsewhere, region).ssim == pytest.approx(1.0)


def test_ssim_follows_the_published_formula() -> None:
    """Wang et al. 2004, equation 13, written out for one window of two constant pictures."""
    first, second = np.full((31, 31, 3), 0.4, np.float32), np.full((31, 31, 3), 0.6, np.float32)
    centre = np.zeros((31, 31), bool)
    centre[15, 15] = True
    expected = (2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4)
    assert score_pictures(first, second, centre).ssim == pytest.approx(expected, rel=1e-5)


def test_ssim_window_is_a_gaussian_of_eleven_pixels() -> None:
    """The same equation with population moments under the published window, at one pixel of two random pictures."""
    random = np.random.default_rng(4)
    photo, render = (random.uniform(0, 1, (31, 31, 3)).astype(np.float32) for _ in range(2))
    centre = np.zeros((31, 31), bool)
    centre[15, 15] = True
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = (np.outer(line, line) / line.sum() ** 2)[..., None]
    x, y = (picture[10:21, 10:21].astype(np.float64) for picture in (photo, render))
    mean_x, mean_y = (window * x).sum(axis=(0, 1)), (window * y).sum(axis=(0, 1))
    variances = (window * (x - mean_x) ** 2).sum(axis=(0, 1)) + (window * (y - mean_y) ** 2).sum(axis=(0, 1))
    covariance = (window * (x - mean_x) * (y - mean_y)).sum(axis=(0, 1))
    c1, c2 = 0.01**2, 0.03**2
    ssim = (
        (2 * mean_x * mean_y + c1) * (2 * covariance + c2) / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))
    )
    assert score_pictures(photo, render, centre).ssim == pytest.approx(ssim.mean(), rel=1e-6)


def test_landmark_rms() -> None:
    detected = np.random.default_rng(2).uniform(0, 100, (478, 2)).astype(np.float32)
    detected[468], detected[473] = (30, 50), (70, 50)
    moved = detected + np.float32([3, 4])
    assert landmark_rms_percent(detected, moved) == pytest.approx(100 * 5 / 40, rel=1e-5)
    irises_only = detected.copy()
    irises_only[468:] += 9
    assert landmark_rms_percent(detected, irises_only) == 0.0


def test_oval_mask_has_its_pixel_centres_at_one_half(truth) -> None:
    """At 8× the size, the mask's area and centroid approach those of the polygon itself."""
    frame, size = face_frame(truth), 64
    mask = oval_mask(truth.landmarks, frame, size)
    corners = (truth.landmarks[OVAL] - [frame.left, frame.top]) * 16 * size / frame.side
    fine = np.zeros((16 * size, 16 * size), bool)
    fine[polygon(corners[:, 1] - 0.5, corners[:, 0] - 0.5)] = True
    rows, columns = (np.argwhere(mask) + 0.5).mean(axis=0)
    fine_rows, fine_columns = (np.argwhere(fine) + 0.5).mean(axis=0) / 16
    assert (rows, columns) == pytest.approx((fine_rows, fine_columns), abs=0.05)
    assert mask.sum() == pytest.approx(fine.sum() / 256, rel=0.01)


def test_oval_mask_of_a_frame_elsewhere_is_empty(truth) -> None:
    assert not oval_mask(truth.landmarks, Frame(-500.0, -500.0, 100.0), 32).any()


@pytest.mark.parametrize("size", [224, 512])
def test_the_truth_scores_near_perfect(truth, size) -> None:
    """The photo is ray-cast from formulas: camera, crop, half pixels, textures, light and colour in one test."""
    result = score_frame(truth, size)
    assert result.coverage == 1.0
    for name, score in result.scores.items():
        assert score.psnr > 50, name
        assert score.ssim > 0.995, name
        assert score.l1 < 0.002, name


def test_hair_over_the_face_costs_the_oval_only(truth) -> None:
    """Where the mask says that something else shows, an honest render differs from the photo."""
    photo, mask = truth.photo_srgb.copy(), truth.mask.copy()
    middle = int(truth.landmarks[168, 1] / truth.image_size[1] * len(photo))
    photo[:middle], mask[:middle] = 0, 0
    result = score_frame(dataclasses.replace(truth, photo_srgb=photo, mask=mask), 224)
    assert result.scores["uv_image"].psnr < 20
    assert result.face_scores["uv_image"].psnr > 45


@pytest.mark.parametrize("size", [224, 512])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_tenth_of_a_pixel_is_seen(truth, axis, size) -> None:
    """No half pixel hides anywhere: shifting the picture either way by 0.1 px of the photo makes it worse."""
    sharp = psnr(truth, size=size)
    for shift in (-0.1, 0.1):
        K = truth.K.copy()
        K[axis, 2] += shift
        assert psnr(dataclasses.replace(truth, K=K), size=size) < sharp - 0.3


def test_a_smaller_stored_photo_scores_alike(truth) -> None:
    """K and the landmarks speak of the original's pixels, whatever size is stored."""
    half = truth.photo_srgb.reshape(300, 2, 240, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    mask = np.ascontiguousarray(truth.mask[::2, ::2])
    assert psnr(dataclasses.replace(truth, photo_srgb=half, mask=mask)) > 45


@pytest.mark.parametrize("shift", [(0.001, 0, 0), (0, 0.001, 0), (0, 0, 0.05)])
def test_a_shift_costs_and_a_larger_one_costs_more(truth, shift) -> None:
    scores = [
        score_frame(
            dataclasses.replace(truth, translation=truth.translation + np.float32(shift) * factor), 224
        )
        for factor in (0, 1, 3)
    ]
    assert scores[0].scores["uv_image"].psnr - 6 > scores[1].scores["uv_image"].psnr
    assert scores[1].scores["uv_image"].psnr - 3 > scores[2].scores["uv_image"].psnr
    ssim = [score.scores["uv_image"].ssim for score in scores]
    assert ssim[0] > ssim[1] > ssim[2]


def test_each_mode_reads_its_own_arrays(truth) -> None:
    darker = {
        "albedo_srgb": (truth.albedo_srgb * 0.8).astype(np.uint8),
        "shading_linear": (truth.shading_linear * 0.8).astype(np.float16),
        "vertex_albedo_linear": truth.vertex_albedo_linear * np.float32(0.8),
        "vertex_shading_linear": truth.vertex_shading_linear * np.float32(0.8),
        "sh": truth.sh * np.float32(0.8),
    }
    readers = {
        "albedo_srgb": {"uv_image", "uv_sh"},
        "shading_linear": {"uv_image"},
        "vertex_albedo_linear": {"vertex_image", "vertex_sh"},
        "vertex_shading_linear": {"vertex_image"},
        "sh": {"uv_sh", "vertex_sh"},
    }
    for name, value in darker.items():
        scores = score_frame(dataclasses.replace(truth, **{name: value}), 224).scores
        assert {mode for mode, score in scores.items() if score.psnr < 40} == readers[name], name


def test_unscored_regions_lower_the_coverage(truth) -> None:
    mouth = list(truth.region_names).index("mouth")
    below = truth.vertices[truth.faces].mean(axis=1)[:, 1] < 0
    half_unscored = np.where(below, mouth, truth.face_region).astype(np.uint8)
    result = score_frame(dataclasses.replace(truth, face_region=half_unscored), 224)
    assert 0.3 < result.coverage < 0.7
    assert result.scores["uv_image"].psnr > 50
    assert "mouth" not in SCORED_REGIONS


def test_a_face_out_of_sight_has_no_scores(truth) -> None:
    away = dataclasses.replace(truth, translation=truth.translation + np.float32([1.0, 0, 0]))
    result = score_frame(away, 224)
    assert (result.coverage, result.scores) == (0.0, {})


def test_only_the_part_of_the_oval_inside_the_photo_counts(truth) -> None:
    """The photo cut through the face: what lies outside is neither scored nor missed."""
    cut = int(truth.landmarks[:, 0].mean())
    image_size = np.array([cut, truth.image_size[1]], np.int32)
    part = dataclasses.replace(
        truth,
        image_size=image_size,
        photo_srgb=np.ascontiguousarray(truth.photo_srgb[:, :cut]),
        mask=np.ascontiguousarray(truth.mask[:, :cut]),
    )
    whole, half = score_frame(truth, 224), score_frame(part, 224)
    assert half.coverage > 0.99
    assert half.region.sum() == pytest.approx(whole.region.sum() / 2, rel=0.15)
    assert half.scores["uv_image"].l1 < 0.002
