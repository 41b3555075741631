"""`semblance evaluate` without the pipeline: photo lists, the report, resuming, failures, worker processes."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semblance.core_models.errors import SemblanceError
from semblance.core_models.protocol import Options
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.view.strip import N_TILES
from semblance.tests.synthetic import synthetic_reconstruction
from semblance.train.data.photos import PhotoListError, list_photos
from semblance.train.evaluation.evaluate import EvaluateArguments, EvaluationError, evaluate
from semblance.train.evaluation.evaluate import run as evaluate_command
from semblance.train.evaluation.metrics import MODES, mode_name
from semblance.train.evaluation.report import LOOK_TILE, look_path, ranking

SETTINGS = {"quality": "standard", "size": 256}


@dataclasses.dataclass(frozen=True)
class LoadFake:
    calls: Path

    def __call__(self):
        return partial(fakes, calls=self.calls)


def fakes(path: Path, calls: Path) -> list[Reconstruction]:
    """With a worse one, by a regressor alone, where the file's name says so."""
    result = fake(path, calls)
    if "regressed" not in path.name:
        return [result]
    return [result, dataclasses.replace(result, translation=result.translation + np.float32([0.01, 0, 0]))]


def fake(path: Path, calls: Path) -> Reconstruction:
    """Stands for the pipeline. The file's name says what goes wrong; every call leaves a mark."""
    (calls / path.name).touch()
    if "noface" in path.name:
        raise SemblanceError("There is no face.", "Choose another photo.")
    if "defect" in path.name:
        raise ZeroDivisionError("division by zero")
    truth = synthetic_reconstruction(n=24, texture_size=64, photo_size=(160, 200))
    if "away" in path.name:
        return dataclasses.replace(truth, translation=truth.translation + np.float32([1, 0, 0]))
    if "trained" in path.name:
        truth.report["loss_networks"] = ["another", "dlib-resnet-v1"]
    shift = np.float32([0.002 * path.name.count("x"), 0, 0])
    return dataclasses.replace(truth, translation=truth.translation + shift)


@pytest.fixture
def calls(tmp_path) -> Path:
    (tmp_path / "calls").mkdir()
    return tmp_path / "calls"


def run(names, tmp_path, calls, workers=1, settings=SETTINGS) -> list[dict]:
    photos = {name: Path(name) for name in names}
    return evaluate(photos, tmp_path / "report", settings, LoadFake(calls), workers)


def test_report(tmp_path, calls) -> None:
    records = run(["xxx.jpg", "best.jpg", "x.jpg", "noface.jpg", "away.jpg", "defect.jpg"], tmp_path, calls)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["photos"] == records
    assert report["settings"] == SETTINGS
    assert [record["failure"] is None for record in records] == [True, True, True, False, False, False]
    failures = {record["photo"]: record["failure"] for record in records[3:]}
    assert failures["noface.jpg"] == "There is no face. Choose another photo."
    assert failures["away.jpg"] == "0.0% of the face oval is covered."
    assert failures["defect.jpg"] == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in records[5]["traceback"]
    total = report["totals"]
    assert (total["photos"], total["failures"]) == (6, 3)
    for mode in (mode_name(*mode) for mode in MODES):
        values = [record["scores"]["224"][mode]["psnr"] for record in records[:3]]
        spread = total["scores"]["224"][mode]["psnr"]
        assert spread["mean"] == pytest.approx(np.mean(values))
        assert spread["median"] == pytest.approx(np.median(values))
        assert min(values) < spread["p10"] < spread["median"] < spread["p90"] < max(values)
    text = (tmp_path / "report" / "report.md").read_text()
    for record in records:
        assert record["photo"] in text
    assert "29.7" in text and "0.894" in text


def test_contact_sheet_shows_best_median_and_worst(tmp_path, calls) -> None:
    run(["xxx.jpg", "best.jpg", "x.jpg"], tmp_path, calls)
    sheet = np.asarray(Image.open(tmp_path / "report" / "contact.png")).astype(float)
    assert sheet.shape[1] == 4 * 512
    rows = np.split(sheet, 3)
    differences = [row[-512:, -512:].mean() for row in rows]
    assert differences[0] < differences[1] < differences[2]


