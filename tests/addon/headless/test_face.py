"""The face command, as a process: files, sentences, exit codes, Ctrl-C. The worker is fake, Blender is real."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.blenders import CHECKS, run_python

PATIENCE = 60


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))


def command(photos: list[Path], **arguments: Any) -> list[str]:
    values = {"photos": [str(photo) for photo in photos], **arguments}
    return [sys.executable, "-m", "semblance.tests.fake_face", json.dumps(values, default=str)]


def face(*photos: Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(list(photos), **arguments), capture_output=True, text=True, timeout=PATIENCE
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_blend(path: Path) -> bool:
    return path.read_bytes()[:4] in (b"BLEN", b"\x28\xb5\x2f\xfd")  # plain, or compressed by zstd


def test_a_batch_keeps_what_is_good(tmp_path: Path) -> None:
    """Bad files among good ones, in a folder that does not exist yet, with spaces and letters of three scripts."""
    out = tmp_path / "new folder" / "Köpfe 顔"
    good, other = tmp_path / "ok портрет ü.jpg", tmp_path / "ok 2.png"
    done = face(good, tmp_path / "fail.jpg", tmp_path / "crash.jpg", other, out=out, npz=True)
    assert done.returncode == 1
    assert names(out) == sorted(
        f"{photo.stem}{ending}" for photo in (good, other) for ending in (".blend", ".npz", "_preview.png")
    )
    assert is_blend(out / "ok портрет ü.blend")
    assert Reconstruction.load(out / "ok 2.npz").model_id == "synthetic"
    assert np.asarray(Image.open(out / "ok 2_preview.png")).shape == (80, 64, 3)
    finished = done.stdout.splitlines()
    assert len(finished) == 2 and str(good) in finished[0] and str(out / "ok 2.blend") in finished[1]
    failed = done.stderr.splitlines()
    assert len(failed) == 2
    assert (
        failed[0] == f"semblance: {tmp_path / 'fail.jpg'}: There is no face in the photo. Choose another one."
    )
    assert "crash.jpg" in failed[1] and "worker.log" in failed[1]


def test_photos_of_one_person_are_one_request(tmp_path: Path) -> None:
    photos = tmp_path / "ok.jpg", tmp_path / "fail.jpg"
    done = face(*photos, same_person=True)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == ["ok.blend", "ok_preview.png"]


def test_success_is_silent_on_stderr_and_lands_beside_the_photo(tmp_path: Path) -> None:
    done = face(tmp_path / "ok.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path) == ["ok.blend", "ok_preview.png"]


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    (tmp_path / "ok.blend").write_text("precious")
    (tmp_path / "two_2_preview.png").write_text("precious")
    done = face(tmp_path / "ok.jpg", tmp_path / "two.jpg", options={"all_faces": True})
    assert done.returncode == 1 and done.stderr.count("exists already") == 2 and "--force" in done.stderr
    assert (tmp_path / "ok.blend").read_text() == "precious"
    assert names(tmp_path) == ["ok.blend", "two_2_preview.png"] or "two_1.blend" in names(tmp_path)
    assert (tmp_path / "two_2_preview.png").read_text() == "precious"
    forced = face(tmp_path / "ok.jpg", force=True)
    assert forced.returncode == 0 and is_blend(tmp_path / "ok.blend")


def test_namesakes_do_not_overwrite_each_other_even_with_force(tmp_path: Path) -> None:
    done = face(tmp_path / "a" / "ok.jpg", tmp_path / "b" / "ok.jpg", out=tmp_path / "out", force=True)
    assert done.returncode == 1
    assert str(tmp_path / "a" / "ok.jpg") in done.stderr and "Rename" in done.stderr
    assert names(tmp_path / "out") == ["ok.blend", "ok_preview.png"]


def test_a_photo_named_twice_is_done_once(tmp_path: Path) -> None:
    photo = tmp_path / "ok.jpg"
    photo.touch()
    (tmp_path / "folder").mkdir()
    done = face(photo, tmp_path / "folder" / ".." / "ok.jpg", photo)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1 and str(photo) in done.stdout


def test_every_face_gets_a_number(tmp_path: Path) -> None:
    done = face(tmp_path / "two.jpg", options={"all_faces": True}, json=True)
    assert done.returncode == 0
    assert names(tmp_path) == ["two_1.blend", "two_1_preview.png", "two_2.blend", "two_2_preview.png"]
    assert [output["blend"] for output in json.loads(done.stdout)["outputs"]] == [
        str(tmp_path / "two_1.blend"),
        str(tmp_path / "two_2.blend"),
    ]


def test_json_lines(tmp_path: Path) -> None:
    done = face(tmp_path / "ok ü.jpg", tmp_path / "fail.jpg", json=True)
    ok, failed = (json.loads(line) for line in done.stdout.splitlines())
    assert ok["ok"] and ok["photo"] == str(tmp_path / "ok ü.jpg") and ok["seconds"] > 0
    assert ok["outputs"] == [
        {"blend": str(tmp_path / "ok ü.blend"), "preview": str(tmp_path / "ok ü_preview.png"), "npz": None}
    ]
    assert not failed["ok"] and failed["code"] == "no_face"
    assert failed["message"] == "There is no face in the photo." and failed["hint"] == "Choose another one."


@pytest.mark.parametrize(
    ("out", "hint"),
    [("a file", "in the way"), ("a file/below", "in the way"), ("/proc/nowhere", "Choose another folder")],
)
def test_a_target_that_cannot_be_written(tmp_path: Path, out: str, hint: str) -> None:
    (tmp_path / "a file").touch()
    done = face(tmp_path / "ok.jpg", out=tmp_path / out)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "cannot be written" in sentence and hint in sentence and "--out" in sentence


def test_a_folder_where_a_file_should_go(tmp_path: Path) -> None:
    (tmp_path / "ok.blend").mkdir()
    done = face(tmp_path / "ok.jpg", force=True)
    assert done.returncode == 1 and f"in the way of '{tmp_path / 'ok.blend'}'" in done.stderr
    assert names(tmp_path) == ["ok.blend"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: large enough for the .npz, too small for the .blend."""
    limited = ["bash", "-c", 'ulimit -f 200; exec "$@"', "-", *command([tmp_path / "ok.jpg"])]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "cannot be written" in sentence
    assert names(tmp_path) == []


