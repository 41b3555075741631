"""A result becomes part of the scene."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ...core_models.reconstruction import Reconstruction
from ..scene.build import FaceScene, SceneOptions, build_face
from .errors import reports_errors

TEXTURES = (
    ("UV", "UV Map", "Images on the face's UV map"),
    ("VERTEX", "Vertex Colours", "A colour for each vertex"),
)


class SEMBLANCE_OT_import_result(bpy.types.Operator):
    """Add a face that was saved as .npz to the scene, in a collection of its own"""

    bl_idname = "semblance.import_result"
    bl_label = "Import Semblance Face"
    # Not REGISTER: adjusting the last operation would read a file that may be gone.
    bl_options = {"UNDO"}  # noqa: RUF012 (Blender's convention)

    filepath: StringProperty(name="File", description="A result that Semblance wrote", subtype="FILE_PATH")
    name: StringProperty(
        name="Name", description="The face's name; by default the file's", options={"SKIP_SAVE"}
    )
    texture: EnumProperty(name="Texture", description="What the material shows", items=TEXTURES)
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Build the face and make it the active object."""
        reconstruction = Reconstruction.load(self.filepath)
        name = self.name or Path(self.filepath).stem
        options = SceneOptions(vertex_colours=self.texture == "VERTEX")
        _activate(context, build_face(reconstruction, name, context.scene.collection, options))
        return {"FINISHED"}


def _activate(context: bpy.types.Context, built: FaceScene) -> None:
    for selected in context.selected_objects:
        selected.select_set(False)
    context.view_layer.objects.active = built.face
    built.face.select_set(True)


CLASSES = (SEMBLANCE_OT_import_result,)
