"""Tools of the painter: the model's UV square in pixels, noise, soft shapes and hair-thin strokes.

Points are (x, y) in pixels of the SIDE² canvas from its top-left corner; the layout is close to a frontal view, about
0.17 mm a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from semblance.core_models.morphable.model import MorphableModel

SIDE = 1024
_FINE = 2
"""Strokes are drawn this much larger and averaged."""


@dataclass(frozen=True)
class Canvas:
    """Where things lie in the UV square."""

    landmarks: dict[int, np.ndarray]
    """MediaPipe's points, (2,) pixels"""
    regions: dict[str, np.ndarray]
    """(SIDE, SIDE) float32 coverage of the model's regions"""

    def points(self, *ids: int) -> np.ndarray:
        """(len(ids), 2)"""
        return np.array([self.landmarks[i] for i in ids])


def make_canvas(model: MorphableModel) -> Canvas:
    """The canvas of the model's UV layout."""
    uv, faces = model.uv.numpy(), model.faces.numpy()
    pixels = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1) * SIDE
    corners, weights = model.landmark_vertices.numpy(), model.landmark_weights.numpy()
    spots = (pixels[corners] * weights[..., None]).sum(1)
    regions = {}
    for index, name in enumerate(model.region_names):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for triangle in pixels[faces[model.face_region.numpy() == index]]:
            cv2.fillConvexPoly(mask, np.round(triangle * 16 - 8).astype(np.int32), (255,), shift=4)
        regions[name] = mask.astype(np.float32) / 255
    return Canvas(dict(zip(model.landmark_ids.tolist(), spots, strict=True)), regions)


def noise(generator: np.random.Generator, cell: float) -> np.ndarray:
    """Smooth noise (SIDE, SIDE) of unit variance with features of `cell` pixels."""
    count = int(np.ceil(SIDE / cell)) + 3
    coarse = generator.normal(size=(count, count)).astype(np.float32)
    large = cv2.resize(coarse, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    image = large[int(cell) : int(cell) + SIDE, int(cell) : int(cell) + SIDE]
    return (image - image.mean()) / max(float(image.std()), 1e-6)


def blob(centre: np.ndarray, radius: float, stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """A Gaussian (SIDE, SIDE) of height 1 and standard deviation `radius` × `stretch`."""
    x, y = np.arange(SIDE) + 0.5 - centre[0], np.arange(SIDE) + 0.5 - centre[1]
    across, along = (np.exp(-0.5 * (d / (radius * s)) ** 2) for d, s in zip((x, y), stretch, strict=True))
    return (along[:, None] * across[None]).astype(np.float32)


def spots(centres: np.ndarray, radii: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Sum (SIDE, SIDE) of many small Gaussians at centres (n, 2)."""
    image = np.zeros((SIDE, SIDE), np.float32)
    for (x, y), radius, height in zip(centres, radii, heights, strict=True):
        reach = int(np.ceil(3 * radius)) + 1
        column, row = int(x), int(y)
        left, top = max(column - reach, 0), max(row - reach, 0)
        window = image[top : row + reach, left : column + reach]
        dx = np.arange(left, left + window.shape[1]) + 0.5 - x
        dy = np.arange(top, top + window.shape[0]) + 0.5 - y
        window += height * np.exp(-(dy[:, None] ** 2 + dx[None] ** 2) / (2 * radius**2))
    return image


def polygon(points: np.ndarray, softness: float) -> np.ndarray:
    """A filled polygon (n, 2) with a soft edge: (SIDE, SIDE) in 0…1."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.fillPoly(mask, [np.round(points * 16 - 8).astype(np.int32)], (1.0,), shift=4, lineType=cv2.LINE_AA)
    return cv2.GaussianBlur(mask, (0, 0), softness)


def strokes(lines: list[np.ndarray], width: float = 1.0, strength: np.ndarray | None = None) -> np.ndarray:
    """Polylines (k, 2) as a cover (SIDE, SIDE) in 0…1; `strength` (n,) is each line's opacity."""
    image = np.zeros((SIDE * _FINE, SIDE * _FINE), np.uint8)
    opacity = np.ones(len(lines)) if strength is None else strength
    thickness = max(1, round(width * _FINE))
    for line, opaque in zip(lines, opacity, strict=True):
        pixels = np.round(line * _FINE * 16).astype(np.int32)
        cv2.polylines(image, [pixels], False, (int(255 * opaque),), thickness, cv2.LINE_AA, shift=4)
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def hairs(
    roots: np.ndarray, angles: np.ndarray, lengths: np.ndarray, curl: np.ndarray, points: int = 5
) -> list[np.ndarray]:
    """Curved lines from roots (n, 2) along angles (n,) (radians, 0 = right, π/2 = down), each turning by curl (n,)."""
    steps = np.linspace(0, 1, points)
    turn = angles[:, None] + curl[:, None] * steps[None]
    walk = np.stack([np.cos(turn), np.sin(turn)], -1) * (lengths[:, None, None] / (points - 1))
    path = np.concatenate([roots[:, None], roots[:, None] + np.cumsum(walk[:, :-1], 1)], 1)
    return list(path)


def scatter(mask: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` random points (n, 2) with density `mask` (SIDE, SIDE)."""
    cumulative = np.cumsum(mask.ravel().astype(np.float64))
    index = np.searchsorted(cumulative, generator.uniform(0, cumulative[-1], count))
    rows, columns = np.divmod(index, SIDE)
    return np.stack([columns, rows], 1) + generator.uniform(0, 1, (count, 2))


def mix(base: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """`colour` (3,) or (SIDE, SIDE, 3) laid over `base` (SIDE, SIDE, 3) with opacity `cover` (SIDE, SIDE)."""
    return base + cover[..., None] * (colour - base)
