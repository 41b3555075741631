"""The 478 landmarks of a face whose place is roughly known: crop, network, again until the crop is stable.

The network answers each crop with an error of its own: on 348 portraits crops that differ by a few per cent in place,
size and roll disagree by 1.3 % of the inter-ocular distance (RMS). The mean over a designed set of crops and their
mirror images brings that to 0.4 %, and makes the landmarks of a mirrored photo the mirrored landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..landmarks import CHIN, FACE_OVAL, LEFT_EYE, LIPS, MIRROR, NOSE_TIP, RIGHT_EYE, inter_ocular_distance
from .mediapipe_graphs import CROP, FaceNetworks

MARGIN = 1.5
"""Side of the crop ÷ longer side of the box around the landmarks, as mediapipe tracks and trained."""
_ROUNDS = 3
"""Crops until the region has converged; a region wrong by 10 % is then wrong by 0.1 %."""
_JITTER = (0.06, 0.06, 0.02, 0.02)
"""How the crops of the final mean differ: size (share), roll (radians), x and y (share of the side)."""


@dataclass(frozen=True)
class Region:
    """A square of the photo in which an upright face is looked for, in pixels of the photo."""

    centre: np.ndarray
    """(2,)"""
    side: float
    roll: float
    """Radians from the photo's x axis to the region's, towards y (down)."""

    def to_photo(self) -> np.ndarray:
        """(2, 3) matrix from crop pixels to photo pixels."""
        turn = rotation(self.roll) * (self.side / CROP)
        return np.column_stack([turn, self.centre - turn @ [CROP / 2, CROP / 2]])

    def moved(self, size: float, roll: float, x: float, y: float) -> Region:
        """A region larger by the share `size`, turned by `roll`, shifted by the shares `x`, `y` of its side."""
        shift = rotation(self.roll) @ [x, y] * self.side
        return Region(self.centre + shift, self.side * (1 + size), self.roll + roll)


class _Neighbourhood:
    """The photo around a region, low-passed once to the density of the network's input."""

    def __init__(self, srgb: np.ndarray, region: Region) -> None:
        import cv2

        height, width = srgb.shape[:2]
        # Half a diagonal of the square and room for the jitter.
        reach = 0.85 * region.side
        x0, y0 = np.clip(np.floor(region.centre - reach), 0, (width - 2, height - 2)).astype(int)
        x1, y1 = np.clip(np.ceil(region.centre + reach), (x0 + 2, y0 + 2), (width, height)).astype(int)
        shrink = max(1.0, region.side / CROP)
        size = (max(2, round((x1 - x0) / shrink)), max(2, round((y1 - y0) / shrink)))
        self._srgb = cv2.resize(srgb[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
        self._corner = np.array([x0, y0], float)
        self._density = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])

    def crop(self, region: Region) -> np.ndarray:
        """(CROP, CROP, 3) uint8, upright; beyond the photo its border is repeated."""
        import cv2

        matrix = region.to_photo()
        matrix[:, 2] -= self._corner
        matrix *= self._density[:, None]
        # warpAffine counts from the first pixel's centre, we from its corner.
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(self._srgb, matrix, (CROP, CROP), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def rotation(angle: float) -> np.ndarray:
    """(2, 2), turns x towards y."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


@dataclass(frozen=True)
class Located:
    """The landmarks of one face."""

    landmarks: np.ndarray
    """(478, 2) float64, pixels of the photo."""
    disagreement: float
    """RMS distance of the single answers to their mean ÷ height of the landmarks. Of 348 portraits the median is
    0.6 %, the largest 2.0 %; cats, colour wheels, ears and faces seen at a wrong angle start at 2.9 %."""


def locate_landmarks(networks: FaceNetworks, srgb: np.ndarray, region: Region) -> Located | None:
    """The face at `region` of the photo `srgb` (H, W, 3) uint8; None if there is nothing like a face."""
    for _ in range(_ROUNDS):
        answers = _answers(networks, srgb, region, [region])
        if not answers or not is_plausible(np.mean(answers, axis=0)):
            return None
        region = region_around(np.mean(answers, axis=0))
    answers = _answers(networks, srgb, region, _jittered(region))
    if not answers:
        return None
    mean = np.mean(answers, axis=0)
    spread = float(np.sqrt(((np.array(answers) - mean) ** 2).sum(-1).mean()))
    return Located(mean, spread / (region_around(mean).side / MARGIN))


def region_around(landmarks: np.ndarray) -> Region:
    """The region in which the network expects the face of `landmarks` (478, 2)."""
    eyes = landmarks[LEFT_EYE[0]] - landmarks[RIGHT_EYE[0]]
    roll = float(np.arctan2(eyes[1], eyes[0]))
    upright = landmarks @ rotation(roll)
    low, high = upright.min(0), upright.max(0)
    return Region(rotation(roll) @ ((low + high) / 2), MARGIN * float((high - low).max()), roll)


def is_plausible(landmarks: np.ndarray) -> bool:
    """Whether (478, 2) landmarks form a face: features in order, neither collapsed nor stretched."""
    if not np.isfinite(landmarks).all():
        return False
    upright = landmarks @ rotation(region_around(landmarks).roll)
    width, height = np.ptp(upright[FACE_OVAL], axis=0)
    right_eye, left_eye = upright[RIGHT_EYE].mean(0), upright[LEFT_EYE].mean(0)
    eye_level = (right_eye[1] + left_eye[1]) / 2
    levels = [eye_level, upright[NOSE_TIP, 1], upright[LIPS, 1].mean(), upright[CHIN, 1]]
    return bool(
        0.45 < width / height < 1.25
        and inter_ocular_distance(landmarks) > 0.15 * height
        and left_eye[0] > right_eye[0]
        and min(np.diff(levels)) > 0.04 * height
    )


def _jittered(region: Region) -> list[Region]:
    """Eight regions, a half fraction of the 2⁴ design: all linear effects cancel, mirror symmetry is kept."""
    signs = [(size, roll, x, size * roll * x) for size, roll, x in product((-1, 1), repeat=3)]
    return [region.moved(*np.multiply(sign, _JITTER)) for sign in signs]


def _answers(
    networks: FaceNetworks, srgb: np.ndarray, around: Region, regions: list[Region]
) -> list[np.ndarray]:
    """Landmarks (478, 2) from regions near `around` and their mirror images, if the network sees a face in both."""
    neighbourhood = _Neighbourhood(srgb, around)
    found = []
    for region in regions:
        crop = neighbourhood.crop(region)
        seen, mirrored = networks.landmarks(crop), networks.landmarks(crop[:, ::-1])
        if seen is None or mirrored is None:
            continue
        to_photo = region.to_photo()
        for answer in (seen, mirrored[MIRROR] * [-1, 1] + [CROP, 0]):
            found.append(answer @ to_photo[:, :2].T + to_photo[:, 2])
    return found
