"""What EXIF says about a photo: which way up it is and how long the lens was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FULL_FRAME_DIAGONAL_MM = 43.267
"""Of 36 × 24 mm. CIPA DCG-001 defines the 35 mm equivalent by the diagonal, whatever the aspect ratio."""
PLAUSIBLE_FOCAL = (0.25, 15.0)
"""Focal length ÷ image diagonal: 35 mm equivalents of about 11 to 650 mm."""

_EXIF_IFD, _ORIENTATION = 34665, 274
_FOCAL_35MM, _FOCAL_MM, _PLANE_X_RESOLUTION, _PLANE_UNIT = 41989, 37386, 41486, 41488
_CAPTURED_WIDTH, _CAPTURED_HEIGHT = 40962, 40963
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""FocalPlaneResolutionUnit: inch, centimetre, millimetre, micrometre."""
_CROPPED = 0.02
"""Relative difference of aspect ratios beyond which the photo was cropped after it was taken."""


@dataclass(frozen=True)
class ExifTags:
    """The tags that we use; 0 where absent or unreadable."""

    orientation: int = 1
    focal_35mm: float = 0.0
    focal_mm: float = 0.0
    pixels_per_mm: float = 0.0
    """On the sensor, of the picture as it was captured."""
    captured_size: tuple[float, float] = (0.0, 0.0)
    """(width, height) that the camera wrote."""


def read_tags(image: Image.Image) -> ExifTags:
    """The tags of an opened image; what is damaged counts as absent."""
    exif = image.getexif()
    details = exif.get_ifd(_EXIF_IFD)
    unit_mm = _MM_PER_UNIT.get(int(_number(details.get(_PLANE_UNIT, 2))), 0.0)
    resolution = _number(details.get(_PLANE_X_RESOLUTION))
    return ExifTags(
        orientation=int(_number(exif.get(_ORIENTATION, 1))),
        focal_35mm=_number(details.get(_FOCAL_35MM)),
        focal_mm=_number(details.get(_FOCAL_MM)),
        pixels_per_mm=resolution / unit_mm if unit_mm else 0.0,
        captured_size=(_number(details.get(_CAPTURED_WIDTH)), _number(details.get(_CAPTURED_HEIGHT))),
    )


def _number(value: Any) -> float:
    """A finite positive number, or 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


def focal_length_px(tags: ExifTags, stored_size: tuple[int, int], size: tuple[int, int]) -> float | None:
    """Focal length in pixels of an image of `size` (w, h), decoded from a file of `stored_size`.

    The 35 mm equivalent comes first: it needs no sensor data. Else the true focal length and the sensor's
    resolution. None when neither is there, when it is not believable, or when the photo was cropped since.
    """
    captured = max(tags.captured_size)
    if min(tags.captured_size):
        # Long by short side: some writers turn the pixels and leave the tags.
        aspect = (captured / min(tags.captured_size)) / (max(stored_size) / min(stored_size))
        if abs(math.log(aspect)) > _CROPPED:
            return None
    diagonal = math.hypot(*size)
    if tags.focal_35mm:
        focal = tags.focal_35mm / FULL_FRAME_DIAGONAL_MM * diagonal
    else:
        focal = tags.focal_mm * tags.pixels_per_mm * max(size) / (captured or max(stored_size))
    low, high = PLAUSIBLE_FOCAL
    return focal if low <= focal / diagonal <= high else None


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, …) pixels as stored into pixels as seen; orientations outside 2 … 8 change nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
