"""What belongs to a face: found through pointers that Blender keeps, never by name.

A face is a mesh object with the custom property `MODEL`; its other parts hang on pointers among its custom properties,
which survive renaming, appending and duplicating. A part that the user has deleted is None.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import bpy

from ...core_models.errors import SemblanceError

MODEL = "semblance_model"
CAMERA, WORLD, EYES, LAMPS = "semblance_camera", "semblance_world", "semblance_eyes", "semblance_lamps"
PHOTO = "semblance_photo"
"""Custom properties of the face: the photo, its camera and light, the eyeballs, and the lamps made for it."""
FIT = "semblance_fit"
"""Custom property of the face: JSON text, what the photo's texture can be made from again."""
FACE = "semblance_face"
"""Custom property of the collection of lamps: the face that they were made for."""


class PartMissingError(SemblanceError):
    """The user has deleted a part of the face that an action needs."""

    code = "part_missing"

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} was deleted from this file.", "Make or import the face again.")


def face_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """The face that the active object is, or is a part of: its eyes, its camera, a lamp made for it, a parent."""
    return _face_behind(context.active_object) if context.active_object else None


def faces_of(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The faces of all selected objects and of the active one, which is the first."""
    active = [context.active_object] if context.active_object else []
    behind = (_face_behind(chosen) for chosen in (*active, *context.selected_objects))
    return list(dict.fromkeys(face for face in behind if face is not None))


def camera_of(face: bpy.types.Object) -> bpy.types.Object | None:
    """The photo's camera."""
    return face.get(CAMERA)


def photo_of(face: bpy.types.Object) -> bpy.types.Image | None:
    """The photo, upright, as it is packed into the file."""
    return face.get(PHOTO)


def world_of(face: bpy.types.Object) -> bpy.types.World | None:
    """The photo's light."""
    return face.get(WORLD)


def needed_world(face: bpy.types.Object) -> bpy.types.World:
    """The photo's light.

    Raises:
        PartMissingError: it was deleted.
    """
    world = world_of(face)
    if world is None:
        raise PartMissingError("The photo's light")
    return world


def eyes_of(face: bpy.types.Object) -> bpy.types.Object | None:
    """The eyeballs; None, too, for a model without eyeballs of their own."""
    return face.get(EYES)


def lamps_of(face: bpy.types.Object) -> bpy.types.Collection | None:
    """The lamps made for this very face: a copy of it points to the lamps of the original, which are not its own."""
    lamps = face.get(LAMPS)
    return lamps if lamps is not None and lamps.get(FACE) == face else None


def fit_of(face: bpy.types.Object) -> dict[str, Any] | None:
    """The fit, as `core_models.reconstruction.fit_of` wrote it down; None for a face without one."""
    return json.loads(face[FIT]) if FIT in face else None


def key_blocks(face: bpy.types.Object) -> dict[str, bpy.types.ShapeKey]:
    """Name → shape key, without the Basis; empty where the user has applied or deleted them."""
    keys = face.data.shape_keys
    return {key.name: key for key in keys.key_blocks if key != keys.reference_key} if keys else {}


def home_of(face: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Collection:
    """The collection of `scene` that holds the face, for what is made for it later."""
    inside = {scene.collection, *scene.collection.children_recursive}
    return next((home for home in face.users_collection if home in inside), scene.collection)


def _face_behind(chosen: bpy.types.Object) -> bpy.types.Object | None:
    return next((candidate for candidate in _related(chosen) if _is_face(candidate)), None)


def _is_face(candidate: bpy.types.Object) -> bool:
    # What is linked from another file cannot be changed in this one.
    return candidate.type == "MESH" and MODEL in candidate and candidate.library is None


def _related(chosen: bpy.types.Object) -> Iterator[bpy.types.Object]:
    above: bpy.types.Object | None = chosen
    while above is not None:
        yield above
        above = above.parent
    for lamps in chosen.users_collection:
        if lamps.get(FACE) is not None:
            yield lamps[FACE]
    if chosen.type == "CAMERA":
        yield from _pointing_at(chosen, bpy.data.objects)
    elif chosen.type == "EMPTY":
        yield from chosen.children_recursive


def _pointing_at(
    camera: bpy.types.Object, candidates: Iterable[bpy.types.Object]
) -> Iterator[bpy.types.Object]:
    return (candidate for candidate in candidates if candidate.get(CAMERA) == camera)
