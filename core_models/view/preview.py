"""One sheet to judge a result by: the photo, the render over it, its parts, new lights, new views."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..colour import linear_to_srgb_uint8, srgb_to_linear
from ..reconstruction import Reconstruction
from .framing import face_frame, frame_photo, frame_view, portrait_view
from .rigs import NEUTRAL, RELIGHTS, SIDE, Rig
from .surface import Surface, Texture

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
_VIEW_NAMES = ("turned 45° to the left", "from the front", "turned 45° to the right")


Tile = tuple[str, np.ndarray]
"""Caption and picture, (TILE, TILE, 3) uint8."""


def preview_sheet(reconstruction: Reconstruction) -> np.ndarray:
    """Lay out the sheet → (H, W, 3) uint8 sRGB.

    Rows: photo, render over photo, geometry; albedo, lighting and confidence as UV images; three relights from
    the front; the head turned to −45°, 0° and 45°.
    """
    left, front, right = (
        Surface.trace(reconstruction, portrait_view(reconstruction, yaw, TILE, TILE)) for yaw in _VIEW_YAWS
    )
    tiles = _photo_row(reconstruction) + _map_row(reconstruction)
    tiles += [(rig.name, _lit(front, rig)) for rig in RELIGHTS]
    tiles += [
        (name, _lit(head, NEUTRAL)) for name, head in zip(_VIEW_NAMES, (left, front, right), strict=True)
    ]
    return _laid_out(tiles)


def _laid_out(tiles: list[Tile]) -> np.ndarray:
    rows = -(-len(tiles) // _COLUMNS)
    step_x, step_y = TILE + _MARGIN, TILE + _CAPTION_HEIGHT + _MARGIN // 2
    sheet = Image.new("RGB", (_MARGIN + _COLUMNS * step_x, _MARGIN + rows * step_y), _PAPER_SRGB)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    for index, (caption, tile) in enumerate(tiles):
        x, y = _MARGIN + index % _COLUMNS * step_x, _MARGIN + index // _COLUMNS * step_y
        sheet.paste(Image.fromarray(tile), (x, y))
        draw.text((x, y + TILE + 6), caption, fill=_INK_SRGB, font=font)
    return np.asarray(sheet)


def _photo_row(reconstruction: Reconstruction) -> list[Tile]:
    frame = face_frame(reconstruction, _PHOTO_MARGIN)
    surface = Surface.trace(reconstruction, frame_view(reconstruction, frame, TILE))
    photo_linear = frame_photo(reconstruction, frame, TILE)
    render = surface.picture("uv", "image", without=("rim",))
    return [
        ("photo", linear_to_srgb_uint8(photo_linear)),
        ("render over photo", linear_to_srgb_uint8(render.over(photo_linear))),
        ("geometry", _lit(surface, SIDE, "clay")),
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


def _lit(surface: Surface, rig: Rig, texture: Texture = "uv") -> np.ndarray:
    picture = surface.picture(texture, rig.light())
    return linear_to_srgb_uint8(picture.over(srgb_to_linear(np.array(_PAPER_SRGB, np.uint8))))


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS))
