"""What the user chose becomes tasks for the session, and their answers part of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from ...core_models.protocol import Done, FindFaces, FoundFaces, Options, ReconstructFaces
from ...core_models.reconstruction import Reconstruction
from .. import thumbnails
from ..preferences import chosen_model, chosen_regressor
from ..properties import MOST_FACES
from ..scene.build import add_faces
from .photo_files import file_of, key_of, title_of
from .task import State, Task
from .timer import session


@dataclass(frozen=True)
class Wishes:
    """How faces are made; `texture`, UV or VERTEX, is what their material shows."""

    texture: str
    options: Options
    same_person: bool = False


def chosen_options(size: str, quality: str) -> Options:
    """What `scene.semblance` and the preferences say of every photo."""
    return Options(
        size=int(size), quality=quality.lower(), model=chosen_model(), regressor=chosen_regressor()
    )


def photos_to_make(settings: Any) -> list[Any]:
    """Of `scene.semblance.photos` those of which nothing was made yet, or else all; always all of one person."""
    photos = list(settings.photos)
    if settings.same_person:
        return photos
    return [photo for photo in photos if session().state_of(key_of(photo)) is not State.DONE] or photos


def face_tasks(photos: Sequence[Any], wishes: Wishes) -> list[Task]:
    """The tasks that make the chosen faces of the photos in `scene.semblance.photos`.

    Raises:
        PhotoFileError: a photo is not there.
    """
    if wishes.same_person and len(photos) > 1:
        first, *rest = photos
        more = tuple(str(file_of(photo).absolute()) for photo in rest)
        options = replace(wishes.options, face=chosen_faces(first)[0], more_photos=more)
        keys = tuple(key_of(photo) for photo in photos)
        return [_task(title_of(first), file_of(first), options, wishes, keys)]
    return [task for photo in photos for task in _tasks_of(photo, wishes)]


def file_task(path: Path, wishes: Wishes, face: int | None) -> Task:
    """The task that makes one face of a photo's file."""
    return _task(path.stem, path, replace(wishes.options, face=face), wishes, (str(path),))


def find_faces_task(photo: Any) -> Task:
    """The task that finds the faces of an entry of `scene.semblance.photos`."""
    key = key_of(photo)
    return Task(title_of(photo), FindFaces(file_of(photo)), partial(_keep_found, key), (key,))


def chosen_faces(photo: Any) -> list[int | None]:
    """Numbers from 1, the largest; None stands for the largest when the user chose none."""
    return [number for number, chosen in enumerate(photo.chosen, start=1) if chosen] or [None]


def _tasks_of(photo: Any, wishes: Wishes) -> list[Task]:
    path, title, keys = file_of(photo), title_of(photo), (key_of(photo),)
    faces = chosen_faces(photo)
    found = session().found.get(keys[0], ())
    if 1 < len(faces) == min(len(found), MOST_FACES):
        return [_task(title, path, replace(wishes.options, all_faces=True), wishes, keys)]
    return [_task(title, path, replace(wishes.options, face=face), wishes, keys) for face in faces]


def _task(title: str, path: Path, options: Options, wishes: Wishes, keys: tuple[str, ...]) -> Task:
    return Task(title, ReconstructFaces(path, options), partial(_add_faces, title, wishes.texture), keys)


def _add_faces(name: str, texture: str, done: Done | FoundFaces) -> None:
    """All faces of a photo, in one undo step."""
    assert isinstance(done, Done)
    add_faces(bpy.context, [(name, Reconstruction.load(face.result)) for face in done.faces], texture)
    bpy.ops.ed.undo_push(message="Reconstruct Face")


def _keep_found(key: str, answer: Done | FoundFaces) -> None:
    assert isinstance(answer, FoundFaces)
    session().found[key] = answer.faces
    for number, face in enumerate(answer.faces):
        thumbnails.keep(f"{key}#{number}", face.picture)
