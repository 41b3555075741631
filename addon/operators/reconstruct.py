"""Photos become faces in the scene, by computing them or from saved results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, EnumProperty, IntProperty, StringProperty

from ...core_models.reconstruction import Reconstruction
from ..properties import QUALITY_ITEMS, SIZE_ITEMS, TEXTURE_ITEMS
from ..queue import timer
from ..queue.face_tasks import Wishes, chosen_options, face_tasks, file_task, photos_to_make
from ..queue.photo_files import PhotoFileError
from ..queue.task import Task
from ..queue.timer import session
from ..scene.build import add_faces
from .by_backend import ByBackend
from .errors import reports_errors


class SEMBLANCE_OT_reconstruct(ByBackend, bpy.types.Operator):
    """Make the faces of the chosen photos, as collections of the scene. Blender stays free meanwhile"""

    bl_idname = "semblance.reconstruct"
    bl_label = "Reconstruct"

    filepath: StringProperty(
        name="Photo",
        description="A photo's file. By default, the photos that the Semblance panel lists: those of which nothing "
        "was made yet, or else all again",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    face: IntProperty(
        name="Face", description="With a file: the n-th largest face, from 1", min=1, options={"SKIP_SAVE"}
    )
    texture: EnumProperty(
        name="Texture", description="As in the panel, by default", items=TEXTURE_ITEMS, options={"SKIP_SAVE"}
    )
    size: EnumProperty(
        name="Size", description="As in the panel, by default", items=SIZE_ITEMS, options={"SKIP_SAVE"}
    )
    quality: EnumProperty(
        name="Quality", description="As in the panel, by default", items=QUALITY_ITEMS, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in Object Mode: the face becomes the active object."""
        return _in_object_mode(cls, context)

    def tasks(self, context: bpy.types.Context) -> list[Task]:
        """Of the file that is named, or of the photos in the panel."""
        tasks = self._tasks(context.scene.semblance)
        session().forget_failures()
        return tasks

    def _tasks(self, settings: Any) -> list[Task]:
        texture, size, quality = (
            getattr(self if self.properties.is_property_set(name) else settings, name)
            for name in ("texture", "size", "quality")
        )
        wishes = Wishes(texture, chosen_options(size, quality), settings.same_person)
        if self.filepath:
            path = Path(bpy.path.abspath(self.filepath))
            number = self.face if self.properties.is_property_set("face") else None
            return [file_task(path, wishes, number)]
        if not settings.photos:
            raise PhotoFileError("No photo is chosen.", "Choose one in the Semblance panel.")
        return face_tasks(photos_to_make(settings), wishes)


class SEMBLANCE_OT_cancel(bpy.types.Operator):
    """Stop; photos that wait are given up too. Faces that are finished stay"""

    bl_idname = "semblance.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """While something is computed."""
        return session().busy

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Stop."""
        session().cancel()
        timer.redraw()
        return {"FINISHED"}


class SEMBLANCE_OT_import_result(bpy.types.Operator):
    """Add faces that were saved as .npz to the scene, each in a collection of its own"""

    bl_idname = "semblance.import_result"
    bl_label = "Import Semblance Face"
    bl_options = {"UNDO"}  # noqa: RUF012 (Blender's convention)

    filepath: StringProperty(name="File", description="A result that Semblance wrote", subtype="FILE_PATH")
    directory: StringProperty(name="Folder", description="The folder of `files`", subtype="DIR_PATH")
    files: CollectionProperty(
        name="Files", description="Names in `directory`", type=bpy.types.OperatorFileListElement
    )
    name: StringProperty(
        name="Name", description="The face's name; by default the file's", options={"SKIP_SAVE"}
    )
    texture: EnumProperty(name="Texture", description="What the material shows", items=TEXTURE_ITEMS)
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in Object Mode: the face becomes the active object."""
        return _in_object_mode(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the files."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build the faces; the last one becomes the active object."""
        names = [element.name for element in self.files if element.name]
        paths = [Path(self.directory, name) for name in names] or [Path(bpy.path.abspath(self.filepath))]
        results = [(self.name or path.stem, Reconstruction.load(path)) for path in paths]
        add_faces(context, results, self.texture)
        return {"FINISHED"}


def _in_object_mode(operator: Any, context: bpy.types.Context) -> bool:
    if context.mode == "OBJECT":
        return True
    operator.poll_message_set("Only in Object Mode")
    return False


CLASSES = (SEMBLANCE_OT_reconstruct, SEMBLANCE_OT_cancel, SEMBLANCE_OT_import_result)
