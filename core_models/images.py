"""Small operations on images that the stages share."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage


def sample_bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values (M,) or (M, C) of an image (H, W) or (H, W, C) at points in pixels from its top-left corner, edges
    repeated.
    """
    height, width = image.shape[:2]
    x = np.clip(np.asarray(x, np.float32) - 0.5, 0, width - 1)
    y = np.clip(np.asarray(y, np.float32) - 0.5, 0, height - 1)
    left, top = x.astype(np.int32), y.astype(np.int32)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    shape = (-1,) + (1,) * (image.ndim - 2)
    fx, fy = (x - left).reshape(shape), (y - top).reshape(shape)
    upper = image[top, left] * (1 - fx) + image[top, right] * fx
    lower = image[bottom, left] * (1 - fx) + image[bottom, right] * fx
    return upper * (1 - fy) + lower * fy


def resize_map(image: np.ndarray, size: int) -> np.ndarray:
    """A square map (S', S') or (S', S', C) at another size, bilinear."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def extend(image: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Continue an image (S, S, …) outside `covered` (S, S) by the nearest covered texel, so that filters do not
    bleed in.
    """
    if covered.all() or not covered.any():
        return image
    nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return image[tuple(nearest)]


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Cubic ramp from 0 at `low` to 1 at `high`."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
