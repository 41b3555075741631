"""What a result needs of the scene, taken and given back: World, view transform, camera and render size.

What was there is written down among the scene's own custom properties, so that it can be given back after saving and
reloading, and so that a World without another user is saved.
"""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np

from ...core_models.errors import SemblanceError
from .camera import frame_scene
from .face_links import PartMissingError, camera_of, fit_of, needed_world

_WORLD, _WORLD_BEFORE = "semblance_world", "semblance_world_before"
_COLOURS_BEFORE = "semblance_colours_before"
_CAMERA, _CAMERA_BEFORE = "semblance_camera", "semblance_camera_before"
_RENDER_BEFORE, _VIEW_BEFORE = "semblance_render_before", "semblance_view_before"

_PHOTO_COLOURS = {
    "view_transform": "Standard",
    "look": "None",
    "exposure": 0.0,
    "gamma": 1.0,
    "use_curve_mapping": False,
    "use_white_balance": False,
}
_RENDER_SIZE = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")


class ColourManagementError(SemblanceError):
    """The colours of the photo cannot be shown."""

    code = "colour_management"


def shows_world(scene: bpy.types.Scene) -> bool:
    """Whether the scene's World is one that `use_world` put there."""
    return _WORLD in scene and scene.world == scene[_WORLD]


def use_world(face: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Let the photo's light be the scene's World; the one that was there is remembered.

    Raises:
        PartMissingError: the user has deleted the photo's light.
    """
    world = needed_world(face)
    if not shows_world(scene):
        _write(scene, _WORLD_BEFORE, scene.world)
    scene[_WORLD] = world
    scene.world = world


def restore_world(scene: bpy.types.Scene) -> None:
    """Give the scene the World back that `use_world` found, unless it has got another one meanwhile."""
    if shows_world(scene):
        scene.world = scene.get(_WORLD_BEFORE)
    for name in (_WORLD, _WORLD_BEFORE):
        _write(scene, name, None)


def world_before(scene: bpy.types.Scene) -> bpy.types.World | None:
    """What `restore_world` would give back."""
    return scene.get(_WORLD_BEFORE)


def matches_colours(scene: bpy.types.Scene) -> bool:
    """Whether `match_colours` was called, and not `restore_colours` since."""
    return _COLOURS_BEFORE in scene


def match_colours(scene: bpy.types.Scene) -> None:
    """Show colours as they are: view transform Standard, no look, exposure 0, gamma 1, no curves, no white balance.

    Raises:
        ColourManagementError: this Blender's colour configuration has no such view transform.
    """
    settings = scene.view_settings
    before = {name: getattr(settings, name) for name in _PHOTO_COLOURS if hasattr(settings, name)}
    try:
        _set_all(settings, {name: _PHOTO_COLOURS[name] for name in before})
    except TypeError as error:
        _set_all(settings, before)
        raise ColourManagementError(
            "This Blender's colour management has no view transform 'Standard'.",
            "Choose one that shows colours as they are under Render > Color Management.",
        ) from error
    if not matches_colours(scene):
        scene[_COLOURS_BEFORE] = json.dumps(before)


def restore_colours(scene: bpy.types.Scene) -> None:
    """Give the scene the colour management back that `match_colours` found."""
    if matches_colours(scene):
        _set_all(scene.view_settings, json.loads(scene[_COLOURS_BEFORE]))
        del scene[_COLOURS_BEFORE]


def looks_through(scene: bpy.types.Scene) -> bool:
    """Whether the scene's camera is one that `look_through` put there."""
    return _CAMERA in scene and scene.camera == scene[_CAMERA]


def look_through(
    face: bpy.types.Object, scene: bpy.types.Scene, view: bpy.types.RegionView3D | None = None
) -> None:
    """Make the photo's camera the scene's, the photo's size the render's, and look through it in `view`.

    Raises:
        PartMissingError: the user has deleted the camera or the numbers of the fit.
    """
    camera, fit = camera_of(face), fit_of(face)
    if camera is None or fit is None:
        raise PartMissingError("The photo's camera")
    if not looks_through(scene):
        _write(scene, _CAMERA_BEFORE, scene.camera)
        scene[_RENDER_BEFORE] = json.dumps({name: getattr(scene.render, name) for name in _RENDER_SIZE})
        _write(scene, _VIEW_BEFORE, view and json.dumps(_view_state(view)))
    frame_scene(scene, camera, np.asarray(fit["K"]), fit["image_size"])
    scene[_CAMERA] = camera
    if view is not None:
        view.view_perspective = "CAMERA"


def restore_view(scene: bpy.types.Scene, view: bpy.types.RegionView3D | None = None) -> None:
    """Give the scene the camera and render size back that `look_through` found, and `view` where it looked from."""
    if looks_through(scene):
        scene.camera = scene.get(_CAMERA_BEFORE)
        _set_all(scene.render, json.loads(scene[_RENDER_BEFORE]))
        if view is not None and _VIEW_BEFORE in scene:
            _set_all(view, json.loads(scene[_VIEW_BEFORE]))
    for name in (_CAMERA, _CAMERA_BEFORE, _RENDER_BEFORE, _VIEW_BEFORE):
        _write(scene, name, None)


def _view_state(view: bpy.types.RegionView3D) -> dict[str, Any]:
    return {
        "view_perspective": view.view_perspective,
        "view_location": list(view.view_location),
        "view_rotation": list(view.view_rotation),
        "view_distance": view.view_distance,
    }


def _set_all(owner: bpy.types.bpy_struct, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(owner, name, value)


def _write(scene: bpy.types.Scene, name: str, value: Any) -> None:
    """None takes the property away."""
    if value is not None:
        scene[name] = value
    elif name in scene:
        del scene[name]
