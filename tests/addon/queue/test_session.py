"""Session: one worker, one task after the other, and what the panels are told; real processes, no bpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from semblance.addon.backend.process import BackendMissingError
from semblance.addon.queue.session import Session
from semblance.addon.queue.task import STAGE_WORDS, Ended, State, Task
from semblance.core_models.protocol import (
    Done,
    Failed,
    FindFaces,
    FoundFaces,
    ReconstructFaces,
    Request,
    Stage,
)
from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.jobs import FAKE, until


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = Session(lambda: FAKE)
    yield session
    session.close()


def test_every_stage_has_words() -> None:
    assert set(STAGE_WORDS) == set(get_args(Stage))


def task(request: Request, finished: list[Any] | None = None) -> Task:
    answers = finished if finished is not None else []
    return Task(request.photo.stem, request, answers.append, (str(request.photo),))


def make(name: str) -> Task:
    return task(ReconstructFaces(Path(f"{name}.jpg")))


def next_end(session: Session) -> Ended:
    until(lambda: session.poll() or session.ended)
    ended = session.take()
    assert ended is not None
    return ended


def until_stage(session: Session, stage: str) -> None:
    until(lambda: session.poll() or session.stage == stage)


def states(session: Session, names: Sequence[str]) -> list[State | None]:
    return [session.state_of(f"{name}.jpg") for name in names]


def test_photos_are_made_one_after_the_other(session: Session) -> None:
    session.add(make("ok 1"), make("ok 2"))
    session.poll()
    assert session.busy and session.making and session.stage == "Starting the backend"
    assert states(session, ("ok 1", "ok 2", "ok 3")) == [State.WORKING, State.WAITING, None]
    assert session.place == (1, 2)
    assert next_end(session).task.title == "ok 1"
    session.poll()
    assert states(session, ("ok 1", "ok 2")) == [State.DONE, State.WORKING]
    assert session.place == (2, 2)
    assert isinstance(next_end(session).event, Done)
    assert not session.busy
    session.add(make("ok 3"))
    assert session.place == (1, 1)


def test_a_result_lives_until_it_is_taken(session: Session) -> None:
    session.add(make("ok 1"), make("ok 2"))
    until(lambda: session.poll() or session.ended)
    for _ in range(20):
        session.poll()
    assert (
        session.stage == "Ready" and session.fraction == 1.0 and states(session, ["ok 2"]) == [State.WAITING]
    )
    ended = session.take()
    assert ended is not None and isinstance(ended.event, Done) and ended.event.faces[0].result.exists()
    assert session.take() is None


def test_a_result_may_be_kept_for_later(session: Session, tmp_path: Path) -> None:
    session.add(make("two"))
    until(lambda: session.poll() or session.ended)
    session.keep(tmp_path / "kept")
    ended = session.take()
    assert ended is not None and isinstance(ended.event, Done)
    session.add(make("ok"))
    next_end(session)
    assert Reconstruction.load(ended.event.faces[0].result).model_id == "synthetic"


def test_what_is_ready_can_still_be_cancelled(session: Session) -> None:
    session.add(make("ok 1"), make("ok 2"))
    until(lambda: session.poll() or session.ended)
    session.cancel()
    ended = session.take()
    assert ended is not None and isinstance(ended.event, Failed) and ended.event.code == "cancelled"
    assert not session.busy and states(session, ("ok 1", "ok 2")) == [None, None]


def test_a_failure_is_told_and_the_next_photo_is_made(session: Session) -> None:
    session.add(make("fail"), make("ok"))
    next_end(session)
    failure = session.failure_of("fail.jpg")
    assert failure is not None and failure == session.failure and failure.error.code == "no_face"
    assert isinstance(next_end(session).event, Done)
    assert states(session, ("fail", "ok")) == [State.FAILED, State.DONE]
    session.forget_failures()
    assert session.failure is None and states(session, ["fail"]) == [None]


def test_an_answer_that_cannot_be_used_is_a_failure(session: Session) -> None:
    session.add(make("ok"))
    session.fail(next_end(session).task, BackendMissingError("Gone.", "Look."))
    assert states(session, ["ok"]) == [State.FAILED]


def test_without_a_backend_nothing_waits(session: Session) -> None:
    def missing() -> list[str]:
        raise BackendMissingError("No Python.", "Make one.")

    session.command = missing
    session.add(make("ok 1"), make("ok 2"))
    next_end(session)
    assert session.failure is not None and session.failure.error.code == "no_backend"
    assert not session.busy
    session.command = lambda: FAKE
    session.add(make("ok 1"))
    assert isinstance(next_end(session).event, Done)
    assert session.failure_of("ok 1.jpg") is None


def test_cancel_gives_up_all_and_is_no_failure(session: Session) -> None:
    session.add(make("slow"), make("ok 1"))
    until_stage(session, "Making the textures")
    session.cancel()
    next_end(session)
    assert not session.busy and session.failure is None
    assert states(session, ("slow", "ok 1")) == [None, None]
    session.add(make("ok 2"))
    assert isinstance(next_end(session).event, Done)


def test_a_dropped_photo_is_given_up_alone(session: Session) -> None:
    session.add(make("slow"), make("ok 1"), make("ok 2"))
    session.drop("ok 1.jpg")
    until_stage(session, "Making the textures")
    session.drop("slow.jpg")
    next_end(session)
    assert next_end(session).task.title == "ok 2"
    assert not session.busy and states(session, ("slow", "ok 1", "ok 2")) == [None, None, State.DONE]


def test_found_faces_are_no_made_ones(session: Session) -> None:
    session.add(task(FindFaces(Path("two.jpg"))))
    assert session.looks_for_faces("two.jpg") and not session.making
    ended = next_end(session)
    assert isinstance(ended.event, FoundFaces) and len(ended.event.faces) == 2
    assert states(session, ["two"]) == [None] and not session.looks_for_faces("two.jpg")


def test_another_interpreter_is_another_worker(session: Session) -> None:
    session.add(make("ok"))
    next_end(session)
    first = session.log
    session.command = lambda: [*FAKE, "--device", "cpu"]
    session.add(make("ok"))
    assert isinstance(next_end(session).event, Done)
    assert session.log != first and first is not None and not first.exists()


def test_closing_leaves_nothing(session: Session, tmp_path: Path) -> None:
    session.add(make("slow"), make("ok"))
    until_stage(session, "Making the textures")
    session.close()
    assert not list(tmp_path.iterdir())
