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

from .shadow_map import depth_maps, percentage_closer

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
        chosen = torch.from_numpy(np.flatnonzero(facing[:, index]))
        open_to = _open_to(
            (points - centre) @ frame.T, triangles, (lifted[chosen] - centre) @ frame.T, radius, side
        )
        share[chosen.numpy(), index] = open_to.numpy()

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


def _open_to(
    occluder: torch.Tensor, faces: torch.Tensor, receivers: torch.Tensor, radius: float, side: int
) -> torch.Tensor:
    """Share (n,) of the map pixels around receivers (n, 3) that no face of the occluder (N, 3) keeps the light from.

    Points are relative to the mesh's centre, +z towards the light.
    """
    away = occluder - torch.tensor([0.0, 0.0, _DISTANCE * radius])
    focal, middle = _DISTANCE * side / 2, side / 2
    K = torch.tensor([[[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]]])
    # Depths from the mesh's centre, where float32 is finest.
    maps, _ = depth_maps(away[None], faces, K, side, side, -occluder[None, :, 2])
    x, y, height = receivers.unbind(1)
    scale = torch.tensor(0.5 * side / radius * _DISTANCE) / (_DISTANCE - height / radius)
    # float64: the shares decide how bright the light is found.
    column, row = (0.5 * side + x * scale).double(), (0.5 * side - y * scale).double()
    limit = -(height + _DEPTH_BIAS * 2 * radius / side)
    return percentage_closer(maps, column[None], row[None], limit[None])[0]
