"""What Blender's process and the process that computes say to each other: written here once, for both.

`addon/backend/job.py` starts `core_models/worker.py` with a folder that the two share. A request is one line of JSON
on the worker's stdin, a `Ticket`; what is asked stands in the file `request.json` in the ticket's folder `out`:

    {"id": 3, "out": "/…/3"}

    {"kind": "reconstruct", "photo": "/…/portrait.jpg", "preview": true, "options": {"quality": "draft", …}}
    {"kind": "find_faces", "photo": "/…/portrait.jpg"}
    {"kind": "rebake", "photo": "/…/portrait.jpg", "options": {"size": 2048, …}, "fit": {…}}

`FOLDER/events.jsonl` grows by one line of JSON an event:

    {"event": "hello", "request": null, "device": "cpu", "versions": {"torch": "2.13.0", …}, "protocol": 3}
    {"event": "progress", "request": 3, "stage": "texture", "fraction": 0.4}
    {"event": "done", "request": 3, "faces": [{"result": "/…/result_1.npz", "preview": "/…"}], "seconds": 5.1,
     "notes": ["…"]}
    {"event": "found", "request": 3, "faces": [{"box": [0.1, 0.2, 0.4, 0.6], "place": "…", "picture": "/…/face_1.png"}]}
    {"event": "error", "request": 3, "code": "no_face", "message": "…", "hint": "…"}

Each request ends with exactly one `done`, `found` or `error`. `hello` comes again when the device changes, which it
does when its memory is full. Files exist, complete, before an event names them. A file `cancel` in a request's `out`
folder cancels it. A worker whose disk has no room for an event exits with code 74.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from .errors import SemblanceError

PROTOCOL = 3
"""To be raised when lines or files change: a worker started after an update meets the Blender that loaded the old."""

REQUEST_FILE, CANCEL_FILE = "request.json", "cancel"
"""In a request's folder."""
EVENTS_FILE, LOG_FILE = "events.jsonl", "worker.log"
"""In the worker's folder; `bootstrap.py`, which any Python can read, writes to the first, too."""
DISK_FULL_EXIT = 74
"""sysexits.h, EX_IOERR."""

TEXTURE_SIZES = (512, 1024, 2048, 4096)
QUALITIES = ("draft", "standard", "best")
DEVICES = ("auto", "cpu", "cuda", "mps")

Stage = Literal[
    "starting", "model", "regressor", "photo", "faces", "shape", "mask", "shading", "texture", "result",
    "writing", "preview",
]  # fmt: skip
"""What is being done, in the order of a photo's way."""


class ProtocolError(SemblanceError):
    """The worker speaks another version of the protocol."""

    code = "protocol"


class BadRequestError(SemblanceError):
    """What was sent to the worker is no request."""

    code = "bad_request"


@dataclass(frozen=True)
class Options:
    """What may differ from photo to photo. The command line's flags are named as these fields."""

    size: int = 1024
    """UV texture size, pixels; a draft's is smaller (`pipeline.DRAFT_SIZE`)."""
    quality: str = "standard"
    """One of `QUALITIES`."""
    face: int | None = None
    """The n-th largest face, from 1; the largest when None."""
    all_faces: bool = False
    more_photos: tuple[str, ...] = ()
    """Paths of further photos of the person; the first gives camera, pose, expression and light of the result."""
    model: str | None = None
    """Path of a face model's file; the embedded one when None."""
    regressor: str | None = None
    """Path of R-Net's checkpoint: its coefficients are what the fit starts from, or a draft."""
    regressed_only: bool = False
    """No fit after the regressor, as in a draft."""
    separation: str = "analytic"
    """What takes albedo and light apart, by its name in `models.SEPARATIONS`."""
    completion: str = "analytic"
    """What fills the albedo where the photo shows nothing, by its name in `models.COMPLETIONS`."""


@dataclass(frozen=True)
class FindFaces:
    """Which faces does a photo show? Answered by `FoundFaces`."""

    kind: ClassVar[str] = "find_faces"
    photo: Path


@dataclass(frozen=True)
class ReconstructFaces:
    """The faces of one photo that `options` asks for. Answered by `Done`."""

    kind: ClassVar[str] = "reconstruct"
    photo: Path
    options: Options = field(default_factory=Options)
    preview: bool = False
    """Whether to make a sheet of pictures of each, too."""


@dataclass(frozen=True)
class Rebake:
    """A face's texture again, at `options.size`. Answered by `Done` with that face.

    `fit` is `reconstruction.fit_of` the result. The photo's file may be smaller than it was then. With
    `options.more_photos`, the texture is made from them as well.
    """

    kind: ClassVar[str] = "rebake"
    photo: Path
    fit: dict[str, Any]
    options: Options = field(default_factory=Options)


Request = FindFaces | ReconstructFaces | Rebake
_REQUESTS: dict[str, type[Request]] = {
    request.kind: request for request in (FindFaces, ReconstructFaces, Rebake)
}


