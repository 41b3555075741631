"""Arrays → packed images. Rows come in top first, as everywhere in Semblance; Blender has them bottom up."""

from __future__ import annotations

import bpy
import numpy as np

LINEAR = "Linear Rec.709"
ENCODED = "sRGB"


def encoded_image(name: str, srgb: np.ndarray) -> bpy.types.Image:
    """(H, W, 3) uint8 sRGB → packed byte image of colour space sRGB."""
    return _pack(name, srgb.astype(np.float32) / 255.0, space=ENCODED, is_float=False)


def linear_image(name: str, linear: np.ndarray) -> bpy.types.Image:
    """(H, W, 3) scene-linear Rec.709, any range → packed float image."""
    return _pack(name, linear.astype(np.float32), space=LINEAR, is_float=True)


def data_image(name: str, values: np.ndarray) -> bpy.types.Image:
    """(H, W) uint8, a measure and no colour → packed byte image of colour space Non-Color, grey."""
    grey = np.repeat(values[..., None].astype(np.float32) / 255.0, 3, axis=-1)
    return _pack(name, grey, space="Non-Color", is_float=False)


def _pack(name: str, values: np.ndarray, space: str, is_float: bool) -> bpy.types.Image:
    height, width, _ = values.shape
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=is_float)
    # Before the pixels: changing the colour space afterwards makes Blender regenerate them.
    image.colorspace_settings.name = space
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = values[::-1]
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image
