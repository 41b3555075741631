"""Sentences in a narrow panel: Blender's labels do not wrap."""

from __future__ import annotations

import blf
import bpy

_FONT = 0
_MARGIN = 58
"""Pixels at a scale of 1: what box, icon and the region's edges take from a line."""


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """`text` in as many labels as the region's width needs, `icon` before the first."""
    column = layout.column(align=True)
    column.scale_y = 0.75
    for line in _wrapped(context, text):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else icon


def _wrapped(context: bpy.types.Context, text: str) -> list[str]:
    scale = context.preferences.system.ui_scale
    blf.size(_FONT, context.preferences.ui_styles[0].widget.points * scale)
    room = context.region.width - _MARGIN * scale
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and blf.dimensions(_FONT, longer)[0] > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
