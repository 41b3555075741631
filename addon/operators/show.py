"""Look at a face that has just arrived: it is as small as a head, and what is at the origin may hide it."""

from __future__ import annotations

import bpy

from ..scene.face_links import face_of


class SEMBLANCE_OT_show_face(bpy.types.Operator):
    """Look at the face from the front and close by, in the scene's light. The scene itself stays as it is"""

    bl_idname = "semblance.show_face"
    bl_label = "Show Face"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """For a face, in a 3-D view."""
        return (
            face_of(context) is not None
            and context.mode == "OBJECT"
            and context.area is not None
            and context.area.type == "VIEW_3D"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn and zoom the view."""
        face = face_of(context)
        assert face is not None
        for selected in context.selected_objects:
            selected.select_set(False)
        face.select_set(True)
        context.view_layer.objects.active = face
        bpy.ops.semblance.show_light_here()
        view = next(region for region in context.area.regions if region.type == "WINDOW")
        with context.temp_override(region=view):
            bpy.ops.view3d.view_axis(type="FRONT")
            bpy.ops.view3d.view_selected()
        context.space_data.region_3d.view_perspective = "PERSP"
        return {"FINISHED"}


CLASSES = (SEMBLANCE_OT_show_face,)
