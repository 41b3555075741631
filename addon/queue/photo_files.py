"""Which photos the user means, and the files that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core_models.errors import SemblanceError


class PhotoFileError(SemblanceError):
    """A photo, or an image of this .blend, that is in no file."""

    code = "no_photo"


def key_of(photo: Any) -> str:
    """What the session calls an entry of `scene.semblance.photos`."""
    return f"image:{photo.image.name_full}" if photo.image else bpy.path.abspath(photo.filepath)


def title_of(photo: Any) -> str:
    """The photo's name, for people and for the face's datablocks."""
    name = photo.image.name if photo.image else Path(bpy.path.abspath(photo.filepath)).name
    return Path(name).stem or name or "Deleted image"


def file_of(photo: Any) -> Path:
    """The file that holds the photo; an image without one is written into Blender's temporary folder.

    Raises:
        PhotoFileError: there is none.
    """
    if photo.image:
        return image_file(photo.image)
    if not photo.filepath:
        raise PhotoFileError("There is no photo: its image was deleted.", "Remove it from the list.")
    path = Path(bpy.path.abspath(photo.filepath))
    if not path.is_file():
        raise PhotoFileError(f"There is no photo '{path}'.", "Choose it again, or remove it from the list.")
    return path


def background_image(camera: bpy.types.Object | None) -> bpy.types.Image | None:
    """The first image behind a camera."""
    if camera is None or camera.type != "CAMERA":
        return None
    return next((behind.image for behind in camera.data.background_images if behind.image), None)


def image_file(image: bpy.types.Image) -> Path:
    """The file that holds an image; one of its own is made in Blender's temporary folder where there is none.

    Raises:
        PhotoFileError: it has no pixels.
    """
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    if image.source == "FILE" and not image.is_dirty and not image.packed_file and path.is_file():
        return path
    copy = Path(bpy.app.tempdir, f"semblance-{image.session_uid}", bpy.path.clean_name(image.name))
    copy.parent.mkdir(exist_ok=True)
    if image.packed_file and not image.is_dirty:
        # As it was packed: what the camera noted in a JPEG would be lost in a copy of the pixels.
        copy.write_bytes(image.packed_file.data)
        return copy
    _save_pixels(image, copy)
    return copy


def _save_pixels(image: bpy.types.Image, path: Path) -> None:
    """Through an image of our own: Blender 4.2 makes the saved file an image's own."""
    values = np.empty(len(image.pixels), np.float32)
    if not values.size or image.channels != 4:
        raise PhotoFileError(
            f"The image '{image.name}' has no pixels that could be read.",
            "Save it as a file (Image › Save As) and choose that.",
        )
    image.pixels.foreach_get(values)
    copy = bpy.data.images.new(image.name, *image.size, alpha=True, float_buffer=image.is_float)
    try:
        copy.pixels.foreach_set(values)
        copy.filepath_raw, copy.file_format = str(path), "PNG"
        copy.save()
    finally:
        bpy.data.images.remove(copy)