def test_sheets_show_every_face_the_worst_first(tmp_path, calls) -> None:
    records = run(["xxx.jpg", "best.jpg", "noface.jpg"], tmp_path, calls)
    sheets = sorted((tmp_path / "report" / "sheets").iterdir())
    rows = sum(Image.open(sheet).height for sheet in sheets) // (LOOK_TILE + 36)
    assert rows == 2
    assert Image.open(sheets[0]).width == N_TILES * LOOK_TILE
    assert ranking(records)[-1]["photo"] == "xxx.jpg"
    top = np.asarray(Image.open(sheets[0])).astype(float)[36 : 36 + LOOK_TILE]
    np.testing.assert_allclose(top, np.asarray(Image.open(look_path(tmp_path / "report", "xxx.jpg"))), atol=1)


def test_an_interrupted_run_continues(tmp_path, calls) -> None:
    names = ["a.jpg", "b.jpg", "interrupt.jpg", "c.jpg"]

    def interrupted(path: Path) -> list[Reconstruction]:
        if "interrupt" in path.name:
            raise KeyboardInterrupt
        return [fake(path, calls)]

    photos = {name: Path(name) for name in names}
    with pytest.raises(KeyboardInterrupt):
        evaluate(photos, tmp_path / "report", SETTINGS, lambda: interrupted, 1)
    assert sorted(path.name for path in calls.iterdir()) == ["a.jpg", "b.jpg"]
    assert not (tmp_path / "report" / "report.json").exists()
    scores = tmp_path / "report" / "scores.jsonl"
    scores.write_text(scores.read_text() + '{"photo": "c.jpg", "fail')  # killed while writing
    for path in calls.iterdir():
        path.unlink()
    records = run(names, tmp_path, calls)
    assert sorted(path.name for path in calls.iterdir()) == ["c.jpg", "interrupt.jpg"]
    assert [record["photo"] for record in records] == names
    lines = scores.read_text().splitlines()
    assert [json.loads(line)["photo"] for line in lines[1:]] == ["a.jpg", "b.jpg", "interrupt.jpg", "c.jpg"]


def test_nothing_is_overwritten_or_mixed(tmp_path, calls) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "scores.jsonl").write_text('{"settings": {"size": 4096}}\n')
    with pytest.raises(EvaluationError, match="other settings"):
        run(["a.jpg"], tmp_path, calls)
    (tmp_path / "report" / "scores.jsonl").unlink()
    run(["a.jpg"], tmp_path, calls)
    with pytest.raises(EvaluationError, match="finished"):
        run(["a.jpg"], tmp_path, calls)


def test_a_disk_that_refuses_is_a_sentence(tmp_path, calls, monkeypatch) -> None:
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(EvaluationError, match="No space left"):
        run(["a.jpg"], tmp_path, calls)


def test_a_report_folder_that_cannot_be_made(tmp_path, calls) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(EvaluationError, match="cannot be written"):
        run(["a.jpg"], tmp_path, calls)


def test_likeness_is_told_with_a_warning_where_the_network_has_seen_it(tmp_path, calls) -> None:
    settings = {**SETTINGS, "same_person_below": 0.6}
    records = run(["a.jpg", "xxxxx.jpg"], tmp_path / "fair", calls, settings=settings)
    near, far = (record["identity"] for record in records)
    assert list(near) == ["photo", "left", "front", "right"]
    assert near["photo"] < far["photo"]
    report = json.loads((tmp_path / "fair" / "report" / "report.json").read_text())
    mean = report["totals"]["identity"]["photo"]["mean"]
    assert mean == pytest.approx((near["photo"] + far["photo"]) / 2)
    text = (tmp_path / "fair" / "report" / "report.md").read_text()
    assert f"{mean:.3f}" in text and "below 0.6" in text and "Warning" not in text
    records = run(["a.jpg", "trained.jpg"], tmp_path / "biased", calls)
    assert [record["identity_in_loss"] for record in records] == [False, True]
    assert "Warning: in 1 results" in (tmp_path / "biased" / "report" / "report.md").read_text()


