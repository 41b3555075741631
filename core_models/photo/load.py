"""A photo file becomes an upright 8-bit sRGB image with what its EXIF says about the camera.

The format is told by the file's content, never by its name. Heavy libraries are imported where they are used.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import numpy as np

from ..errors import SemblanceError
from . import decode, exif

if TYPE_CHECKING:
    from PIL import Image

MIN_SIDE = 64
"""Pixels; nothing smaller holds a face worth fitting."""
MAX_PIXELS = 250_000_000
"""Above the largest phone sensor (200 MP); guards against files that unpack to more than memory holds."""
MAX_BYTES = 1_000_000_000
"""Of a file; what is larger is a film or a disk image."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
_CONVERT = "Save it as JPEG or PNG and try again."
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, struct.error)
"""What Pillow's plug-ins raise on broken data."""

_NEW_SUBFILE_TYPE = 254
"""TIFF 6.0 tag; bit 0: a reduced version of another image in the file."""


class PhotoError(SemblanceError):
    """A photo that cannot be used."""

    code = "bad_photo"


class PhotoNotFoundError(PhotoError):
    """No file of that name, or a folder instead."""

    code = "photo_not_found"


class PhotoUnreadableError(PhotoError):
    """The system does not let us read the file."""

    code = "photo_unreadable"


class PhotoFormatError(PhotoError):
    """Not an image, or a kind of image that we do not read."""

    code = "photo_format"


class PhotoDamagedError(PhotoError):
    """The image ends early or contradicts itself."""

    code = "photo_damaged"


class PhotoSizeError(PhotoError):
    """Too few pixels to hold a face, or too many to hold in memory."""

    code = "photo_size"


@dataclass(frozen=True)
class Photo:
    """A decoded photo."""

    srgb: np.ndarray
    """(H, W, 3) uint8, upright, sRGB."""
    focal_px: float | None
    """Focal length in pixels of `srgb` as EXIF tells it, or None."""
    path: str
    warnings: tuple[str, ...] = ()
    """Sentences for the user about what had to be assumed."""

    @property
    def height(self) -> int:
        """H, pixels."""
        return int(self.srgb.shape[0])

    @property
    def width(self) -> int:
        """W, pixels."""
        return int(self.srgb.shape[1])


def load_photo(path: str | os.PathLike[str]) -> Photo:
    """Decode a JPEG, PNG, WebP, TIFF or BMP file of any depth and colour model.

    Transparent pixels are laid over mid grey, the colour profile is converted to sRGB, the EXIF orientation
    applied. A photo with a side beyond `decode.MAX_SIDE` is reduced; `focal_px` is that of the reduced photo.

    Raises:
        PhotoNotFoundError, PhotoUnreadableError, PhotoFormatError, PhotoDamagedError, PhotoSizeError
    """
    from PIL import Image, UnidentifiedImageError

    Image.init()
    name = os.fspath(path)
    data = _read(name)
    warnings: list[str] = []
    with _no_bomb_check(), catch_warnings():
        simplefilter("ignore")  # Pillow's remarks on odd metadata
        try:
            with Image.open(BytesIO(data), formats=_FORMATS) as image:
                _check_header(image, name)
                tags = exif.read_tags(image)
                stored_size = image.size
                srgb = decode.srgb_pixels(image, data, tags.orientation, warnings)
        except UnidentifiedImageError:
            raise _unknown_format(name, data) from None
        except _DECODE_ERRORS as error:
            raise _damaged(name) from error
    height, width = srgb.shape[:2]
    if width * height != stored_size[0] * stored_size[1]:
        stored = f"{stored_size[0]} × {stored_size[1]}"
        warnings.append(f"The photo of {stored} pixels is used at {width} × {height}.")
    focal_px = exif.focal_length_px(tags, stored_size, (width, height))
    return Photo(srgb, focal_px, name, tuple(warnings))


def _read(name: str) -> bytes:
    if os.path.isdir(name):
        raise PhotoNotFoundError(f"'{name}' is a folder.", "Choose a photo inside it.")
    try:
        with open(name, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise PhotoNotFoundError(f"There is no file '{name}'.", "Check the path.") from error
    except OSError as error:
        raise PhotoUnreadableError(
            f"'{name}' cannot be read ({error.strerror or error}).",
            "Check its permissions or copy it to another folder.",
        ) from error
    if len(data) > MAX_BYTES:
        raise PhotoSizeError(
            f"'{name}' is larger than {MAX_BYTES / 1e9:.0f} GB.", "Choose a photo, or save it anew as JPEG."
        )
    if not data:
        raise PhotoDamagedError(f"'{name}' is empty.", "Copy or download the photo again.")
    return data


@contextmanager
def _no_bomb_check() -> Iterator[None]:
    """Suspend Pillow's own size limit, which would refuse a 200 MP photo; `_check_header` has ours."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _damaged(name: str) -> PhotoDamagedError:
    return PhotoDamagedError(
        f"'{name}' is damaged or incomplete.",
        "Copy it again, or save it anew from an image editor.",
    )


def _unknown_format(name: str, data: bytes) -> PhotoError:
    """Name the formats that people are likely to try."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        kind = "a HEIC image"
    elif brand in (b"avif", b"avis"):
        kind = "an AVIF image"
    elif data.startswith((b"GIF87a", b"GIF89a")):
        kind = "a GIF image"
    elif data.startswith(b"%PDF"):
        kind = "a PDF document"
    elif data.startswith(b"8BPS"):
        kind = "a Photoshop document"
    elif data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM")) or (
        data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    ):
        return _damaged(name)
    else:
        return PhotoFormatError(f"'{name}' is not an image.", "Choose a JPEG, PNG, WebP, TIFF or BMP photo.")
    return PhotoFormatError(f"'{name}' is {kind}, which is not supported.", _CONVERT)


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise PhotoSizeError(
            f"'{name}' is only {width} × {height} pixels.",
            f"Use a photo of at least {MIN_SIDE} pixels a side; 1000 or more give a good face.",
        )
    if width * height > MAX_PIXELS:
        raise PhotoSizeError(
            f"'{name}' has {width * height / 1e6:.0f} million pixels.",
            f"Scale it down to at most {decode.MAX_SIDE} pixels a side.",
        )
    if getattr(image, "tag_v2", {}).get(_NEW_SUBFILE_TYPE, 0) & 1:
        # Camera raw files are TIFFs whose first image is a thumbnail.
        raise PhotoFormatError(f"'{name}' is a camera raw file, which is not supported.", _CONVERT)
    if image.mode in ("F", "I"):
        raise PhotoFormatError(f"'{name}' has more than 16 bits per channel.", _CONVERT)
