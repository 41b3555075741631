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
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from semblance.addon.backend import Job
from semblance.addon.launch import worker_command
from semblance.addon.messages import Done, Failed, Options, Request

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
            with Job(worker_command()) as job:
                measure(job, Request(photo, Options(size, quality), preview=False))
                runs = [
                    measure(job, Request(photo, Options(size, quality), preview=False))
                    for _ in range(arguments.runs)
                ]
            print(row(quality, runs))
    # Kilobytes on Linux, bytes on macOS; of the largest process that has ended.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(f"peak memory of the worker: {peak / 1e9:.2f} GB")


def measure(job: Job, request: Request) -> dict[str, float]:
    """Seconds from the request to `done`, and of each stage."""
    start = time.perf_counter()
    job.request(request)
    while True:
        for event in job.poll():
            if isinstance(event, Failed):
                raise event.error()
            if isinstance(event, Done):
                total = time.perf_counter() - start
                with np.load(event.faces[0].result) as archive:
                    return {"total": total} | json.loads(str(archive["report"]))["stage_seconds"]
        time.sleep(0.005)


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
