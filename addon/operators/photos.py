"""The list of photos: files, images of this .blend, what is behind a camera; and the faces in them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty

from ...core_models.errors import SemblanceError
from ..queue import timer
from ..queue.face_tasks import find_faces_task
from ..queue.photo_files import background_image, key_of
from ..queue.task import Task
from ..queue.timer import session
from .by_backend import ByBackend

_THUMBNAILS = 3
"""FILE_IMGDISPLAY of Blender's file browser."""


class SEMBLANCE_OT_add_photos(bpy.types.Operator):
    """Choose one or several photos of faces"""

    bl_idname = "semblance.add_photos"
    bl_label = "Choose Photos"
    bl_options = {"UNDO"}  # noqa: RUF012 (Blender's convention)

    filepath: StringProperty(name="Photo", description="The photo's file", subtype="FILE_PATH")
    directory: StringProperty(name="Folder", description="The folder of `files`", subtype="DIR_PATH")
    files: CollectionProperty(
        name="Photos", description="Names in `directory`", type=bpy.types.OperatorFileListElement
    )
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    display_type: EnumProperty(items=(("THUMBNAIL", "Thumbnails", "", _THUMBNAILS),), options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the files."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add them to the list."""
        names = [element.name for element in self.files if element.name]
        paths = [str(Path(self.directory, name)) for name in names] or [self.filepath]
        _add(context, [{"filepath": path} for path in paths if path])
        return {"FINISHED"}


class SEMBLANCE_OT_use_image(bpy.types.Operator):
    """Take an image that is open in this file as the photo"""

    bl_idname = "semblance.use_image"
    bl_label = "Use Open Image"
    bl_options = {"UNDO"}  # noqa: RUF012

    image: StringProperty(name="Image", description="Name of the image")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it to the list."""
        image = bpy.data.images.get(self.image)
        if image is None:
            self.report({"ERROR"}, f"There is no image '{self.image}' in this file.")
            return {"CANCELLED"}
        _add(context, [{"image": image}])
        return {"FINISHED"}


class SEMBLANCE_OT_use_camera_background(bpy.types.Operator):
    """Take the background image of the selected camera, or of the scene's, as the photo"""

    bl_idname = "semblance.use_camera_background"
    bl_label = "Use Camera Background"
    bl_options = {"UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is one."""
        if _background(context) is None:
            cls.poll_message_set("Neither the active object nor the scene's camera has a background image")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add it to the list."""
        _add(context, [{"image": _background(context)}])
        return {"FINISHED"}


class SEMBLANCE_OT_remove_photo(bpy.types.Operator):
    """Remove the photo from the list; the file stays. If it is being worked on, that is cancelled"""

    bl_idname = "semblance.remove_photo"
    bl_label = "Remove Photo"
    bl_options = {"UNDO"}  # noqa: RUF012

    index: IntProperty(name="Index", description="Its place in the list, from 0; -1 for all", default=-1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is one."""
        return bool(context.scene.semblance.photos)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        settings = context.scene.semblance
        indices = range(len(settings.photos)) if self.index < 0 else (self.index,)
        for index in sorted(indices, reverse=True):
            session().drop(key_of(settings.photos[index]))
            settings.photos.remove(index)
        settings.active_photo = max(min(settings.active_photo, len(settings.photos) - 1), 0)
        return {"FINISHED"}


class SEMBLANCE_OT_find_faces(ByBackend, bpy.types.Operator):
    """Look for the faces in the photo, to choose which ones to make"""

    bl_idname = "semblance.find_faces"
    bl_label = "Find Faces"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where there is a photo."""
        return bool(context.scene.semblance.photos)

    def tasks(self, context: bpy.types.Context) -> list[Task]:
        """Of the photo that is shown."""
        settings = context.scene.semblance
        return [find_faces_task(settings.photos[settings.active_photo])]


def _background(context: bpy.types.Context) -> bpy.types.Image | None:
    return background_image(context.active_object) or background_image(context.scene.camera)


def _add(context: bpy.types.Context, entries: list[dict[str, Any]]) -> None:
    """Add photos that are not there yet, and look for faces: the user sees who was found, and the worker is warm."""
    settings = context.scene.semblance
    there = {key_of(photo): index for index, photo in enumerate(settings.photos)}
    for entry in entries:
        photo = settings.photos.add()
        for name, value in entry.items():
            setattr(photo, name, value)
        last = len(settings.photos) - 1
        settings.active_photo = there.setdefault(key_of(photo), last)
        if settings.active_photo != last:
            settings.photos.remove(last)
        elif not bpy.app.background:
            # Of a file that is not there, Reconstruct says so.
            with contextlib.suppress(SemblanceError):
                timer.start([find_faces_task(photo)])


CLASSES = (
    SEMBLANCE_OT_add_photos,
    SEMBLANCE_OT_use_image,
    SEMBLANCE_OT_use_camera_background,
    SEMBLANCE_OT_remove_photo,
    SEMBLANCE_OT_find_faces,
)
