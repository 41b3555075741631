"""Which pixels are this face: skin, lips, brows and eyes, against hair, background and what covers the face."""

from __future__ import annotations

import numpy as np

from .landmarks import FACE_OVAL, inter_ocular_distance
from .photo import Photo

_EROSION = 0.02
"""The detected oval is drawn in by this share of the inter-ocular distance: it errs by about that much."""
_SOFTNESS = 0.015
"""Standard deviation of the soft edge ÷ inter-ocular distance."""


def face_mask(photo: Photo, landmarks: np.ndarray) -> np.ndarray:
    """Soft mask (H, W) float32 in [0, 1] of the face with `landmarks` (478, 2), pixels of the photo."""
    import cv2

    mask = np.zeros((photo.height, photo.width), np.float32)
    oval = np.round(landmarks[FACE_OVAL] * 16 - 8).astype(np.int32)
    cv2.fillPoly(mask, [oval], 1.0, cv2.LINE_AA, shift=4)
    distance = inter_ocular_distance(landmarks)
    radius = max(1, round(_EROSION * distance))
    mask = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    return np.clip(cv2.GaussianBlur(mask, (0, 0), max(0.5, _SOFTNESS * distance)), 0, 1)
