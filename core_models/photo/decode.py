"""Pillow image of any depth and colour model → 8-bit sRGB.

Decoding is Pillow's, except for 16 bits per channel, which Pillow cuts to 8 and OpenCV keeps.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from . import exif

if TYPE_CHECKING:
    from PIL import Image, ImageCms

MAX_SIDE = 8192
"""Pixels; a larger photo is reduced. Twice the largest texture, so that no detail that we keep is lost."""
ALPHA_BACKGROUND = 128
"""Encoded grey behind transparent pixels: white or black would show through soft edges as light or shadow."""

_BITS_PER_SAMPLE = 258
"""TIFF 6.0 tag."""


def srgb_pixels(image: Image.Image, data: bytes, orientation: int, warnings: list[str]) -> np.ndarray:
    """Pixels of the first frame, (H, W, 3) uint8 sRGB, upright, at most MAX_SIDE a side.

    `data` is the whole file, `orientation` its EXIF tag; what had to be assumed is appended to `warnings`.

    Raises:
        Whatever Pillow raises on broken data.
    """
    from PIL import Image as pillow

    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        warnings.append("The file holds several pictures; the first one is used.")
    reduction = 1
    while max(image.size) > MAX_SIDE * reduction:
        reduction *= 2
    if reduction > 1:
        # Lets JPEG decode straight to a half, a quarter …; other formats are reduced after decoding.
        image.draft(None, (image.width // reduction, image.height // reduction))
    profile = image.info.get("icc_profile")
    image.load()
    if image.format == "TIFF":
        orientation = 1  # Pillow and OpenCV turn TIFFs themselves
    if _is_deep(image, data):
        image.close()  # frees its pixels
        image = _rounded_to_8_bit(data)
    if max(image.size) > MAX_SIDE:
        image = image.convert("RGBA") if image.mode in ("P", "PA") or "transparency" in image.info else image
        image.thumbnail((MAX_SIDE, MAX_SIDE), pillow.Resampling.LANCZOS, reducing_gap=2.0)
    return exif.orient(_over_grey(image, profile, warnings), orientation)


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits per channel."""
    if image.format == "PNG":
        return data[24] == 16
    if image.format == "TIFF":
        return set(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())) == {16}
    return False


def _rounded_to_8_bit(data: bytes) -> Image.Image:
    """A 16-bit PNG or TIFF as L, RGB or RGBA at most MAX_SIDE a side, rounded where Pillow would cut.

    Raises:
        ValueError: OpenCV cannot read it.
    """
    import cv2
    from PIL import Image

    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16:
        raise ValueError("16-bit image that OpenCV cannot read")
    scale = MAX_SIDE / max(deep.shape)
    if scale < 1:
        # Here already: two whole copies of a 100 MP photo at 16 bits would not fit in memory.
        size = (round(deep.shape[1] * scale), round(deep.shape[0] * scale))
        deep = cv2.resize(deep, size, interpolation=cv2.INTER_AREA)
    pixels = cv2.convertScaleAbs(deep, alpha=255 / 65535)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return Image.fromarray(pixels)


def _over_grey(image: Image.Image, profile: bytes | None, warnings: list[str]) -> np.ndarray:
    """Any Pillow mode → (H, W, 3) uint8 sRGB, transparent pixels laid over `ALPHA_BACKGROUND`."""
    from PIL import Image as pillow

    alpha = None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        alpha = image.convert("RGBA").getchannel("A")
    if image.mode in ("1", "L", "LA", "La"):
        colour = image.convert("L")
    elif image.mode in ("CMYK", "LAB"):
        colour = image
    else:
        colour = image.convert("RGB")
    rgb = _to_srgb(colour, profile, warnings)
    if alpha is not None:
        background = pillow.new("RGB", rgb.size, (ALPHA_BACKGROUND,) * 3)
        rgb = pillow.composite(rgb, background, alpha)
    return np.array(rgb)


def _to_srgb(image: Image.Image, profile: bytes | None, warnings: list[str]) -> Image.Image:
    """Convert L, RGB, CMYK or LAB by the embedded profile; without one, grey and RGB are taken as sRGB."""
    from PIL import ImageCms

    source: ImageCms.ImageCmsProfile | None = None
    if image.mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    elif profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
        except (OSError, ImageCms.PyCMSError):
            warnings.append("The colour profile is damaged; the colours are taken as sRGB.")
    if source is not None and not _describes_srgb(source):
        try:
            return _apply_profile(image, source)
        except (ImageCms.PyCMSError, OSError, ValueError):
            warnings.append("The colour profile does not fit the photo; the colours are taken as sRGB.")
    if image.mode == "CMYK":
        warnings.append("A CMYK photo without a usable colour profile: its colours are approximate.")
    return image.convert("RGB")


def _describes_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether the profile is sRGB itself, whose conversion would only add rounding errors."""
    return (profile.profile.profile_description or "").startswith("sRGB")


def _apply_profile(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None only for inPlace=True
    return converted
