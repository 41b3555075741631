"""What is behind the person: an out-of-focus picture of walls, things, foliage or lights, in scene-linear radiance."""

from __future__ import annotations

import cv2
import numpy as np


def backdrop(width: int, height: int, ambient: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(height, width, 3) for a place with this ambient light (3,) (irradiance/π)."""
    kind = generator.choice(("wall", "studio", "room", "outside"), p=(0.3, 0.2, 0.3, 0.2))
    y, x = np.mgrid[0:height, 0:width] / height - 0.5
    if kind in ("wall", "studio"):
        colour = generator.uniform(0.03, 0.75) * np.exp(
            generator.normal(0, 0.25 if kind == "wall" else 0.02, 3)
        )
        slope = 1 + generator.normal(0, 0.5) * x + generator.normal(0, 0.3) * y
        image = np.maximum(slope, 0.2)[..., None] * np.minimum(colour, 0.8)
    else:
        image = _clutter(width, height, kind == "outside", generator)
    blur = generator.uniform(*((0.025, 0.05) if kind == "outside" else (0.006, 0.03))) * height
    noise = 0.04 * cv2.resize(generator.normal(size=(9, 9)).astype(np.float32), (width, height))
    return ambient * cv2.GaussianBlur(image.astype(np.float32), (0, 0), blur) * np.exp(noise)[..., None]


def _clutter(width: int, height: int, outside: bool, generator: np.random.Generator) -> np.ndarray:
    """Rectangles of furniture and frames, or blobs of leaves and sky, some of them bright."""
    image = (
        np.ones((height, width, 3), np.float32)
        * generator.uniform(0.1, 0.6)
        * np.exp(generator.normal(0, 0.15, 3)).astype(np.float32)
    )
    for _ in range(90 if outside else 30):
        centre = generator.uniform(0, 1, 2) * (width, height)
        half = generator.uniform(0.02, 0.10 if outside else 0.22, 2) * height
        if outside:
            colour = np.array((0.14, 0.19, 0.08)) * np.exp(generator.normal(0, 0.6, 3) * (0.6, 0.6, 0.8))
            if generator.random() < 0.2:
                colour = np.array((1.0, 1.1, 1.3)) * generator.uniform(0.5, 1.1)
            cv2.ellipse(image, (centre.astype(int).tolist(), (2 * half).tolist(), 0), colour.tolist(), -1)
        else:
            colour = generator.uniform(0.02, 0.8) * np.exp(generator.normal(0, 0.15, 3))
            first, last = (centre - half).astype(int), (centre + half * (1, 1.6)).astype(int)
            cv2.rectangle(image, first.tolist(), last.tolist(), np.minimum(colour, 0.9).tolist(), -1)
    return image
