"""Results join the user's scene."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ...core_models.reconstruction import Reconstruction
from .build import SceneOptions, build_face


def add_faces(
    context: bpy.types.Context, results: Iterable[tuple[str, Reconstruction]], texture: str
) -> None:
    """Build named results at the origin, a collection each, and select them; the last is the active object.

    Nothing else of the scene changes. `texture` is UV or VERTEX.
    """
    options = SceneOptions(vertex_colours=texture == "VERTEX")
    built = [build_face(result, name, context.scene.collection, options) for name, result in results]
    for selected in context.selected_objects:
        selected.select_set(False)
    for one in built:
        one.face.select_set(True)
        context.view_layer.objects.active = one.face
