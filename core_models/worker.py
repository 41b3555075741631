"""The process that computes: requests come in on stdin, events go out through a file.

    python -m semblance.core_models.worker FOLDER [--device NAME]

A request is one line of JSON:

    {"id": 3, "photo": "/…/portrait.jpg", "out": "/…/3", "preview": true, "options": {"quality": "draft", …}}

`FOLDER/events.jsonl` grows by one line of JSON an event:

    {"event": "hello", "protocol": 1, "device": "cpu"}
    {"event": "progress", "request": 3, "stage": "fitting", "fraction": 0.4}
    {"event": "done", "request": 3, "results": [{"result": "/…/result_1.npz", "preview": "/…"}], "seconds": 5.1}
    {"event": "error", "request": 3, "code": "no_face", "message": "…", "hint": "…"}

`result` and `preview` exist, complete, before `done` names them. A file `cancel` in a request's `out` folder
cancels it. The process stays warm between requests. When stdin ends, because the other side closed it or was
killed, it deletes the `out` folders inside FOLDER, so that nothing made from a photo stays behind, and exits.
Its stdout and stderr, where libraries print and tracebacks go, are a log: `addon.backend` keeps them in
`FOLDER/worker.log`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .reconstruction import CancelledError, Reconstruction, SemblanceError

PROTOCOL = 1
EVENTS_FILE = "events.jsonl"
CANCEL_FILE = "cancel"
_RECONSTRUCTION_SHARE = 0.9
"""Of a request's progress; the rest is writing and the preview."""

Progress = Callable[[str, float], None]
"""Called with a stage's name and the fraction done, 0…1; raises CancelledError when the user cancelled."""


class BadRequestError(SemblanceError):
    """A line on stdin that is no request."""

    code = "bad_request"


class DeviceError(SemblanceError):
    """A device that cannot be computed on."""

    code = "device"


class OutOfMemoryError(SemblanceError):
    """The computation needs more memory than there is."""

    code = "out_of_memory"


class DiskFullError(SemblanceError):
    """A result cannot be written."""

    code = "disk_full"


class InternalError(SemblanceError):
    """A mistake of the program."""

    code = "internal"


@dataclass(frozen=True)
class Engine:
    """What the worker drives.

    `reconstruct` takes the photo's path, the request's options and a progress function, and returns one result
    a face; `preview` makes a (H, W, 3) uint8 sRGB sheet of one.
    """

    device: str
    reconstruct: Callable[[str, Mapping[str, Any], Progress], Sequence[Reconstruction]]
    preview: Callable[[Reconstruction], np.ndarray]


@dataclass(frozen=True)
class _Request:
    id: int
    photo: str
    out: Path
    preview: bool
    options: Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve stdin until it ends."""
    # Ctrl-C reaches every process of the terminal; the one that the user talks to decides, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="semblance.core_models.worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args(arguments)
    return serve(chosen.folder, sys.stdin, lambda: load_engine(chosen.device))


def load_engine(device: str) -> Engine:
    """The real pipeline, with the model loaded. Imports torch, OpenCV and mediapipe.

    Raises:
        DeviceError: a device that this version does not compute on.
    """
    if device not in ("auto", "cpu"):
        raise DeviceError(f"This version does not compute on '{device}'.", "Choose the device auto or cpu.")
    from .pipeline import Options, Pipeline
    from .view.preview import preview_sheet

    pipeline = Pipeline()

    def reconstruct(photo: str, options: Mapping[str, Any], progress: Progress) -> Sequence[Reconstruction]:
        return pipeline.run(photo, Options(**options), progress)

    return Engine("cpu", reconstruct, preview_sheet)


def serve(folder: Path, requests: Iterable[str], make_engine: Callable[[], Engine]) -> int:
    """Answer `requests`, one JSON object a line, in order; then delete the results that are inside `folder`.

    Returns:
        The exit code: 0, or 1 when the engine cannot be made.
    """
    events = _Events(folder / EVENTS_FILE)
    try:
        engine = make_engine()
    except Exception as error:
        events.error(None, error)
        return 1
    events.add("hello", protocol=PROTOCOL, device=engine.device)
    outs = []
    for line in requests:
        if line.strip():
            outs.append(_answer(engine, line, events))
    for out in outs:
        if out is not None and folder.resolve() in out.resolve().parents:
            shutil.rmtree(out, ignore_errors=True)
    return 0


def _answer(engine: Engine, line: str, events: _Events) -> Path | None:
    """Where the results are, if the line was understood."""
    request = None
    try:
        request = _parse(line)
        start = time.perf_counter()
        results = _reconstruct(engine, request, events)
        events.add("done", request=request.id, results=results, seconds=round(time.perf_counter() - start, 3))
    except Exception as error:
        events.error(request.id if request else None, error)
    return request.out if request else None


def _parse(line: str) -> _Request:
    try:
        values = json.loads(line)
        return _Request(
            id=int(values["id"]),
            photo=str(values["photo"]),
            out=Path(values["out"]),
            preview=bool(values["preview"]),
            options=dict(values["options"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequestError(
            "The backend got a request that it does not understand.", f"({error!r})"
        ) from error


def _reconstruct(engine: Engine, request: _Request, events: _Events) -> list[dict[str, str]]:
    def progress(stage: str, fraction: float) -> None:
        if (request.out / CANCEL_FILE).exists():
            raise CancelledError("Cancelled.")
        events.add("progress", request=request.id, stage=stage, fraction=round(float(fraction), 4))

    request.out.mkdir(parents=True, exist_ok=True)
    progress("starting", 0.0)
    found = engine.reconstruct(
        request.photo,
        request.options,
        lambda stage, fraction: progress(stage, fraction * _RECONSTRUCTION_SHARE),
    )
    written = []
    for number, reconstruction in enumerate(found, start=1):
        done = _RECONSTRUCTION_SHARE + (1 - _RECONSTRUCTION_SHARE) * (number - 1) / len(found)
        progress("writing", done)
        files = {"result": str(request.out / f"result_{number}.npz")}
        reconstruction.save(files["result"])
        if request.preview:
            progress("preview", done)
            files["preview"] = str(request.out / f"preview_{number}.png")
            _write_png(engine.preview(reconstruction), Path(files["preview"]))
        written.append(files)
    return written


def _write_png(srgb: np.ndarray, target: Path) -> None:
    from PIL import Image

    temporary = target.with_name(f".{target.name}.tmp")
    Image.fromarray(srgb).save(temporary, format="PNG")
    os.replace(temporary, target)


class _Events:
    """The event file; every line is complete when it appears."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: str, **values: Any) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **values}) + "\n")

    def error(self, request: int | None, error: Exception) -> None:
        """Add an error event; the traceback of one that nobody foresaw goes to stderr, which is the log."""
        if not isinstance(error, SemblanceError):
            traceback.print_exception(error)
            error = _explained(error)
        self.add("error", request=request, code=error.code, message=error.message, hint=error.hint)


def _explained(error: Exception) -> SemblanceError:
    # By name: torch, whose error has this name, is not imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return OutOfMemoryError(
            "There is not enough memory for this photo.",
            "Close other programs, or choose a smaller texture size or draft quality.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError("The disk of the temporary folder is full.", "Free some space and try again.")
    lines = str(error).splitlines() or [""]
    return InternalError(f"The backend failed unexpectedly ({type(error).__name__}: {lines[0]}).")


if __name__ == "__main__":
    sys.exit(main())
