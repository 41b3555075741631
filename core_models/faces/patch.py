"""The part of a photo around one face, at a scale fixed to the face, and shapes drawn in it by its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import landmarks as points
from ..landmarks import inter_ocular_distance

_MIDLINE = np.array([151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, *range(11, 19), 200, 199, 175])
"""From below the top of the forehead (10) to above the chin (152)."""
_LEFT_HALF = np.concatenate([points.FACE_OVAL[:19], _MIDLINE[::-1]])
_RIGHT_HALF = np.concatenate([points.FACE_OVAL[18:], points.FACE_OVAL[:1], _MIDLINE])
_TOP = 10
_SHIFT = 4


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels of the photo, inside it: x0 ≤ x < x1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def around(cls, landmarks: np.ndarray, margin: float, width: int, height: int) -> Box:
        """All landmarks (478, 2) with `margin` inter-ocular distances around them, cut to the photo."""
        reach = margin * inter_ocular_distance(landmarks)
        low = np.floor(landmarks.min(0) - reach).astype(int)
        high = np.ceil(landmarks.max(0) + reach).astype(int)
        size = (width, height)
        (x0, y0), (x1, y1) = np.clip(low, 0, size), np.clip(high, 0, size)
        return cls(int(x0), int(y0), int(x1), int(y1))

    @property
    def is_empty(self) -> bool:
        """No pixel lies in it."""
        return self.x0 >= self.x1 or self.y0 >= self.y1

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The part of the photo-sized `image` (H, W, …) inside, a view."""
        return image[self.y0 : self.y1, self.x0 : self.x1]


@dataclass(frozen=True, eq=False)
class Patch:
    """A box of the photo, maybe reduced. Lengths without a unit are in inter-ocular distances."""

    srgb: np.ndarray
    """(h, w, 3) uint8."""
    landmarks: np.ndarray
    """(478, 2) in pixels of the patch."""
    box: Box
    unit: float
    """Inter-ocular distance, pixels."""

    @classmethod
    def cut(cls, srgb: np.ndarray, landmarks: np.ndarray, box: Box, unit: float) -> Patch:
        """The box of a photo, reduced until the inter-ocular distance is at most `unit` pixels."""
        import cv2

        part = box.cut(srgb)
        height, width = part.shape[:2]
        scale = min(1.0, unit / inter_ocular_distance(landmarks))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        local = (landmarks - [box.x0, box.y0]) * [size[0] / width, size[1] / height]
        reduced = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        return cls(reduced, local, box, inter_ocular_distance(local))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.srgb.shape[0], self.srgb.shape[1]

    @property
    def scale(self) -> float:
        """Pixels of the patch per pixel of the photo."""
        return self.shape[0] / (self.box.y1 - self.box.y0)

    @cached_property
    def lab(self) -> np.ndarray:
        """(h, w, 3) float32 CIELAB / 255: steps of equal visibility."""
        import cv2

        return cv2.cvtColor(self.srgb, cv2.COLOR_RGB2Lab).astype(np.float32) / 255

    @cached_property
    def outline(self) -> np.ndarray:
        """(h, w) bool: both halves of the face, each between the oval and the midline; turned to the side, their
        union follows the profile.
        """
        return self._polygon(_LEFT_HALF) | self._polygon(_RIGHT_HALF)

    @cached_property
    def depth(self) -> np.ndarray:
        """(h, w) float32 distance inside the outline; 0 outside."""
        return self.distance(self.outline)

    def above(self, ids: np.ndarray) -> np.ndarray:
        """(h, w) how far a pixel lies above the mean of the landmarks `ids`, along the face's own upright axis."""
        up = self.landmarks[_TOP] - self.landmarks[points.CHIN]
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        y, x = np.mgrid[: self.shape[0], : self.shape[1]] + 0.5
        return (x * up[0] + y * up[1] - self.landmarks[ids].mean(0) @ up) / self.unit

    def distance(self, inside: np.ndarray) -> np.ndarray:
        """(h, w) float32 to the nearest pixel that is not `inside`."""
        import cv2

        return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) / self.unit

    def hull(self, ids: np.ndarray, grown: float = 0.0) -> np.ndarray:
        """(h, w) bool: the convex hull of landmarks, grown by a disc."""
        import cv2

        filled = np.zeros(self.shape, np.uint8)
        corners = cv2.convexHull(_fixed_point(self.landmarks[ids]))
        cv2.fillConvexPoly(filled, corners, (1,), cv2.LINE_8, _SHIFT)
        return self.grow(filled > 0, grown)

    def grow(self, mask: np.ndarray, radius: float) -> np.ndarray:
        """(h, w) bool, grown by a disc; a negative radius shrinks."""
        import cv2

        side = 2 * round(abs(radius) * self.unit) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        operation = cv2.MORPH_DILATE if radius > 0 else cv2.MORPH_ERODE
        return cv2.morphologyEx(mask.astype(np.uint8), operation, disc) > 0

    def _polygon(self, ids: np.ndarray) -> np.ndarray:
        import cv2

        filled = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(filled, [_fixed_point(self.landmarks[ids])], (1,), cv2.LINE_8, _SHIFT)
        return filled > 0


def _fixed_point(pixels: np.ndarray) -> np.ndarray:
    """Our pixels as OpenCV's 1/16 pixels, counted from the first pixel's centre."""
    return np.round((pixels - 0.5) * 2**_SHIFT).astype(np.int32)


def pieces_touching(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The pieces of `mask` (h, w) that contain a seed."""
    import cv2

    pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    return mask & np.isin(pieces, np.unique(pieces[seeds & mask]))
