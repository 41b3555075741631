"""Precomputed radiance transfer on the posed mesh: how much of the light from each direction reaches each vertex.

The mesh is drawn once from every direction into a small depth map; a vertex is lit by a direction when it lies in front
of that map (percentage-closer filtered). Self-shadows and ambient occlusion come out of the same table (Sloan et al.
2002, without bounces).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..render.interpolate import barycentrics
from ..render.rasterize import rasterize

MAP_SIDE = 176
"""Pixels of a depth map, about 1.7 mm each on a head: as fine as landmarks are sure."""
_DISTANCE = 40.0
"""Radii between the mesh's centre and the camera that draws it: rays spread by 1.4°."""
_NORMAL_OFFSET, _DEPTH_BIAS = 1.2, 0.6
"""Depth-map pixels that a vertex is lifted off its surface, and that it may lie behind the map and still be lit: a
surface must not shade itself."""
_RELAXATIONS = 40


@dataclass(frozen=True)
class Directions:
    """Directions that light comes from, and how much of the sphere each stands for."""

    towards: np.ndarray
    """(D, 3) float32 unit, towards the light."""
    solid_angle: np.ndarray
    """(D,) float32 steradians."""


@lru_cache(maxsize=4)
def sphere_directions(count: int) -> Directions:
    """`count` (even) directions spread evenly over the sphere; one half is the mirror image, at x = 0, of the other.

    A Fibonacci spiral on the half sphere, relaxed by repulsion together with its mirror image.
    """
    half = count // 2
    z = 1.0 - (2.0 * np.arange(half) + 1.0) / half
    turn = np.arange(half) * (math.pi * (3.0 - math.sqrt(5.0))) % math.pi
    longitude = 0.9 * turn + 0.05 * math.pi - math.pi / 2
    ring = np.sqrt(1.0 - z**2)
    right = np.stack([ring * np.cos(longitude), ring * np.sin(longitude), z], axis=1)
    points = np.concatenate([right, right * [-1.0, 1.0, 1.0]])
    spacing = math.sqrt(4 * math.pi / count)
    for sweep in range(_RELAXATIONS):
        apart = points[:, None] - points[None]
        distance = np.linalg.norm(apart, axis=2) / spacing + np.eye(count)
        force = (apart / distance[..., None] ** 6).sum(1)
        force -= (force * points).sum(1, keepdims=True) * points
        length = np.linalg.norm(force, axis=1, keepdims=True)
        step = 0.3 * (1 - sweep / _RELAXATIONS) * np.minimum(spacing / np.maximum(length, 1e-9), 1.0)
        points = points + step * force
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Directions(points.astype(np.float32), np.full(count, 4 * math.pi / count, np.float32))


def visibility(
    vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, towards: np.ndarray, side: int = MAP_SIDE
) -> np.ndarray:
    """(N, D) float32 share of the light from each direction that no part of the mesh keeps from each vertex.

    vertices (N, 3), unit normals (N, 3), faces (F, 3), towards (D, 3) unit; depth maps of side² pixels. Behind a
    vertex's own surface (normal · direction ≤ 0) it is 0.
    """
    points = torch.as_tensor(vertices, dtype=torch.float32)
    triangles = torch.as_tensor(faces, dtype=torch.int64)
    low, high = points[triangles.unique()].aminmax(dim=0)
    centre, radius = (low + high) / 2, float((high - low).norm()) / 2 + 1e-6
    pixel = 2 * radius / side
    lifted = points + torch.as_tensor(normals, dtype=torch.float32) * (_NORMAL_OFFSET * pixel)
    facing = np.asarray(normals, np.float32) @ towards.T > 0
    share = np.zeros(facing.shape, np.float32)

    def look(index: int) -> None:
        frame = _frame(torch.as_tensor(towards[index], dtype=torch.float32))
        depth = _depth_map((points - centre) @ frame.T, triangles, radius, side)
        chosen = np.flatnonzero(facing[:, index])
        receivers = ((lifted[chosen] - centre) @ frame.T).numpy()
        share[chosen, index] = _lit(depth, receivers, radius, side)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(look, range(len(towards))))
    return share


def diffuse_transport(normals: np.ndarray, seen: np.ndarray, directions: Directions) -> np.ndarray:
    """(N, D) float32 max(0, n·d) · visibility · solid angle / π: `diffuse_transport(…) @ radiance` is irradiance/π.

    normals (N, 3) unit, seen (N, D) as from `visibility`.
    """
    cosine = np.maximum(np.asarray(normals, np.float32) @ directions.towards.T, 0)
    return cosine * seen * (directions.solid_angle / math.pi)


def _frame(direction: torch.Tensor) -> torch.Tensor:
    """A rotation (3, 3) whose last row is the unit `direction`."""
    helper = torch.zeros(3)
    helper[int(direction.abs().argmin())] = 1.0
    right = torch.linalg.cross(helper, direction)
    right = right / right.norm()
    return torch.stack([right, torch.linalg.cross(direction, right), direction])


def _depth_map(points: torch.Tensor, faces: torch.Tensor, radius: float, side: int) -> np.ndarray:
    """(side, side) height of the nearest surface along +z above the origin, −inf where there is none."""
    away = points - torch.tensor([0.0, 0.0, _DISTANCE * radius])
    focal, middle = _DISTANCE * side / 2, side / 2
    K = torch.tensor([[[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]]])
    ids = rasterize(away[None], faces, K, side, side)
    weights = barycentrics(away[None], faces, K, ids)[0]
    corners = points[:, 2][faces[ids[0].clamp(min=0).long()]]
    height = (corners * weights).sum(-1)
    return torch.where(ids[0] >= 0, height, -math.inf).numpy()


def _lit(height_map: np.ndarray, points: np.ndarray, radius: float, side: int) -> np.ndarray:
    """Share (n,) of the four nearest map pixels above which points (n, 3) lie."""
    scale = 0.5 * side / radius * _DISTANCE / (_DISTANCE - points[:, 2] / radius)
    x, y = 0.5 * side + points[:, 0] * scale - 0.5, 0.5 * side - points[:, 1] * scale - 0.5
    limit = points[:, 2] + _DEPTH_BIAS * 2 * radius / side
    left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = x - left, y - top
    share = np.zeros(len(points), np.float32)
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            rows, columns = np.clip(top + dy, 0, side - 1), np.clip(left + dx, 0, side - 1)
            share += wx * wy * (height_map[rows, columns] <= limit)
    return share
