"""Depth maps, and the question whether points lie behind them: shadows, and what a camera sees."""

from __future__ import annotations

import torch
from torch import Tensor

from .interpolate import barycentrics, interpolate
from .rasterize import rasterize


@torch.no_grad()
def depth_maps(
    vertices_camera: Tensor, faces: Tensor, K: Tensor, height: int, width: int, depth: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Depth of the nearest surface at each pixel's centre, infinite where there is none, for a batch of cameras.

    Args:
        vertices_camera: (B, N, 3), camera frame.
        faces: (F, 3) int64.
        K: (B, 3, 3) or, one for all, (1, 3, 3), pixels.
        height, width: of the maps.
        depth: (B, N), what the maps hold instead of −z, e.g. measured from elsewhere.

    Returns:
        The maps (B, H, W), and the ids (B, H, W) of `rasterize`.
    """
    if depth is None:
        depth = -vertices_camera[..., 2]
    K = K.expand(len(vertices_camera), 3, 3)
    # As in `rasterize`: one after the other is kinder to a CPU, one batch to a GPU.
    step = 1 if vertices_camera.device.type == "cpu" else len(vertices_camera)
    maps, all_ids = [], []
    for start in range(0, len(vertices_camera), step):
        points, cameras = vertices_camera[start : start + step], K[start : start + step]
        ids = rasterize(points, faces, cameras, height, width)
        weights = barycentrics(points, faces, cameras, ids)
        nearest = interpolate(depth[start : start + step, :, None], faces, ids, weights)[..., 0]
        maps.append(torch.where(ids >= 0, nearest, torch.inf))
        all_ids.append(ids)
    return torch.cat(maps), torch.cat(all_ids)


def depth_at(maps: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """Depths (B, M) in maps (B, H, W) at pixels (B, M) int64; the border's outside."""
    height, width = maps.shape[1:]
    index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return maps.flatten(1).gather(1, index)


def percentage_closer(maps: Tensor, x: Tensor, y: Tensor, limit: Tensor) -> Tensor:
    """Share (B, M) float32 of the four pixels around each point at whose depth or before it the point lies (Reeves et
    al. 1987).

    Args:
        maps: (B, H, W).
        x, y: (B, M), pixels from the top-left corner. The four shares are bilinear, in the precision of these.
        limit: (B, M), the points' depths less a bias: what the maps' depths must reach.
    """
    left, top = (x - 0.5).floor(), (y - 0.5).floor()
    fx, fy = x - 0.5 - left, y - 0.5 - top
    share = torch.zeros_like(x, dtype=torch.float32)
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            share += wx * wy * (depth_at(maps, left.long() + dx, top.long() + dy) >= limit)
    return share
