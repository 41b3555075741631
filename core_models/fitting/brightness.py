"""How bright a photo is around a face, at the scales at which a fit looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import LUMINANCE, srgb_to_linear
from ..images import sample_bilinear

PIXELS_PER_DM = 130.0
"""The face is reduced to about 220 pixels of height."""
FLOOR = 0.03
"""Of the face's median luminance, added before the logarithm is taken: what is darker is noise."""
_MARGIN_DM = 0.6


@dataclass(frozen=True)
class Brightness:
    """Log luminance about a face, blurred by several amounts."""

    floor: float
    """Linear luminance that was added before the logarithm."""
    scale: float
    """Pixels of these images per photo pixel."""
    corner: np.ndarray
    """(2,) photo pixels of the images' top-left corner."""
    levels: tuple[np.ndarray, ...]
    """(h, w, 4) each: log(luminance + floor), its derivatives along x and y per photo pixel, share of face."""

    def at(self, level: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log luminance (M,), gradient (M,2) per photo pixel and share of face (M,) at photo pixels (M,2)."""
        x, y = ((pixels - self.corner) * self.scale).T
        values = sample_bilinear(self.levels[level], x, y).astype(np.float64)
        return values[:, 0], values[:, 1:3], values[:, 3]


def look_at(
    photo_srgb: np.ndarray, mask: np.ndarray, landmarks: np.ndarray, px_per_dm: float, blurs: Sequence[float]
) -> Brightness:
    """Prepare a photo (H, W, 3) uint8 with its face mask (H, W) 0…1; `blurs` are Gaussian σ in dm at the face."""
    height, width = mask.shape
    margin = _MARGIN_DM * px_per_dm
    left, top = np.clip(np.floor(landmarks.min(0) - margin), 0, (width - 2, height - 2)).astype(int)
    right, bottom = np.clip(
        np.ceil(landmarks.max(0) + margin).astype(int), (left + 2, top + 2), (width, height)
    )
    scale = min(1.0, PIXELS_PER_DM / px_per_dm)
    crop = srgb_to_linear(photo_srgb[top:bottom, left:right]) @ LUMINANCE.astype(np.float32)
    size = tuple(max(2, round(side * scale)) for side in crop.shape[::-1])
    luminance, share = (
        cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for image in (crop, mask[top:bottom, left:right])
    )
    inside = luminance[share > 0.5]
    floor = FLOOR * max(float(np.median(inside if inside.size else luminance)), 1e-3)
    levels = []
    for blur in blurs:
        sigma = max(blur * px_per_dm * scale, 0.5)
        smooth = np.log(cv2.GaussianBlur(luminance, (0, 0), sigma) + floor)
        along = [cv2.Sobel(smooth, cv2.CV_32F, *axis, ksize=3, scale=scale / 8) for axis in ((1, 0), (0, 1))]
        levels.append(np.stack([smooth, *along, cv2.GaussianBlur(share, (0, 0), sigma)], axis=-1))
    return Brightness(floor, scale, np.array([left, top], np.float64), tuple(levels))
