"""Arrays → packed images. Rows come in top first, as everywhere in Semblance; Blender has them bottom up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import bpy
import numpy as np

from ...core_models.reconstruction import Reconstruction

LINEAR = "Linear Rec.709"
ENCODED = "sRGB"
_MADE = "semblance_made"
"""Custom property of an image: the digest of its file as we packed it."""


@dataclass(frozen=True)
class FaceImages:
    """What is painted on the UV map."""

    albedo: bpy.types.Image
    lighting: bpy.types.Image
    confidence: bpy.types.Image


def face_images(name: str, reconstruction: Reconstruction) -> FaceImages:
    """The images of a result."""
    return FaceImages(
        encoded_image(f"{name} albedo", reconstruction.albedo_srgb),
        linear_image(f"{name} lighting", reconstruction.shading_linear),
        data_image(f"{name} confidence", reconstruction.confidence),
    )


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


def is_untouched(image: bpy.types.Image) -> bool:
    """Whether the image is as we packed it: not painted on, replaced or unpacked."""
    return not image.is_dirty and image.packed_file is not None and image.get(_MADE) == _digest(image)


def _pack(name: str, values: np.ndarray, space: str, is_float: bool) -> bpy.types.Image:
    height, width, _ = values.shape
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=is_float)
    # Before the pixels: changing the colour space afterwards makes Blender regenerate them.
    image.colorspace_settings.name = space
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = values[::-1]
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    image[_MADE] = _digest(image)
    return image


def _digest(image: bpy.types.Image) -> str:
    return hashlib.sha256(image.packed_file.data).hexdigest()
