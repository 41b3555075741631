"""Faces in a photo: mediapipe's face detectors, then its FaceMesh network on upright crops.

Running the landmark network on our own crops instead of mediapipe's ready-made FaceMesh gives what the
fit needs: a clean low-pass before the network's 192 pixels, a region that has converged, the mean of
the crop and its mirror (so that a mirrored photo gives the mirrored landmarks), and any in-plane rotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ..landmarks import inter_ocular_distance
from ..photo.load import Photo, PhotoError
from .locate import MARGIN, Located, Region, locate_landmarks
from .mediapipe_graphs import Detection, FaceNetworks
from .person import PersonMap, find_person

MIN_INTER_OCULAR_PX = 12.0
"""Below it a face is under 45 pixels tall: an iris covers one or two pixels and no texture can be read."""
_SOFT_INTER_OCULAR_PX = 40.0
"""About 110 pixels of face: below it the photo has less detail than the smallest texture (512)."""
_UNCERTAIN = 0.015
"""Disagreement above which the user is warned: 1 in 100 sharp portraits, most half-covered ones."""
_DETECTION_SIDE = 1024
"""The photo is searched at this long side; the detectors look at 128 and 192 pixels of it."""
_PADDING = 0.5
"""Border around the padded search, as a share of the side: a face filling the frame has to look smaller."""
_TILINGS = (2, 4, 8)
"""Tiles a side of the search for small faces; neighbours overlap by half a tile."""
_TILE_SIDE = 256
"""Larger tiles are reduced to it, pixels."""
_MIN_TILE = 96
"""Pixels; smaller tiles could only show faces that are too small."""
_MIN_SCORE = 0.3
"""Of the detectors, 0 … 1. Low, because the landmarks tell faces from other things better."""
_SURE, _DOUBTFUL = 0.025, 0.035
"""Disagreement of the landmarks (see `Located`): below the first it is a face; below the second it is taken for one
in a photo that shows nothing better."""
_SAME_FACE = 0.5
"""Faces whose centres are nearer than this share of the smaller one's size are the same face."""


class NoFaceError(PhotoError):
    """Nothing in the photo looks like a face."""

    code = "no_face"


class TooSmallFaceError(PhotoError):
    """A face was found, with too few pixels to reconstruct it."""

    code = "face_too_small"


