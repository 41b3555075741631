"""Contact sheets: what the numbers are about, for eyes. One sheet a head, one row a photo."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...core_models.colour import linear_to_srgb_uint8, srgb_to_linear
from ...train.evaluation.colour_difference import ciede2000
from .frame import frame_image
from .looks import Paint
from .score import Setting

COLUMNS = ("photo", "true albedo", "albedo", "difference, white = 25", "true, relit", "relit")
_TILE, _GAP, _CAPTION = 240, 4, 18
_RELIGHT = "key"
_WHITE_DIFFERENCE = 25.0
_PAPER, _INK = (38, 38, 40), (200, 200, 202)


def photo_tiles(setting: Setting, paint: Paint) -> list[np.ndarray]:
    """The pictures of `COLUMNS`, (size, size, 3) uint8 each, for the program's UV image."""
    samples = paint.samples(setting.found, "uv")
    albedo = setting.found.sums(samples)
    difference = ciede2000(setting.found.picture(samples), setting.true_picture) / _WHITE_DIFFERENCE
    shown = np.where(setting.skin | setting.eyes, np.clip(difference, 0, 1), 0)
    theirs, mine = setting.lights[_RELIGHT]
    photo = frame_image(srgb_to_linear(setting.specimen.photo_srgb), setting.frame)
    linear = [photo, setting.truth.sums(setting.true_samples), albedo]
    relit = [setting.truth.sums(setting.true_samples * theirs), setting.found.sums(samples * mine)]
    grey = np.repeat(np.round(shown * 255).astype(np.uint8)[..., None], 3, axis=-1)
    return [*map(linear_to_srgb_uint8, linear), grey, *map(linear_to_srgb_uint8, relit)]


def contact_sheet(rows: list[tuple[str, list[np.ndarray]]]) -> Image.Image:
    """Rows of a caption and its tiles → one picture."""
    width = len(COLUMNS) * (_TILE + _GAP) + _GAP
    step = _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (width, _CAPTION + len(rows) * step + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, title in enumerate(COLUMNS):
        draw.text((_GAP + column * (_TILE + _GAP) + 4, 2), title, fill=_INK, font=font)
    for index, (caption, tiles) in enumerate(rows):
        y = _CAPTION + index * step
        draw.text((_GAP + 4, y + 2), caption, fill=_INK, font=font)
        for column, tile in enumerate(tiles):
            small = cv2.resize(tile, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
            sheet.paste(Image.fromarray(small), (_GAP + column * (_TILE + _GAP), y + _CAPTION))
    return sheet
