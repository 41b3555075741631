"""The worker's side of the protocol, without a process."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semblance.core_models.reconstruction import Reconstruction, SemblanceError
from semblance.core_models.worker import (
    CANCEL_FILE,
    EVENTS_FILE,
    PROTOCOL,
    Engine,
    Progress,
    load_engine,
    serve,
)
from semblance.tests.synthetic import synthetic_reconstruction

HEAD = synthetic_reconstruction(n=12, texture_size=16, photo_size=(16, 20))


class TorchLikeError(RuntimeError):
    pass


TorchLikeError.__name__ = "OutOfMemoryError"


def engine(work: Callable[[Progress], Sequence[Reconstruction]] = lambda progress: [HEAD]) -> Engine:
    def reconstruct(photo: str, options: Mapping[str, Any], progress: Progress) -> Sequence[Reconstruction]:
        assert (photo, options) == ("/a photo.jpg", {"size": 512})
        return work(progress)

    return Engine("toaster", reconstruct, lambda reconstruction: reconstruction.photo_srgb)


def request(out: Path, number: int = 1, preview: bool = True) -> str:
    values = {
        "id": number,
        "photo": "/a photo.jpg",
        "out": str(out),
        "preview": preview,
        "options": {"size": 512},
    }
    return json.dumps(values) + "\n"


def events(folder: Path, *lines: str, engine: Engine) -> list[dict[str, Any]]:
    """Of a worker whose requests in `folder` want their results beside its own folder, which keeps them."""
    job = folder / "job"
    job.mkdir()
    assert serve(job, lines, lambda: engine) == 0
    return read(job)


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS_FILE).read_text().splitlines()]


def raising(error: BaseException) -> Callable[[Progress], Sequence[Reconstruction]]:
    def work(progress: Progress) -> Sequence[Reconstruction]:
        raise error

    return work


def test_a_request_is_answered(tmp_path: Path) -> None:
    hello, *progress, done = events(tmp_path, request(tmp_path / "1"), engine=engine())
    assert hello == {"event": "hello", "protocol": PROTOCOL, "device": "toaster"}
    assert {event["event"] for event in progress} == {"progress"}
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] <= 1
    assert done["event"] == "done" and done["request"] == 1 and done["seconds"] >= 0
    (files,) = done["results"]
    np.testing.assert_array_equal(Reconstruction.load(files["result"]).vertices, HEAD.vertices)
    np.testing.assert_array_equal(np.asarray(Image.open(files["preview"])), HEAD.photo_srgb)
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["preview_1.png", "result_1.npz"]


def test_several_faces_and_no_preview(tmp_path: Path) -> None:
    done = events(tmp_path, request(tmp_path / "1", preview=False), engine=engine(lambda _: [HEAD, HEAD]))[-1]
    assert [sorted(files) for files in done["results"]] == [["result"], ["result"]]
    assert len({files["result"] for files in done["results"]}) == 2


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


def test_results_in_the_job_folder_go_when_the_requests_end(tmp_path: Path) -> None:
    inside, beside = tmp_path / "job" / "1", tmp_path / "beside"
    other = tmp_path / "job" / "not ours"
    other.mkdir(parents=True)

    def requests() -> Iterator[str]:
        yield request(inside, 1)
        yield request(beside, 2)
        assert (inside / "result_1.npz").exists()

    assert serve(tmp_path / "job", requests(), engine) == 0
    assert not inside.exists() and other.exists()
    assert sorted(path.name for path in beside.iterdir()) == ["preview_1.png", "result_1.npz"]


@pytest.mark.parametrize("line", ["what?\n", "[]\n", "{}\n", '{"id": null}\n'])
def test_a_bad_line_is_refused(tmp_path: Path, line: str) -> None:
    failed, *_, done = events(tmp_path, line, "\n", request(tmp_path / "2", 2), engine=engine())[1:]
    assert (failed["code"], failed["request"]) == ("bad_request", None)
    assert done["event"] == "done"


def test_a_failing_preview_is_no_success(tmp_path: Path) -> None:
    broken = Engine("cpu", engine().reconstruct, lambda reconstruction: np.zeros((2, 2, 7), np.uint8))
    assert events(tmp_path, request(tmp_path / "1"), engine=broken)[-1]["code"] == "internal"
    assert not list((tmp_path / "1").glob("*.png"))


def test_an_engine_that_cannot_start(tmp_path: Path) -> None:
    assert serve(tmp_path, [request(tmp_path / "1")], lambda: load_engine("abacus")) == 1
    (failed,) = read(tmp_path)
    assert (failed["code"], failed["request"]) == ("device", None)
    assert "abacus" in failed["message"]
