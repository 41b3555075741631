"""The sidebar: reads state and draws it, no logic. Each module ends with its CLASSES, registered in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from . import face, photo, relight

CLASSES = (*photo.CLASSES, *relight.CLASSES, *face.CLASSES)


def add_to_blender() -> Callable[[], None]:
    """Add our line to File › Import; returns what takes it away."""
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)

    def remove() -> None:
        bpy.types.TOPBAR_MT_file_import.remove(_draw_import)

    return remove


def _draw_import(menu: Any, _context: bpy.types.Context) -> None:
    menu.layout.operator("semblance.import_result", text="Semblance face (.npz)")
