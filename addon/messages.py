"""What Blender's process and the worker say to each other; `core_models/worker.py` documents the lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core_models.reconstruction import SemblanceError

PROTOCOL = 2
"""Both sides write it down: a worker started after an update meets the Blender that loaded the old version."""


class ProtocolError(SemblanceError):
    """The worker speaks another version of the protocol."""

    code = "protocol"


@dataclass(frozen=True)
class Options:
    """What the pipeline is asked for; the fields of `core_models.pipeline.Options`."""

    size: int = 1024
    quality: str = "standard"
    face: int | None = None
    all_faces: bool = False
    more_photos: tuple[str, ...] = ()
    """Paths of further photos of the person that the request's photo shows."""
    model: str | None = None
    """Path of a face model's file; the embedded one when None."""
    regressor: str | None = None
    """Path of R-Net's checkpoint."""


@dataclass(frozen=True)
class FindFaces:
    """Which faces does a photo show? Answered by `FoundFaces`."""

    photo: Path


@dataclass(frozen=True)
class Request:
    """One photo to reconstruct. Answered by `Done`."""

    photo: Path
    options: Options = field(default_factory=Options)
    preview: bool = False


@dataclass(frozen=True)
class Rebake:
    """A face's texture again, at `options.size`. Answered by `Done` with that face.

    `fit` is `fit_of` the result. The photo's file may be smaller than it was then. With `options.more_photos`, the
    texture is made from them as well.
    """

    photo: Path
    fit: dict[str, Any]
    options: Options = field(default_factory=Options)


AnyRequest = FindFaces | Request | Rebake


@dataclass(frozen=True)
class Hello:
    """The worker is ready, with its model loaded. Comes again when it changes to another device.

    `versions`: python, torch, mediapipe, opencv, semblance, models (names of the loaded weights).
    """

    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Progress:
    """`fraction` is of the whole request, 0…1."""

    stage: str
    fraction: float


@dataclass(frozen=True)
class FoundFace:
    """A face in a photo.

    `box` is left, top, right, bottom as shares of the upright photo; `place` says where it is in words; `picture` is a
    PNG of 128 × 128 pixels, as temporary as `FaceFiles`.
    """

    box: tuple[float, float, float, float]
    place: str
    picture: Path


@dataclass(frozen=True)
class FoundFaces:
    """The faces of a photo, the largest first: `Options.face` 1, 2, …"""

    faces: tuple[FoundFace, ...]


@dataclass(frozen=True)
class FaceFiles:
    """A face's files: complete, temporary (gone at the next request, at `close`, or when the worker has idled long)."""

    result: Path
    preview: Path | None


@dataclass(frozen=True)
class Done:
    """The request is finished: one entry a face; `notes` are sentences on how it was computed."""

    faces: tuple[FaceFiles, ...]
    seconds: float
    notes: tuple[str, ...] = ()


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


Event = Hello | Progress | FoundFaces | Done | Failed


def request_text(request: AnyRequest) -> str:
    """The request as the worker reads it from its file."""
    values: dict[str, Any] = {"photo": str(request.photo.absolute())}
    if isinstance(request, FindFaces):
        values |= {"kind": "find_faces"}
    elif isinstance(request, Request):
        values |= {
            "kind": "reconstruct",
            "options": asdict(request.options),
            "preview": request.preview,
        }
    else:
        values |= {"kind": "rebake", "options": asdict(request.options), "fit": request.fit}
    return json.dumps(values)


def parse_event(line: bytes) -> tuple[int | None, Event]:
    """The number of the request that a line of the event file is about, and the event.

    Raises:
        ProtocolError: the worker is of another version.
        ValueError, TypeError, KeyError: not a line that a worker of this protocol writes.
    """
    values = json.loads(line)
    kind, number = values["event"], values.get("request")
    if kind == "hello":
        if values["protocol"] != PROTOCOL:
            raise ProtocolError(
                f"The backend is of another version of Semblance (protocol {values['protocol']} instead of "
                f"{PROTOCOL}).",
                "Restart Blender, so that both are of one version.",
            )
        return number, Hello(str(values["device"]), {key: str(v) for key, v in values["versions"].items()})
    if kind == "progress":
        return number, Progress(str(values["stage"]), float(values["fraction"]))
    if kind == "found":
        return number, FoundFaces(tuple(_found_face(face) for face in values["faces"]))
    if kind == "done":
        faces = tuple(_face_files(face) for face in values["results"])
        return number, Done(faces, float(values["seconds"]), tuple(map(str, values["notes"])))
    if kind == "error":
        return number, Failed(str(values["code"]), str(values["message"]), str(values["hint"]))
    raise ValueError(f"event {kind!r}")


def _found_face(values: dict[str, Any]) -> FoundFace:
    left, top, right, bottom = map(float, values["box"])
    return FoundFace((left, top, right, bottom), str(values["place"]), Path(values["picture"]))


def _face_files(values: dict[str, str]) -> FaceFiles:
    preview = values.get("preview")
    return FaceFiles(Path(values["result"]), Path(preview) if preview else None)
