"""Sentences in a narrow panel: Blender's labels do not wrap."""

from __future__ import annotations

import re

import blf
import bpy

_FONT = 0
_MARGIN = 78
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
    for word in _pieces(text):
        if lines[-1] and blf.dimensions(_FONT, lines[-1] + word.rstrip())[0] > room:
            lines.append("")
        lines[-1] += word
    return lines


def _pieces(text: str) -> list[str]:
    """Where a line may end: after a space, and inside a path after what separates its parts."""
    return re.findall(r"[^\s/\\]*[\s/\\]|[^\s/\\]+", text)
