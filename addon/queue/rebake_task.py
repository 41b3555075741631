"""A face in the scene gets textures of another size, from the photo and the fit that the .blend holds."""

from __future__ import annotations

import json
from functools import partial

import bpy

from ...core_models.errors import SemblanceError
from ...core_models.protocol import Done, FoundFaces, Options, Rebake
from ...core_models.reconstruction import Reconstruction
from ..preferences import chosen_model
from ..scene.face_links import PartMissingError, fit_of, photo_of
from ..scene.rebake import apply_textures
from .photo_files import image_file
from .task import Task
from .timer import session


class SeveralPhotosError(SemblanceError):
    """The file holds one photo of several."""

    code = "several_photos"


def rebake_task(face: bpy.types.Object, size: int) -> Task:
    """The task that makes the textures of `face` again, `size` pixels a side.

    Raises:
        PartMissingError: the user has deleted the photo or the numbers of the fit.
        PhotoFileError: the photo cannot be read.
        SeveralPhotosError: the face was made from several photos.
    """
    photo, fit = photo_of(face), fit_of(face)
    if photo is None or fit is None:
        raise PartMissingError("The photo")
    if len(json.loads(face.get("semblance_report", "{}")).get("photos", ())) > 1:
        raise SeveralPhotosError(
            f"'{face.name}' was made from several photos, of which this file holds the first.",
            "Reconstruct it again from all of them at the new size.",
        )
    # By number: what Python holds of an object does not outlive an undo.
    request = Rebake(image_file(photo), fit, Options(size, model=chosen_model()))
    return Task(face.name, request, partial(_apply, face.session_uid))


def _apply(uid: int, done: Done | FoundFaces) -> None:
    assert isinstance(done, Done)
    face = next((candidate for candidate in bpy.data.objects if candidate.session_uid == uid), None)
    if face is None:
        raise PartMissingError("The face")
    kept = apply_textures(face, Reconstruction.load(done.faces[0].result))
    if kept:
        names = ", ".join(f"'{image.name}'" for image in kept)
        session().notes += (f"Painted on or used elsewhere, and kept in this file: {names}.",)
    bpy.ops.ed.undo_push(message="Re-bake Textures")
