"""The square of a photo in which heads are scored: its pictures, rendered and photographed, supersampled alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from ...core_models.render.trace import CameraMesh, Trace

_SUPERSAMPLE = 2
"""Samples a pixel and axis."""
_MARGIN = 1.04
"""Side of the scored square in units of the longer side of the face's bounds."""


@dataclass(frozen=True)
class Frame:
    """A square of the photo, in its pixels from the top-left corner, and how many pixels its picture has."""

    left: float
    top: float
    side: float
    size: int

    def trace(self, mesh: CameraMesh) -> Trace:
        """What its picture sees of a head."""
        crop = (self.left, self.top, self.size / self.side)
        return Trace.of(mesh, self.size, self.size, _SUPERSAMPLE, crop)


def face_frame(mesh: CameraMesh, names: Collection[str], size: int) -> Frame:
    """The square around the named regions of a head."""
    points = mesh.vertices[np.unique(mesh.faces[mesh.in_regions(names)])]
    pixels = project(points, mesh.K)
    low, high = pixels.min(0), pixels.max(0)
    side = _MARGIN * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return Frame(float(left), float(top), side, size)


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(M, 3) camera frame → (M, 2) pixels."""
    x, y, depth = points[:, 0], points[:, 1], -points[:, 2]
    return np.stack([K[0, 2] + K[0, 0] * x / depth, K[1, 2] - K[1, 1] * y / depth], axis=-1)


def frame_image(image: np.ndarray, frame: Frame) -> np.ndarray:
    """A photo's picture (H, W, C) or (H, W) in a frame → (size, size, …) float32, supersampled like a render."""
    side = frame.size * _SUPERSAMPLE
    step = frame.side / side
    reduce = max(1, int(step))  # an enlarged photo is interpolated, a reduced one is averaged before
    small = cv2.blur(image.astype(np.float32), (reduce, reduce)) if reduce > 1 else image.astype(np.float32)
    centres = (np.arange(side, dtype=np.float32) + 0.5) * step - 0.5
    x, y = np.meshgrid(frame.left + centres, frame.top + centres)
    sampled = cv2.remap(
        small, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return cv2.resize(sampled, (frame.size, frame.size), interpolation=cv2.INTER_AREA)