@dataclass(frozen=True)
class Ticket:
    """A request's number and its folder: the line that the worker reads; what is asked stands in a file there."""

    id: int
    out: Path


@dataclass(frozen=True)
class Hello:
    """The worker is ready, with its model loaded. Comes again when it changes to another device.

    `versions`: python, torch, mediapipe, opencv, semblance, models (names of the loaded weights).
    """

    kind: ClassVar[str] = "hello"
    device: str
    versions: dict[str, str]
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class StageProgress:
    """`stage` is a `Stage`; `fraction` is of the whole request, 0…1."""

    kind: ClassVar[str] = "progress"
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

    kind: ClassVar[str] = "found"
    faces: tuple[FoundFace, ...]


@dataclass(frozen=True)
class FaceFiles:
    """A face's files: complete, temporary (gone at the next request, at `close`, or when the worker has idled long)."""

    result: Path
    preview: Path | None = None


@dataclass(frozen=True)
class Done:
    """The request is finished: one entry a face; `notes` are sentences on how it was computed."""

    kind: ClassVar[str] = "done"
    faces: tuple[FaceFiles, ...]
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The request is finished, without a result; code `cancelled` when that was asked for."""

    kind: ClassVar[str] = "error"
    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: SemblanceError) -> Failed:
        """What an exception says."""
        return cls(error.code, error.message, error.hint)

    def error(self) -> SemblanceError:
        """The same as an exception."""
        raised = SemblanceError(self.message, self.hint)
        raised.code = self.code
        return raised


Event = Hello | StageProgress | FoundFaces | Done | Failed


def request_text(request: Request) -> str:
    """The request as it stands in its file."""
    absolute = replace(request, photo=request.photo.absolute())
    return json.dumps({"kind": request.kind, **asdict(absolute)}, default=os.fspath)


def parse_request(text: str) -> Request:
    """The inverse of `request_text`. Raises BadRequestError."""
    try:
        values = json.loads(text)
        make = _REQUESTS[values.pop("kind")]
        values["photo"] = Path(values["photo"])
        if "options" in values:
            values["options"] = _parse_options(values["options"])
        return make(**values)
    except (ValueError, TypeError, KeyError) as error:
        raise not_understood(error) from error


def ticket_line(ticket: Ticket) -> str:
    """The ticket as the worker reads it on its stdin."""
    return json.dumps(asdict(ticket), default=os.fspath)


def parse_ticket(line: str) -> Ticket:
    """The inverse of `ticket_line`. Raises BadRequestError."""
    try:
        values = json.loads(line)
        return Ticket(int(values["id"]), Path(values["out"]))
    except (ValueError, TypeError, KeyError) as error:
        raise not_understood(error) from error


def not_understood(error: Exception) -> BadRequestError:
    """What there is to say of a request that cannot be read."""
    return BadRequestError("The backend got a request that it does not understand.", f"({error!r})")


def event_line(event: Event, request: int | None) -> str:
    """The event as a line of the event file; `request` is the number of the one that it is about."""
    return json.dumps({"event": event.kind, "request": request, **asdict(event)}, default=os.fspath)


def parse_event(line: bytes) -> tuple[int | None, Event]:
    """The number of the request that a line of the event file is about, and the event.

    Raises:
        ProtocolError: the worker is of another version.
        ValueError, TypeError, KeyError: not a line that a worker of this protocol writes.
    """
    values = json.loads(line)
    event = _parse_values(values)
    return values.get("request"), event


def _parse_values(values: dict[str, Any]) -> Event:
    kind = values["event"]
    if kind == Hello.kind:
        _check_version(values["protocol"])
        return Hello(str(values["device"]), {key: str(value) for key, value in values["versions"].items()})
    if kind == StageProgress.kind:
        return StageProgress(str(values["stage"]), float(values["fraction"]))
    if kind == FoundFaces.kind:
        return FoundFaces(tuple(_parse_face(face) for face in values["faces"]))
    if kind == Done.kind:
        files = tuple(_parse_files(face) for face in values["faces"])
        return Done(files, float(values["seconds"]), tuple(map(str, values["notes"])))
    if kind == Failed.kind:
        return Failed(str(values["code"]), str(values["message"]), str(values["hint"]))
    raise ValueError(f"event {kind!r}")


def _check_version(protocol: int) -> None:
    if protocol != PROTOCOL:
        raise ProtocolError(
            f"The backend is of another version of Semblance (protocol {protocol} instead of {PROTOCOL}).",
            "Restart Blender, so that both are of one version.",
        )


def _parse_options(values: dict[str, Any]) -> Options:
    options = Options(**values)
    return replace(options, more_photos=tuple(options.more_photos))  # JSON's list


def _parse_face(values: dict[str, Any]) -> FoundFace:
    left, top, right, bottom = map(float, values["box"])
    return FoundFace((left, top, right, bottom), str(values["place"]), Path(values["picture"]))


def _parse_files(values: dict[str, str]) -> FaceFiles:
    preview = values.get("preview")
    return FaceFiles(Path(values["result"]), Path(preview) if preview else None)
