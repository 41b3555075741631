"""Job against real processes that behave and misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from semblance.addon.backend import BackendMissingError, Job, worker_command
from semblance.addon.messages import (
    Done,
    Event,
    Failed,
    Hello,
    Options,
    Progress,
    ProtocolError,
    Request,
    parse_event,
)
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.worker import PROTOCOL
from semblance.tests.fake_worker import VERSIONS

FAKE = [sys.executable, "-m", "semblance.tests.fake_worker"]
HELLO = Hello("cpu", VERSIONS)
PATIENCE = 60.0


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Job(FAKE, grace_seconds=0.5) as job:
        yield job


def finish(job: Job, seconds: float = PATIENCE) -> list[Event]:
    """Poll until the request ends."""
    events: list[Event] = []
    deadline = time.monotonic() + seconds
    while job.busy:
        assert time.monotonic() < deadline, "the request never ends"
        events += job.poll()
        time.sleep(0.01)
    return events


def wait_for_stage(job: Job, stage: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(isinstance(event, Progress) and event.stage == stage for event in job.poll()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def failure(events: list[Event]) -> Failed:
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, (Done, Failed)) for event in events[:-1])
    return events[-1]


def test_a_photo_becomes_a_result(job: Job) -> None:
    job.request(Request(Path("ok ü 顔.jpg"), preview=True))
    hello, *progress, done = finish(job)
    assert hello == HELLO
    assert all(isinstance(event, Progress) for event in progress)
    assert isinstance(done, Done)
    assert Reconstruction.load(done.faces[0].result).model_id == "synthetic"
    assert done.faces[0].preview is not None and done.faces[0].preview.stat().st_size > 0
    assert "hello, log" in job.log.read_text()


def test_the_worker_stays_warm(job: Job) -> None:
    job.request(Request(Path("ok 1.jpg")))
    first = finish(job)
    job.request(Request(Path("fail.jpg")))
    assert failure(finish(job)) == Failed("no_face", "There is no face in the photo.", "Choose another one.")
    job.request(Request(Path("two.jpg"), Options(all_faces=True)))
    last = finish(job)
    assert isinstance(last[-1], Done) and len(last[-1].faces) == 2
    assert HELLO in first and HELLO not in last


def test_one_request_at_a_time(job: Job) -> None:
    job.request(Request(Path("slow.jpg")))
    with pytest.raises(RuntimeError):
        job.request(Request(Path("ok.jpg")))


def test_cancel_is_obeyed_and_the_worker_lives(job: Job) -> None:
    job.request(Request(Path("slow.jpg")))
    wait_for_stage(job, "texture")
    job.cancel()
    assert failure(finish(job)).code == "cancelled"
    job.request(Request(Path("ok.jpg")))
    events = finish(job)
    assert isinstance(events[-1], Done) and HELLO not in events


@pytest.mark.parametrize("photo", ["deaf.jpg", "stubborn.jpg"])
def test_a_worker_that_does_not_obey_is_ended(job: Job, photo: str) -> None:
    job.request(Request(Path(photo)))
    wait_for_stage(job, "faces")
    time.sleep(0.1)  # let "stubborn" make itself deaf to SIGTERM
    job.cancel()
    assert failure(finish(job, seconds=10)).code == "cancelled"
    job.request(Request(Path("ok.jpg")))
    assert isinstance(finish(job)[-1], Done)


@pytest.mark.parametrize(
    ("photo", "code"), [("crash.jpg", "backend"), ("garbage.jpg", "backend"), ("internal.jpg", "internal")]
)
def test_a_breakdown_says_where_the_log_is(job: Job, photo: str, code: str) -> None:
    job.request(Request(Path(photo)))
    failed = failure(finish(job))
    log = job.log
    assert failed.code == code and str(log) in failed.hint
    job.close()
    assert "hello, log" in log.read_text()
    assert [path.name for path in log.parent.iterdir()] == [log.name], "something made from the photo is left"
    job.request(Request(Path("ok.jpg")))
    assert isinstance(finish(job)[-1], Done)


def test_close_leaves_nothing(job: Job, tmp_path: Path) -> None:
    job.request(Request(Path("ok.jpg")))
    finish(job)
    assert list(tmp_path.iterdir())
    job.close()
    assert not list(tmp_path.iterdir())


def test_close_ends_a_busy_worker(job: Job, tmp_path: Path) -> None:
    job.request(Request(Path("stubborn.jpg")))
    wait_for_stage(job, "faces")
    job.close()
    assert not job.busy and job.poll() == []
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="asks for a process by number")
def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import os, sys, time; from pathlib import Path\n"
        "from semblance.addon.backend import Job; from semblance.addon.messages import Request\n"
        f"job = Job({FAKE!r}); job.request(Request(Path('ok.jpg')))\n"
        "while job.busy: job.poll(); time.sleep(0.01)\n"
        "print(job._worker._process.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    worker = int(done.stdout)
    deadline = time.monotonic() + 10
    while (
        Path(f"/proc/{worker}").exists() and "\nState:\tZ" not in Path(f"/proc/{worker}/status").read_text()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not list(tmp_path.iterdir()), "something made from the photo is left"


def test_the_real_worker_starts_under_any_folder_name(tmp_path: Path) -> None:
    """A device that does not exist fails before anything heavy is imported."""
    root = Path(__file__).parents[1]
    link = tmp_path / "semblance-main.2 ü"
    link.symlink_to(root, target_is_directory=True)
    command = worker_command(device="abacus")
    command[1] = command[1].replace(str(root), str(link))
    with Job(command) as job:
        job.request(Request(Path("ok.jpg")))
        assert failure(finish(job)).code == "device"


def test_an_interpreter_that_is_not_there() -> None:
    with (
        Job(worker_command(python="/no/such/python")) as job,
        pytest.raises(BackendMissingError, match="such"),
    ):
        job.request(Request(Path("ok.jpg")))
    assert not job.busy


def test_both_sides_speak_the_same_protocol() -> None:
    line = b'{"event": "hello", "protocol": %d, "device": "cpu", "versions": {"torch": "2"}}'
    assert parse_event(line % PROTOCOL) == (None, Hello("cpu", {"torch": "2"}))
    with pytest.raises(ProtocolError, match="protocol"):
        parse_event(line % (PROTOCOL + 1))