def start(photos: list[Path], **streams: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen(command(photos), start_new_session=True, **streams)


def wait_until(is_so: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_keeps_finished_results_and_nothing_else(tmp_path: Path, sent: str) -> None:
    process = start(
        [tmp_path / "ok.jpg", tmp_path / "slow.jpg"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"ok.blend" in process.stdout.readline()
    time.sleep(0.3)
    os.killpg(process.pid, getattr(signal, sent))  # a terminal sends it to the worker, too
    _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"")
    assert names(tmp_path) == ["ok.blend", "ok_preview.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX terminals")
def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    process = start([tmp_path / "ok.jpg"], stdout=subprocess.DEVNULL, stderr=writer)
    assert process.wait(PATIENCE) == 0
    os.close(writer)
    shown = os.read(reader, 65536).decode()
    os.close(reader)
    assert "ok.jpg: " in shown and "%" in shown and "#" in shown
    assert shown.endswith("\r\x1b[K"), "the bar is left standing"


@pytest.mark.slow
def test_the_real_journey(tmp_path: Path) -> None:
    """A real photo through the real worker: the .blend has the eyes, the keys and the camera of a face."""
    photo = tmp_path / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    run_python("-m", "semblance", "face", photo, "--quality", "draft", "--npz")
    assert names(tmp_path) == ["astronaut.blend", "astronaut.npz", "astronaut.png", "astronaut_preview.png"]
    run_python(CHECKS / "dump_blend.py", tmp_path / "astronaut.blend", tmp_path / "dump")
    facts = json.loads((tmp_path / "dump.json").read_text("utf-8"))
    assert facts["scene"]["size"] == [512, 512, 100]
    assert len(facts["face"]["keys"]) == 54 and facts["face"]["keys"]["Photo expression"] == 1
    assert {"eyeLookInLeft", "eyeLookUpRight"} <= set(facts["eyes"]["keys"]) and "jawOpen" not in facts[
        "eyes"
    ]["keys"]
    assert facts["driven"] == pytest.approx(0.7)
