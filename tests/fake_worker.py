"""A worker whose engine does what the photo's name says: `python -m semblance.tests.fake_worker FOLDER`.

A photo: ok, two (faces), fail, internal, slow (obeys cancel), deaf (does not), stubborn (nor terminate), crash,
garbage, truncated (a result cut short), full (fills its disk but for a little), brimful (all of it), gone (leaves as
if idle, once; `gone always` every time). A device: toaster has no memory, future speaks another protocol, asleep never
starts. The real worker's options are understood.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semblance.core_models.engine import Engine
from semblance.core_models.errors import SemblanceError
from semblance.core_models.faces.found import FoundFace
from semblance.core_models.progress import Progress
from semblance.core_models.protocol import EVENTS_FILE, PROTOCOL, Options
from semblance.core_models.reconstruction import Reconstruction, fit_of
from semblance.core_models.worker import run
from semblance.tests.synthetic import synthetic_reconstruction

VERSIONS = dict.fromkeys(("python", "torch", "mediapipe", "opencv", "semblance", "models"), "0")
FILLING = "filling"
"""The file that fills the disk, beside the worker's folder."""


class NoFaceError(SemblanceError):
    code = "no_face"


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


class CutShort(Reconstruction):
    def save(self, path: str | os.PathLike[str]) -> None:
        super().save(path)
        os.truncate(path, os.path.getsize(path) // 2)


def find(photo: str, progress: Progress) -> Sequence[FoundFace]:
    behave(photo, progress)
    left, right = np.full((128, 128, 3), 90, np.uint8), np.full((128, 128, 3), 60, np.uint8)
    return [
        FoundFace((0.1, 0.2, 0.3, 0.6), "middle left, 40 pixels tall", left),
        FoundFace((0.6, 0.2, 0.7, 0.4), "middle right, 20 pixels tall", right),
    ]


def reconstruct(photo: str, options: Options, progress: Progress) -> Sequence[Reconstruction]:
    behave(photo, progress)
    if kind_of(photo) == "truncated":
        return [CutShort(**vars(head()))]
    return [head()] * (2 if kind_of(photo) == "two" and options.all_faces else 1)


def rebake(photo: str, fit: Mapping[str, Any], options: Options, progress: Progress) -> Reconstruction:
    behave(photo, progress)
    assert fit == fit_of(head())
    return head()


def head() -> Reconstruction:
    return synthetic_reconstruction(n=24, texture_size=32, photo_size=(64, 80))


def kind_of(photo: str) -> str:
    return Path(photo).stem.split()[0]


def behave(photo: str, progress: Progress) -> None:
    progress("faces", 0.25)
    kind = kind_of(photo)
    if kind == "fail":
        raise NoFaceError("There is no face in the photo.", "Choose another one.")
    if kind == "internal":
        raise ValueError("a bug")
    if kind in _KINDS:
        _KINDS[kind](photo, progress)


def slow(photo: str, progress: Progress) -> None:
    for _ in range(1200):
        time.sleep(0.05)
        progress("texture", 0.5)


def deaf(photo: str, progress: Progress) -> None:
    time.sleep(60)


def stubborn(photo: str, progress: Progress) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    progress("stubborn", 0.5)
    time.sleep(60)


def crash(photo: str, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def garbage(photo: str, progress: Progress) -> None:
    line = {
        "garbage text": b"Segmentation fault",
        "garbage bytes": b"\xff\xfe\x00\x80" * 100,
        "garbage list": b"[1, 2]",
        "garbage nothing": b"null",
        "garbage event": b'{"event": "dance", "request": 1}',
        "garbage values": b'{"event": "done", "request": 1, "faces": [{"result": null}], "seconds": 1, "notes": []}',
    }[Path(photo).stem]
    with open(chosen.folder / EVENTS_FILE, "ab") as file:
        file.write(line + b"\n")
    time.sleep(60)


def full(photo: str, progress: Progress) -> None:
    fill_disk()
    os.truncate(chosen.folder.parent / FILLING, os.path.getsize(chosen.folder.parent / FILLING) - 8192)


def brimful(photo: str, progress: Progress) -> None:
    fill_disk()
    for _ in range(1000):  # until the event file's last block is full as well
        progress("texture", 0.5)


def fill_disk() -> None:
    try:
        with open(chosen.folder.parent / FILLING, "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass


def gone(photo: str, progress: Progress) -> None:
    marker = chosen.folder.parent / "gone once"
    if "always" in photo or not marker.exists():
        marker.touch()
        os._exit(0)


_KINDS: dict[str, Callable[[str, Progress], None]] = {
    kind.__name__: kind for kind in (slow, deaf, stubborn, crash, garbage, full, brimful, gone)
}


def make_engine(device: str) -> Engine:
    print("hello, log", flush=True)
    if device == "asleep":
        time.sleep(60)
    if device == "future":
        hello = {"event": "hello", "protocol": PROTOCOL + 1, "mood": "good"}
        (chosen.folder / EVENTS_FILE).write_text(json.dumps(hello) + "\n")
        time.sleep(60)
    if device == "toaster":
        return Engine(device, VERSIONS, no_memory, no_memory, no_memory, no_memory, lambda: None)
    return Engine("cpu", VERSIONS, find, reconstruct, rebake, lambda result: result.photo_srgb, lambda: None)


def no_memory(*arguments: Any) -> Any:
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--idle-seconds", type=float, default=60)
    chosen = parser.parse_args()
    sys.exit(run(chosen.folder, make_engine, chosen.device, chosen.idle_seconds))
