"""What a picture of a result shows: squares of its photo, and cameras on its head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from .colour import srgb_to_linear
from .geometry.camera import crop_intrinsics
from .reconstruction import Reconstruction

FRAME_MARGIN = 1.25
"""Side of the face's frame in units of the longer side of the landmarks' box.

The face is then as large as in the crops of Deng et al. 2019, through which Lin et al. 2020 report their numbers.
"""
_PORTRAIT_DISTANCE = 1.5  # metres: no visible perspective distortion, as in portrait photography


@dataclass(frozen=True)
class Frame:
    """A square of the oriented photo, in its pixels from the top-left corner; it may reach outside."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class View:
    """A camera: head → camera frame (metres) and pinhole, conventions of `Reconstruction`."""

    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray
    width: int
    height: int


def face_frame(reconstruction: Reconstruction, margin: float = FRAME_MARGIN) -> Frame:
    """The square around the box of the detected landmarks, centred on it."""
    low, high = reconstruction.landmarks.min(axis=0), reconstruction.landmarks.max(axis=0)
    side = margin * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return Frame(float(left), float(top), side)


def frame_view(reconstruction: Reconstruction, frame: Frame, size: int) -> View:
    """The photo's own camera, looking through a frame of it, size × size pixels."""
    K = torch.from_numpy(reconstruction.K).to(torch.float64)[None]
    cropped = crop_intrinsics(K, frame.left, frame.top, size / frame.side)[0].numpy()
    return View(reconstruction.rotation, reconstruction.translation, cropped, size, size)


def portrait_view(reconstruction: Reconstruction, yaw_degrees: float, width: int, height: int) -> View:
    """A camera before the head, which is turned by `yaw_degrees` about its vertical axis and fills it.

    Positive yaw turns the face to the picture's right, so that the subject's right side is seen.
    """
    angle = np.radians(yaw_degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    low, high = reconstruction.vertices.min(axis=0), reconstruction.vertices.max(axis=0)
    turned = (reconstruction.vertices - (low + high) / 2) @ rotation.T
    # Turning never moves the head out of a frame that holds its widest horizontal half extent.
    half_width = float(np.hypot(turned[:, 0], turned[:, 2]).max())
    half_height = float(high[1] - low[1]) / 2
    focal = 0.92 * _PORTRAIT_DISTANCE * min(width / 2 / half_width, height / 2 / half_height)
    centre = (turned.min(axis=0) + turned.max(axis=0)) / 2 + rotation @ ((low + high) / 2)
    K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return View(
        rotation, np.array([-centre[0], -centre[1], -_PORTRAIT_DISTANCE - centre[2]]), K, width, height
    )


def frame_photo(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """The stored photo inside a frame → (size, size, 3) float32 linear; its edge is repeated outside.

    Area-averaged in linear light; where the frame has fewer pixels than `size`, interpolated bilinearly.
    """
    height, width = reconstruction.photo_srgb.shape[:2]
    left, top, side_x, side_y = _stored_box(reconstruction, frame)
    x0, y0 = int(np.floor(left)), int(np.floor(top))
    columns = np.clip(np.arange(x0, int(np.ceil(left + side_x)) + 1), 0, width - 1)
    rows = np.clip(np.arange(y0, int(np.ceil(top + side_y)) + 1), 0, height - 1)
    part = srgb_to_linear(reconstruction.photo_srgb[np.ix_(rows, columns)])
    box = (left - x0, top - y0, left - x0 + side_x, top - y0 + side_y)
    method = Image.Resampling.BOX if min(side_x, side_y) >= size else Image.Resampling.BILINEAR
    channels = [Image.fromarray(part[..., c]).resize((size, size), method, box=box) for c in range(3)]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def inside_photo(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """(size, size) bool: pixels of the frame whose centre lies on the photo."""
    centre = (np.arange(size) + 0.5) * (frame.side / size)
    width, height = reconstruction.image_size
    columns = (frame.left + centre >= 0) & (frame.left + centre < width)
    rows = (frame.top + centre >= 0) & (frame.top + centre < height)
    return rows[:, None] & columns


def _stored_box(reconstruction: Reconstruction, frame: Frame) -> tuple[float, float, float, float]:
    """Left, top, width and height in pixels of the stored photo, which may be smaller than the original."""
    height, width = reconstruction.photo_srgb.shape[:2]
    scale_x, scale_y = width / reconstruction.image_size[0], height / reconstruction.image_size[1]
    return frame.left * scale_x, frame.top * scale_y, frame.side * scale_x, frame.side * scale_y
