"""A .blend of our own around one face: here, and only here, the scene's settings are ours to choose."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy

from ...core_models.errors import SemblanceError
from ...core_models.reconstruction import Reconstruction
from .build import SceneOptions, build_face
from .camera import frame_scene
from .lamps import place_rig


class BlendFileError(SemblanceError):
    """The .blend cannot be written."""

    code = "unwritable"


def write_document(reconstruction: Reconstruction, name: str, options: SceneOptions, path: Path) -> None:
    """Replace the open file by a new one that shows `reconstruction`, and save it as `path`.

    The view transform is Standard, so that photo light shows the photo's own colours (Blender's default, AgX, does
    not); the render has the photo's size and camera; three lamps stand ready for scene light. In the Layout
    workspace the 3-D view looks through the camera, in Material Preview lit by the lamps, and the switch `Photo light`
    is in sight.

    Raises:
        BlendFileError: `path` cannot be written. What is there then may be incomplete.
    """
    with _quiet_stdout():
        # Factory start-up, so that nobody's own start-up file leaks in; preferences and add-ons stay.
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        scene = bpy.context.scene
        scene.name = name
        face = build_face(reconstruction, name, scene.collection, options)
        frame_scene(scene, face.camera, reconstruction.K, reconstruction.image_size)
        place_rig(face.face, "REMBRANDT", scene)
        scene.view_settings.view_transform = "Standard"
        scene.render.film_transparent = True
        _show_face(face.face)
        _save(path)


def _save(path: Path) -> None:
    try:
        # Absolute: Blender takes relative paths from $PWD, which need not be the process's folder.
        # Not compressed: Blender 4.5 reports success when a compressed file runs out of space (measured).
        bpy.ops.wm.save_as_mainfile(filepath=str(path.absolute()), check_existing=False, compress=False)
    except RuntimeError as error:
        # Blender's own reason is often another ("No such file or directory" for a full disk).
        raise BlendFileError(
            f"The Blender file cannot be written to '{path.parent}'.",
            "Free some space or choose another folder with --out.",
        ) from error


def _show_face(face: bpy.types.Object) -> None:
    bpy.context.view_layer.objects.active = face
    face.select_set(True)
    for area in bpy.data.screens["Layout"].areas:
        for space in area.spaces:
            if space.type == "VIEW_3D":
                space.shading.type = "MATERIAL"
                # Otherwise Blender's studio picture would light the face where `Photo light` is 0.
                space.shading.use_scene_lights = space.shading.use_scene_world = True
                space.region_3d.view_perspective = "CAMERA"
            elif space.type == "PROPERTIES":
                space.context = "MATERIAL"


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Keep Blender's own reports off stdout, which is for our results. They come from C: only the descriptor helps."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
