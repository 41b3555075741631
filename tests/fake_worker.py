"""A worker whose engine does what the photo's name says: `python -m semblance.tests.fake_worker FOLDER`.

ok, two (faces), fail, internal, slow (obeys cancel), deaf (does not), stubborn (nor terminate), crash, garbage.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semblance.core_models.reconstruction import Reconstruction, SemblanceError
from semblance.core_models.worker import EVENTS_FILE, Engine, Progress, serve
from semblance.tests.synthetic import synthetic_reconstruction


class NoFaceError(SemblanceError):
    code = "no_face"


def reconstruct(photo: str, options: Mapping[str, Any], progress: Progress) -> Sequence[Reconstruction]:
    kind = Path(photo).stem.split()[0]
    progress("faces", 0.25)
    if kind == "fail":
        raise NoFaceError("There is no face in the photo.", "Choose another one.")
    if kind == "internal":
        raise ValueError("a bug")
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "garbage":
        with open(folder / EVENTS_FILE, "a") as file:
            file.write("Segmentation fault\n")
        time.sleep(60)
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(1200 if kind in ("slow", "deaf", "stubborn") else 0):
        time.sleep(0.05)
        if kind == "slow":
            progress("texture", 0.5)
    head = synthetic_reconstruction(n=24, texture_size=32, photo_size=(64, 80))
    return [head] * (2 if kind == "two" and options["all_faces"] else 1)


def preview(reconstruction: Reconstruction) -> np.ndarray:
    return reconstruction.photo_srgb


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    print("hello, log")
    sys.exit(serve(folder, sys.stdin, lambda: Engine("cpu", reconstruct, preview)))
