"""A worker whose engine does what the photo's name says: `python -m semblance.tests.fake_worker FOLDER`.

ok, two (faces), fail, internal, slow (obeys cancel), deaf (does not), stubborn (nor terminate), crash, garbage.
Options of the real worker are understood; of the devices, "toaster" has no memory.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semblance.core_models.engine import Engine, Progress
from semblance.core_models.faces.found import FoundFace
from semblance.core_models.reconstruction import Reconstruction, SemblanceError, fit_of
from semblance.core_models.worker import EVENTS_FILE, run
from semblance.tests.synthetic import synthetic_reconstruction

VERSIONS = dict.fromkeys(("python", "torch", "mediapipe", "opencv", "semblance", "models"), "0")


class NoFaceError(SemblanceError):
    code = "no_face"


def find(photo: str, progress: Progress) -> Sequence[FoundFace]:
    behave(photo, progress)
    left = FoundFace(
        (0.1, 0.2, 0.3, 0.6), "middle left, 40 pixels tall", np.full((128, 128, 3), 90, np.uint8)
    )
    right = FoundFace(
        (0.6, 0.2, 0.7, 0.4), "middle right, 20 pixels tall", np.full((128, 128, 3), 60, np.uint8)
    )
    return [left, right]


def reconstruct(photo: str, options: Mapping[str, Any], progress: Progress) -> Sequence[Reconstruction]:
    behave(photo, progress)
    return [head()] * (2 if kind_of(photo) == "two" and options["all_faces"] else 1)


def rebake(
    photo: str, fit: Mapping[str, Any], options: Mapping[str, Any], progress: Progress
) -> Reconstruction:
    behave(photo, progress)
    assert fit == fit_of(head())
    return head()


def head() -> Reconstruction:
    return synthetic_reconstruction(n=24, texture_size=32, photo_size=(64, 80))


def kind_of(photo: str) -> str:
    return Path(photo).stem.split()[0]


def behave(photo: str, progress: Progress) -> None:
    kind = kind_of(photo)
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


def make_engine(device: str) -> Engine:
    print("hello, log", flush=True)
    return Engine("cpu", VERSIONS, find, reconstruct, rebake, lambda result: result.photo_srgb, lambda: None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--idle-seconds", type=float, default=60)
    chosen = parser.parse_args()
    folder = chosen.folder
    sys.exit(run(folder, make_engine, chosen.device, chosen.idle_seconds))
