"""Job: the other process, which owns torch, seen from Blender's.

One Job holds one worker process (`core_models/worker.py`), warm from photo to photo:

    with Job(worker_command()) as job:
        job.request(ReconstructFaces(photo))
        while job.busy:
            for event in job.poll(): ...

Nothing here blocks but `close`; Blender polls from a timer, a script in a loop.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ...core_models.errors import CancelledError, DiskFullError, InternalError, SemblanceError
from ...core_models.protocol import (
    CANCEL_FILE,
    DISK_FULL_EXIT,
    REQUEST_FILE,
    Event,
    Failed,
    Hello,
    ProtocolError,
    Request,
    StageProgress,
    Ticket,
    parse_event,
    request_text,
    ticket_line,
)
from .breakdowns import Breakdowns
from .process import WorkerProcess, writing_temporary_files

_SYSTEM_KILLED = (-9, 137)
"""Exit codes of a process that SIGKILL ended, seen directly and through a shell."""
_MAX_POLL_GAP = 1.0
"""Seconds; what counts at most as silence between two polls: Blender, or the whole machine, may have slept."""


class BackendError(SemblanceError):
    """The worker died or cannot be understood."""

    code = "backend"


class HungError(SemblanceError):
    """The worker said nothing for too long."""

    code = "hung"


class Job:
    """A worker process and the request that it is busy with."""

    def __init__(
        self, command: Sequence[str], grace_seconds: float = 5.0, silence_seconds: float = 180.0
    ) -> None:
        """Start nothing yet.

        Args:
            command: the worker's command line, without its folder.
            grace_seconds: how long a worker may take to obey, before it is terminated and then killed.
            silence_seconds: how long a worker may start or compute without a word, before it counts as hung.
        """
        self._command = list(command)
        self._grace = grace_seconds
        self._patience = silence_seconds
        self._worker: WorkerProcess | None = None
        self._log = Path()
        self._keep_log = False
        self._starting = False
        self._request: Request | None = None
        self._number = 0
        self._sent_again = False
        self._verdict: Failed | None = None
        self._silence = 0.0
        self._last_poll = 0.0
        self._breakdowns = Breakdowns()

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a request has neither succeeded nor failed yet, as far as `poll` has seen."""
        return self._request is not None

    @property
    def starting(self) -> bool:
        """Whether a worker was started and has said neither Hello nor Failed yet, as far as `poll` has seen."""
        return self._starting

    @property
    def log(self) -> Path:
        """What the worker printed. Outlives `close` only after the worker broke down."""
        return self._log

    def start(self) -> None:
        """Have a worker, whose Hello or Failed `poll` gives; nothing where one lives. A request does so itself.

        Raises:
            BackendMissingError: the interpreter cannot be started.
            TemporaryFolderError, DiskFullError: the temporary folder cannot be written.
            TooManyBreakdownsError: the worker broke down thrice in five minutes, without a success in between.
        """
        if not self.busy:
            self._have_worker()

    def request(self, request: Request) -> None:
        """Send a request, to the warm worker if it lives; the files of the one before are deleted.

        Raises:
            RuntimeError: a request is still being worked on.
            SemblanceError: as `start`.
        """
        if self.busy:
            raise RuntimeError("a Job takes one request at a time")
        self._send(request)
        self._sent_again = False

    def poll(self) -> list[Event]:
        """What happened since the last call. Each request ends with exactly one FoundFaces, Done or Failed."""
        if self._worker is None:
            return []
        # Asked before reading: what the worker wrote before it ended is then in the file.
        exit_code = self._worker.exit_code
        try:
            events = [event for line in self._worker.new_lines() for event in self._understand(line)]
        except (ProtocolError, ValueError, TypeError, KeyError) as error:
            return self._give_up(error)
        if self.busy or self._starting:
            if exit_code is not None:
                events += self._ended(exit_code)
            else:
                self._watch(bool(events))
        return events

    def cancel(self) -> None:
        """Ask the worker to stop; `poll` terminates, then kills one that does not. Ends in Failed `cancelled`."""
        if self._request is None or self._worker is None or self._verdict is not None:
            return
        with contextlib.suppress(OSError):
            (self._out / CANCEL_FILE).touch()
        self._verdict = Failed.of(CancelledError("Cancelled."))
        self._worker.stop_after(self._grace)

    def close(self) -> None:
        """End the worker and delete its files; a busy one is terminated. Waits until it is gone. In any state."""
        worker, self._worker = self._worker, None
        busy, self._request, self._starting = self.busy or self.starting, None, False
        if worker is not None:
            worker.end(busy, self._keep_log)

    @property
    def _out(self) -> Path:
        assert self._worker is not None
        return self._worker.folder / str(self._number)

    def _have_worker(self) -> WorkerProcess:
        if self._worker is not None and self._worker.exit_code is None and not self._worker.doomed:
            return self._worker
        self.close()
        self._breakdowns.check(self._log)
        self._worker = WorkerProcess(self._command, self._grace)
        self._log, self._keep_log, self._starting = self._worker.log, False, True
        self._listen()
        return self._worker

    def _send(self, request: Request) -> None:
        worker = self._have_worker()
        shutil.rmtree(self._out, ignore_errors=True)
        self._number += 1
        if not worker.folder.is_dir():
            # It was idle for long and is about to leave, its folder first.
            self.close()
            worker = self._have_worker()
        with writing_temporary_files():
            self._out.mkdir()
            (self._out / REQUEST_FILE).write_text(request_text(request), encoding="utf-8")
        self._request, self._verdict = request, None
        self._listen()
        # The line is short: a pipe whose other end does not read yet would make Blender wait.
        worker.send(ticket_line(Ticket(self._number, self._out)))

    def _understand(self, line: bytes) -> list[Event]:
        number, event = parse_event(line)
        if isinstance(event, Hello):
            self._starting = False
            return [event]
        # A worker that cannot even start answers to no request in particular.
        if number is None and not (self.busy or self._starting):
            return []
        if number is not None and not (self.busy and number == self._number):
            return []
        if isinstance(event, StageProgress):
            return [event]
        self._finish()
        if not isinstance(event, Failed):
            self._breakdowns.forget()
            return [event]
        assert self._worker is not None
        self._worker.doomed |= number is None
        if event.code == InternalError.code:
            self._keep_log = True
            event = replace(event, hint=f"{event.hint} The details are in '{self._log}'.".strip())
        return [event]

    def _finish(self) -> None:
        self._request, self._starting, self._verdict = None, False, None
        assert self._worker is not None
        self._worker.spare()

    def _listen(self) -> None:
        self._silence, self._last_poll = 0.0, time.monotonic()

    def _watch(self, heard: bool) -> None:
        """Count the silence of a worker that owes us a word, and stop it when that was too long, or obeys no cancel."""
        assert self._worker is not None
        now = time.monotonic()
        gap, self._last_poll = min(now - self._last_poll, _MAX_POLL_GAP), now
        self._silence = 0.0 if heard else self._silence + gap
        if self._silence >= self._patience and self._verdict is None:
            self._verdict = self._broken(
                HungError.code, f"The backend has not said a word for {self._patience:.0f} seconds."
            )
            self._worker.stop_after(0.0)
        self._worker.insist()

    def _broken(self, code: str, message: str, advice: str = "Try again") -> Failed:
        self._keep_log = True
        self._breakdowns.add()
        return Failed(code, message, f"{advice}; the details are in '{self._log}'.")

    def _give_up(self, error: Exception) -> list[Event]:
        """The worker says what nobody understands."""
        asked = self.busy or self._starting
        if isinstance(error, ProtocolError):
            failed = Failed.of(error)
        else:
            failed = self._broken(BackendError.code, f"The backend's answer cannot be read ({error}).")
        assert self._worker is not None
        self._worker.kill()
        self.close()
        return [failed] if asked else []

    def _ended(self, exit_code: int) -> list[Event]:
        """The worker is gone and owes us an answer."""
        request, verdict = self._request, self._verdict
        self._finish()
        if verdict is None and exit_code == 0 and request is not None and not self._sent_again:
            # It was idle for long and left while our line was on its way.
            self._sent_again = True
            return self._sent_to_another(request)
        failed = verdict or self._explained(exit_code)
        self.close()
        return [failed]

    def _explained(self, exit_code: int) -> Failed:
        if exit_code == DISK_FULL_EXIT:
            return Failed.of(DiskFullError(tempfile.gettempdir()))
        if exit_code in _SYSTEM_KILLED:
            message = "The backend was ended from outside, by the system perhaps because memory ran out."
            advice = "Close other programs, or choose a smaller texture size or draft quality, and try again"
            return self._broken(BackendError.code, message, advice)
        return self._broken(BackendError.code, f"The backend stopped unexpectedly (exit code {exit_code}).")

    def _sent_to_another(self, request: Request) -> list[Event]:
        try:
            self._send(request)
        except SemblanceError as error:
            return [Failed.of(error)]
        return []
