"""Where the frames of glasses and their glare cross the face.

Frames are thin lines, darker or lighter than skin. A line that bridges the nose between the eyes is what tells glasses
from wrinkles and shadows; the rest of the frame is followed from it, and from the temples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import landmarks as points
from .patch import Patch, pieces_touching

# All lengths are shares of the inter-ocular distance, unless they are said to be pixels.
UNIT_PX = 96.0
"""Inter-ocular distance at which frames are looked for, pixels."""
_MIN_UNIT_PX = 30.0
"""Below it a frame is thinner than a pixel."""
_LINE_WIDTH = 0.15
"""Lines up to this width are found."""
_BRIDGE = (0.13, -0.18, 0.22)
"""Half width of the nose's bridge; its reach above and below the line of the irises (y points down)."""
_COLUMN_PX = 1.5
"""Width of the columns, across the line between the eyes, in which a bridge has to be."""
_PRESENT = (22.0, 28.0)
"""Strength of the line over the bridge, % of the skin's lightness, below which there are surely no glasses and above
which there are: of 139 development portraits, 28 with glasses, none without reaches 22 and 26 with exceed 25."""
_FRAME_SHARE, _FRAME_STRENGTH = 0.45, (13.0, 22.0)
"""Of the bridge's strength that the rest of the frame has at least, and the limits of that."""
_OVER_BROW = (0.75, 30.0)
"""The same over a brow, whose hairs are lines as well."""
_ARM_STRENGTH = 25.0
"""Of a line at the temple from which on it is an arm of glasses."""
_ZONE = (-0.45, 0.62)
"""Reach of glasses above and below the line of the irises."""
_NOSE = (0.22, 0.7, 0.3)
"""The nose and the folds beside it, which are lines too: half width, how much wider per length downwards, and from
where below the irises."""
_RIM_LENGTH = 0.32
"""A piece of line this long belongs to the frame even if it does not touch the bridge."""
_GROWN = 0.03
"""A frame's edge is blurred, and it casts a shadow."""
_EYE_GROWN = 0.06
"""Of lashes, which are lines too."""


@dataclass(frozen=True, eq=False)
class _EyeAxes:
    """Pixels of a patch along (x) and across (y, downwards) the line of the irises, from their middle, (h, w) each."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, patch: Patch) -> _EyeAxes:
        right, left = patch.landmarks[points.RIGHT_IRIS], patch.landmarks[points.LEFT_IRIS]
        along = (left - right) / patch.unit
        y, x = np.mgrid[: patch.shape[0], : patch.shape[1]] + 0.5
        middle = (left + right) / 2
        x, y = (x - middle[0]) / patch.unit, (y - middle[1]) / patch.unit
        return cls(x * along[0] + y * along[1], y * along[0] - x * along[1])


def glasses_share(patch: Patch) -> np.ndarray:
    """(h, w) float32, 0 … 1: how surely each pixel is frame or glare, on a patch of `UNIT_PX`."""
    nothing = np.zeros(patch.shape, np.float32)
    if patch.unit < _MIN_UNIT_PX:
        return nothing
    axes = _EyeAxes.of(patch)
    lines = _lines(patch, axes)
    bridge = _bridge_strength(lines, axes, patch.unit)
    low, high = _PRESENT
    present = min(max((bridge - low) / (high - low), 0.0), 1.0)
    return nothing + present * _frame(patch, lines, axes, bridge) if present > 0 else nothing


def _lines(patch: Patch, axes: _EyeAxes) -> np.ndarray:
    """(h, w) how much darker or lighter a thin structure is than its surroundings, % of the skin's lightness."""
    import cv2

    lightness = cv2.GaussianBlur(patch.lab[..., 0], (0, 0), patch.unit / UNIT_PX)
    side = 2 * round(_LINE_WIDTH / 2 * patch.unit) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    dark = cv2.morphologyEx(lightness, cv2.MORPH_BLACKHAT, disc)
    light = cv2.morphologyEx(lightness, cv2.MORPH_TOPHAT, disc)
    cheeks = (np.abs(axes.x) < 0.55) & (axes.y > 0.35) & (axes.y < 0.8)
    skin = float(np.median(lightness[cheeks])) if cheeks.any() else 1.0
    return 100 * np.maximum(dark, light) / max(skin, 0.05)


def _bridge_strength(lines: np.ndarray, axes: _EyeAxes, unit: float) -> float:
    """The weakest stretch, nearly, of the strongest line that crosses the bridge of the nose from eye to eye."""
    half, top, bottom = _BRIDGE
    inside = (np.abs(axes.x) < half) & (axes.y > top) & (axes.y < bottom)
    n_columns = max(3, int(2 * half * unit / _COLUMN_PX))
    columns = np.floor((axes.x[inside] + half) / (2 * half) * n_columns).astype(int)
    strongest = np.zeros(n_columns)
    np.maximum.at(strongest, np.clip(columns, 0, n_columns - 1), lines[inside])
    return float(np.percentile(strongest, 15))


def _frame(patch: Patch, lines: np.ndarray, axes: _EyeAxes, bridge: float) -> np.ndarray:
    """(h, w) bool: the frame's bridge, rims and arms."""
    half, top, bottom = _BRIDGE
    across = np.abs(axes.x)
    eyes = patch.hull(points.RIGHT_EYE, _EYE_GROWN) | patch.hull(points.LEFT_EYE, _EYE_GROWN)
    brows = patch.hull(points.RIGHT_BROW) | patch.hull(points.LEFT_BROW)
    half_nose, widening, from_y = _NOSE
    nose = (across < half_nose + widening * (axes.y - from_y)) & (axes.y > from_y)
    hairs = brows & (lines < max(_OVER_BROW[0] * bridge, _OVER_BROW[1]))
    zone = (axes.y > _ZONE[0]) & (axes.y < _ZONE[1]) & ~nose & ~eyes & ~hairs
    line = (lines > np.clip(_FRAME_SHARE * bridge, *_FRAME_STRENGTH)) & zone
    on_bridge = (across < half) & (axes.y > top) & (axes.y < bottom)
    at_temple = line & (across > 0.7) & (np.abs(axes.y) < 0.35)
    found = pieces_touching(line, on_bridge & (lines > 0.8 * bridge))
    found |= pieces_touching(at_temple, (across > 0.85) & (np.abs(axes.y) < 0.3) & (lines > _ARM_STRENGTH))
    found |= _long(line, _RIM_LENGTH * patch.unit, axes)
    return patch.grow(found, _GROWN) & ~eyes


def _long(mask: np.ndarray, length: float, axes: _EyeAxes) -> np.ndarray:
    """The pieces of `mask` (h, w) that are that long, in pixels, but for lines of the cheek."""
    import cv2

    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    height = np.bincount(pieces.ravel(), axes.y.ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    return mask & np.isin(pieces, np.flatnonzero((extent > length) & (height < 0.5)))
