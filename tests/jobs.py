"""Jobs with real processes: the fake worker's command, and waiting for what a Job says."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from semblance.addon.backend import Job
from semblance.addon.messages import Done, Event, Failed, FoundFaces, Progress, Request

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
    until(lambda: any(isinstance(event, Progress) and event.stage == stage for event in job.poll()))


def failure(events: list[Event]) -> Failed:
    """The last event, which must be the only final one, as a sentence for people."""
    *others, last = events
    assert isinstance(last, Failed), last
    assert not any(isinstance(event, (FoundFaces, Done, Failed)) for event in others)
    assert last.message.endswith(".") and "\n" not in last.message and last.message[0].isupper()
    return last


def computes(job: Job) -> bool:
    """Whether the next photo becomes a face."""
    job.request(Request(Path("ok.jpg")))
    return isinstance(finish(job)[-1], Done)


def is_alive(process_id: int) -> bool:
    """Whether a process runs; Linux only."""
    status = Path(f"/proc/{process_id}/status")
    try:
        return "\nState:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def process_id(job: Job) -> int:
    """Of a Job's worker."""
    assert job._worker is not None
    return job._worker._process.pid
