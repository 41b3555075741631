"""What can break the backend: each fault ends in a sentence and a next job that works. Real processes throughout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from semblance.addon.backend.breakdowns import TooManyBreakdownsError
from semblance.addon.backend.interpreter import SUPPORTED
from semblance.addon.backend.job import (
    Job,
)
from semblance.addon.backend.launch import worker_command
from semblance.addon.backend.process import BackendMissingError, TemporaryFolderError
from semblance.core_models.protocol import Done, Failed, Hello, ReconstructFaces
from semblance.core_models.reconstruction import Reconstruction, ReconstructionFileError
from semblance.core_models.worker import OUT_OF_MEMORY_NOTE
from semblance.tests.jobs import (
    FAKE,
    computes,
    failure,
    finish,
    is_alive,
    process_id,
    process_ids,
    until,
    wait_for_stage,
)

REAL = worker_command()[1:]
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files: with spaces, and letters of other scripts."""
    folder = tmp_path / "Мои файлы 顔"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def job() -> Iterator[Job]:
    with Job(FAKE, grace_seconds=0.5) as job:
        yield job


def failing(command: list[str], **options: float) -> Failed:
    """What a worker started by `command` says instead of Hello."""
    with Job(command, grace_seconds=0.5, **options) as job:
        job.start()
        by_start = failure(finish(job))
        job.request(ReconstructFaces(Path("ok.jpg")))
        assert failure(finish(job)).code == by_start.code
    return by_start


# The interpreter.


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    python = tmp_path / "python"
    with Job([str(python), *FAKE[1:]]) as job:
        for act in (job.start, lambda: job.request(ReconstructFaces(Path("ok.jpg")))):
            with pytest.raises(BackendMissingError, match="python") as raised:
                act()
            assert raised.value.code == "no_backend" and "preferences" in raised.value.hint
            assert not job.busy and not job.starting and job.poll() == []
        python.symlink_to(sys.executable)
        assert computes(Job([sys.executable, *FAKE[1:]]))


def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    text = tmp_path / "python"
    text.write_text("I am a letter.")
    with Job([str(text)]) as job, pytest.raises(BackendMissingError):
        job.start()
    assert failing([sys.executable, "-c", "pass"], silence_seconds=30).code == "backend"


def doctored(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> list[str]:
    """The real worker's command in a Python that runs `code` first, and has the packages in `folder`."""
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return [argument for argument in worker_command() if argument != "-E"]


@pytest.mark.parametrize("version", [(3, 10), (3, 13), (4, 0)])
def test_a_wrong_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]) -> None:
    command = doctored(tmp_path, monkeypatch, f"import sys; sys.version_info = (*{version}, 0, 'final', 0)")
    failed = failing(command)
    assert failed.code == "wrong_python"
    assert "{}.{}".format(*version) in failed.message and "preferences" in failed.hint
    assert all("{}.{}".format(*known) in failed.message for known in SUPPORTED)


@pytest.mark.parametrize("name", ["python3.6", "python3.8", "python3.10", "python3.13", "python3.14"])
def test_a_wrong_python_of_this_machine(name: str) -> None:
    python = shutil.which(name)
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {name} here")
    assert failing([python, *REAL]).code == "wrong_python"


@pytest.mark.parametrize(
    ("module", "name"),
    [("torch", "PyTorch"), ("mediapipe", "MediaPipe"), ("cv2", "OpenCV"), ("numpy", "NumPy")],
)
def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> None:
    hide = f"""
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *more: None if name == {module!r} else find(name, *more)
    """
    failed = failing(doctored(tmp_path, monkeypatch, hide))
    assert failed.code == "missing_package" and "preferences" in failed.hint
    assert name in failed.message and " and no " not in failed.message


def test_a_python_with_nothing() -> None:
    failed = failing([sys.executable, "-S", *REAL])
    assert failed.code == "missing_package"
    assert all(name in failed.message for name in ("NumPy", "PyTorch", "OpenCV", "MediaPipe"))


@pytest.mark.parametrize(
    ("module", "name"), [("torch", "PyTorch"), ("cv2", "OpenCV"), ("mediapipe", "MediaPipe")]
)
def test_a_broken_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> None:
    """The others are stand-ins: it takes seconds to import the real ones."""
    for stand_in in ("torch", "cv2", "mediapipe"):
        (tmp_path / stand_in).mkdir()
        code = (
            "raise OSError('libcudart.so.12: cannot open shared object file')" if stand_in == module else ""
        )
        (tmp_path / stand_in / "__init__.py").write_text(code)
    failed = failing(doctored(tmp_path, monkeypatch, ""))
    assert failed.code == "broken_package" and "preferences" in failed.hint
    assert name in failed.message and "libcudart" in failed.message


# The conversation.


def test_another_protocol() -> None:
    failed = failing([*FAKE, "--device", "future"])
    assert failed.code == "protocol" and "Restart Blender" in failed.hint


