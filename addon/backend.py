"""Job: the other process, which owns torch, seen from Blender's.

One Job holds one worker process (`core_models/worker.py`), warm from photo to photo:

    with Job(worker_command()) as job:
        job.request(Request(photo))
        while job.busy:
            for event in job.poll(): ...

Nothing here blocks but `close`; a modal operator polls from a timer, a script in a loop.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ..core_models.reconstruction import CancelledError, SemblanceError
from .messages import Event, Failed, Hello, Progress, Request, parse_event, request_line

_EVENTS_FILE = "events.jsonl"
_CANCEL_FILE = "cancel"
_LOG_FILE = "worker.log"
_PACKAGE_ROOT = Path(__file__).resolve().parents[1]

# The package under its own name, whatever its folder is called (an extension's, a checkout in `semblance-1.2`).
# Its parent folder on PYTHONPATH would also let the folder's neighbours shadow torch or numpy.
_BOOTSTRAP = """
import importlib.util, os, runpy, sys
root = sys.argv.pop(1)
spec = importlib.util.spec_from_file_location(
    "semblance", os.path.join(root, "__init__.py"), submodule_search_locations=[root])
sys.modules["semblance"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
runpy.run_module("semblance.core_models.worker", run_name="__main__", alter_sys=True)
"""


class BackendMissingError(SemblanceError):
    """No Python with torch was found."""

    code = "no_backend"


class BackendError(SemblanceError):
    """The worker died or cannot be understood."""

    code = "backend"


def worker_command(python: str | None = None, device: str = "auto") -> list[str]:
    """The command line of a worker, without its folder.

    Args:
        python: an interpreter that has torch; this process's own by default.
        device: auto, cpu, cuda or mps.

    Raises:
        BackendMissingError: none was named and this process's own has no torch.
    """
    if python is None and importlib.util.find_spec("torch") is None:
        raise BackendMissingError(
            f"'{sys.executable}' has no PyTorch, which computes the face.",
            "Install Semblance's requirements into it, or run Semblance from its checkout (make face).",
        )
    return [python or sys.executable, "-c", _BOOTSTRAP, str(_PACKAGE_ROOT), "--device", device]


def _environment() -> dict[str, str]:
    """This process's, with torch's waiting threads asleep: spinning, they would fight Blender for its cores."""
    return {**os.environ, "PYTHONUTF8": "1", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


class Job:
    """A worker process and the request that it is busy with."""

    def __init__(self, command: Sequence[str], grace_seconds: float = 5.0) -> None:
        """Start nothing yet.

        Args:
            command: the worker's command line, without its folder.
            grace_seconds: how long a worker may take to obey, before it is terminated and then killed.
        """
        self._command = list(command)
        self._grace = grace_seconds
        self._process: subprocess.Popen[str] | None = None
        self._folder = Path()
        self._read_bytes = 0
        self._number = 0
        self._pending = False
        self._cancel_steps: list[tuple[float, str]] = []
        self._cancelled = False
        self._keep_log = False

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a request has neither succeeded nor failed yet, as far as `poll` has seen."""
        return self._pending

    @property
    def log(self) -> Path:
        """What the worker printed. Outlives `close` only after the worker broke down."""
        return self._folder / _LOG_FILE

    def request(self, request: Request) -> None:
        """Send a request, to the warm worker if it lives; the files of the one before are deleted.

        Raises:
            BackendMissingError: the interpreter cannot be started.
            BackendError: the temporary folder cannot be written.
            RuntimeError: a request is still being worked on.
        """
        if self._pending:
            raise RuntimeError("a Job takes one request at a time")
        try:
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._start()
            shutil.rmtree(self._out, ignore_errors=True)
            self._number += 1
            self._out.mkdir()
        except OSError as error:
            raise BackendError(
                f"The temporary folder '{tempfile.gettempdir()}' cannot be written ({error.strerror or error}).",
                "Free some space, or name another folder in the environment variable TMPDIR.",
            ) from error
        self._pending, self._cancelled, self._cancel_steps = True, False, []
        self._send(request_line(request, self._number, self._out))

    def poll(self) -> list[Event]:
        """What happened since the last call. Each request ends with exactly one Done or Failed."""
        if self._process is None:
            return []
        # Asked before reading: what the worker wrote before it ended is then in the file.
        exit_code = self._process.poll()
        try:
            events = [event for line in self._new_lines() for event in self._understand(line)]
        except (ValueError, TypeError, KeyError) as error:
            failed = self._broken(f"The backend's answer cannot be read ({error}).")
            self._process.kill()
            self.close()
            return [failed]
        if self._pending and exit_code is not None:
            events.append(self._ended(exit_code))
        if self._pending:
            self._insist()
        return events

    def cancel(self) -> None:
        """Ask the worker to stop; `poll` terminates, then kills one that does not. Ends in Failed `cancelled`."""
        if self._pending and not self._cancelled:
            self._cancelled = True
            with contextlib.suppress(OSError):
                (self._out / _CANCEL_FILE).touch()
            now = time.monotonic()
            self._cancel_steps = [(now + self._grace, "terminate"), (now + 2 * self._grace, "kill")]

    def close(self) -> None:
        """End the worker and delete its files; a busy one is terminated. Waits until it is gone."""
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        if self._pending:
            process.terminate()
        self._pending = False
        for insist in (process.terminate, process.kill):
            try:
                process.wait(self._grace)
                break
            except subprocess.TimeoutExpired:
                insist()
        process.wait()
        self._clean()

    @property
    def _out(self) -> Path:
        return self._folder / str(self._number)

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="semblance-"))
        self._read_bytes, self._keep_log = 0, False
        try:
            with open(self.log, "wb") as log:
                self._process = subprocess.Popen(
                    [*self._command, str(self._folder)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # An empty folder of our own: `python -c` puts the current one first on sys.path.
                    cwd=self._folder,
                    env=_environment(),
                    text=True,
                    encoding="utf-8",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise BackendMissingError(
                f"The backend's Python '{self._command[0]}' cannot be started ({error.strerror or error}).",
                "Choose another interpreter.",
            ) from error

    def _send(self, line: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        # A worker that died takes no request: the next poll finds it dead and says so.
        with contextlib.suppress(OSError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _new_lines(self) -> list[bytes]:
        try:
            with open(self._folder / _EVENTS_FILE, "rb") as file:
                file.seek(self._read_bytes)
                *complete, _ = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        self._read_bytes += sum(len(line) + 1 for line in complete)
        return complete

    def _understand(self, line: bytes) -> list[Event]:
        number, event = parse_event(line)
        if isinstance(event, Hello):
            return [event]
        # A worker that cannot even start answers to no request in particular.
        if not self._pending or number not in (self._number, None):
            return []
        self._pending = isinstance(event, Progress)
        if isinstance(event, Failed) and event.code == "internal":
            self._keep_log = True
            event = replace(event, hint=f"{event.hint} The details are in '{self.log}'.".strip())
        return [event]

    def _broken(self, message: str) -> Failed:
        self._pending, self._keep_log = False, True
        return Failed(BackendError.code, message, f"Try again; the details are in '{self.log}'.")

    def _ended(self, exit_code: int) -> Failed:
        if self._cancelled:
            self._pending = False
            return Failed(CancelledError.code, "Cancelled.", "")
        return self._broken(f"The backend stopped unexpectedly (exit code {exit_code}).")

    def _insist(self) -> None:
        if self._cancel_steps and time.monotonic() >= self._cancel_steps[0][0]:
            assert self._process is not None
            _, step = self._cancel_steps.pop(0)
            self._process.terminate() if step == "terminate" else self._process.kill()

    def _clean(self) -> None:
        """Delete the worker's folder; of one that broke down keep the log, and nothing made from the photo."""
        if not self._keep_log:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        shutil.rmtree(self._out, ignore_errors=True)
        (self._folder / _EVENTS_FILE).unlink(missing_ok=True)
