"""What a picture of a result shows: squares of its photo, and cameras on its head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ..colour import srgb_to_linear
from ..geometry.camera import crop_intrinsics
from ..reconstruction import Reconstruction

FRAME_MARGIN = 1.3
"""Side of the face's frame in units of the longer side of the landmarks' box.

The face is then about as large as in the aligned crops of Deng et al. 2019 (1.29 to 1.37 on four portraits),
through which Lin et al. 2020 report their numbers.
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
    if min(side_x, side_y) >= size:
        rows_averaged = _averaged(part, top - y0, side_y / size, size)
        columns_averaged = _averaged(rows_averaged.swapaxes(0, 1), left - x0, side_x / size, size)
        return columns_averaged.swapaxes(0, 1).astype(np.float32)
    box = (left - x0, top - y0, left - x0 + side_x, top - y0 + side_y)
    channels = [
        Image.fromarray(part[..., c]).resize((size, size), Image.Resampling.BILINEAR, box=box)
        for c in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _averaged(image: np.ndarray, start: float, step: float, count: int) -> np.ndarray:
    """(H, …) → (count, …) float64: exact means over intervals of `step` rows, the first of which begins at `start`.

    Differences of the running integral. (Pillow's box filter weighs every row by 0 or 1, which moves edges
    by up to half a pixel; OpenCV's begins at whole pixels.)
    """
    integral = np.cumsum(image, axis=0, dtype=np.float64)
    integral = np.concatenate([np.zeros_like(integral[:1]), integral])
    positions = start + step * np.arange(count + 1)
    whole = np.minimum(positions.astype(np.int64), len(image) - 1)
    fraction = (positions - whole).reshape(-1, *[1] * (image.ndim - 1))
    return np.diff(integral[whole] + fraction * image[whole], axis=0) / step


def inside_photo(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """(size, size) bool: pixels of the frame whose centre lies on the photo."""
    centre = (np.arange(size) + 0.5) * (frame.side / size)
    width, height = reconstruction.image_size
    columns = (frame.left + centre >= 0) & (frame.left + centre < width)
    rows = (frame.top + centre >= 0) & (frame.top + centre < height)
    return rows[:, None] & columns


def frame_mask(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """(size, size) uint8: the mask at the pixels' centres, 0 outside the photo."""
    height, width = reconstruction.mask.shape
    left, top, side_x, side_y = _stored_box(reconstruction, frame)
    centre = (np.arange(size) + 0.5) / size
    columns = np.clip((left + centre * side_x).astype(int), 0, width - 1)
    rows = np.clip((top + centre * side_y).astype(int), 0, height - 1)
    return np.where(inside_photo(reconstruction, frame, size), reconstruction.mask[np.ix_(rows, columns)], 0)


def _stored_box(reconstruction: Reconstruction, frame: Frame) -> tuple[float, float, float, float]:
    """Left, top, width and height in pixels of the stored photo, which may be smaller than the original."""
    height, width = reconstruction.photo_srgb.shape[:2]
    scale_x, scale_y = width / reconstruction.image_size[0], height / reconstruction.image_size[1]
    return frame.left * scale_x, frame.top * scale_y, frame.side * scale_x, frame.side * scale_y
