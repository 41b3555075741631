"""The main panel, in the order of the work: photo, faces, options, Reconstruct, result."""

from __future__ import annotations

import bpy


class SEMBLANCE_PT_photo(bpy.types.Panel):
    """From a photo to a face."""

    bl_label = "Semblance"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Semblance"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the scene's settings and the session say."""
        settings = context.scene.semblance
        column = self.layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "texture")
        column.prop(settings, "size")
        column.prop(settings, "quality")


CLASSES = (SEMBLANCE_PT_photo,)
