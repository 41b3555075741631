"""What Blender's process and the worker say to each other; `core_models/worker.py` documents the lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core_models.reconstruction import SemblanceError

PROTOCOL = 1
"""Both sides write it down: two versions may meet where the backend lives in an environment of its own."""


@dataclass(frozen=True)
class Options:
    """What the pipeline is asked for; the fields of `core_models.pipeline.Options`."""

    size: int = 1024
    quality: str = "standard"
    face: int | None = None
    all_faces: bool = False
    more_photos: tuple[str, ...] = ()
    """Paths of further photos of the person that the request's photo shows."""


@dataclass(frozen=True)
class Request:
    """One photo to reconstruct."""

    photo: Path
    options: Options = field(default_factory=Options)
    preview: bool = False


@dataclass(frozen=True)
class Hello:
    """The worker is ready, with its model loaded."""

    device: str


@dataclass(frozen=True)
class Progress:
    """`fraction` is of the whole request, 0…1."""

    stage: str
    fraction: float


@dataclass(frozen=True)
class FaceFiles:
    """A face's files: complete, temporary (gone at the next request or at `close`)."""

    result: Path
    preview: Path | None


@dataclass(frozen=True)
class Done:
    """The request is finished: one entry a face."""

    faces: tuple[FaceFiles, ...]
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The request is finished, without a result; code `cancelled` after `Job.cancel`."""

    code: str
    message: str
    hint: str

    def error(self) -> SemblanceError:
        """The same as an exception."""
        raised = SemblanceError(self.message, self.hint)
        raised.code = self.code
        return raised


Event = Hello | Progress | Done | Failed


def request_line(request: Request, number: int, out: Path) -> str:
    """The request as the worker reads it; `out` is the folder for its files."""
    values = {
        "id": number,
        "photo": str(request.photo.absolute()),
        "out": str(out),
        "preview": request.preview,
        "options": asdict(request.options),
    }
    return json.dumps(values) + "\n"


def parse_event(line: bytes) -> tuple[int | None, Event]:
    """The number of the request that a line of the event file is about, and the event.

    Raises:
        ValueError, TypeError, KeyError: not a line that a worker of this protocol writes.
    """
    values = json.loads(line)
    kind, number = values["event"], values.get("request")
    if kind == "hello":
        if values["protocol"] != PROTOCOL:
            raise ValueError(f"protocol {values['protocol']}")
        return number, Hello(str(values["device"]))
    if kind == "progress":
        return number, Progress(str(values["stage"]), float(values["fraction"]))
    if kind == "done":
        return number, Done(tuple(_face_files(face) for face in values["results"]), float(values["seconds"]))
    if kind == "error":
        return number, Failed(str(values["code"]), str(values["message"]), str(values["hint"]))
    raise ValueError(f"event {kind!r}")


def _face_files(values: dict[str, str]) -> FaceFiles:
    preview = values.get("preview")
    return FaceFiles(Path(values["result"]), Path(preview) if preview else None)