@dataclass(frozen=True)
class Face:
    """A detected face; pixels of the upright photo, first pixel centre at (0.5, 0.5)."""

    landmarks: np.ndarray
    """(478, 2) float32, the FaceMesh points (see `landmarks.py`)."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 around the landmarks; may reach beyond the photo."""
    index: int
    """0 is the largest face of the photo."""
    disagreement: float = 0.0
    """How far single answers of the network lie apart, as a share of the face's height (see `Located`)."""

    @property
    def inter_ocular_px(self) -> float:
        """Distance of the iris centres, pixels."""
        return inter_ocular_distance(self.landmarks)

    @property
    def height_px(self) -> float:
        """Height of the box, pixels."""
        return self.box[3] - self.box[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the user about what to expect of this face."""
        found = []
        if self.inter_ocular_px < _SOFT_INTER_OCULAR_PX:
            found.append(f"The face is only {self.height_px:.0f} pixels tall; its texture will be soft.")
        if self.disagreement > _UNCERTAIN:
            found.append("The face is partly hidden, turned far aside or blurred; its shape is uncertain.")
        return tuple(found)

    def place(self, photo: Photo) -> str:
        """Where it is, in words that tell the faces of a group apart: "upper left, 120 pixels tall"."""
        x, y = (self.box[0] + self.box[2]) / 2 / photo.width, (self.box[1] + self.box[3]) / 2 / photo.height
        row = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
        column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else "middle"
        return f"{row} {column}, {self.height_px:.0f} pixels tall".strip()


class FaceFinder:
    """Finds faces; keeps the networks warm between photos. Use as a context manager, or call `close`."""

    def __init__(self) -> None:
        self._networks = FaceNetworks(_MIN_SCORE)

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks."""
        self._networks.close()

    def find(self, photo: Photo) -> list[Face]:
        """All faces that are large enough, the largest first.

        The whole photo is searched, with and without a border, in four quarter turns; only if that shows no
        face, tile by tile.

        Raises:
            NoFaceError: none was found.
            TooSmallFaceError: the largest is below `MIN_INTER_OCULAR_PX`.
        """
        found = self._located(photo.srgb)
        if not found:
            raise NoFaceError(
                f"No face was found in '{photo.path}'.",
                "Use a photo with a larger, evenly lit face that looks roughly towards the camera.",
            )
        found.sort(key=lambda face: _area(face.landmarks), reverse=True)
        large = [face for face in found if _is_large(face.landmarks)]
        if not large:
            raise TooSmallFaceError(
                f"The face in '{photo.path}' is only {_size(found[0].landmarks):.0f} pixels tall.",
                "Use a photo in which it is at least 50 pixels tall; 300 or more give a good result.",
            )
        return [
            face_at(located.landmarks, index, located.disagreement) for index, located in enumerate(large)
        ]

    def largest(self, srgb: np.ndarray) -> np.ndarray | None:
        """Landmarks (478, 2) of the largest face in a picture (H, W, 3) uint8, pixels; None where there is none."""
        found = [located.landmarks for located in self._located(srgb)]
        return max(found, key=_area, default=None)

    def person(self, photo: Photo, face: Face) -> PersonMap:
        """Where the photo shows persons, around a face."""
        return find_person(self._networks, photo.srgb, face.landmarks)

    def _located(self, srgb: np.ndarray) -> list[Located]:
        """Every face of the first search that shows one; else the best of the doubtful ones."""
        doubtful: list[Located] = []
        searches = [_whole_views(srgb), *(_tile_views(srgb, tiling) for tiling in _TILINGS)]
        for views in searches:
            found = self._verified(srgb, self._detections(views))
            sure = [face for face in found if face.disagreement < _SURE]
            if sure:
                return sure
            doubtful += [face for face in found if _is_large(face.landmarks)]
        return sorted(doubtful, key=lambda face: face.disagreement)[:1]

    def _detections(self, views: Iterator[_View]) -> Iterator[Detection]:
        """Detections of all views, in pixels of the photo."""
        for view in views:
            linear = view.to_photo[:, :2]
            scale = float(np.hypot(linear[0, 0], linear[1, 0]))
            turn = float(np.arctan2(linear[1, 0], linear[0, 0]))
            for seen in self._networks.detect(view.srgb):
                centre = linear @ seen.centre + view.to_photo[:, 2]
                yield Detection(centre, seen.size * scale, seen.roll + turn, seen.score)

    def _verified(self, srgb: np.ndarray, detections: Iterable[Detection]) -> list[Located]:
        """The detections that the landmark network confirms, each face once."""
        found: list[Located] = []
        for detection in sorted(detections, key=lambda seen: seen.score, reverse=True):
            if any(_is_same(detection.centre, detection.size, known.landmarks) for known in found):
                continue
            region = Region(detection.centre, MARGIN * detection.size, detection.roll)
            face = locate_landmarks(self._networks, srgb, region)
            if face is None or face.disagreement > _DOUBTFUL:
                continue
            middle = (face.landmarks.min(0) + face.landmarks.max(0)) / 2
            if not any(_is_same(middle, _size(face.landmarks), known.landmarks) for known in found):
                found.append(face)
        return found


def face_at(landmarks: np.ndarray, index: int = 0, disagreement: float = 0.0) -> Face:
    """The face of landmarks (478, 2), pixels of the photo."""
    low, high = landmarks.min(0), landmarks.max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Face(landmarks.astype(np.float32), box, index, disagreement)


def _size(landmarks: np.ndarray) -> float:
    return float(np.ptp(landmarks, axis=0).max())


def _is_large(landmarks: np.ndarray) -> bool:
    return inter_ocular_distance(landmarks) >= MIN_INTER_OCULAR_PX


def _area(landmarks: np.ndarray) -> float:
    return float(np.prod(np.ptp(landmarks, axis=0)))


def _is_same(centre: np.ndarray, size: float, known: np.ndarray) -> bool:
    distance = float(np.linalg.norm(centre - (known.min(0) + known.max(0)) / 2))
    return distance < _SAME_FACE * min(size, _size(known))


@dataclass(frozen=True)
class _View:
    """A part of the photo as the detectors see it: scaled, turned, maybe with a border."""

    srgb: np.ndarray
    to_photo: np.ndarray
    """(2, 3): pixels of the view → pixels of the photo."""


def _whole_views(srgb: np.ndarray) -> Iterator[_View]:
    """The photo, plain and with a border, in four quarter turns."""
    import cv2

    scale = min(1.0, _DETECTION_SIDE / max(srgb.shape[:2]))
    small, to_photo = _resized(srgb, scale)
    border = round(_PADDING * max(small.shape[:2]))
    padded = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
    shifted = to_photo @ np.array([[1, 0, -border], [0, 1, -border], [0, 0, 1]])
    for quarter_turns in range(4):
        yield _turned(small, to_photo, quarter_turns)
        yield _turned(padded, shifted, quarter_turns)


def _tile_views(srgb: np.ndarray, tiling: int) -> Iterator[_View]:
    """Overlapping squares of the photo, `tiling` along its shorter side."""
    shorter = min(srgb.shape[:2])
    if shorter // tiling < _MIN_TILE:
        return
    reduced, to_photo = _resized(srgb, min(1.0, _TILE_SIDE * tiling / shorter))
    height, width = reduced.shape[:2]
    side = min(height, width) // tiling
    for y in _starts(height, side):
        for x in _starts(width, side):
            shifted = to_photo @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
            yield _View(reduced[y : y + side, x : x + side], shifted)


def _starts(length: int, side: int) -> list[int]:
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _resized(srgb: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """(reduced image, (2, 3) matrix from its pixels to those of `srgb`)."""
    import cv2

    height, width = srgb.shape[:2]
    size = (round(width * scale), round(height * scale))
    resized = cv2.resize(srgb, size, interpolation=cv2.INTER_AREA)
    return resized, np.array([[width / size[0], 0.0, 0.0], [0.0, height / size[1], 0.0]])


def _turned(srgb: np.ndarray, to_photo: np.ndarray, quarter_turns: int) -> _View:
    """Counter-clockwise turns of a view."""
    height, width = srgb.shape[:2]
    back = {
        0: [[1, 0, 0], [0, 1, 0]],
        1: [[0, -1, width], [1, 0, 0]],
        2: [[-1, 0, width], [0, -1, height]],
        3: [[0, 1, 0], [-1, 0, height]],
    }[quarter_turns]
    return _View(np.rot90(srgb, quarter_turns), to_photo @ np.vstack([back, [0, 0, 1]]))
