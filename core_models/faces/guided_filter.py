"""Edge-preserving smoothing and enlargement by a colour guide (He, Sun and Tang, "Guided Image Filtering", 2013)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GuidedFit:
    """Local linear models output = slope · guide + offset, smooth over the image."""

    slope: np.ndarray
    """(H, W, 3) float32"""
    offset: np.ndarray
    """(H, W) float32"""

    def apply(self, guide: np.ndarray) -> np.ndarray:
        """(h, w) float32 for a guide (h, w, 3) of any size (He and Sun, "Fast Guided Filter", 2015)."""
        import cv2

        size = (guide.shape[1], guide.shape[0])
        slope, offset = self.slope, self.offset
        if guide.shape != slope.shape:
            slope, offset = cv2.resize(slope, size), cv2.resize(offset, size)
        return np.einsum("hwc,hwc->hw", slope, guide) + offset


def guided_fit(guide: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> GuidedFit:
    """Fit `values` (H, W) by `guide` (H, W, 3) in windows of 2·radius + 1 pixels, both float32.

    `epsilon` is the guide variance below which the output is smoothed rather than following the guide.
    """
    import cv2

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))

    guide_mean, value_mean = mean(guide), mean(values)
    products = mean((guide[..., :, None] * guide[..., None, :]).reshape(*guide.shape[:2], 9))
    variance = products.reshape(*guide.shape, 3) - guide_mean[..., :, None] * guide_mean[..., None, :]
    covariance = mean(guide * values[..., None]) - guide_mean * value_mean[..., None]
    regularised = variance + epsilon * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(regularised, covariance[..., None])[..., 0]
    offset = value_mean - np.einsum("hwc,hwc->hw", slope, guide_mean)
    return GuidedFit(mean(slope), mean(offset))
