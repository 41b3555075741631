"""One sheet to judge a result by: the photo, what of it is believed, the render over it, its parts, lights, views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..colour import linear_to_srgb_uint8, srgb_to_linear
from ..reconstruction import Reconstruction
from ..render.lamps import Rig
from .framing import Frame, face_frame, frame_photo, frame_view, portrait_view
from .rigs import NEUTRAL, RELIGHTS, RIM, SIDE
from .traced_head import Picture, Texture, TracedHead

TILE = 512
"""Side of every picture on the sheet, pixels."""
_COLUMNS = 4
_MARGIN = 20
_CAPTION_HEIGHT = 34
_FONT_SIZE = 20
_PAPER_SRGB = (38, 38, 40)
_INK_SRGB = (190, 190, 192)
_PHOTO_MARGIN = 1.6  # × the landmarks' box: shows the hair and how the render ends in it
_DOUBT_SRGB, _DOUBT_SHARE = (255, 0, 200), 0.6
"""The tint of pixels that are not believed to be this face, and how much it covers."""
_TURNS = ((-45.0, "turned 45° to the left"), (45.0, "turned 45° to the right"), (90.0, "in profile"))


Tile = tuple[str, np.ndarray]
"""Caption and picture, (TILE, TILE, 3) uint8."""


def preview_sheet(reconstruction: Reconstruction) -> np.ndarray:
    """Lay out the sheet → (H, W, 3) uint8 sRGB.

    Rows: photo, mask over photo, render over photo, geometry; albedo, lighting and confidence as UV images, vertex
    colours on the head; four relights from the front; the head turned to −45°, 0°, 45° and 90°.
    """
    front = _portrait(reconstruction, 0.0)
    views = [(name, _lit(_portrait(reconstruction, yaw), NEUTRAL)) for yaw, name in _TURNS]
    views.insert(1, ("from the front", _lit(front, NEUTRAL)))
    tiles = _photo_row(reconstruction) + _map_row(reconstruction)
    tiles.append(("vertex colours: bare albedo", _on_paper(front.picture("vertex", None))))
    tiles += [(rig.name, _lit(front, rig)) for rig in (*RELIGHTS, RIM)]
    return _laid_out(tiles + views)


def _portrait(reconstruction: Reconstruction, yaw_degrees: float) -> TracedHead:
    return TracedHead.of(reconstruction, portrait_view(reconstruction, yaw_degrees, TILE, TILE))


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
    head = TracedHead.of(reconstruction, frame_view(reconstruction, frame, TILE))
    photo_linear = frame_photo(reconstruction, frame, TILE)
    render = head.picture("uv", "image", without=("rim", "cranium", "ears"))
    return [
        ("photo", linear_to_srgb_uint8(photo_linear)),
        ("what is believed to be this face", linear_to_srgb_uint8(_frame_mask(reconstruction, frame))),
        ("render over photo", linear_to_srgb_uint8(render.over(photo_linear))),
        ("geometry", _lit(head, SIDE, "clay")),
    ]


def _frame_mask(reconstruction: Reconstruction, frame: Frame) -> np.ndarray:
    """(TILE, TILE, 3) linear: the photo, tinted where the mask leaves it out."""
    doubt = _DOUBT_SHARE * (1.0 - reconstruction.mask[..., None].astype(np.float32) / 255.0)
    tinted = reconstruction.photo_srgb * (1.0 - doubt) + doubt * np.array(_DOUBT_SRGB, np.float32)
    return frame_photo(replace(reconstruction, photo_srgb=np.round(tinted).astype(np.uint8)), frame, TILE)


def _map_row(reconstruction: Reconstruction) -> list[Tile]:
    shading = reconstruction.shading_linear.astype(np.float32)
    exposure = 0.8 / max(float(np.percentile(shading, 98)), 1e-3)
    confidence = np.repeat(reconstruction.confidence[..., None], 3, axis=-1)
    return [
        ("albedo (UV)", _resized(reconstruction.albedo_srgb)),
        (f"lighting (UV, times {exposure:.2f})", _resized(linear_to_srgb_uint8(shading * exposure))),
        ("confidence (UV): white seen, black invented", _resized(confidence)),
    ]


def _lit(head: TracedHead, rig: Rig, texture: Texture = "uv") -> np.ndarray:
    return _on_paper(head.picture(texture, rig.light))


def _on_paper(picture: Picture) -> np.ndarray:
    return linear_to_srgb_uint8(picture.over(srgb_to_linear(np.array(_PAPER_SRGB, np.uint8))))


def _resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((TILE, TILE), Image.Resampling.LANCZOS))
