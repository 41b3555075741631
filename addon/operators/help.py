"""What to do about an error."""

from __future__ import annotations

import bpy

from ..preferences import PACKAGE
from ..queue.timer import session


class SEMBLANCE_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of Semblance, where the backend is set up"""

    bl_idname = "semblance.open_preferences"
    bl_label = "Set Up Backend…"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open them."""
        session().forget_failures()
        bpy.ops.preferences.addon_show(module=PACKAGE)
        return {"FINISHED"}


class SEMBLANCE_OT_dismiss_error(bpy.types.Operator):
    """Take the message away"""

    bl_idname = "semblance.dismiss_error"
    bl_label = "Dismiss"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Take it away."""
        session().forget_failures()
        return {"FINISHED"}


CLASSES = (SEMBLANCE_OT_open_preferences, SEMBLANCE_OT_dismiss_error)
