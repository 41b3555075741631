"""What the worker does to answer a request."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .engine import Engine
from .errors import CancelledError
from .progress import Progress
from .protocol import (
    CANCEL_FILE,
    REQUEST_FILE,
    Done,
    FaceFiles,
    FindFaces,
    FoundFace,
    FoundFaces,
    ReconstructFaces,
    Request,
    Stage,
    Ticket,
    not_understood,
    parse_request,
)
from .reconstruction import Reconstruction

_RECONSTRUCTION_SHARE = 0.9
"""Of a request's progress; the rest is writing and the preview."""


def answer(engine: Engine, ticket: Ticket, tell: Progress) -> Done | FoundFaces:
    """Do what is asked.

    Raises:
        BadRequestError, CancelledError, and whatever the engine raises.
    """

    def progress(stage: Stage, fraction: float) -> None:
        if (ticket.out / CANCEL_FILE).exists():
            raise CancelledError("Cancelled.")
        tell(stage, fraction)

    progress("starting", 0.0)
    request = _read_request(ticket.out)
    photo = str(request.photo)
    if isinstance(request, FindFaces):
        return _find(engine, photo, ticket.out, progress)
    if isinstance(request, ReconstructFaces):
        return _computed(
            lambda part: engine.reconstruct(photo, request.options, part),
            engine.preview if request.preview else None,
            ticket.out,
            progress,
        )
    return _computed(
        lambda part: [engine.rebake(photo, request.fit, request.options, part)], None, ticket.out, progress
    )


def _read_request(folder: Path) -> Request:
    try:
        text = (folder / REQUEST_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise not_understood(error) from error
    return parse_request(text)


def _find(engine: Engine, photo: str, out: Path, progress: Progress) -> FoundFaces:
    faces = []
    for number, face in enumerate(engine.find(photo, progress), start=1):
        picture = out / f"face_{number}.png"
        _write_png(face.picture, picture)
        faces.append(FoundFace(face.box, face.place, picture))
    return FoundFaces(tuple(faces))


def _computed(
    compute: Callable[[Progress], Sequence[Reconstruction]],
    preview: Callable[[Reconstruction], np.ndarray] | None,
    out: Path,
    progress: Progress,
) -> Done:
    """Compute results and write each one's files into `out`."""
    start = time.perf_counter()
    results = compute(lambda stage, fraction: progress(stage, fraction * _RECONSTRUCTION_SHARE))
    written = []
    for number, reconstruction in enumerate(results, start=1):
        done = _RECONSTRUCTION_SHARE + (1 - _RECONSTRUCTION_SHARE) * (number - 1) / len(results)
        progress("writing", done)
        files = FaceFiles(out / f"result_{number}.npz", out / f"preview_{number}.png" if preview else None)
        reconstruction.save(files.result)
        if preview is not None and files.preview is not None:
            progress("preview", done)
            _write_png(preview(reconstruction), files.preview)
        written.append(files)
    return Done(tuple(written), round(time.perf_counter() - start, 3))


def _write_png(srgb: np.ndarray, target: Path) -> None:
    from PIL import Image

    temporary = target.with_name(f".{target.name}.tmp")
    Image.fromarray(srgb).save(temporary, format="PNG")
    os.replace(temporary, target)
