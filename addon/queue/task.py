"""What the worker is to do for whom, and how that ends; the session's vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ...core_models.errors import SemblanceError
from ...core_models.protocol import Done, Failed, FoundFaces, Request

BACKEND_CODES = frozenset(
    {"no_backend", "wrong_python", "missing_package", "broken_package", "protocol", "too_many_restarts"}
)
"""Errors of the backend, which the preferences mend; whatever waits would end in them too."""

STAGE_WORDS = {
    "starting": "Starting",
    "model": "Loading the face model",
    "regressor": "Loading the regressor",
    "photo": "Opening the photo",
    "faces": "Finding the face",
    "shape": "Fitting the shape",
    "mask": "Telling skin from hair",
    "shading": "Refining the shape",
    "texture": "Making the textures",
    "result": "Putting it together",
    "writing": "Saving the result",
    "preview": "Drawing the preview",
}
"""`core_models.protocol.Stage` → what people read."""


class State(Enum):
    """Of a photo in the queue."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Task:
    """A request, and what to do with its answer.

    `title` is for people: the photo's name. `keys` name the photos in the queue that it is about. `finish` is called
    with a Done or FoundFaces and may raise SemblanceError.
    """

    title: str
    request: Request
    finish: Callable[[Done | FoundFaces], None]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """A task and its final event, a Failed among them."""

    task: Task
    event: Done | FoundFaces | Failed


@dataclass(frozen=True)
class Failure:
    """What went wrong with which photo."""

    title: str
    error: SemblanceError
