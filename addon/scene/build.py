"""A reconstruction becomes a tidy collection, in a document of its own or in the user's scene."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from ...core_models.reconstruction import Reconstruction, fit_of
from .camera import camera_object, photo_viewpoint
from .face_links import CAMERA, EYES, FIT, MODEL, PHOTO, WORLD
from .head import add_fade, add_head_switch
from .images import encoded_image, face_images
from .light import photo_world
from .material import face_material
from .mesh import mesh_object, split_eyes
from .shape_keys import add_following_shape_keys, add_shape_keys

_LONGEST_NAME = 44
"""UTF-8 bytes: Blender 4 cuts names at 63, and ours get words added."""
_LONGEST_PROPERTY = 60


@dataclass(frozen=True)
class SceneOptions:
    """What the material shows first; both remain sliders."""

    vertex_colours: bool = False
    photo_light: bool = True


@dataclass(frozen=True)
class FaceScene:
    """The objects of one result; `result` finds the rest. `eyes` is None for a model without eyeballs of their own."""

    collection: bpy.types.Collection
    face: bpy.types.Object
    eyes: bpy.types.Object | None
    camera: bpy.types.Object


def build_face(
    reconstruction: Reconstruction, name: str, parent: bpy.types.Collection, options: SceneOptions
) -> FaceScene:
    """Build everything a result consists of, in a new collection of `parent`.

    Nothing of the scene itself changes: camera, World, render size and view transform stay what they were
    (`camera.frame_scene` sets the first and the third).
    """
    name = _shorten(name)
    images = face_images(name, reconstruction)
    photo = encoded_image(f"{name} photo", reconstruction.photo_srgb)
    viewpoint = photo_viewpoint(reconstruction)
    material = face_material(name, images, viewpoint, options.photo_light, options.vertex_colours)
    face, eyes = _mesh_objects(name, reconstruction, material)
    camera = camera_object(f"{name} camera", reconstruction, photo)
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    for member in (face, eyes, camera):
        if member is not None:
            collection.objects.link(member)
    _note_numbers(face, reconstruction)
    face[CAMERA], face[WORLD] = camera, photo_world(f"{name} light", reconstruction)
    face[PHOTO] = photo
    if eyes is not None:
        face[EYES] = eyes
    return FaceScene(collection, face, eyes, camera)


def add_faces(
    context: bpy.types.Context, results: Iterable[tuple[str, Reconstruction]], texture: str
) -> None:
    """Build named results at the origin, a collection each, and select them; the last is the active object.

    Nothing else of the scene changes. `texture` is UV or VERTEX.
    """
    options = SceneOptions(vertex_colours=texture == "VERTEX")
    built = [build_face(result, name, context.scene.collection, options) for name, result in results]
    for selected in context.selected_objects:
        selected.select_set(False)
    for one in built:
        one.face.select_set(True)
        context.view_layer.objects.active = one.face


def _mesh_objects(
    name: str, reconstruction: Reconstruction, material: bpy.types.Material
) -> tuple[bpy.types.Object, bpy.types.Object | None]:
    face_part, eye_part = split_eyes(reconstruction)
    face = mesh_object(name, reconstruction, face_part)
    face.data.materials.append(material)
    add_shape_keys(face, reconstruction, face_part)
    add_fade(face, reconstruction, face_part)
    add_head_switch(face, reconstruction, face_part)
    if eye_part is None:
        return face, None
    eyes = mesh_object(f"{name} eyes", reconstruction, eye_part)
    eyes.data.materials.append(material)
    add_following_shape_keys(eyes, face, reconstruction, eye_part)
    eyes.parent = face
    return face, eyes


def _note_numbers(face: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Write the result's numbers as custom properties: `semblance_fit_rms` is `report["fit"]["rms"]`."""
    face[MODEL] = reconstruction.model_id
    face[FIT] = json.dumps(fit_of(reconstruction))
    face["semblance_regions"] = ", ".join(str(name) for name in reconstruction.region_names)
    face["semblance_focal_px"] = float(reconstruction.K[0, 0])
    for key, value in _numbers("semblance", reconstruction.report):
        face[key] = value
    face["semblance_report"] = json.dumps(reconstruction.report, sort_keys=True, ensure_ascii=False)


def _numbers(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        name = f"{prefix}_{key}"
        if isinstance(value, dict):
            yield from _numbers(name, value)
        elif isinstance(value, (int, float)):
            yield _shorten(name, _LONGEST_PROPERTY), float(value)


def _shorten(name: str, longest: int = _LONGEST_NAME) -> str:
    """Cut to `longest` UTF-8 bytes, never within a character."""
    return name.encode("utf-8")[:longest].decode("utf-8", "ignore")