@pytest.mark.parametrize("kind", ["text", "bytes", "list", "nothing", "event", "values"])
def test_garbage_in_the_event_stream(job: Job, kind: str) -> None:
    job.request(ReconstructFaces(Path(f"garbage {kind}.jpg")))
    failed = failure(finish(job))
    assert failed.code == "backend" and str(job.log) in failed.hint
    assert computes(job)


def test_garbage_from_an_idle_worker_waits_for_nobody(job: Job) -> None:
    assert computes(job)
    (job.log.parent / "events.jsonl").open("ab").write(b"Bus error\n")
    assert job.poll() == []
    assert computes(job)


def test_a_result_that_is_cut_short(job: Job) -> None:
    job.request(ReconstructFaces(Path("truncated.jpg")))
    *_, done = finish(job)
    assert isinstance(done, Done)
    with pytest.raises(ReconstructionFileError, match="damaged") as raised:
        Reconstruction.load(done.faces[0].result)
    assert "again" in raised.value.hint
    assert computes(job)


# The process.


@pytest.mark.parametrize(("photo", "code"), [("crash.jpg", "backend"), ("internal.jpg", "internal")])
def test_a_breakdown_says_where_the_log_is(job: Job, temporary: Path, photo: str, code: str) -> None:
    job.request(ReconstructFaces(Path(photo)))
    failed = failure(finish(job))
    log = job.log
    assert failed.code == code and str(log) in failed.hint
    if photo != "crash.jpg":  # the dead are buried at once
        job.close()
    assert "hello, log" in log.read_text()
    assert [path.name for path in log.parent.iterdir()] == [log.name], "something made from the photo is left"
    assert computes(job)


@linux
def test_killed_from_outside(job: Job) -> None:
    job.request(ReconstructFaces(Path("slow.jpg")))
    wait_for_stage(job, "texture")
    os.kill(process_id(job), 9)
    failed = failure(finish(job))
    assert failed.code == "backend" and "memory" in failed.message
    assert computes(job)


def test_hung_while_computing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert computes(job)
    job.request(ReconstructFaces(Path("deaf.jpg")))
    wait_for_stage(job, "faces")
    monkeypatch.setattr(job, "_patience", 0.5)
    failed = failure(finish(job, seconds=20))
    assert failed.code == "hung" and str(job.log) in failed.hint
    if os.name == "posix":
        assert "in deaf" in job.log.read_text(), "the log tells where it hung"
    monkeypatch.setattr(job, "_patience", 60.0)
    assert computes(job)


