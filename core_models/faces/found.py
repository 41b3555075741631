"""A found face as a person is shown it: where it is, and a small picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..photo.load import Photo
from .find import Face

SIDE = 128
"""Pixels of the picture."""
_MARGIN = 0.25
"""Around the landmarks, which end below the hair, as a share of their longer side."""


@dataclass(frozen=True)
class FoundFace:
    """One of a photo's faces.

    `box` is left, top, right, bottom as shares of the upright photo, inside it; `place` tells the faces of a group
    apart in words; `picture` is (SIDE, SIDE, 3) uint8 sRGB.
    """

    box: tuple[float, float, float, float]
    place: str
    picture: np.ndarray


def show_face(photo: Photo, face: Face) -> FoundFace:
    """A face of a photo; beyond the photo the picture's border is repeated."""
    import cv2

    x0, y0, x1, y1 = face.box
    half = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
    scale = SIDE / (2 * half)
    shift = SIDE / 2 - scale * np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    # warpAffine counts from the first pixel's centre, we from its corner; it has no low-pass of its own.
    reduced = cv2.blur(photo.srgb, (kernel, kernel)) if (kernel := int(1 / scale)) > 1 else photo.srgb
    matrix = np.array([[scale, 0, shift[0] + scale / 2 - 0.5], [0, scale, shift[1] + scale / 2 - 0.5]])
    picture = cv2.warpAffine(reduced, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    width, height = photo.width, photo.height
    left, top, right, bottom = np.clip([x0 / width, y0 / height, x1 / width, y1 / height], 0, 1).tolist()
    return FoundFace((left, top, right, bottom), face.place(photo), picture)
