"""Time and memory of a whole photo, as an artist waits for it: request → done, through the warm worker, by stage.

    python benchmarks/pipeline.py [--runs 5] [--threads 2]

The photo is scikit-image's public-domain portrait at 1024²; UV 1024 at standard quality, 512 in a draft. Absolute
seconds are the machine's: compare rows of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from semblance.core_models.protocol import (
    EVENTS_FILE,
    REQUEST_FILE,
    Done,
    Event,
    Failed,
    Options,
    ReconstructFaces,
    Ticket,
    parse_event,
    request_text,
    ticket_line,
)

_SIDE = 1024


def main() -> None:
    """Print a table: one row a quality, median seconds by stage, and the worker's peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "portrait.png"
        Image.fromarray(skimage.data.astronaut()).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).save(photo)
        for quality, size in (("draft", 512), ("standard", 1024)):
            request = ReconstructFaces(photo, Options(size, quality))
            with Worker(Path(folder) / quality) as worker:
                worker.seconds(request)
                runs = [worker.seconds(request) for _ in range(arguments.runs)]
            print(row(quality, runs))
    # Kilobytes on Linux, bytes on macOS; of the largest process that has ended.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(f"peak memory of the worker: {peak / 1e9:.2f} GB")


class Worker:
    """The process that computes, asked as Blender asks it: core_models/worker.py says how."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._asked = folder, 0
        command = [sys.executable, "-m", "semblance.core_models.worker", str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def seconds(self, request: ReconstructFaces) -> dict[str, float]:
        """From the request to `done`, and of each stage."""
        self._asked += 1
        out = self._folder / str(self._asked)
        out.mkdir()
        start = time.perf_counter()
        (out / REQUEST_FILE).write_text(request_text(request), encoding="utf-8")
        print(ticket_line(Ticket(self._asked, out)), file=self._process.stdin, flush=True)
        while not isinstance(event := self._last_event(), Done):
            if isinstance(event, Failed) or self._process.poll() is not None:
                raise SystemExit(f"The worker failed: {event}")
            time.sleep(0.005)
        total = time.perf_counter() - start
        with np.load(out / "result_1.npz") as archive:
            return {"total": total} | json.loads(str(archive["report"]))["stage_seconds"]

    def _last_event(self) -> Event | None:
        """Of the last request, None before its first."""
        events = self._folder / EVENTS_FILE
        lines = events.read_bytes().splitlines(keepends=True) if events.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        number, event = parse_event(whole[-1]) if whole else (None, None)
        return event if number == self._asked else None


def row(quality: str, runs: list[dict[str, float]]) -> str:
    """Medians as one line."""
    stages = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    spread = f"{min(run['total'] for run in runs):.2f}–{max(run['total'] for run in runs):.2f}"
    return (
        f"{quality:9s}"
        + "  ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items())
        + f"  ({spread})"
    )


if __name__ == "__main__":
    main()
