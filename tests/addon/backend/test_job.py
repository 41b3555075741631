"""Job against a worker that behaves; what may go wrong stands in `test_faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from semblance.addon.backend.job import Job
from semblance.addon.backend.launch import worker_command
from semblance.core_models.protocol import (
    PROTOCOL,
    Done,
    FindFaces,
    FoundFaces,
    Hello,
    Options,
    ProtocolError,
    Rebake,
    ReconstructFaces,
    StageProgress,
    parse_event,
)
from semblance.core_models.reconstruction import Reconstruction, fit_of
from semblance.tests.fake_worker import VERSIONS, head
from semblance.tests.jobs import FAKE, computes, failure, finish, until, wait_for_stage

HELLO = Hello("cpu", VERSIONS)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Job(FAKE) as job:
        yield job


def test_a_photo_becomes_a_result(job: Job) -> None:
    job.request(ReconstructFaces(Path("ok ü 顔.jpg"), preview=True))
    hello, *progress, done = finish(job)
    assert hello == HELLO
    assert all(isinstance(event, StageProgress) for event in progress)
    assert isinstance(done, Done) and done.notes == ()
    assert Reconstruction.load(done.faces[0].result).model_id == "synthetic"
    assert done.faces[0].preview is not None and done.faces[0].preview.stat().st_size > 0
    assert "hello, log" in job.log.read_text()


def test_faces_are_found(job: Job) -> None:
    job.request(FindFaces(Path("two.jpg")))
    *_, found = finish(job)
    assert isinstance(found, FoundFaces)
    assert [face.box for face in found.faces] == [(0.1, 0.2, 0.3, 0.6), (0.6, 0.2, 0.7, 0.4)]
    assert found.faces[0].place.startswith("middle left")
    assert all(face.picture.read_bytes().startswith(b"\x89PNG") for face in found.faces)


def test_a_texture_is_made_again(job: Job) -> None:
    job.request(Rebake(Path("ok.jpg"), fit_of(head()), Options(2048)))
    *_, done = finish(job)
    assert isinstance(done, Done) and len(done.faces) == 1


def test_start_tells_the_status_and_the_next_request_uses_it(job: Job) -> None:
    job.start()
    assert job.starting and not job.busy
    job.start()
    assert finish(job) == [HELLO]
    job.request(ReconstructFaces(Path("ok.jpg")))
    assert HELLO not in finish(job)


def test_a_request_may_come_while_the_worker_starts(job: Job) -> None:
    job.start()
    job.request(ReconstructFaces(Path("ok.jpg")))
    events = finish(job)
    assert events.count(HELLO) == 1 and isinstance(events[-1], Done)


def test_the_worker_stays_warm(job: Job) -> None:
    job.request(ReconstructFaces(Path("ok 1.jpg")))
    first = finish(job)
    job.request(ReconstructFaces(Path("fail.jpg")))
    failed = failure(finish(job))
    assert (failed.code, failed.hint) == ("no_face", "Choose another one.")
    job.request(ReconstructFaces(Path("two.jpg"), Options(all_faces=True)))
    last = finish(job)
    assert isinstance(last[-1], Done) and len(last[-1].faces) == 2
    assert HELLO in first and HELLO not in last


def test_one_request_at_a_time(job: Job) -> None:
    job.request(ReconstructFaces(Path("slow.jpg")))
    with pytest.raises(RuntimeError):
        job.request(ReconstructFaces(Path("ok.jpg")))


@pytest.mark.parametrize("request_", [ReconstructFaces(Path("slow.jpg")), FindFaces(Path("slow.jpg"))])
def test_cancel_is_obeyed_and_the_worker_lives(job: Job, request_: ReconstructFaces | FindFaces) -> None:
    job.request(request_)
    wait_for_stage(job, "texture")
    job.cancel()
    assert failure(finish(job)).code == "cancelled"
    job.request(ReconstructFaces(Path("ok.jpg")))
    events = finish(job)
    assert isinstance(events[-1], Done) and HELLO not in events


def test_cancel_without_a_request_is_nothing(job: Job) -> None:
    job.cancel()
    job.start()
    job.cancel()
    assert finish(job) == [HELLO]
    assert computes(job)
    job.cancel()
    assert computes(job)


@pytest.mark.parametrize("photo", ["deaf.jpg", "stubborn.jpg"])
def test_a_worker_that_does_not_obey_is_ended(
    photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Job(FAKE, grace_seconds=0.5) as job:
        job.request(ReconstructFaces(Path(photo)))
        wait_for_stage(job, "stubborn" if photo == "stubborn.jpg" else "faces")
        job.cancel()
        assert failure(finish(job, seconds=10)).code == "cancelled"
        assert computes(job)


def test_an_idle_worker_leaves_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Job([*FAKE, "--idle-seconds", "0.2"]) as job:
        for _ in range(4):
            job.request(ReconstructFaces(Path("ok.jpg")))
            events = finish(job)
            assert HELLO in events and isinstance(events[-1], Done)
            until(lambda: not list(tmp_path.iterdir()))
            assert job.poll() == [] and not job.busy


def test_a_request_that_meets_a_leaving_worker_is_sent_to_the_next(job: Job) -> None:
    job.request(ReconstructFaces(Path("gone.jpg")))
    assert isinstance(finish(job)[-1], Done)
    job.request(ReconstructFaces(Path("gone always.jpg")))
    assert failure(finish(job)).code == "backend"
    assert computes(job)


def test_close_leaves_nothing(job: Job, tmp_path: Path) -> None:
    job.request(ReconstructFaces(Path("ok.jpg")))
    finish(job)
    assert list(tmp_path.iterdir())
    job.close()
    assert not list(tmp_path.iterdir())


def test_two_jobs_do_not_meet(job: Job) -> None:
    with Job(FAKE) as other:
        for each in (job, other):
            each.request(ReconstructFaces(Path("slow.jpg")))
        for each in (job, other):
            wait_for_stage(each, "texture")
        other.cancel()
        assert failure(finish(other)).code == "cancelled"
        assert computes(other) and job.busy
        other.close()
        wait_for_stage(job, "texture")


def test_the_real_worker_starts_under_any_folder_name(tmp_path: Path) -> None:
    """A device that does not exist fails before anything heavy is imported."""
    root = Path(__file__).parents[3]
    link = tmp_path / "semblance-main.2 ü"
    link.symlink_to(root, target_is_directory=True)
    command = worker_command(device="abacus")
    command = [argument.replace(str(root), str(link)) for argument in command]
    with Job(command) as job:
        job.request(ReconstructFaces(Path("ok.jpg")))
        assert failure(finish(job)).code == "device"


def test_packages_of_the_users_other_pythons_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('of another Python')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Job(worker_command(device="abacus")) as job:
        job.start()
        assert failure(finish(job)).code == "device"


def test_both_sides_speak_the_same_protocol() -> None:
    line = b'{"event": "hello", "protocol": %d, "device": "cpu", "versions": {"torch": "2"}}'
    assert parse_event(line % PROTOCOL) == (None, Hello("cpu", {"torch": "2"}))
    with pytest.raises(ProtocolError, match="protocol"):
        parse_event(line % (PROTOCOL + 1))
