"""Expressions → shape keys: Basis is the neutral face, `Photo expression` the one of the photo."""

from __future__ import annotations

import bpy
import numpy as np

from ...core_models.reconstruction import Reconstruction
from .axes import to_blender
from .drivers import copy_value
from .mesh import MeshPart

PHOTO_EXPRESSION = "Photo expression"
_SMALLEST_MOVE = 1e-6
"""Metres; a key that moves no vertex of the eyes further is left out there."""


def add_shape_keys(target: bpy.types.Object, reconstruction: Reconstruction, part: MeshPart) -> None:
    """Give the face Basis, `Photo expression` at 1 and every named expression at 0."""
    _new_key(target, "Basis", reconstruction.neutral_vertices[part.vertices], value=0.0)
    _new_key(target, PHOTO_EXPRESSION, reconstruction.vertices[part.vertices], value=1.0)
    low, high = reconstruction.report.get("expression_range", (0.0, 1.0))
    for name, positions in _expressions(reconstruction, part):
        key = _new_key(target, name, positions, value=0.0)
        key.slider_min, key.slider_max = low, high


def add_following_shape_keys(
    target: bpy.types.Object, leader: bpy.types.Object, reconstruction: Reconstruction, part: MeshPart
) -> None:
    """Give the eyes the keys that move them; drivers let each follow the leader's key of the same name."""
    neutral = reconstruction.neutral_vertices[part.vertices]
    _new_key(target, "Basis", neutral, value=0.0)
    _follow(_new_key(target, PHOTO_EXPRESSION, reconstruction.vertices[part.vertices], value=1.0), leader)
    for name, positions in _expressions(reconstruction, part):
        if np.abs(positions - neutral).max() > _SMALLEST_MOVE:
            _follow(_new_key(target, name, positions, value=0.0), leader)


def _expressions(reconstruction: Reconstruction, part: MeshPart) -> list[tuple[str, np.ndarray]]:
    neutral = reconstruction.neutral_vertices[part.vertices]
    return [
        (str(name), neutral + offsets[part.vertices])
        for name, offsets in zip(
            reconstruction.shape_key_names, reconstruction.shape_key_offsets, strict=True
        )
    ]


def _new_key(target: bpy.types.Object, name: str, positions: np.ndarray, value: float) -> bpy.types.ShapeKey:
    key = target.shape_key_add(name=name, from_mix=False)
    # Always written: a new key starts at 0 before Blender 5 and at 1 since.
    key.value = value
    key.points.foreach_set("co", to_blender(positions).ravel())
    return key


def _follow(key: bpy.types.ShapeKey, leader: bpy.types.Object) -> None:
    copy_value(key.driver_add("value"), leader.data.shape_keys, f'key_blocks["{key.name}"].value')
