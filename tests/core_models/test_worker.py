"""The worker's side of the protocol, without a process."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semblance.core_models.engine import Engine, load_engine
from semblance.core_models.errors import SemblanceError
from semblance.core_models.faces.found import FoundFace
from semblance.core_models.progress import Progress
from semblance.core_models.protocol import CANCEL_FILE, EVENTS_FILE, PROTOCOL, REQUEST_FILE, Options
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.worker import Worker
from semblance.tests.synthetic import synthetic_reconstruction

HEAD = synthetic_reconstruction(n=12, texture_size=16, photo_size=(16, 20))
FACE = FoundFace((0.25, 0.0, 0.5, 1.0), "middle, 20 pixels tall", np.full((8, 8, 3), 200, np.uint8))
FIT = {"model": "toy"}
OPTIONS = {"size": 512}


class TorchLikeError(RuntimeError):
    pass


TorchLikeError.__name__ = "OutOfMemoryError"


def engine(
    work: Callable[[Progress], Sequence[Reconstruction]] = lambda progress: [HEAD], device: str = "cpu"
) -> Engine:
    def find(photo: str, progress: Progress) -> Sequence[FoundFace]:
        assert photo == "/a photo.jpg"
        work(progress)
        return [FACE]

    def reconstruct(photo: str, options: Options, progress: Progress) -> Sequence[Reconstruction]:
        assert (photo, options) == ("/a photo.jpg", Options(**OPTIONS))
        return work(progress)

    def rebake(photo: str, fit: Mapping[str, Any], options: Options, progress: Progress) -> Reconstruction:
        assert fit == FIT
        return reconstruct(photo, options, progress)[0]

    return Engine(
        device, {"torch": "0"}, find, reconstruct, rebake, lambda result: result.photo_srgb, lambda: None
    )


def request(out: Path, number: int = 1, kind: str = "reconstruct", **values: Any) -> str:
    """Its line; its file is written."""
    more = {"find_faces": {}, "rebake": {"options": OPTIONS, "fit": FIT}}
    asked = more.get(kind, {"options": OPTIONS, "preview": True})
    out.mkdir(parents=True, exist_ok=True)
    (out / REQUEST_FILE).write_text(json.dumps({"kind": kind, "photo": "/a photo.jpg"} | asked | values))
    return json.dumps({"id": number, "out": str(out)}) + "\n"


def events(
    folder: Path, *lines: str, engine: Engine | None = None, engines: Mapping[str, Engine] | None = None
) -> list[dict[str, Any]]:
    """Of a worker whose requests in `folder` want their results beside its own folder, which keeps them.

    `engine` computes, or one of `engines` by device's name; a worker starts on "auto".
    """
    job = folder / "job"
    job.mkdir()
    engines = engines or {"auto": engine or globals()["engine"]()}
    assert Worker(job, engines.__getitem__).serve(lines, "auto") == 0
    return read(job)


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS_FILE).read_text().splitlines()]


def raising(error: BaseException) -> Callable[[Progress], Sequence[Reconstruction]]:
    def work(progress: Progress) -> Sequence[Reconstruction]:
        raise error

    return work


def test_a_request_is_answered(tmp_path: Path) -> None:
    hello, *progress, done = events(tmp_path, request(tmp_path / "1"), engine=engine())
    assert hello == {
        "event": "hello",
        "request": None,
        "protocol": PROTOCOL,
        "device": "cpu",
        "versions": {"torch": "0"},
    }
    assert {event["event"] for event in progress} == {"progress"}
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] <= 1
    assert done["event"] == "done" and done["request"] == 1 and done["seconds"] >= 0
    assert done["notes"] == []
    (files,) = done["faces"]
    np.testing.assert_array_equal(Reconstruction.load(files["result"]).vertices, HEAD.vertices)
    np.testing.assert_array_equal(np.asarray(Image.open(files["preview"])), HEAD.photo_srgb)
    assert files_in(tmp_path / "1") == ["preview_1.png", "result_1.npz"]


def files_in(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name != REQUEST_FILE)


def test_faces_are_found(tmp_path: Path) -> None:
    *_, found = events(tmp_path, request(tmp_path / "1", kind="find_faces"))
    assert found["event"] == "found" and found["request"] == 1
    (face,) = found["faces"]
    assert tuple(face["box"]) == FACE.box and face["place"] == FACE.place
    np.testing.assert_array_equal(np.asarray(Image.open(face["picture"])), FACE.picture)


def test_a_texture_is_made_again(tmp_path: Path) -> None:
    *_, done = events(tmp_path, request(tmp_path / "1", kind="rebake"))
    assert done["event"] == "done" and [files["preview"] for files in done["faces"]] == [None]


def test_a_full_device_falls_back_to_the_cpu_and_says_so(tmp_path: Path) -> None:
    closed = []
    full = replace(
        engine(raising(TorchLikeError("CUDA out of memory")), "toaster"), close=lambda: closed.append(True)
    )
    lines = [request(tmp_path / str(number), number) for number in (1, 2)]
    told = events(tmp_path, *lines, engines={"auto": full, "cpu": engine(device="cpu")})
    assert [event["device"] for event in told if event["event"] == "hello"] == ["toaster", "cpu"]
    first, second = (event for event in told if event["event"] == "done")
    assert closed == [True]
    (note,) = first["notes"]
    assert "toaster" in note and "CPU" in note and note.endswith(".")
    assert second["notes"] == [], "it goes on with the CPU"


def test_memory_that_is_not_enough_on_the_cpu_either(tmp_path: Path) -> None:
    full = engine(raising(TorchLikeError("CUDA out of memory")), "toaster")
    small = engine(raising(MemoryError()))
    told = events(tmp_path, request(tmp_path / "1"), engines={"auto": full, "cpu": small})
    assert told[-1]["code"] == "out_of_memory" and told[-1]["request"] == 1


def test_several_faces_and_no_preview(tmp_path: Path) -> None:
    done = events(tmp_path, request(tmp_path / "1", preview=False), engine=engine(lambda _: [HEAD, HEAD]))[-1]
    assert [files["preview"] for files in done["faces"]] == [None, None]
    assert len({files["result"] for files in done["faces"]}) == 2


def test_the_worker_outlives_failures(tmp_path: Path) -> None:
    turns = iter([SemblanceError("No.", "Try."), ValueError("a bug"), None])

    def work(progress: Progress) -> Sequence[Reconstruction]:
        if error := next(turns):
            raise error
        return [HEAD]

    lines = [request(tmp_path / str(number), number) for number in (1, 2, 3)]
    ends = [e for e in events(tmp_path, *lines, engine=engine(work)) if e["event"] in ("done", "error")]
    assert [(e["event"], e["request"]) for e in ends] == [("error", 1), ("error", 2), ("done", 3)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SemblanceError("No."), "error"),
        (MemoryError(), "out_of_memory"),
        (TorchLikeError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (KeyError("size"), "internal"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
    ],
)
def test_errors_have_codes_and_sentences(tmp_path: Path, error: Exception, code: str) -> None:
    failed = events(tmp_path, request(tmp_path / "1"), engine=engine(raising(error)))[-1]
    assert (failed["event"], failed["code"]) == ("error", code)
    assert failed["message"].endswith(".") and "\n" not in failed["message"]


def test_the_log_gets_the_traceback_of_a_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events(tmp_path, request(tmp_path / "1"), engine=engine(raising(ZeroDivisionError("oops"))))
    assert "Traceback" in capsys.readouterr().err


def test_cancel(tmp_path: Path) -> None:
    def work(progress: Progress) -> Sequence[Reconstruction]:
        (tmp_path / "1" / CANCEL_FILE).touch()
        progress("texture", 0.5)
        raise AssertionError("went on")

    failed = events(tmp_path, request(tmp_path / "1"), engine=engine(work))[-1]
    assert failed["code"] == "cancelled"
    assert not list((tmp_path / "1").glob("*.npz"))


def test_what_was_made_of_photos_inside_the_folder_goes(tmp_path: Path) -> None:
    job = tmp_path / "job"
    inside, beside, other = job / "1", tmp_path / "beside", job / "not ours"
    other.mkdir(parents=True)
    worker = Worker(job, lambda device: engine())
    assert worker.serve([request(inside, 1), request(beside, 2)], "auto") == 0
    assert (inside / "result_1.npz").exists()
    worker.clean()
    assert [path.name for path in job.iterdir()] == [other.name]
    assert files_in(beside) == ["preview_1.png", "result_1.npz"]


@pytest.mark.parametrize("line", ["what?\n", "[]\n", "{}\n", '{"id": null}\n'])
def test_a_bad_line_is_refused(tmp_path: Path, line: str) -> None:
    failed, *_, done = events(tmp_path, line, "\n", request(tmp_path / "2", 2))[1:]
    assert (failed["code"], failed["request"]) == ("bad_request", None)
    assert done["event"] == "done"


@pytest.mark.parametrize("text", [None, "what?", "[]", "{}", '{"kind": "dance"}', '{"kind": "find_faces"}'])
def test_a_bad_request_is_refused(tmp_path: Path, text: str | None) -> None:
    line = request(tmp_path / "1")
    (tmp_path / "1" / REQUEST_FILE).unlink()
    if text is not None:
        (tmp_path / "1" / REQUEST_FILE).write_text(text)
    *_, failed = events(tmp_path, line)
    assert (failed["code"], failed["request"]) == ("bad_request", 1)


def test_a_failing_preview_is_no_success(tmp_path: Path) -> None:
    broken = replace(engine(), preview=lambda reconstruction: np.zeros((2, 2, 7), np.uint8))
    assert events(tmp_path, request(tmp_path / "1"), engine=broken)[-1]["code"] == "internal"
    assert not list((tmp_path / "1").glob("*.png"))


def test_an_engine_that_cannot_start(tmp_path: Path) -> None:
    assert Worker(tmp_path, load_engine).serve([request(tmp_path / "1")], "abacus") == 1
    (failed,) = read(tmp_path)
    assert (failed["code"], failed["request"]) == ("device", None)
    assert "abacus" in failed["message"]
