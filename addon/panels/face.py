"""The selected face: expression, textures, what is sure of it."""

from __future__ import annotations

import bpy

from ..operators.on_faces import NO_FACE
from ..scene.expressions import Slider, photo_expression, sliders_by_region
from ..scene.face_links import face_of
from ..scene.head import SWITCH
from ..scene.material import SHOW_CONFIDENCE, VERTEX_COLOURS, face_shader
from ..scene.rebake import texture_size


class SEMBLANCE_PT_face(bpy.types.Panel):
    """Expression, textures, head."""

    bl_label = "Face"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Semblance"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the selected face can do."""
        face = face_of(context)
        if face is None:
            self.layout.label(text=NO_FACE, icon="INFO")
            return
        _draw_surface(self.layout, face)
        _draw_expression(self.layout, face)


def _draw_surface(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    inputs = face_shader(face)
    column = layout.column(align=True)
    if inputs is not None:
        row = column.row(align=True)
        of_vertices = inputs[VERTEX_COLOURS].default_value
        for texture, label, shown in (("UV", "UV Map", 0.0), ("VERTEX", "Vertex Colours", 1.0)):
            row.operator("semblance.show_texture", text=label, depress=of_vertices == shown).texture = texture
        shows = inputs[SHOW_CONFIDENCE].default_value > 0.0
        size = texture_size(face)
        text = f"Re-bake ({size} Pixels Now)" if size else "Re-bake"
        column.operator_menu_enum("semblance.rebake", "size", text=text, icon="TEXTURE")
        column.operator("semblance.show_confidence", depress=shows).show = not shows
    if SWITCH in face:
        column.prop(face, f'["{SWITCH}"]', text="Head Behind the Face", toggle=True)


def _draw_expression(layout: bpy.types.UILayout, face: bpy.types.Object) -> None:
    regions, photo = sliders_by_region(face), photo_expression(face)
    if not regions and photo is None:
        layout.label(text="Its shape keys were removed", icon="INFO")
        return
    column = layout.column(align=True)
    column.label(text="Expression")
    if photo is not None:
        column.prop(photo, "value", text="Photo Expression", slider=True)
    row = column.row(align=True)
    row.operator("semblance.reset_expression", icon="LOOP_BACK")
    row.operator("semblance.mirror_expression", icon="MOD_MIRROR")
    for region, sliders in regions.items():
        header, body = layout.panel(f"semblance_{region.lower()}", default_closed=True)
        header.label(text=region)
        if body is not None:
            _draw_sliders(body, sliders)


def _draw_sliders(layout: bpy.types.UILayout, sliders: list[Slider]) -> None:
    column = layout.column(align=True)
    if any(slider.right is not None for slider in sliders):
        row = column.row(align=True)
        row.label(text="Subject's Right")
        row.label(text="Left")
    for slider in sliders:
        row = column.row(align=True)
        if slider.right is not None:
            row.prop(slider.right, "value", text=slider.label, slider=True)
        row.prop(slider.key, "value", text=slider.label, slider=True)


CLASSES = (SEMBLANCE_PT_face,)
