"""The process that computes: requests come in on stdin, events go out through a file; `protocol` says how.

    python -m semblance.core_models.worker FOLDER [--device NAME] [--idle-seconds N]

The process stays warm between requests. When stdin ends, because the other side closed it or was killed, it deletes
the files that it made and exits at once, even while it computes; and so it does when no request came for long. Its
stdout and stderr, where libraries print and tracebacks go, are a log: whoever starts it keeps them in
`FOLDER/worker.log`.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import os
import queue
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from .engine import Engine, load_engine
from .errors import DiskFullError, InternalError, SemblanceError, is_disk_full
from .protocol import (
    DISK_FULL_EXIT,
    EVENTS_FILE,
    LOG_FILE,
    Done,
    Event,
    Failed,
    FoundFaces,
    Hello,
    Stage,
    StageProgress,
    Ticket,
    event_line,
    parse_ticket,
)
from .requests import answer

IDLE_SECONDS = 300.0
OUT_OF_MEMORY_NOTE = "The memory of the {device} was not enough: computed on the CPU, which takes longer."


class OutOfMemoryError(SemblanceError):
    """The computation needs more memory than there is."""

    code = "out_of_memory"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Be the worker of a folder."""
    parser = argparse.ArgumentParser(prog="semblance.core_models.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS)
    chosen = parser.parse_args(arguments)
    run(chosen.folder, load_engine, chosen.device, chosen.idle_seconds)


def run(
    folder: Path, make_engine: Callable[[str], Engine], device: str, idle_seconds: float = IDLE_SECONDS
) -> NoReturn:
    """Serve this process's stdin until it ends or stays silent for `idle_seconds`; then end the process."""
    # Ctrl-C reaches every process of the terminal; the one that the user talks to decides, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The log of a crash, and of a worker that hung and was terminated, shows where.
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGTERM, chain=True)
    worker = Worker(folder, make_engine)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        while not lines.empty():
            worker.expect(lines.get())
        worker.clean()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    try:
        code = worker.serve(_until_idle(lines, idle_seconds), device)
    except OSError as error:
        traceback.print_exc()
        code = DISK_FULL_EXIT if is_disk_full(error) else 1
    if code == 0:
        worker.clean()
    sys.stderr.flush()
    # At once: an ordinary exit would wait for the thread that waits for stdin.
    os._exit(code)


def _until_idle(lines: queue.SimpleQueue[str], seconds: float) -> Iterator[str]:
    while True:
        try:
            line = lines.get(timeout=seconds)
        except queue.Empty:
            return
        yield line


class Worker:
    """Answers requests through the event file of its folder."""

    def __init__(self, folder: Path, make_engine: Callable[[str], Engine]) -> None:
        """`make_engine` takes the device's name."""
        self._folder = folder
        self._make_engine = make_engine
        self._events = _Events(folder)
        self._outs: list[Path] = []

    def serve(self, lines: Iterable[str], device: str) -> int:
        """Answer requests, one a line, in order.

        Returns:
            The exit code: 0, or 1 when the engine cannot be made.

        Raises:
            OSError: the event file cannot be written.
        """
        try:
            self._engine = self._make_engine(device)
        except Exception as error:
            self._events.error(None, error)
            return 1
        self._hello()
        for line in lines:
            if line.strip():
                self._serve(line)
        return 0

    def expect(self, line: str) -> Ticket:
        """Know a request's folder, so that `clean` deletes it. Raises BadRequestError."""
        ticket = parse_ticket(line)
        self._outs.append(ticket.out)
        return ticket

    def clean(self) -> None:
        """Delete what was made of photos inside the folder; without a bug to look for, the log and the folder too."""
        for out in self._outs:
            if self._folder.resolve() in out.resolve().parents:
                shutil.rmtree(out, ignore_errors=True)
        (self._folder / EVENTS_FILE).unlink(missing_ok=True)
        if not self._events.told_bug:
            with contextlib.suppress(OSError):  # other files are not ours; Windows keeps a log that is open
                (self._folder / LOG_FILE).unlink(missing_ok=True)
                self._folder.rmdir()

    def _hello(self) -> None:
        self._events.add(Hello(self._engine.device, dict(self._engine.versions)))

    def _serve(self, line: str) -> None:
        number = None
        try:
            ticket = self.expect(line)
            number = ticket.id

            def tell(stage: Stage, fraction: float) -> None:
                self._events.add(StageProgress(stage, round(float(fraction), 4)), number)

            self._events.add(self._answer(lambda: answer(self._engine, ticket, tell)), number)
        except Exception as error:
            self._events.error(number, error)

    def _answer(self, attempt: Callable[[], Done | FoundFaces]) -> Done | FoundFaces:
        """Attempt it on the CPU when the device's memory is not enough."""
        try:
            return attempt()
        except Exception as error:
            if self._engine.device == "cpu" or not _is_out_of_memory(error):
                raise
            traceback.print_exc()
        # Outside of `except`, whose traceback holds what fills the memory.
        note = OUT_OF_MEMORY_NOTE.format(device=self._engine.device)
        self._engine.close()
        del self._engine
        gc.collect()
        self._engine = self._make_engine("cpu")
        self._hello()
        final = attempt()
        return replace(final, notes=(*final.notes, note)) if isinstance(final, Done) else final


class _Events:
    """The event file; every line is complete when it appears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / EVENTS_FILE
        self.told_bug = False

    def add(self, event: Event, request: int | None = None) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(event_line(event, request) + "\n")

    def error(self, request: int | None, error: Exception) -> None:
        """Add an error event; the traceback of one that nobody foresaw goes to stderr, which is the log."""
        if is_disk_full(error):
            error = DiskFullError(self._folder)
        elif not isinstance(error, SemblanceError):
            traceback.print_exception(error)
            error = _explained(error)
            self.told_bug |= isinstance(error, InternalError)
        assert isinstance(error, SemblanceError)
        self.add(Failed.of(error), request)


def _is_out_of_memory(error: Exception) -> bool:
    # By name and words: torch and OpenCV, whose errors these are, are not imported here.
    texts = ("can't allocate memory", "Insufficient memory", "CUDA out of memory")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(text in str(error) for text in texts)
    )


def _explained(error: Exception) -> SemblanceError:
    if _is_out_of_memory(error):
        return OutOfMemoryError(
            "There is not enough memory for this photo.",
            "Close other programs, or choose a smaller texture size or draft quality.",
        )
    lines = str(error).splitlines() or [""]
    return InternalError(f"The backend failed unexpectedly ({type(error).__name__}: {lines[0]}).")


if __name__ == "__main__":
    main()
