"""From a photo to a face with R-Net's checkpoint and the Basel Face Model of 2009: a network that tells the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.io
import torch

from semblance.cli import main
from semblance.core_models.faces.find import FaceFinder
from semblance.core_models.fitting.regressed import RegressorModelError, check_model
from semblance.core_models.geometry.camera import project, to_camera
from semblance.core_models.morphable.basel import load_basel
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.networks.deng import Camera, Crop, camera, encoded_light, shaded_srgb
from semblance.core_models.networks.regressor import Coefficients
from semblance.core_models.pipeline import Pipeline
from semblance.core_models.protocol import Options
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.shade import render_attributes
from semblance.tests.core_models.morphable.test_basel_face import written
from semblance.tests.core_models.networks.test_regressor import HEADS, hollow_weights

SIDE = 640
CROP = Crop(x0=30.0, y0=10.0, scale=0.4)
"""Where the network's crop lies in the photo."""


def write_checkpoint(path: Path, raw: np.ndarray) -> Path:
    """R-Net that says the same of every picture."""
    weights = hollow_weights()
    for head, values in enumerate(np.split(raw.astype(np.float32), np.cumsum(HEADS)[:-1])):
        weights[f"final_layers.{head}.bias"] = torch.from_numpy(values)
    torch.save({"net_recon": weights}, path)
    return path


def some_face() -> np.ndarray:
    """(257,) coefficients of a face whose crop is not yet where Deng et al. put it."""
    generator = np.random.default_rng(3)
    raw = np.zeros(257)
    raw[:80], raw[80:144] = 0.8 * generator.normal(size=80), 0.1 * generator.normal(size=64)
    raw[144:224] = 0.3 * generator.normal(size=80)
    raw[224:227] = 0.05, 0.2, -0.1
    raw[[229, 238, 247]], raw[[230, 239, 248]] = 0.15, 0.1
    raw[[227, 236, 245]] = 0.25
    return raw


def placed(model: MorphableModel, found: Coefficients, crop: Crop) -> tuple[torch.Tensor, Camera]:
    """Vertices (1, N, 3) in the camera frame, and the photo's camera."""
    view = camera(found.angles, found.translation, crop)
    shape = model.shape(found.identity, found.expression)
    return to_camera(shape, view.rotation, view.translation), view


def aligned(model: MorphableModel, raw: np.ndarray) -> np.ndarray:
    """The same face, moved to where the crop around its landmarks is the crop it was seen in."""
    raw = raw.copy()
    for _ in range(20):
        vertices, view = placed(model, coefficients(raw), CROP)
        landmarks = np.full((478, 2), np.nan)
        landmarks[model.landmark_ids.numpy()] = project(model.landmarks(vertices), view.K)[0].numpy()
        found = Crop.around(landmarks)
        distance = (10 - raw[256]) * CROP.scale / found.scale
        shift = 112 * (1 / CROP.scale - 1 / found.scale) + np.array([CROP.x0 - found.x0, CROP.y0 - found.y0])
        raw[254:256] += shift * [1, -1] * CROP.scale * distance / 1015
        raw[256] = 10 - distance
    return raw


def coefficients(raw: np.ndarray) -> Coefficients:
    return Coefficients.split(torch.tensor(raw[None], dtype=torch.float32))


def photographed(model: MorphableModel, raw: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: Deng et al.'s picture of the face, before grey."""
    found = coefficients(raw)
    vertices, view = placed(model, found, CROP)
    colours = shaded_srgb(vertices, model.faces, model.albedo(found.albedo), encoded_light(found.gamma))
    picture, covered = render_attributes(vertices, model.faces, colours, view.K, SIDE, SIDE, supersample=2)
    picture = picture * covered[..., None] + 0.4 * (1 - covered[..., None])
    return (picture[0].clamp(0, 1) * 255).round().byte().numpy()


@dataclass(frozen=True)
class Truth:
    """A photo of a known face, and the files of somebody who owns the model and the network."""

    photo: Path
    model_file: Path
    checkpoint: Path
    model: MorphableModel
    raw: np.ndarray

    @property
    def files(self) -> list[str]:
        return ["--model", str(self.model_file), "--regressor", str(self.checkpoint)]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Truth]:
    folder = tmp_path_factory.mktemp("regressed")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "WIN_PD_OVERRIDE_LOCAL_APPDATA", "HOME"):
            patch.setenv(name, str(folder / "cache"))
        path, finder = written("front", folder), FaceFinder()
        model = load_basel(path, finder.largest)
        finder.close()
        raw = aligned(model, some_face())
        (folder / "photos").mkdir()
        photo = folder / "photos" / "face.png"
        skimage.io.imsave(photo, photographed(model, raw), check_contrast=False)
        yield Truth(photo, path, write_checkpoint(folder / "epoch_20.pth", raw), model, raw)


