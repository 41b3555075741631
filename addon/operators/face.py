"""The selected faces themselves: expression, what the material shows, textures of another size."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty

from ..properties import SIZE_ITEMS, TEXTURE_ITEMS
from ..queue.rebake_task import rebake_task
from ..queue.task import Task
from ..queue.timer import session
from ..scene.expressions import mirror_expression, reset_expression
from ..scene.face_links import faces_of
from ..scene.material import SHOW_CONFIDENCE, VERTEX_COLOURS, face_shader
from .by_backend import ByBackend
from .on_faces import OnFaces


class SEMBLANCE_OT_reset_expression(OnFaces, bpy.types.Operator):
    """Give the selected faces the photo's expression again, and nothing on top"""

    bl_idname = "semblance.reset_expression"
    bl_label = "Reset"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set all shape keys."""
        for face in faces_of(context):
            reset_expression(face)
        return {"FINISHED"}


class SEMBLANCE_OT_mirror_expression(OnFaces, bpy.types.Operator):
    """Swap the sliders of left and right. The photo's expression itself is one shape for both sides and stays"""

    bl_idname = "semblance.mirror_expression"
    bl_label = "Mirror"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Swap the shape keys' values."""
        for face in faces_of(context):
            mirror_expression(face)
        return {"FINISHED"}


class SEMBLANCE_OT_show_texture(OnFaces, bpy.types.Operator):
    """Show the selected faces with the images on their UV map, or with their vertex colours"""

    bl_idname = "semblance.show_texture"
    bl_label = "Show Texture"

    texture: EnumProperty(name="Texture", description="What the material shows", items=TEXTURE_ITEMS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the materials' sliders."""
        _set_input(context, VERTEX_COLOURS, float(self.texture == "VERTEX"))
        return {"FINISHED"}


class SEMBLANCE_OT_show_confidence(OnFaces, bpy.types.Operator):
    """Show which parts the photo showed, in blue, and which were mirrored or invented, in orange"""

    bl_idname = "semblance.show_confidence"
    bl_label = "Show Seen and Invented"

    show: BoolProperty(name="Show", description="Or the face's colours again", default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the materials' sliders."""
        _set_input(context, SHOW_CONFIDENCE, float(self.show))
        return {"FINISHED"}


class SEMBLANCE_OT_rebake(OnFaces, ByBackend, bpy.types.Operator):
    """Make the textures of the selected faces again, from the photo in this file, at another size. Shape and expression stay, images that you have painted on are kept"""  # noqa: E501

    bl_idname = "semblance.rebake"
    bl_label = "Re-bake Textures"
    # The step to undo is made when the textures arrive.
    bl_options = set()  # noqa: RUF012

    size: EnumProperty(
        name="Size", description="Side of the UV textures, in pixels", items=SIZE_ITEMS, default="2048"
    )

    def tasks(self, context: bpy.types.Context) -> list[Task]:
        """One a face."""
        tasks = [rebake_task(face, int(self.size)) for face in faces_of(context)]
        session().forget_failures()
        return tasks


def _set_input(context: bpy.types.Context, name: str, value: float) -> None:
    for face in faces_of(context):
        inputs = face_shader(face)
        if inputs is not None:
            inputs[name].default_value = value


CLASSES = (
    SEMBLANCE_OT_reset_expression,
    SEMBLANCE_OT_mirror_expression,
    SEMBLANCE_OT_show_texture,
    SEMBLANCE_OT_show_confidence,
    SEMBLANCE_OT_rebake,
)
