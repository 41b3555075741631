"""The head behind the face: one switch that shows or hides it, and how it makes room for the hair in the photo."""

from __future__ import annotations

import bpy
import numpy as np

from ...core_models.reconstruction import Reconstruction
from .drivers import copy_value
from .mesh import MeshPart

SWITCH = "semblance_head"
"""Custom property of the face: off hides cranium and ears, in the viewport and in renders."""
HEAD_GROUP = "Head"
"""Vertex group: what the switch hides."""
FADE = "Fade"
"""FLOAT on points: 1 where a photo's hair, not this surface, belongs, seen through the photo's camera in its light."""
_HEAD_REGIONS = ("cranium", "ears")
_UNSURE_REGIONS = (*_HEAD_REGIONS, "rim")
_SURE = 0.3
"""Confidence from which the rim is the photo's own."""


def add_head_switch(face: bpy.types.Object, reconstruction: Reconstruction, part: MeshPart) -> None:
    """Give `face` the group, a Mask modifier and the switch, on; nothing where the model ends at the rim."""
    in_head = _in_regions(reconstruction, part, _HEAD_REGIONS)
    if not in_head.any():
        return
    # The seam's own vertices belong to the face, which must stay whole.
    behind = np.setdiff1d(part.corners[in_head], part.corners[~in_head])
    group = face.vertex_groups.new(name=HEAD_GROUP)
    group.add(behind.tolist(), 1.0, "REPLACE")
    face[SWITCH] = True
    face.id_properties_ui(SWITCH).update(description="Show the head behind the face: cranium, neck and ears")
    mask = face.modifiers.new("Face only", "MASK")
    mask.vertex_group = HEAD_GROUP
    mask.invert_vertex_group = True
    for shown in ("show_viewport", "show_render"):
        _drive_by_opposite(mask.driver_add(shown), face)


def add_fade(face: bpy.types.Object, reconstruction: Reconstruction, part: MeshPart) -> None:
    """Write `FADE`: the share of each vertex's triangles that lie behind the face, where the photo shows none of it."""
    unsure = np.repeat(_in_regions(reconstruction, part, _UNSURE_REGIONS), 3)
    count = np.bincount(part.corners.ravel(), minlength=len(part.vertices))
    share = np.bincount(part.corners.ravel(), unsure, minlength=len(part.vertices)) / count
    seen = np.clip(reconstruction.vertex_confidence[part.vertices] / _SURE, 0, 1)
    values = np.ascontiguousarray(share * (1 - seen), np.float32)
    face.data.attributes.new(FADE, "FLOAT", "POINT").data.foreach_set("value", values)


def _in_regions(reconstruction: Reconstruction, part: MeshPart, names: tuple[str, ...]) -> np.ndarray:
    """(f,) bool: which of the part's triangles lie in the named regions."""
    return np.isin(reconstruction.region_names, names)[reconstruction.face_region[part.faces]]


def _drive_by_opposite(curve: bpy.types.FCurve, face: bpy.types.Object) -> None:
    """1 − switch."""
    copy_value(curve, face, f'["{SWITCH}"]')
    while curve.modifiers:
        curve.modifiers.remove(curve.modifiers[0])
    line = curve.modifiers.new("GENERATOR")
    line.coefficients = (1.0, -1.0)