def shape_error(result: Reconstruction, truth: Truth) -> float:
    """RMS distance of the neutral vertices from the true ones, mm."""
    found = coefficients(truth.raw)
    exact = truth.model.shape(found.identity, torch.zeros_like(found.expression))[0].numpy() / 10
    return float(1000 * np.sqrt(((result.neutral_vertices - exact) ** 2).sum(1).mean()))


@pytest.mark.slow
def test_a_draft_is_what_the_network_sees(truth: Truth, tmp_path: Path) -> None:
    choices = [*truth.files, "--quality", "draft", "--size", "512", "--npz"]
    assert main(["face", str(truth.photo), "--out", str(tmp_path), *choices]) == 0
    result = Reconstruction.load(tmp_path / "face.npz")
    assert result.report["regressor"] == "alone"
    np.testing.assert_allclose(result.identity, truth.raw[:80], atol=1e-5)
    np.testing.assert_allclose(result.expression, truth.raw[80:144], atol=1e-5)
    vertices, view = placed(truth.model, coefficients(truth.raw), Crop.around(result.landmarks))
    np.testing.assert_allclose(result.rotation, view.rotation[0], atol=1e-5)
    np.testing.assert_allclose(result.translation, view.translation[0] / 10, atol=1e-5)
    np.testing.assert_allclose(result.K, view.K[0], rtol=1e-4)
    true_vertices, true_view = placed(truth.model, coefficients(truth.raw), CROP)
    exact = project(true_vertices, true_view.K)[0].numpy()
    off = np.linalg.norm(project(vertices, view.K)[0].numpy() - exact, axis=1)
    assert np.sqrt((off**2).mean()) < 0.03 * result.report["inter_ocular_px"]
    assert result.report["landmark_rms_percent"] < 6


@pytest.mark.slow
def test_the_fit_begins_with_what_the_network_sees(truth: Truth) -> None:
    pipeline = Pipeline()
    own, network = str(truth.model_file), str(truth.checkpoint)
    without = pipeline.run(truth.photo, Options(512, model=own))[0]
    fitted = pipeline.run(truth.photo, Options(512, model=own, regressor=network))[0]
    alone = pipeline.run(
        truth.photo, Options(512, "best", model=own, regressor=network, regressed_only=True)
    )[0]
    pipeline.close()
    assert fitted.report["regressor"] == "fitted" and "regressor" not in without.report
    assert shape_error(alone, truth) < 1e-3
    assert shape_error(fitted, truth) < 0.5 * shape_error(without, truth)
    assert fitted.report["landmark_rms_percent"] < alone.report["landmark_rms_percent"]


@pytest.mark.slow
def test_evaluate_tells_both(truth: Truth, tmp_path: Path) -> None:
    choices = ["--photos", str(truth.photo.parent), "--size", "512", *truth.files]
    assert main(["evaluate", "--out", str(tmp_path / "report"), *choices]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["settings"]["regressor"] == "epoch_20.pth"
    (record,) = report["photos"]
    assert record["landmark_rms_percent"] < record["regressed"]["landmark_rms_percent"]
    table = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| regressor alone | fitted |" in table and str(truth.model_file.parent) not in table


def test_the_network_is_refused_for_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RegressorModelError):
        check_model(load_default_model())
    photo = tmp_path / "astronaut.png"
    skimage.io.imsave(photo, skimage.data.astronaut(), check_contrast=False)
    assert main(["face", str(photo), "--out", str(tmp_path / "out"), "--regressor", "epoch_20.pth"]) == 1
    said = capsys.readouterr().err
    assert "Basel Face Model of 2009" in said and "Traceback" not in said
    assert not list((tmp_path / "out").glob("*.blend"))


def test_the_preferences_say_what_is_chosen(tmp_path: Path) -> None:
    from semblance.addon.preferences import model_status

    own, network, missing = (str(tmp_path / name) for name in ("model.mat", "net.pth", "nothing"))
    for path in (own, network):
        Path(path).touch()
    assert model_status(None, None) == []
    assert [icon for _, icon in model_status(own, network)] == ["CHECKMARK", "CHECKMARK"]
    assert model_status(missing, None) == [(f"There is no face model '{missing}'.", "ERROR")]
    (_, there), (sentence, needed) = model_status(None, network)
    assert (there, needed) == ("CHECKMARK", "ERROR") and "needs a Basel Face Model of 2009" in sentence