def test_what_the_regressor_tells_alone_stands_beside_the_fit(tmp_path, calls) -> None:
    (record,) = run(["regressed.jpg"], tmp_path, calls)
    assert record["regressed"]["scores"].keys() == record["scores"].keys()
    totals = json.loads((tmp_path / "report" / "report.json").read_text())["totals"]
    fitted, alone = (
        total["scores"]["224"]["uv_image"]["psnr"]["mean"] for total in (totals, totals["regressed"])
    )
    assert alone < fitted - 1
    (row,) = (
        line
        for line in (tmp_path / "report" / "report.md").read_text().splitlines()
        if line.startswith("| uv_image psnr")
    )
    assert [cell.split()[0] for cell in row.split("|")[2:4]] == [f"{alone:.4f}", f"{fitted:.4f}"]
    run(["a.jpg"], tmp_path / "without", calls)
    assert "regressor" not in (tmp_path / "without" / "report" / "report.md").read_text()


@pytest.mark.parametrize("what", ["identity", "model", "regressor"])
def test_an_unusable_file_of_the_users_fails_before_any_photo(tmp_path, what: str) -> None:
    (tmp_path / "a.jpg").touch()
    own = tmp_path / "own.pt"
    own.write_bytes(b"something else")
    arguments = {"identity": own} if what == "identity" else {"options": Options(**{what: str(own)})}
    with pytest.raises(SemblanceError, match=r"own\.pt"):
        evaluate_command(EvaluateArguments(tmp_path, tmp_path / "report", **arguments))
    assert not (tmp_path / "report").exists()


def test_a_run_without_a_single_success_still_reports(tmp_path, calls) -> None:
    run(["noface.jpg"], tmp_path, calls)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["totals"] == {"photos": 1, "failures": 1}
    assert not (tmp_path / "report" / "contact.png").exists()


def test_the_program_itself_is_what_run_evaluates(tmp_path) -> None:
    """The doors to the pipeline, the command's arguments and the exit code; a photo without a face fails."""
    Image.new("RGB", (64, 64), (128, 128, 128)).save(tmp_path / "grey.png")
    photos = tmp_path / "lists" / "two.txt"
    photos.parent.mkdir()
    photos.write_text("../grey.png\n../grey.png\n")
    arguments = EvaluateArguments(photos, tmp_path / "report", Options(512, "draft"), limit=1)
    assert evaluate_command(arguments) == 1
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    network = {"identity": "dlib-resnet-v1", "same_person_below": 0.6}
    assert report["settings"] == {**network, "quality": "draft", "size": 512}
    assert [record["photo"] for record in report["photos"]] == ["../grey.png"]
    assert "traceback" not in report["photos"][0]
    assert "face" in report["photos"][0]["failure"]


def test_an_unusable_device_fails_before_any_photo(tmp_path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SemblanceError, match="abacus"):
        evaluate_command(EvaluateArguments(photos=tmp_path, out=tmp_path / "report", device="abacus"))
    assert len((tmp_path / "report" / "scores.jsonl").read_text().splitlines()) == 1


@pytest.mark.slow
def test_worker_processes_give_the_same_records(tmp_path, calls) -> None:
    names = ["a.jpg", "x.jpg", "noface.jpg"]
    alone = run(names, tmp_path / "alone", calls)
    together = run(names, tmp_path / "together", calls, workers=2)
    for first, second in zip(alone, together, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_photos_of_a_folder(tmp_path) -> None:
    for name in ("b.JPG", "a photo.png", "ö.webp", "sub/c.tiff", "notes.txt", ".hidden.jpg", ".git/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_photos(tmp_path)]
    assert names == ["a photo.png", "b.JPG", "sub/c.tiff", "ö.webp"]


def test_photos_of_a_list_keep_its_order(tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("beside.jpg", "sub/below.jpg", "sub/path.jpg"):
        (tmp_path / name).touch()
    lines = "# comment\nbelow.jpg\n\n  beside.jpg \r\nsub/path.jpg\n"
    (tmp_path / "list.txt").write_bytes("\ufeff".encode() + lines.encode())
    names = [path.relative_to(tmp_path).as_posix() for path in list_photos(tmp_path / "list.txt")]
    assert names == ["sub/below.jpg", "beside.jpg", "sub/path.jpg"]


def test_photo_lists_that_cannot_be_used(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("there.jpg\nmissing.jpg\n")
    (tmp_path / "there.jpg").touch()
    (tmp_path / "blank.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x81")
    for source, message in (
        ("empty", "no photos"),
        ("nowhere", "no folder"),
        ("there.jpg", "neither"),
        ("list.txt", "'missing.jpg'"),
        ("blank.txt", "no photos"),
        ("binary.txt", "as text"),
    ):
        with pytest.raises(PhotoListError, match=message):
            list_photos(tmp_path / source)
