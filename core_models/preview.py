"""One sheet to judge a result by: the photo, the render over it, its parts, new lights, new views."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .colour import linear_to_srgb_uint8, srgb_to_linear
from .framing import face_frame, frame_photo, frame_view, portrait_view
from .lamps import Lamp, lamp_light
from .reconstruction import Reconstruction
from .view import Surface

TILE = 640
"""Side of every picture on the sheet, pixels."""
_COLUMNS = 3
_MARGIN = 20
_CAPTION_HEIGHT = 34
_FONT_SIZE = 20
_PAPER_SRGB = (38, 38, 40)
_INK_SRGB = (190, 190, 192)
_PHOTO_MARGIN = 1.6  # × the landmarks' box: shows the hair and how the render ends in it
_VIEW_YAWS = (-45.0, 0.0, 45.0)


Tile = tuple[str, np.ndarray]
"""Caption and picture, (TILE, TILE, 3) uint8."""


_NEUTRAL = (Lamp((0.25, 0.45, 0.85), (0.55, 0.55, 0.55)),)
_NEUTRAL_AMBIENT = 0.4
_SIDE_LIGHT = (Lamp((-0.7, 0.6, 0.5), (1.1, 1.1, 1.1)),)
_SIDE_AMBIENT = 0.15
_WARM, _COOL = Lamp((-0.95, 0.1, 0.3), (1.0, 0.55, 0.25)), Lamp((0.95, 0.1, 0.3), (0.2, 0.45, 0.95))
_RELIGHTS: tuple[tuple[str, tuple[Lamp, ...], float], ...] = (
    ("key light from the left", (Lamp((-0.85, 0.35, 0.4), (1.15, 1.1, 1.0)),), 0.08),
    ("warm left, cool right", (_WARM, _COOL), 0.03),
    ("light from above", (Lamp((0.0, 0.95, 0.3), (1.1, 1.1, 1.15)),), 0.08),
)


def preview_sheet(reconstruction: Reconstruction) -> np.ndarray:
    """Lay out the sheet → (H, W, 3) uint8 sRGB.

    Rows: photo, render over photo, geometry; albedo, lighting and confidence as UV images; three relights
    through the photo's camera; the head turned to −45°, 0° and 45°.
    """
    frame = face_frame(reconstruction, _PHOTO_MARGIN)
    surface = Surface.trace(reconstruction, frame_view(reconstruction, frame, TILE))
    tiles = _photo_row(surface, frame_photo(reconstruction, frame, TILE))
    tiles += _map_row(reconstruction) + _relight_row(surface)
    tiles += [_turned(reconstruction, yaw) for yaw in _VIEW_YAWS]
    rows = -(-len(tiles) // _COLUMNS)
    width = _MARGIN + _COLUMNS * (TILE + _MARGIN)
    height = _MARGIN + rows * (TILE + _CAPTION_HEIGHT + _MARGIN // 2)
    sheet = Image.new("RGB", (width, height), _PAPER_SRGB)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    for index, (caption, tile) in enumerate(tiles):
        x = _MARGIN + index % _COLUMNS * (TILE + _MARGIN)
        y = _MARGIN + index // _COLUMNS * (TILE + _CAPTION_HEIGHT + _MARGIN // 2)
        sheet.paste(Image.fromarray(tile), (x, y))
        draw.text((x, y + TILE + 6), caption, fill=_INK_SRGB, font=font)
    return np.asarray(sheet)


def _photo_row(surface: Surface, photo_linear: np.ndarray) -> list[Tile]:
    clay = surface.picture("clay", lamp_light(_SIDE_LIGHT, _SIDE_AMBIENT))
    return [
        ("photo", linear_to_srgb_uint8(photo_linear)),
        (
            "render over photo",
            linear_to_srgb_uint8(surface.picture("uv", "image", without=("rim",)).over(photo_linear)),
        ),
        ("geometry", linear_to_srgb_uint8(clay.over(_paper_linear()))),
    ]


def _map_row(reconstruction: Reconstruction) -> list[Tile]:
    shading = reconstruction.shading_linear.astype(np.float32)
    exposure = 0.8 / max(float(np.percentile(shading, 98)), 1e-3)
    confidence = np.repeat(reconstruction.confidence[..., None], 3, axis=-1)
    return [
        ("albedo (UV)", _resized(reconstruction.albedo_srgb)),
        (f"lighting (UV, times {exposure:.2f})", _resized(linear_to_srgb_uint8(shading * exposure))),
        ("confidence (UV): white seen, black invented", _resized(confidence)),
    ]


def _relight_row(surface: Surface) -> list[Tile]:
    return [
        (name, linear_to_srgb_uint8(surface.picture("uv", lamp_light(lamps, ambient)).over(_paper_linear())))
        for name, lamps, ambient in _RELIGHTS
    ]


def _turned(reconstruction: Reconstruction, yaw_degrees: float) -> Tile:
    surface = Surface.trace(reconstruction, portrait_view(reconstruction, yaw_degrees, TILE, TILE))
    picture = surface.picture("uv", lamp_light(_NEUTRAL, _NEUTRAL_AMBIENT))
    caption = f"turned by {yaw_degrees:+.0f}°" if yaw_degrees else "from the front"
    return caption, linear_to_srgb_uint8(picture.over(_paper_linear()))


def _paper_linear() -> np.ndarray:
    return srgb_to_linear(np.array(_PAPER_SRGB, np.uint8))


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS))
