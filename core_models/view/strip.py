"""One row to look at a face among many: photo, bare albedo, three relights, three views."""

from __future__ import annotations

import numpy as np

from ..colour import linear_to_srgb_uint8, srgb_to_linear
from ..reconstruction import Reconstruction
from .framing import face_frame, frame_photo, frame_view, portrait_view
from .rigs import NEUTRAL, RELIGHTS
from .traced_head import TracedHead

N_TILES = 8
_MARGIN = 1.6
_VIEW_YAWS = (-45.0, 0.0, 45.0)
_PAPER_LINEAR = srgb_to_linear(np.array((38, 38, 40), np.uint8))


def portrait_strip(reconstruction: Reconstruction, tile: int) -> np.ndarray:
    """(tile, 8·tile, 3) uint8 sRGB: photo; albedo and relights as the photo saw the head; the head at −45°, 0°, 45°."""
    frame = face_frame(reconstruction, _MARGIN)
    head = TracedHead.of(reconstruction, frame_view(reconstruction, frame, tile))
    pictures = [head.picture("uv", light) for light in (None, *(rig.light for rig in RELIGHTS))]
    for yaw in _VIEW_YAWS:
        turned = TracedHead.of(reconstruction, portrait_view(reconstruction, yaw, tile, tile))
        pictures.append(turned.picture("uv", NEUTRAL.light))
    tiles = [frame_photo(reconstruction, frame, tile), *(each.over(_PAPER_LINEAR) for each in pictures)]
    return linear_to_srgb_uint8(np.concatenate(tiles, axis=1))
