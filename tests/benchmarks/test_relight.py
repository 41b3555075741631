"""The relighting benchmark's numbers where they are known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from semblance.benchmarks.scoring.geometry import Relief, relief_errors
from semblance.benchmarks.scoring.looks import result_paints
from semblance.benchmarks.scoring.report import Results, bars, report
from semblance.benchmarks.scoring.score import (
    PhotoScore,
    Setting,
    light_errors,
    score_paint,
    score_photo,
    spread_over_lights,
)
from semblance.benchmarks.specimens.lights import LIGHTS, make_light
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.lamps import Lamp, Rig
from semblance.core_models.render.lighting import shade
from semblance.tests.specimen_double import default_model, exact_result, repainted, specimen
from semblance.train.data.synthetic.lights import lamps_of
from semblance.train.data.synthetic.panorama import irradiance_sh
from semblance.train.data.synthetic.render import light_sh
from semblance.train.evaluation.colour_difference import ciede2000, rms

SIZE = 160


def setting_of(slant: float = 1.0) -> tuple[Setting, Reconstruction]:
    truth = specimen(slant=slant)
    result = exact_result(truth)
    return Setting.of(truth, result, default_model(), SIZE), result


@pytest.fixture(scope="module")
def exact() -> tuple[Setting, Reconstruction]:
    return setting_of()


def program(setting: Setting, result: Reconstruction, kind: str = "uv") -> dict:
    paint = result_paints(result, setting.found.mesh, setting.model)["program"]
    return score_paint(setting, paint, kind)


def test_the_truth_has_no_error(exact: tuple[Setting, Reconstruction]) -> None:
    score = score_photo(*exact).numbers
    for kind in ("uv", "vertex"):
        one = score["methods"]["program"][kind]
        assert one["de"] < 0.3 and one["de_scaled"] < 0.3 and one["unseen_de"] < 0.3
        assert abs(one["ita"]) < 0.5 and abs(one["scale"] - 1) < 0.005
        assert min(one["relit"].values()) > 50
    assert score["light"]["relative_rms"] < 1e-6
    assert score["shape"]["program"]["depth_mm"] < 1e-3 and score["shape"]["program"]["normals_deg"] < 0.05
    assert score["agreement"] < 0.3


@pytest.mark.parametrize("kind", ["uv", "vertex"])
def test_a_darker_albedo_costs_what_it_must(exact: tuple[Setting, Reconstruction], kind: str) -> None:
    setting, result = exact
    score = program(setting, repainted(result, 0.7), kind)
    truth = setting.true_picture[setting.skin]
    assert score["scale"] == pytest.approx(1 / 0.7, rel=0.01)
    assert score["rmse"] == pytest.approx(0.3 * rms(truth), rel=0.02)
    assert score["de"] == pytest.approx(float(ciede2000(0.7 * truth, truth).mean()), abs=0.15)
    assert score["de_scaled"] < 0.35
    assert score["ita"] < -8
    assert max(score["relit"].values()) < 30


def test_a_photo_in_even_light_is_its_own_albedo_and_in_slanting_light_is_not() -> None:
    errors = []
    for slant in (0.0, 1.5):
        setting, result = setting_of(slant)
        paint = result_paints(result, setting.found.mesh, setting.model)["photo"]
        errors.append(score_paint(setting, paint, "uv")["de_scaled"])
    assert errors[0] < 1.0 < 2.0 < errors[1]


def test_unseen_texels_are_those_that_the_photo_hides(exact: tuple[Setting, Reconstruction]) -> None:
    setting, _ = exact
    texels = setting.texels
    assert not (texels.seen & texels.unseen).any()
    across = texels.uv[:, 0]
    # Turned to its left (camera's right), the head hides its own left side.
    assert across[texels.unseen].mean() > 0.65 > across[texels.seen].mean()


def test_paint_where_the_photo_shows_nothing_counts_as_unseen_only(
    exact: tuple[Setting, Reconstruction],
) -> None:
    setting, result = exact
    hidden = result.vertices[:, 0] > 0.07
    colours = np.where(hidden[:, None], np.float32(0.01), result.vertex_albedo_linear)
    score = score_photo(setting, replace(result, vertex_albedo_linear=colours)).numbers
    one = score["methods"]["program"]["vertex"]
    assert one["unseen_de"] > 2 and one["de"] < 0.3


def test_light_error_knows_level_from_shape() -> None:
    sh = specimen().sh
    doubled, turned = light_errors(2 * sh, sh), light_errors(np.roll(sh, 1, axis=1), sh)
    assert doubled["relative_rms"] == pytest.approx(1.0) and doubled["relative_rms_scaled"] < 1e-9
    assert turned["relative_rms_scaled"] > 0.2


def test_relief_errors_forgive_rigid_motion_and_nothing_else() -> None:
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    points = np.stack([x, y, -8 + 0.3 * np.cos(3 * x) * np.cos(2 * y)], axis=-1)
    normals = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
    everywhere = np.ones(points.shape[:2], bool)
    truth = Relief(points, normals, everywhere.astype(float))
    turn = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    moved = Relief(points @ turn.T + [0.1, 0.2, 0.3], normals @ turn.T, truth.coverage)
    errors = relief_errors(moved, truth, everywhere)
    assert errors["depth_mm"] < 1e-6 and errors["normals_deg"] < 1e-3
    checked = (np.indices(everywhere.shape).sum(0) % 2) * 2 - 1  # ± 2 mm, which no rigid motion follows
    rough = Relief(points + checked[..., None] * [0, 0, 0.02], normals, truth.coverage)
    assert relief_errors(rough, truth, everywhere)["depth_mm"] == pytest.approx(2.0, rel=0.02)
    tilt = np.array([0.0, np.sin(np.radians(10)), np.cos(np.radians(10))])
    tilted = Relief(points, np.broadcast_to(tilt, points.shape), truth.coverage)
    assert relief_errors(tilted, truth, everywhere)["normals_deg"] == pytest.approx(10.0, rel=1e-3)


def test_spread_is_the_distance_from_the_mean_over_lights() -> None:
    skin = np.tile(np.array([0.4, 0.25, 0.2]), (500, 1))
    seen = np.ones(500, bool)
    scores = [
        PhotoScore({}, {"program/uv": (factor * skin).astype(np.float16)}, seen) for factor in (0.8, 1.2)
    ]
    expected = np.mean([ciede2000(factor * skin, skin).mean() for factor in (0.8, 1.2)])
    assert spread_over_lights(scores)["program/uv"] == pytest.approx(float(expected), rel=0.02)
    same = [scores[0], scores[0], replace(scores[1], seen=~seen)]
    assert spread_over_lights(same)["program/uv"] < 1e-6


@pytest.mark.parametrize("kind", LIGHTS)
def test_the_own_sets_lamps_shed_the_panoramas_light(kind: str) -> None:
    panorama = make_light(kind, np.random.default_rng(3))
    lamps = lamps_of(kind, panorama, 44)
    assert light_errors(light_sh(lamps), irradiance_sh(panorama))["relative_rms"] < 0.01


def test_light_sh_is_what_white_surfaces_show() -> None:
    generator = np.random.default_rng(0)
    directions, normals = generator.normal(size=(2, 400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colours = (1.2 + directions[:, :1]) * [0.01, 0.008, 0.006]
    lamps = tuple(
        Lamp(tuple(towards), tuple(colour)) for towards, colour in zip(directions, colours, strict=True)
    )
    light = Rig("smooth", lamps, ambient=0.2)
    shown = np.maximum(normals @ directions.T, 0) @ colours + light.ambient
    by_sh = shade(torch.as_tensor(normals), torch.as_tensor(light_sh(light))).numpy()
    assert np.abs(by_sh - shown).max() < 0.05 * shown.max()


def test_the_report_holds_every_bar(exact: tuple[Setting, Reconstruction]) -> None:
    setting, result = exact
    score = score_photo(setting, repainted(result, 0.7))
    fields = {"name": "a", "renderer": "own", "head": 0, "light": "soft", "tone": 3, "traits": ()}
    record = fields | {"hardship": "", "numbers": score.numbers}
    hard = fields | {"hardship": "tiny", "error": "no_face"}
    results = Results([record, hard], {})
    lines = {line[:44].strip(): line for line in bars(results)}
    # The mean albedo is the double's truth: no darker one beats it.
    assert lines["CIEDE2000, uv"].endswith("NOT MET") and lines["relit dB from soft, vertex"].endswith(
        "NOT MET"
    )
    assert lines["vertex colours against UV, CIEDE2000"].endswith(" met")
    text = report(results, "title")
    assert "tiny" in text and "| title | 1 |" in text
