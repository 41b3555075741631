"""Which pixels are this face: skin, lips, brows and eyes, against hair, background and what covers the forehead.

The outline comes from the landmarks, the line between skin and hair inside it from the photo's own colours. In doubt a
pixel belongs to the face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..photo.load import Photo
from . import landmarks as points
from .guided_filter import guided_fit
from .landmarks import inter_ocular_distance
from .skin import skin_log_odds

# All lengths are shares of the inter-ocular distance, unless they are said to be pixels.
_WORKING_PX = 56.0
"""Inter-ocular distance at which colours are judged, pixels."""
_FINEST_PX = 512.0
"""Largest inter-ocular distance at which the mask is drawn, pixels; beyond, it is enlarged to spare memory."""
_MARGIN = 0.5
"""Of the photo around the landmarks that is looked at."""
_EROSION, _SOFTNESS = 0.015, 0.012
"""The outline is drawn in by the first, because it errs by about that much, and blurred by the second (σ)."""
_BAND = (0.08, 0.45)
"""Distance from the outline of the pixels taken for hair and background."""
_CORE = 0.2
"""Distance inside the outline of the pixels taken for skin."""
_PRIOR = (0.75, 0.97, 1.0)
"""Probability of face at the outline, deep inside, and its rise per inter-ocular distance."""
_MAX_LOG_ODDS = 3.0
_SMOOTHING, _REFINEMENT = (0.08, 6e-4), (0.05, 1e-4)
"""Radius and epsilon (for a guide in CIELAB / 255) of the guided filters that rid the colours' verdict of speckle and
that carry it over to the full resolution."""
_CONTRAST = (0.35, 0.75)
"""Smoothed probabilities that become 0 and 1."""

_MIDLINE = np.array([151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, *range(11, 19), 200, 199, 175])
"""From below the top of the forehead (10) to above the chin (152)."""
_LEFT_HALF = np.concatenate([points.FACE_OVAL[:19], _MIDLINE[::-1]])
_RIGHT_HALF = np.concatenate([points.FACE_OVAL[18:], points.FACE_OVAL[:1], _MIDLINE])
_NOSTRILS = np.array([98, 327, 2, 94, 1, 4, 97, 326])
_BROW_LINE = np.array([70, 63, 105, 9, 334, 293, 300])


def face_mask(photo: Photo, landmarks: np.ndarray) -> np.ndarray:
    """Soft mask (H, W) float32 in [0, 1] of the face with `landmarks` (478, 2), in pixels of the photo.

    The outline is the union of both halves of the face, each between the oval and the midline: turned to the side,
    it follows the profile. Glasses count as face.
    """
    import cv2

    mask = np.zeros((photo.height, photo.width), np.float32)
    unit = inter_ocular_distance(landmarks)
    x0, y0 = np.clip(np.floor(landmarks.min(0) - _MARGIN * unit), 0, None).astype(int)
    x1, y1 = np.ceil(landmarks.max(0) + _MARGIN * unit).astype(int)
    srgb = photo.srgb[y0:y1, x0:x1]
    if not srgb.size:
        return mask
    local = landmarks - [x0, y0]
    fine = _scaled(srgb, local, min(1.0, _FINEST_PX / unit))
    judged = _scaled(srgb, local, min(1.0, _WORKING_PX / unit))
    radius, epsilon = _REFINEMENT
    fit = guided_fit(judged.lab, judged.face_probability(), max(1, round(radius * judged.unit)), epsilon)
    drawn = np.clip(fit.apply(fine.lab), 0, 1) * fine.soft_outline()
    mask[y0:y1, x0:x1] = cv2.resize(drawn, (srgb.shape[1], srgb.shape[0]))
    return mask


@dataclass(frozen=True)
class _Scene:
    """A part of the photo with the face's landmarks in its pixels."""

    srgb: np.ndarray
    landmarks: np.ndarray
    unit: float
    """Inter-ocular distance, pixels."""

    @property
    def lab(self) -> np.ndarray:
        return _lab(self.srgb)

    def soft_outline(self) -> np.ndarray:
        """(h, w) float32."""
        import cv2

        filled = _dilated(self._outline(), -_EROSION * self.unit).astype(np.float32)
        return cv2.GaussianBlur(filled, (0, 0), max(0.5, _SOFTNESS * self.unit))

    def face_probability(self) -> np.ndarray:
        """(h, w) float32, not yet cut to the outline."""
        import cv2

        outline, kept = self._outline(), self._features()
        log_odds = skin_log_odds(
            self.srgb.astype(np.float32) / 255, *self._samples(outline)
        ) + self._log_prior(outline)
        log_odds = np.clip(log_odds, -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
        log_odds[kept] = _MAX_LOG_ODDS
        probability = (1 / (1 + np.exp(-log_odds))).astype(np.float32)
        radius, epsilon = _SMOOTHING
        smooth = guided_fit(self.lab, probability, max(1, round(radius * self.unit)), epsilon).apply(self.lab)
        # Hair and background come in from outside; what is enclosed by skin is a mole, a shadow or glasses.
        unlike = ((smooth < 0.5) | ~outline).astype(np.uint8)
        pieces = cv2.connectedComponents(unlike)[1]
        enclosed = (unlike > 0) & ~np.isin(pieces, np.unique(pieces[~outline]))
        low, high = _CONTRAST
        certain = np.clip((smooth - low) / (high - low), 0, 1)
        certain[enclosed | kept] = 1
        return certain

    def _outline(self) -> np.ndarray:
        return self._polygon(_LEFT_HALF) | self._polygon(_RIGHT_HALF)

    def _features(self) -> np.ndarray:
        """Eyes, brows, lips and nostrils, which are no skin and always face."""
        features = [(points.RIGHT_EYE, 0.06), (points.LEFT_EYE, 0.06), (points.LIPS, 0.06), (_NOSTRILS, 0.05)]
        features += [(points.RIGHT_BROW, 0.04), (points.LEFT_BROW, 0.04)]
        grown = [_dilated(self._hull(ids), share * self.unit) for ids, share in features]
        return np.any(grown, axis=0)

    def _samples(self, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (h, w) that surely are skin, and the band around the upper face that mostly is not."""
        middle = self._hull(np.concatenate([_BROW_LINE, points.FACE_OVAL[6:31]]))
        inside, outside = self._distance(outline), self._distance(~outline)
        skin = middle & (inside > _CORE) & ~_dilated(self._features(), 0.04 * self.unit)
        above_jaw = self._rows() < self.landmarks[[132, 361], 1].mean()
        return skin, (outside > _BAND[0]) & (outside < _BAND[1]) & above_jaw

    def _log_prior(self, outline: np.ndarray) -> np.ndarray:
        """Hair comes from above: below the lips all that the outline holds is face."""
        edge, deep, rise = _PRIOR
        doubt = 1 - np.clip(edge + rise * self._distance(outline), edge, deep)
        above_lips = np.clip(
            (self.landmarks[points.LIPS, 1].mean() - self._rows()) / (0.5 * self.unit), 0.02, 1
        )
        doubt = doubt * above_lips
        return np.log((1 - doubt) / doubt)

    def _rows(self) -> np.ndarray:
        return np.arange(self.srgb.shape[0])[:, None] + 0.5

    def _distance(self, inside: np.ndarray) -> np.ndarray:
        """(h, w) distance to the nearest pixel that is not `inside`, in inter-ocular distances."""
        import cv2

        return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) / self.unit

    def _polygon(self, ids: np.ndarray) -> np.ndarray:
        import cv2

        filled = np.zeros(self.srgb.shape[:2], np.uint8)
        cv2.fillPoly(filled, [_fixed_point(self.landmarks[ids])], (1,), cv2.LINE_8, _SHIFT)
        return filled > 0

    def _hull(self, ids: np.ndarray) -> np.ndarray:
        import cv2

        filled = np.zeros(self.srgb.shape[:2], np.uint8)
        cv2.fillConvexPoly(
            filled, cv2.convexHull(_fixed_point(self.landmarks[ids])), (1,), cv2.LINE_8, _SHIFT
        )
        return filled > 0


_SHIFT = 4


def _fixed_point(pixels: np.ndarray) -> np.ndarray:
    """Our pixels as OpenCV's 1/16 pixels, counted from the first pixel's centre."""
    return np.round((pixels - 0.5) * 2**_SHIFT).astype(np.int32)


def _scaled(srgb: np.ndarray, landmarks: np.ndarray, scale: float) -> _Scene:
    import cv2

    height, width = srgb.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = landmarks * [size[0] / width, size[1] / height]
    return _Scene(cv2.resize(srgb, size, interpolation=cv2.INTER_AREA), scaled, inter_ocular_distance(scaled))


def _lab(srgb: np.ndarray) -> np.ndarray:
    """CIELAB / 255 as float32: steps of equal visibility."""
    import cv2

    return cv2.cvtColor(srgb, cv2.COLOR_RGB2Lab).astype(np.float32) / 255


def _dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """Grown by a disc of `radius` pixels; a negative one shrinks."""
    import cv2

    side = 2 * round(abs(radius)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    operation = cv2.MORPH_DILATE if radius > 0 else cv2.MORPH_ERODE
    return cv2.morphologyEx(mask.astype(np.uint8), operation, disc) > 0
