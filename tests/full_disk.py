"""Jobs on a disk of one megabyte: `unshare --user --map-root-user --mount python -m semblance.tests.full_disk FOLDER`.

Prints, one a line, the codes and sentences of what failed and whether the next job worked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from semblance.addon.backend.job import Job
from semblance.core_models.errors import SemblanceError
from semblance.core_models.protocol import ReconstructFaces
from semblance.tests.fake_worker import FILLING
from semblance.tests.jobs import FAKE, computes, failure, finish


def main(disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    tempfile.tempdir = str(disk)
    filling = disk / FILLING
    for photo in ("full.jpg", "brimful.jpg"):
        with Job(FAKE) as job:
            tell(photo, job, lambda job=job, photo=photo: job.request(ReconstructFaces(Path(photo))), filling)
    with Job(FAKE) as job:
        job.start()
        finish(job)
        with open(filling, "wb", buffering=0) as file:
            while os.statvfs(disk).f_bavail:
                file.write(bytes(4096))
        tell("before the request", job, lambda: job.request(ReconstructFaces(Path("ok.jpg"))), filling)


def tell(title: str, job: Job, act: Callable[[], None], filling: Path) -> None:
    try:
        act()
        failed = failure(finish(job)).error()
    except SemblanceError as error:
        failed = error
    filling.unlink()
    print(f"{title}|{failed.code}|{failed}|{computes(job)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
