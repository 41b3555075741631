"""What operators on the selected faces have in common."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene.face_links import faces_of

NO_FACE = "Select a face that Semblance made"


class OnFaces:
    """Mixin of an operator for all selected faces; one undo step."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's convention)

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        """When a face is selected."""
        if faces_of(context):
            return True
        cls.poll_message_set(NO_FACE)
        return False
