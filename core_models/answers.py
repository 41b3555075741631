"""The worker's requests, and what it does to answer one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .clock import Progress
from .engine import Engine
from .reconstruction import CancelledError, Reconstruction, SemblanceError

REQUEST_FILE = "request.json"
CANCEL_FILE = "cancel"
_RECONSTRUCTION_SHARE = 0.9
"""Of a request's progress; the rest is writing and the preview."""


class BadRequestError(SemblanceError):
    """A line on stdin that is no request."""

    code = "bad_request"


@dataclass(frozen=True)
class Answer:
    """The last event of a request: its name and values."""

    event: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A request's number and folder, as its line says them; what is asked stands in a file there."""

    id: int
    out: Path


def parse_line(line: str) -> Asked:
    """Raises BadRequestError."""
    try:
        values = json.loads(line)
        return Asked(int(values["id"]), Path(values["out"]))
    except (ValueError, TypeError, KeyError) as error:
        raise _not_understood(error) from error


def answer(engine: Engine, asked: Asked, tell: Progress) -> Answer:
    """Do what is asked.

    Raises:
        BadRequestError, CancelledError, and whatever the engine raises.
    """

    def progress(stage: str, fraction: float) -> None:
        if (asked.out / CANCEL_FILE).exists():
            raise CancelledError("Cancelled.")
        tell(stage, fraction)

    progress("starting", 0.0)
    try:
        values = json.loads((asked.out / REQUEST_FILE).read_text(encoding="utf-8"))
        task = _TASKS[values.pop("kind")](**values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _not_understood(error) from error
    return task.run(engine, asked.out, progress)


@dataclass(frozen=True)
class _FindFaces:
    photo: str

    def run(self, engine: Engine, out: Path, progress: Progress) -> Answer:
        faces = []
        for number, face in enumerate(engine.find(self.photo, progress), start=1):
            picture = out / f"face_{number}.png"
            _write_png(face.picture, picture)
            faces.append({"box": face.box, "place": face.place, "picture": str(picture)})
        return Answer("found", {"faces": faces})


@dataclass(frozen=True)
class _Reconstruct:
    photo: str
    options: dict[str, Any]
    preview: bool

    def run(self, engine: Engine, out: Path, progress: Progress) -> Answer:
        return _computed(
            lambda part: engine.reconstruct(self.photo, self.options, part),
            engine.preview if self.preview else None,
            out,
            progress,
        )


@dataclass(frozen=True)
class _Rebake:
    photo: str
    options: dict[str, Any]
    fit: dict[str, Any]

    def run(self, engine: Engine, out: Path, progress: Progress) -> Answer:
        return _computed(
            lambda part: [engine.rebake(self.photo, self.fit, self.options, part)], None, out, progress
        )


_TASKS: dict[str, Callable[..., _FindFaces | _Reconstruct | _Rebake]] = {
    "find_faces": _FindFaces,
    "reconstruct": _Reconstruct,
    "rebake": _Rebake,
}


def _computed(
    compute: Callable[[Progress], Sequence[Reconstruction]],
    preview: Callable[[Reconstruction], np.ndarray] | None,
    out: Path,
    progress: Progress,
) -> Answer:
    """Compute results and write each one's files into `out`."""
    start = time.perf_counter()
    results = compute(lambda stage, fraction: progress(stage, fraction * _RECONSTRUCTION_SHARE))
    written = []
    for number, reconstruction in enumerate(results, start=1):
        done = _RECONSTRUCTION_SHARE + (1 - _RECONSTRUCTION_SHARE) * (number - 1) / len(results)
        progress("writing", done)
        files = {"result": str(out / f"result_{number}.npz")}
        reconstruction.save(files["result"])
        if preview is not None:
            progress("preview", done)
            files["preview"] = str(out / f"preview_{number}.png")
            _write_png(preview(reconstruction), Path(files["preview"]))
        written.append(files)
    seconds = round(time.perf_counter() - start, 3)
    return Answer("done", {"results": written, "seconds": seconds, "notes": []})


def _write_png(srgb: np.ndarray, target: Path) -> None:
    from PIL import Image

    temporary = target.with_name(f".{target.name}.tmp")
    Image.fromarray(srgb).save(temporary, format="PNG")
    os.replace(temporary, target)


def _not_understood(error: Exception) -> BadRequestError:
    return BadRequestError("The backend got a request that it does not understand.", f"({error!r})")
