"""The photo's camera: the render's pixels are the photo's."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix

from ...core_models.reconstruction import Reconstruction
from .axes import HEAD_TO_BLENDER

_SENSOR_WIDTH = 36.0
"""Millimetres, a full-frame camera's; only its ratio to the focal length matters."""

_DISPLAY_SIZE = 0.1
"""Metres, of Blender's drawing of the camera: the default, 1 m, dwarfs a head."""


def camera_object(name: str, reconstruction: Reconstruction, photo: bpy.types.Image) -> bpy.types.Object:
    """Camera that matches the photo, with `photo` as its background.

    The head stays upright at the origin; the pose turns the camera. Blender's camera frame is ours (x right,
    y up, looking along −z), so its matrix is the inverse of head → camera, in Blender's axes.
    """
    data = bpy.data.cameras.new(name)
    width, height = (int(size) for size in reconstruction.image_size)
    fx, fy = float(reconstruction.K[0, 0]), float(reconstruction.K[1, 1])
    cx, cy = float(reconstruction.K[0, 2]), float(reconstruction.K[1, 2])
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = _SENSOR_WIDTH
    data.lens = fx * _SENSOR_WIDTH / width
    data.shift_x = (width / 2 - cx) / width
    data.shift_y = (cy - height / 2) / width * fx / fy
    data.clip_start = 0.01
    data.display_size = _DISPLAY_SIZE
    _show_background(data, photo)
    camera = bpy.data.objects.new(name, data)
    camera.matrix_world = _camera_to_world(reconstruction)
    return camera


def frame_scene(
    scene: bpy.types.Scene, camera: bpy.types.Object, K: np.ndarray, image_size: Sequence[int]
) -> None:
    """Make `camera` the scene's and set the render size to the photo's: `K` (3, 3), (width, height)."""
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = (int(size) for size in image_size)
    scene.render.resolution_percentage = 100
    ratio = float(K[0, 0]) / float(K[1, 1])
    # Blender takes no pixel aspect below 1.
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = max(1.0, 1.0 / ratio), max(1.0, ratio)


def photo_viewpoint(reconstruction: Reconstruction) -> tuple[float, float, float]:
    """Where the photo was taken from: metres, in the face object's frame."""
    x, y, z = _camera_to_world(reconstruction).translation
    return x, y, z


def _camera_to_world(reconstruction: Reconstruction) -> Matrix:
    turn = HEAD_TO_BLENDER @ reconstruction.rotation.astype(np.float64).T
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = -turn @ reconstruction.translation.astype(np.float64)
    return Matrix(matrix.tolist())


def _show_background(data: bpy.types.Camera, photo: bpy.types.Image) -> None:
    data.show_background_images = True
    background = data.background_images.new()
    background.image = photo
    background.alpha = 1.0
    background.display_depth = "BACK"
    # The stored photo may be a smaller copy whose sides were rounded: stretched, its corners are the frame's.
    # Written out because the default differs between Blender 4 and 5.
    background.frame_method = "STRETCH"
