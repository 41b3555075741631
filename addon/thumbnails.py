"""Small pictures that panels show: kept in memory, and taken away when the add-on is disabled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

_previews: list[Any] = []
"""At most one collection; made at the first picture."""


def keep(key: str, picture: Path) -> None:
    """Show `picture` under `key` from now on; the file may go."""
    # In background nobody looks, and Blender's reader of previews would hold up its exit.
    if bpy.app.background:
        return
    previews = _collection()
    if key in previews:
        del previews[key]
    preview = previews.load(key, str(picture), "IMAGE")
    # Asked for their sizes, Blender reads both pictures at once instead of when they are drawn.
    _ = preview.icon_size[:], preview.image_size[:]


def icon_of(key: str) -> int:
    """The icon of the picture kept under `key`; 0, no icon, where there is none."""
    return _collection()[key].icon_id if key in _collection() else 0


def icon_of_file(path: str) -> int:
    """The icon of a picture in a file, which Blender reads after a while; 0 where there is none."""
    if path not in _collection() and Path(path).is_file():
        _collection().load(path, path, "IMAGE")
    return icon_of(path)


def _collection() -> Any:
    if not _previews:
        _previews.append(bpy.utils.previews.new())
    return _previews[0]


def add_to_blender() -> Callable[[], None]:
    """Nothing yet; returns what takes the pictures away."""

    def remove() -> None:
        while _previews:
            bpy.utils.previews.remove(_previews.pop())

    return remove
