"""Jobs with real processes: the fake worker's command, and waiting for what a Job says."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from semblance.addon.backend.job import Job
from semblance.core_models.protocol import Done, Event, Failed, FoundFaces, ReconstructFaces, StageProgress

FAKE = [sys.executable, "-m", "semblance.tests.fake_worker"]
PATIENCE = 60.0


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happens"
        time.sleep(0.01)


def finish(job: Job, seconds: float = PATIENCE) -> list[Event]:
    """Poll until the request, or a start without one, ends."""
    events: list[Event] = []

    def ended() -> bool:
        events.extend(job.poll())
        return not (job.busy or job.starting)

    until(ended, seconds)
    return events


def wait_for_stage(job: Job, stage: str) -> None:
    """Poll until the request is there."""
    until(lambda: any(isinstance(event, StageProgress) and event.stage == stage for event in job.poll()))


def failure(events: list[Event]) -> Failed:
    """The last event, which must be the only final one, as a sentence for people."""
    *others, last = events
    assert isinstance(last, Failed), last
    assert not any(isinstance(event, (FoundFaces, Done, Failed)) for event in others)
    assert last.message.endswith(".") and "\n" not in last.message and last.message[0].isupper()
    return last


def computes(job: Job) -> bool:
    """Whether the next photo becomes a face."""
    job.request(ReconstructFaces(Path("ok.jpg")))
    return isinstance(finish(job)[-1], Done)


def is_alive(process_id: int) -> bool:
    """Whether a process runs; Linux only."""
    status = Path(f"/proc/{process_id}/status")
    try:
        return "\nState:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def process_id(job: Job) -> int:
    """Of a Job's worker, which lives; Linux only."""
    until(lambda: bool(process_ids(job)))  # a process that has just begun has no command line yet
    (one,) = process_ids(job)
    return one


def process_ids(job: Job) -> list[int]:
    """Of a Job's worker if it lives: the process whose command line names the folder of its log; Linux only."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if job.log.name and os.fsencode(job.log.parent) in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found
