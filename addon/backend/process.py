"""The worker's process: started, spoken to, read and ended, with the temporary folder that it shares with Blender."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core_models.errors import DiskFullError, SemblanceError, is_disk_full
from ...core_models.protocol import EVENTS_FILE, LOG_FILE
from .growing_file import GrowingFile


class BackendMissingError(SemblanceError):
    """No Python with torch was found."""

    code = "no_backend"


class TemporaryFolderError(SemblanceError):
    """The folder that is shared with the worker cannot be written."""

    code = "temporary_folder"


def cannot_be_started(python: str, error: OSError) -> BackendMissingError:
    """The sentence about an interpreter that is no program."""
    return BackendMissingError(
        f"The backend's Python '{python}' cannot be started ({error.strerror or error}).",
        "Choose another interpreter in the preferences of Semblance, or set up the backend there.",
    )


class WorkerProcess:
    """One worker and its folder; nothing here blocks but `end`."""

    def __init__(self, command: Sequence[str], grace_seconds: float) -> None:
        """Start it.

        Args:
            command: the command line, without the folder.
            grace_seconds: how long it may take to obey, before it is terminated and then killed.

        Raises:
            TemporaryFolderError, DiskFullError: the folder cannot be made.
            BackendMissingError: the program cannot be started.
        """
        with writing_temporary_files():
            self.folder = Path(tempfile.mkdtemp(prefix="semblance-"))
        self.log = self.folder / LOG_FILE
        """What the worker printed."""
        self.doomed = False
        """It is about to end: nothing more may be asked of it."""
        self._grace = grace_seconds
        self._events = GrowingFile(self.folder / EVENTS_FILE)
        self._steps: list[tuple[float, str]] = []
        try:
            self._process = self._started(command)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise cannot_be_started(command[0], error) from error

    def _started(self, command: Sequence[str]) -> subprocess.Popen[str]:
        with writing_temporary_files():
            log = open(self.log, "wb")  # noqa: SIM115
        with log:
            return subprocess.Popen(
                [*command, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # An empty folder of our own: `python -m` puts the current one first on sys.path.
                cwd=self.folder,
                env=_environment(),
                text=True,
                encoding="utf-8",
                # What ends a whole group ends Blender; the worker sees that, and deletes its files first.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    @property
    def exit_code(self) -> int | None:
        """None while it lives."""
        return self._process.poll()

    def send(self, line: str) -> None:
        """Write a line to its stdin. One that died takes none: its exit code tells."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def new_lines(self) -> list[bytes]:
        """The complete lines that it added to its event file since the last call."""
        try:
            return self._events.new_lines()
        except OSError:  # not there yet; or, on Windows, looked at by a virus scanner
            return []

    def stop_after(self, seconds: float) -> None:
        """Let `insist` terminate it after so many seconds, and kill it when it does not obey in its time of grace."""
        now = time.monotonic()
        self._steps = [(now + seconds, "terminate"), (now + seconds + self._grace, "kill")]

    def spare(self) -> None:
        """It has obeyed: forget `stop_after`."""
        self._steps = []

    def insist(self) -> None:
        """Do what `stop_after` planned, when its time has come."""
        if self._steps and time.monotonic() >= self._steps[0][0]:
            self.doomed = True
            _, step = self._steps.pop(0)
            self._process.terminate() if step == "terminate" else self._process.kill()

    def kill(self) -> None:
        """End it without asking."""
        self._process.kill()

    def end(self, busy: bool, keep_log: bool) -> None:
        """End it, a busy one without asking, wait until it is gone, and delete its folder but maybe the log."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if busy:
            self._process.terminate()
        for insist in (self._process.terminate, self._process.kill, lambda: None):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._grace)
                break
            insist()
        self._delete(keep_log)

    def _delete(self, keep_log: bool) -> None:
        if not keep_log:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path != self.log:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_temporary_files() -> Iterator[None]:
    """Turn the errors of writing there into sentences: TemporaryFolderError, DiskFullError."""
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        if is_disk_full(error):
            raise DiskFullError(folder) from error
        raise TemporaryFolderError(
            f"The temporary folder '{folder}' cannot be written ({error.strerror or error}).",
            "Name another folder in the environment variable TMPDIR (Windows: TEMP), and start Blender again.",
        ) from error


def _environment() -> dict[str, str]:
    """This process's, with torch's waiting threads asleep: spinning, they would fight Blender for its cores."""
    return {**os.environ, "PYTHONUTF8": "1", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
