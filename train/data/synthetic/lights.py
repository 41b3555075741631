"""A panorama of radiance as a few dozen distant lamps: every lamp stands for a patch of it."""

from __future__ import annotations

import heapq

import cv2
import numpy as np

from ....core_models.render.lamps import CRISP, Lamp, Rig
from ....core_models.render.lighting import panorama_directions

_ROWS = 64
"""Of the panorama that is cut up: 2.8° a pixel."""


def lamps_of(name: str, panorama: np.ndarray, count: int) -> Rig:
    """`count` lamps: rectangles of the panorama (H, 2H, 3), the one that would move most light farthest cut first."""
    size = (2 * _ROWS, _ROWS)
    look = cv2.resize(panorama_directions(len(panorama)).numpy(), size, interpolation=cv2.INTER_AREA)
    solid = np.sin((np.arange(_ROWS) + 0.5) * np.pi / _ROWS)[:, None, None] * (np.pi / _ROWS) ** 2
    weight = np.sin((np.arange(len(panorama)) + 0.5) * np.pi / len(panorama))[:, None, None]
    small = cv2.resize((panorama * weight).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small /= cv2.resize(np.repeat(weight, 2, 1).astype(np.float32), (1, _ROWS), interpolation=cv2.INTER_AREA)[
        :, :, None
    ]
    flux = small * solid / np.pi
    patches = [_patch(flux, look, (0, _ROWS, 0, 2 * _ROWS))]
    while len(patches) < count:
        heapq.heapify(patches)
        _, (top, bottom, left, right) = heapq.heappop(patches)
        width = (right - left) * np.sin((top + bottom) / 2 * np.pi / _ROWS)
        if bottom - top >= width and bottom - top > 1:
            middle = (top + bottom) // 2
            halves = ((top, middle, left, right), (middle, bottom, left, right))
        else:
            middle = (left + right) // 2
            halves = ((top, bottom, left, middle), (top, bottom, middle, right))
        patches += [_patch(flux, look, half) for half in halves]
    return Rig(name, tuple(_lamp(flux, look, box) for _, box in patches), shadows=CRISP)


_Box = tuple[int, int, int, int]


def _patch(flux: np.ndarray, look: np.ndarray, box: _Box) -> tuple[float, _Box]:
    """Minus how far its light is spread, and the box."""
    top, bottom, left, right = box
    if (bottom - top) * (right - left) <= 1:
        return 0.0, box
    light = flux[top:bottom, left:right].sum(-1)
    mean = (look[top:bottom, left:right] * light[..., None]).sum((0, 1))
    return -float(light.sum() - np.linalg.norm(mean)), box


def _lamp(flux: np.ndarray, look: np.ndarray, box: _Box) -> Lamp:
    top, bottom, left, right = box
    light = flux[top:bottom, left:right]
    mean = (look[top:bottom, left:right] * light.sum(-1, keepdims=True)).sum((0, 1))
    if not np.any(mean):
        mean = look[top:bottom, left:right].sum((0, 1))
    return Lamp(tuple(mean.tolist()), tuple(light.sum((0, 1)).tolist()))
