"""Which triangle is seen in each pixel: an exact rasteriser in plain torch, for CPU, CUDA and MPS.

Vertices are snapped to 1/256 pixel; from there on coverage is integer arithmetic with the top-left fill rule:
a pixel whose centre lies on an edge that two triangles share belongs to exactly one of them. The nearest
surface wins, the lowest face index among equals. Nothing here is differentiable: gradients live in
`interpolate`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .clip import clip_triangles, homogeneous_pixels
from .fragments import LAST, LIMIT, SUBPIXELS, Canvas, Soup, fragments

NEAR = 1e-2
"""Depth of the near plane, in the unit of the vertices (1 mm for the decimetres of core_models)."""


def rasterize(
    vertices_camera: Tensor,
    faces: Tensor,
    K: Tensor,
    height: int,
    width: int,
    cull: bool = False,
    near: float = NEAR,
) -> Tensor:
    """Index of the nearest face at each pixel's centre.

    Triangles that cross the near plane are drawn as far as they are in front of it; faces with a NaN or
    infinite vertex are left out, without harm to others.

    Args:
        vertices_camera: (B, N, 3) in the camera frame (z < 0 in front).
        faces: (F, 3) int64, counter-clockwise outside.
        K: (B, 3, 3) or, one for all, (1, 3, 3), pixels.
        height, width: of the picture, below 16000.
        cull: leave out faces seen from behind.
        near: depth below which nothing is drawn; positive.

    Returns:
        (B, H, W) int32, −1 where nothing is seen.
    """
    _check_size(height, width)
    if near <= 0:
        raise ValueError(f"near must be positive, got {near}")
    with torch.inference_mode():
        K = K.expand(len(vertices_camera), 3, 3)
        # One image after the other is kinder to a CPU's cache, one flat batch to a GPU. Same ids.
        step = 1 if vertices_camera.device.type == "cpu" else len(vertices_camera)
        ids = [
            rasterize_flat(vertices_camera[i : i + step], faces, K[i : i + step], height, width, cull, near)
            for i in range(0, len(vertices_camera), step)
        ]
    return torch.cat(ids)  # outside: a tensor that autograd may save


def rasterize_uv(uv: Tensor, faces: Tensor, size: int) -> Tensor:
    """Index of the face at each texel's centre of a square texture; the lowest one where faces overlap.

    Args:
        uv: (N, 2), v up: the texture's top row is at v = 1.
        faces: (F, 3) int64, of either winding.
        size: S, below 16000.

    Returns:
        (1, S, S) int32, −1 where no face is.
    """
    _check_size(size, size)
    with torch.inference_mode():
        points = torch.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, torch.ones_like(uv[:, 0])])
        ids = _draw(points, _corner_rows(faces), 1, size, size, cull=False, near=0.5)
    return ids.clone()  # outside: a tensor that autograd may save


def _check_size(height: int, width: int) -> None:
    if not (0 < height < LIMIT and 0 < width < LIMIT):
        raise ValueError(f"picture sizes must be between 1 and {LIMIT - 1}, got {height} × {width}")


def rasterize_flat(
    vertices: Tensor, faces: Tensor, K: Tensor, height: int, width: int, cull: bool, near: float
) -> Tensor:
    """`rasterize`, all pictures of the batch at once."""
    points = homogeneous_pixels(vertices, K)
    corners = _corner_rows(faces)
    batch, n_vertices = vertices.shape[:2]
    if batch > 1:
        shift = torch.arange(batch, dtype=torch.int32, device=faces.device) * n_vertices
        corners = (corners[:, None] + shift[:, None]).flatten(1)
    return _draw(points, corners, batch, height, width, cull, near)


def _corner_rows(faces: Tensor) -> Tensor:
    """(F, 3) -> (3, F) int32, contiguous. Half the memory to walk through, and faster to transpose than int64."""
    return faces.t().to(torch.int32, memory_format=torch.contiguous_format).contiguous()


def _draw(
    points: Tensor, corners: Tensor, batch: int, height: int, width: int, cull: bool, near: float
) -> Tensor:
    """Draw triangles (3, batch·F) over homogeneous pixels (3, M): ids (batch, H, W) int32."""
    n_triangles = corners.shape[1]
    source = None
    depth = points[2]
    reach = depth * LIMIT
    good = (depth > near) & (points[0].abs() < reach) & (points[1].abs() < reach)  # False for NaN
    if not bool(good.all()):
        kept = good[corners].all(0)
        source = torch.arange(n_triangles, device=corners.device)
        points, pieces, labels = clip_triangles(points, corners[:, ~kept], source[~kept], near, LIMIT)
        corners, source = torch.cat([corners[:, kept], pieces], 1), torch.cat([source[kept], labels])
    # Points that no triangle uses may hold anything.
    position = (points[:2] / points[2]).mul_(SUBPIXELS).round_().sub_(SUBPIXELS // 2).int()
    canvas = Canvas(batch, n_triangles // batch, height, width, points.device)
    soup = Soup(position, points[2].float().reciprocal(), corners, source, canvas, cull)
    return resolve_two_pass(soup) if points.device.type == "mps" else resolve_packed(soup)


def resolve_packed(soup: Soup) -> Tensor:
    """Ids by one scatter-max of 64-bit keys: nearness above, rank below."""
    best = soup.canvas.blank(torch.int64)
    for pixel, bits, rank in fragments(soup):
        key = bits.to(torch.int64).bitwise_left_shift_(32).bitwise_or_(rank)
        best.scatter_reduce_(0, pixel.flatten(), key.flatten(), "amax")
    rank, bits = soup.canvas.crop(best.view(torch.int32).view(-1, 2)).unbind(-1)  # the lower half comes first
    return torch.where(bits > 0, LAST - rank, -1)


def resolve_two_pass(soup: Soup) -> Tensor:
    """The same ids by two 32-bit scatter-max passes: MPS scatters no 64-bit maximum."""
    nearest, best = soup.canvas.blank(torch.int32), soup.canvas.blank(torch.int32)
    for pixel, bits, _ in fragments(soup):
        nearest.scatter_reduce_(0, pixel.flatten(), bits.flatten(), "amax")
    for pixel, bits, rank in fragments(soup):
        wins = (bits > 0) & (bits == nearest[pixel])
        best.scatter_reduce_(0, pixel.flatten(), (wins * rank).flatten(), "amax")
    best = soup.canvas.crop(best)
    return torch.where(best > 0, LAST - best, -1)