def test_an_answer_in_the_last_moment_of_a_stopped_worker(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminated for silence or deafness while it writes its answer: it is not asked again."""
    job.request(ReconstructFaces(Path("slow.jpg")))
    wait_for_stage(job, "texture")
    assert job._worker is not None
    worker, old = job._worker, process_id(job)
    monkeypatch.setattr(worker._process, "terminate", lambda: None)
    worker.stop_after(0.0)
    worker.insist()
    job.cancel()
    assert failure(finish(job)).code == "cancelled"
    assert computes(job) and process_id(job) != old


def test_cancelled_while_starting() -> None:
    with Job([*FAKE, "--device", "asleep"], grace_seconds=0.2) as job:
        job.request(ReconstructFaces(Path("ok.jpg")))
        job.cancel()
        assert failure(finish(job, seconds=20)).code == "cancelled"


def test_hung_while_starting() -> None:
    assert failing([*FAKE, "--device", "asleep"], silence_seconds=0.5).code == "hung"


def later(seconds: float) -> SimpleNamespace:
    """What `time` is then."""
    return SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)


def test_a_long_sleep_of_blender_is_no_silence(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blender renders, or the machine was suspended: nobody polled, which says nothing of the worker."""
    job.request(ReconstructFaces(Path("slow.jpg")))
    wait_for_stage(job, "texture")
    monkeypatch.setattr("semblance.addon.backend.job.time", later(10_000))
    assert not any(isinstance(event, Failed) for event in job.poll()) and job.busy


def test_breakdowns_in_a_row_are_not_repeated_for_ever(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(times: int) -> None:
        for _ in range(times):
            job.request(ReconstructFaces(Path("crash.jpg")))
            assert failure(finish(job)).code == "backend"

    crash(2)
    assert computes(job)
    crash(3)
    for act in (job.start, lambda: job.request(ReconstructFaces(Path("ok.jpg")))):
        with pytest.raises(TooManyBreakdownsError) as raised:
            act()
        assert raised.value.code == "too_many_restarts"
        assert "5 minutes" in raised.value.hint and str(job.log) in raised.value.hint
    assert not job.busy
    monkeypatch.setattr("semblance.addon.backend.breakdowns.time", later(300))
    assert computes(job)


# Memory and disk.


def test_out_of_memory_on_the_gpu() -> None:
    with Job([*FAKE, "--device", "toaster"]) as job:
        job.request(ReconstructFaces(Path("ok.jpg"), preview=True))
        events = finish(job)
        assert [event.device for event in events if isinstance(event, Hello)] == ["toaster", "cpu"]
        assert isinstance(events[-1], Done)
        assert events[-1].notes == (OUT_OF_MEMORY_NOTE.format(device="toaster"),)
        assert computes(job)


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "small disk ü"
    disk.mkdir()
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or not shutil.which("mount"):
        pytest.skip("needs Linux' unshare and mount for a small disk")
    mounting = [*apart, "mount", "-t", "tmpfs", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow to mount a small disk")
    command = [*apart, sys.executable, "-m", "semblance.tests.full_disk", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split("|") for line in done.stdout.splitlines()]
    assert [(title, code, works) for title, code, _, works in told] == [
        ("full.jpg", "disk_full", "True"),
        ("brimful.jpg", "disk_full", "True"),
        ("before the request", "disk_full", "True"),
    ]
    assert all("is full." in sentence and "Free some space" in sentence for _, _, sentence, _ in told)


def test_a_temporary_folder_that_is_gone(job: Job, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "gone"))
    with pytest.raises(TemporaryFolderError, match="gone"):
        job.request(ReconstructFaces(Path("ok.jpg")))
    assert not job.busy
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert computes(job)


# Blender.

CLOSED = {
    "before the worker is ready": ("--device asleep", "ok.jpg", "True"),
    "during a job": ("", "deaf.jpg", "'faces' in str(events)"),
    "during one that is deaf to signals": ("", "stubborn.jpg", "'stubborn' in str(events)"),
    "after it": ("", "ok.jpg", "'Done' in str(events)"),
}


@linux
@pytest.mark.parametrize("when", CLOSED)
def test_blender_dies(temporary: Path, when: str) -> None:
    """With all that is in its process group, as at the end of a session or by a job scheduler."""
    options, photo, reached = CLOSED[when]
    blender = f"""
        import os, time; from pathlib import Path
        from semblance.addon.backend.job import Job; from semblance.core_models.protocol import ReconstructFaces
        from semblance.tests.jobs import process_id
        job = Job({[*FAKE, *options.split()]!r})
        job.request(ReconstructFaces(Path({photo!r})))
        events = []
        while not ({reached}):
            events += job.poll(); time.sleep(0.01)
        print(process_id(job), flush=True)
        os.killpg(0, 9)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(blender)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    worker = int(done.stdout)
    until(lambda: not is_alive(worker), seconds=10)
    assert not [path for path in temporary.rglob("*") if path.is_file()], (
        "something made from the photo is left"
    )


@linux
def test_two_blenders_at_once(job: Job, temporary: Path) -> None:
    blender = """
        from pathlib import Path
        from semblance.addon.backend.job import Job; from semblance.core_models.protocol import ReconstructFaces
        from semblance.tests.jobs import FAKE, finish
        with Job(FAKE) as job:
            for _ in range(3):
                job.request(ReconstructFaces(Path("ok.jpg"))); print(type(finish(job)[-1]).__name__)
    """
    job.request(ReconstructFaces(Path("slow.jpg")))
    wait_for_stage(job, "texture")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(blender)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["Done"] * 3
    wait_for_stage(job, "texture")
    assert list(temporary.iterdir()) == [job.log.parent], "the other one cleaned up its own"


def nothing(job: Job) -> None:
    """A Job that was never used."""


def starting(job: Job) -> None:
    job.start()


def ready(job: Job) -> None:
    job.start()
    finish(job)


def asked(job: Job) -> None:
    job.request(ReconstructFaces(Path("slow.jpg")))


def busy(job: Job) -> None:
    asked(job)
    wait_for_stage(job, "texture")


def stubborn(job: Job) -> None:
    job.request(ReconstructFaces(Path("stubborn.jpg")))
    wait_for_stage(job, "stubborn")


def cancelled(job: Job) -> None:
    stubborn(job)
    job.cancel()


def failed(job: Job) -> None:
    job.request(ReconstructFaces(Path("fail.jpg")))
    finish(job)


def dead(job: Job) -> None:
    busy(job)
    os.kill(process_id(job), 9)


@linux
@pytest.mark.parametrize("state", [nothing, starting, ready, asked, busy, stubborn, cancelled, failed, dead])
def test_the_extension_is_disabled_in_any_state(
    job: Job, temporary: Path, state: Callable[[Job], None]
) -> None:
    state(job)
    workers = process_ids(job)
    for _ in range(2):
        job.close()
        assert not job.busy and not job.starting and job.poll() == []
        assert not any(is_alive(worker) for worker in workers)
        assert not list(temporary.iterdir())
    job.cancel()
    assert computes(job), "enabled again"
