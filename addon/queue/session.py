"""Session: one warm worker, what waits for it, and what the panels show; no bpy.

Nothing here blocks. Somebody (`timer`, or an operator's loop) calls `poll` again and again, and `take` when a task
has ended; only then is the next one sent, so that the files of a result live until it was taken.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from ...core_models.errors import CancelledError, SemblanceError
from ...core_models.protocol import (
    Done,
    Event,
    Failed,
    FindFaces,
    FoundFace,
    FoundFaces,
    Hello,
    StageProgress,
)
from ..backend.job import Job
from .task import BACKEND_CODES, STAGE_WORDS, Ended, Failure, State, Task


class Session:
    """Sends one task after the other to one worker."""

    def __init__(self, command: Callable[[], Sequence[str]]) -> None:
        """Start nothing yet.

        Args:
            command: asked for the worker's command line before each request; raises SemblanceError when there is none.
        """
        self.command = command
        self.hello: Hello | None = None
        self.failure: Failure | None = None
        """The last one, until `forget_failures`."""
        self.notes: tuple[str, ...] = ()
        """Sentences on the last success, until the next task."""
        self.found: dict[str, tuple[FoundFace, ...]] = {}
        """A photo's key → its faces, the largest first."""
        self._job: Job | None = None
        self._job_command: list[str] = []
        self._current: Task | None = None
        self._waiting: deque[Task] = deque()
        self._ended: Ended | None = None
        self._progress = StageProgress("starting", 0.0)
        self._done: set[str] = set()
        self._failures: dict[str, Failure] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether something is computed, waits, or has not been taken."""
        return self._current is not None or bool(self._waiting)

    @property
    def making(self) -> bool:
        """Whether more than a look for faces is going on or waits."""
        return any(not isinstance(task.request, FindFaces) for task in self._tasks)

    @property
    def current(self) -> Task | None:
        """What is computed, or waits to be taken."""
        return self._current

    @property
    def waiting(self) -> tuple[Task, ...]:
        """What comes after it."""
        return tuple(self._waiting)

    @property
    def ended(self) -> bool:
        """Whether `take` has something to give."""
        return self._ended is not None

    @property
    def log(self) -> Path | None:
        """What the worker printed; the file may be gone."""
        return self._job.log if self._job is not None else None

    @property
    def stage(self) -> str:
        """What happens now, in words for people."""
        if self._ended is not None:
            return "Ready"
        if self._job is None or self._job.starting:
            return "Starting the backend"
        name = self._progress.stage
        return STAGE_WORDS.get(name, name.capitalize())

    @property
    def fraction(self) -> float:
        """Of the current task, 0…1."""
        return 1.0 if self._ended is not None else self._progress.fraction

    @property
    def place(self) -> tuple[int, int]:
        """The current task's number, and of how many since the session was last idle."""
        return max(self._count - len(self._waiting), 1), self._count

    def state_of(self, key: str) -> State | None:
        """Of the photo that `key` names; None when nothing was made of it."""
        if self._current is not None and key in self._current.keys:
            return State.WORKING
        if any(key in task.keys for task in self._waiting):
            return State.WAITING
        if key in self._failures:
            return State.FAILED
        return State.DONE if key in self._done else None

    def failure_of(self, key: str) -> Failure | None:
        """Why nothing was made of the photo that `key` names."""
        return self._failures.get(key)

    def looks_for_faces(self, key: str) -> bool:
        """Whether faces in this photo are looked for, or will be."""
        return any(isinstance(task.request, FindFaces) and key in task.keys for task in self._tasks)

    def add(self, *tasks: Task) -> None:
        """Let `tasks` wait for their turn."""
        if not self.busy:
            self._count, self.notes = 0, ()
        self._waiting += tasks
        self._count += len(tasks)

    def poll(self) -> None:
        """Send what comes next, or see how far the current task is."""
        if self._ended is not None:
            return
        if self._current is None:
            self._send_next()
        if self._job is None:
            return
        for event in self._job.poll():
            self._understand(event)

    def take(self) -> Ended | None:
        """What has ended, once; `poll` then goes on with the next task."""
        ended, self._ended = self._ended, None
        if ended is None:
            return None
        self._current = None
        for key in ended.task.keys:
            self._failures.pop(key, None)
        if isinstance(ended.event, Failed):
            self.fail(ended.task, ended.event.error())
        elif isinstance(ended.event, Done):
            self._done.update(ended.task.keys)
            self.notes = ended.event.notes
        return ended

    def fail(self, task: Task, error: SemblanceError) -> None:
        """Say that nothing comes of `task`, which was taken."""
        self._done.difference_update(task.keys)
        if error.code == CancelledError.code:
            return
        self.failure = Failure(task.title, error)
        self._failures |= dict.fromkeys(task.keys, self.failure)
        if error.code in BACKEND_CODES:
            self._waiting.clear()

    def forget_failures(self) -> None:
        """The user has read them."""
        self.failure = None
        self._failures.clear()

    def keep(self, folder: Path) -> None:
        """Move the files of what waits to be taken into `folder`: an idle worker deletes them."""
        if self._ended is None or not isinstance(self._ended.event, Done):
            return
        faces = self._ended.event.faces
        if all(face.result.parent == folder for face in faces):
            return
        # On a full disk they stay where they are.
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            kept = tuple(
                replace(face, result=Path(shutil.move(face.result, folder / f"{uuid4().hex}.npz")))
                for face in faces
            )
            self._ended = replace(self._ended, event=replace(self._ended.event, faces=kept))

    def cancel(self) -> None:
        """Give up the current task and all that wait."""
        self._waiting.clear()
        self._cancel_current()

    def drop(self, key: str) -> None:
        """Give up what concerns one photo."""
        self._waiting = deque(task for task in self._waiting if key not in task.keys)
        self._done.discard(key)
        self._failures.pop(key, None)
        self.found.pop(key, None)
        if self._current is not None and key in self._current.keys:
            self._cancel_current()

    def close(self) -> None:
        """End the worker; the session cannot be used any more."""
        if self._job is not None:
            self._job.close()

    @property
    def _tasks(self) -> tuple[Task, ...]:
        return (*([self._current] if self._current else []), *self._waiting)

    def _cancel_current(self) -> None:
        if self._ended is not None:
            self._ended = replace(self._ended, event=Failed.of(CancelledError("Cancelled.")))
        elif self._job is not None:
            self._job.cancel()

    def _send_next(self) -> None:
        if not self._waiting:
            return
        self._current = self._waiting.popleft()
        self._progress = StageProgress("starting", 0.0)
        try:
            self._warm_job().request(self._current.request)
        except SemblanceError as error:
            self._end(Failed.of(error))

    def _warm_job(self) -> Job:
        command = list(self.command())
        if self._job is None or command != self._job_command:
            if self._job is not None:
                self._job.close()
            self._job, self._job_command, self.hello = Job(command), command, None
        return self._job

    def _understand(self, event: Event) -> None:
        if isinstance(event, Hello):
            self.hello = event
        elif isinstance(event, StageProgress):
            self._progress = event
        else:
            self._end(event)

    def _end(self, event: Done | FoundFaces | Failed) -> None:
        assert self._current is not None
        self._ended = Ended(self._current, event)
