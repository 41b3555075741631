"""The photo as a linear-light pyramid, sampled at the size of what is asked for (texel or vertex)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..colour import srgb_to_linear

_MARGIN = 4
"""Pixels kept around the face: the reach of the cubic kernel at level 0, and one more."""
_ROW = 1024
"""cv2.remap takes no image side above 32767: lists of points are laid out in rows of this length."""


@dataclass(frozen=True)
class PhotoPyramid:
    """Area-averaged reductions of the part of a photo that shows the face."""

    origin: tuple[int, int]
    """Column and row in the photo of the crop's top-left corner."""
    first_level: int
    """levels[0] is the photo reduced 2**first_level times."""
    levels: tuple[np.ndarray, ...]
    """Each (h, w, 3) float32 linear, half as large as the one before."""


def build_pyramid(photo_srgb: np.ndarray, pixels: np.ndarray, footprint: np.ndarray) -> PhotoPyramid:
    """Reduce the photo (H, W, 3) uint8 as far as points (M, 2) with footprints (M,), both in pixels, will ask for."""
    wanted = np.log2(np.maximum(footprint[np.isfinite(footprint)], 1.0))
    low, high = np.percentile(wanted, (2, 98)) if wanted.size else (0.0, 0.0)
    first, last = int(low), int(np.ceil(high))
    block = 1 << last
    height, width = photo_srgb.shape[:2]
    limits = np.array([width, height])
    start = np.clip(np.floor(pixels.min(0)) - _MARGIN, 0, limits - 1).astype(int)
    stop = np.clip(np.ceil(pixels.max(0)) + _MARGIN, start + 1, limits).astype(int)
    crop = photo_srgb[start[1] : stop[1], start[0] : stop[0]]
    pad = -(stop - start) % block
    if pad.any():
        crop = cv2.copyMakeBorder(crop, 0, int(pad[1]), 0, int(pad[0]), cv2.BORDER_REPLICATE)
    levels = [_halve(_linear16(crop), first).astype(np.float32) / np.float32(65535)]
    for _ in range(first, last):
        levels.append(_halve(levels[-1], 1))
    return PhotoPyramid((int(start[0]), int(start[1])), first, tuple(levels))


def sample_pyramid(pyramid: PhotoPyramid, pixels: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Linear colours (M, 3) at photo points (M, 2), averaged over squares of side `footprint` (M,), all in pixels.

    Cubic between pixels, so that a texture finer than the photo stays sharp; linear between levels.
    """
    count = len(pixels)
    level = np.clip(
        np.log2(np.maximum(footprint, 1.0)) - pyramid.first_level, 0, len(pyramid.levels) - 1
    ).astype(np.float32)
    colours = np.zeros((count, 3), np.float32)
    for index, image in enumerate(pyramid.levels):
        share = np.maximum(0.0, 1.0 - np.abs(level - index))
        chosen = slice(None) if len(pyramid.levels) == 1 else np.flatnonzero(share)
        scale = np.float32(0.5 ** (pyramid.first_level + index))
        points = (pixels[chosen] - np.array(pyramid.origin)).astype(np.float32) * scale - 0.5
        colours[chosen] += _remap(image, points) * share[chosen, None]
    return np.maximum(colours, 0.0)


def _remap(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Cubic samples (M, 3) at points (M, 2) counted from the first pixel's centre."""
    count = len(points)
    rows = max(1, -(-count // _ROW))
    grid = np.zeros((2, rows * _ROW), np.float32)
    grid[:, :count] = points.T
    x, y = grid.reshape(2, rows, _ROW)
    sampled = cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return sampled.reshape(-1, 3)[:count]


def _linear16(srgb: np.ndarray) -> np.ndarray:
    """Decode to 16-bit linear: half the memory of float32, and finer than 8-bit sRGB everywhere."""
    table = np.round(srgb_to_linear(np.arange(256, dtype=np.uint8)) * 65535).astype(np.uint16)
    return table[srgb]


def _halve(image: np.ndarray, times: int) -> np.ndarray:
    """Average blocks of 2**times pixels a side; both sides must divide."""
    height, width = image.shape[:2]
    return (
        cv2.resize(image, (width >> times, height >> times), interpolation=cv2.INTER_AREA) if times else image
    )
