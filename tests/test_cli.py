"""The command line as a user meets it: real processes, real files, good and bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.io
from PIL import Image

from semblance import cli
from semblance.core_models.reconstruction import Reconstruction

pytest.importorskip("bpy", reason="Blender as a Python module is not installed")


def semblance(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "semblance", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my photos")
    portrait = skimage.data.astronaut()[:320, 60:380]
    skimage.io.imsave(folder / "портрет 写真.png", portrait, check_contrast=False)
    skimage.io.imsave(folder / "second.jpg", portrait[:, ::-1], check_contrast=False)
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("not an image")
    (folder / "truncated.jpg").write_bytes((folder / "second.jpg").read_bytes()[:900])
    Image.fromarray(np.full((300, 300, 3), 120, np.uint8)).save(folder / "wall.png")
    (folder / "a folder").mkdir()
    return folder


BAD = ("empty.jpg", "text.png", "truncated.jpg", "wall.png", "a folder", "nowhere.jpg")


@pytest.fixture(scope="module")
def batch(folder: Path) -> subprocess.CompletedProcess[str]:
    names = ("портрет 写真.png", *BAD, "second.jpg")
    return semblance("face", *names, "--quality", "draft", "--size", 512, "--npz", "--json", cwd=folder)


def test_a_bad_photo_does_not_stop_the_others(folder: Path, batch: subprocess.CompletedProcess[str]) -> None:
    assert batch.returncode == 1
    for name in ("портрет 写真", "second"):
        for suffix in (".blend", "_preview.png", ".npz"):
            assert (folder / f"{name}{suffix}").stat().st_size > 1000, batch.stderr


def test_each_failure_is_one_sentence_that_names_the_file(batch: subprocess.CompletedProcess[str]) -> None:
    lines = batch.stderr.strip().splitlines()
    for name in BAD:
        assert sum(name in line for line in lines) == 1, batch.stderr
    assert len(lines) == len(BAD), batch.stderr
    assert "Traceback" not in batch.stderr


def test_json_has_one_line_for_each_photo(batch: subprocess.CompletedProcess[str]) -> None:
    records = [json.loads(line) for line in batch.stdout.splitlines()]
    assert len(records) == 2 + len(BAD)


def test_nothing_half_written_is_left(folder: Path, batch: subprocess.CompletedProcess[str]) -> None:
    expected = {f"{n}{s}" for n in ("портрет 写真", "second") for s in (".blend", "_preview.png", ".npz")}
    made = {path.name for path in folder.iterdir()} - {"портрет 写真.png", "second.jpg", *BAD}
    assert made == expected


def test_an_existing_output_is_kept_without_force(
    folder: Path, batch: subprocess.CompletedProcess[str]
) -> None:
    blend = folder / "second.blend"
    before = blend.read_bytes()
    again = semblance("face", "second.jpg", "--quality", "draft", cwd=folder)
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert blend.read_bytes() == before


def test_photos_of_one_person_become_one_face(folder: Path, tmp_path: Path) -> None:
    photos = folder / "second.jpg", folder / "портрет 写真.png"
    options = ("--same-person", "--quality", "draft", "--npz", "--out", tmp_path)
    done = semblance("face", *photos, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "second.blend", "second.npz", "second_preview.png",
    ]  # fmt: skip
    result = Reconstruction.load(tmp_path / "second.npz")
    assert [photo["name"] for photo in result.report["photos"]] == [photo.name for photo in photos]
    # The mirrored photo shows what the first one hides.
    seen = result.confidence > 128
    assert seen.sum() < 1.03 * (seen & seen[:, ::-1]).sum()
    bad = semblance("face", photos[0], folder / "wall.png", *options, "--force", cwd=folder)
    assert bad.returncode == 1
    assert "No face" in bad.stderr and "wall.png" in bad.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["face", "x.jpg", "--size", "7"],
        ["face", "x.jpg", "--face", "1", "--all-faces"],
        ["face", "x.jpg", "--same-person", "--all-faces"],
        ["face", "x.jpg", "--face", "0"],
        ["face", "x.jpg", "--face", "two"],
        ["evaluate", "--photos", "a", "--out", "b", "--limit", "-1"],
        ["nonsense"],
        [],
    ],
)
def test_unusable_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2


def test_no_photo_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["face"]) == 2
    assert "no photo" in capsys.readouterr().err
