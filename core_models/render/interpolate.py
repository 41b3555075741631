"""Values at the pixels that the rasteriser assigned to faces, differentiable to attributes and positions.

Two steps: `barycentrics` says where on its face each pixel's ray meets it, `interpolate` blends the corners'
attributes. Dense results have the channel axis last in shape but first in memory: ``.permute(0, 3, 1, 2)``
gives (B, C, H, W) at no cost.

There is no gradient of the outline: a pixel's face is fixed. And faces seen edge-on carry huge and useless
position gradients (a barycentric changes by 1/height of the triangle's picture per pixel); below a height of
`SLIVER` pixels the gradient is scaled down so that it grows no further.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .clip import homogeneous_pixels

SLIVER = 0.1
"""Height of a triangle's picture, in pixels, below which position gradients are attenuated."""


def barycentrics(vertices_camera: Tensor, faces: Tensor, K: Tensor, ids: Tensor) -> Tensor:
    """Perspective-correct barycentric coordinates of every pixel's centre on its face.

    Vertices are not snapped here, so a centre may lie a hair outside the face that the rasteriser gave it:
    coordinates are clamped to [0, 1].

    Args:
        vertices_camera: (B, N, 3), camera frame.
        faces: (F, 3) int64.
        K: (B, 3, 3), pixels.
        ids: (B, H, W) from `rasterize`.

    Returns:
        (B, H, W, 3), sums to 1, 0 where ids is −1. Differentiable to vertices and K, once.
    """
    return _dense_barycentrics(homogeneous_pixels(vertices_camera, K), faces, ids)


def barycentrics_uv(uv: Tensor, faces: Tensor, ids: Tensor) -> Tensor:
    """Barycentric coordinates of texel centres. (N, 2), (F, 3), ids (1, S, S) of `rasterize_uv` -> (1, S,
    S, 3).
    """
    height, width = ids.shape[1:]
    points = torch.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height, torch.ones_like(uv[:, 0])])
    return _dense_barycentrics(points, faces, ids)


def interpolate(attributes: Tensor, faces: Tensor, ids: Tensor, barycentrics: Tensor) -> Tensor:
    """Blend vertex attributes over the picture.

    Args:
        attributes: (B, N, C), any C.
        faces: (F, 3) int64.
        ids: (B, H, W), −1 = empty.
        barycentrics: (B, H, W, 3).

    Returns:
        (B, H, W, C), 0 where empty. Differentiable to attributes and barycentrics, once.
    """
    batch, n_vertices, channels = attributes.shape
    pixel, corners = _covered(ids, faces, n_vertices)
    weights = _take_pixels(barycentrics, pixel)
    planes = attributes.permute(2, 0, 1).reshape(channels, batch * n_vertices)
    return _put_pixels(_Blend.apply(planes, corners, weights), pixel, ids.shape)


def _dense_barycentrics(points: Tensor, faces: Tensor, ids: Tensor) -> Tensor:
    """points: homogeneous pixels (3, B·N)."""
    batch, height, width = ids.shape
    pixel, corners = _covered(ids, faces, points.shape[1] // batch)
    row = torch.div(pixel, width, rounding_mode="floor")
    u = (pixel - row * width).to(points.dtype) + 0.5
    v = (row % height if batch > 1 else row).to(points.dtype) + 0.5
    return _put_pixels(_Barycentrics.apply(points, corners, u, v), pixel, ids.shape)


def _covered(ids: Tensor, faces: Tensor, n_vertices: int) -> tuple[Tensor, Tensor]:
    """Covered pixels (P,) as indices into B·H·W, and the flat vertex indices (3, P) of their faces."""
    flat = ids.reshape(-1)
    if flat.device.type == "cpu":  # several times faster than nonzero
        pixel = torch.from_numpy(np.flatnonzero(flat.numpy() >= 0))
    else:
        pixel = (flat >= 0).nonzero().squeeze(1)
    face = flat.index_select(0, pixel).long()
    corners = torch.stack([faces[:, corner].index_select(0, face) for corner in range(3)])
    if len(ids) > 1:
        corners += torch.div(pixel, ids[0].numel(), rounding_mode="floor") * n_vertices
    return pixel, corners


def _put_pixels(values: Tensor, pixel: Tensor, shape: torch.Size) -> Tensor:
    """(C, P) -> (B, H, W, C), planes in memory."""
    dense = values.new_zeros(len(values), shape.numel()).index_copy(1, pixel, values)
    return dense.view(len(values), *shape).permute(1, 2, 3, 0)


def _take_pixels(dense: Tensor, pixel: Tensor) -> Tensor:
    """(B, H, W, C) -> (C, P)."""
    return dense.permute(3, 0, 1, 2).flatten(1).index_select(1, pixel)


class _Barycentrics(torch.autograd.Function):
    """(3, M) homogeneous pixels -> (3, P). Planar, and derived by hand: three times as fast as autograd over
    rows.

    With p_k the corner relative to the pixel, in the plane d_k·(u_k − u, v_k − v), the weight of corner i is
    the cross product a_i = p_j × p_k over the sum of all three (homogeneous rasterisation, Olano and Greer
    1997): no division by depth, so corners behind the camera are fine.
    """

    @staticmethod
    def forward(ctx: Any, points: Tensor, corners: Tensor, u: Tensor, v: Tensor) -> Tensor:
        flat = corners.view(-1)
        depth = points[2].index_select(0, flat).view_as(corners)
        x = points[0].index_select(0, flat).view_as(corners) - u * depth
        y = points[1].index_select(0, flat).view_as(corners) - v * depth
        raw = torch.stack([x[i] * y[j] - y[i] * x[j] for i, j in ((1, 2), (2, 0), (0, 1))])
        total = raw.sum(0)
        inverse = torch.where(total.abs() > torch.finfo(total.dtype).tiny, total.reciprocal(), 0)
        # Also turns a triangle without area into (1/3, 1/3, 1/3).
        weights = raw.mul_(inverse).clamp_(min=1e-20)
        weights /= weights.sum(0)
        ctx.save_for_backward(x, y, depth, weights, inverse, corners, u, v)
        ctx.n_points = points.shape[1]
        return weights

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, depth, weights, inverse, corners, u, v = ctx.saved_tensors
        inverse = inverse * _attenuation(x, y, depth, inverse)
        gradient = (gradient - (gradient * weights).sum(0)) * inverse
        gradient_x, gradient_y = torch.empty_like(x), torch.empty_like(y)
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            gradient_x[i] = gradient[k] * y[j] - gradient[j] * y[k]
            gradient_y[i] = gradient[j] * x[k] - gradient[k] * x[j]
        gradient_depth = -(u * gradient_x + v * gradient_y)
        flat = corners.view(-1)
        total = [
            torch.zeros(ctx.n_points, dtype=part.dtype, device=part.device).scatter_add_(
                0, flat, part.view(-1)
            )
            for part in (gradient_x, gradient_y, gradient_depth)
        ]
        return torch.stack(total), None, None, None


def _attenuation(x: Tensor, y: Tensor, depth: Tensor, inverse: Tensor) -> Tensor:
    """Height of each pixel's triangle over SLIVER, at most 1: (P,)."""
    x, y = x / depth, y / depth
    longest = torch.stack(
        [(x[i] - x[j]).square() + (y[i] - y[j]).square() for i, j in ((1, 2), (2, 0), (0, 1))]
    )
    height = (inverse * depth.prod(0)).abs().reciprocal() * longest.amax(0).rsqrt()
    return (height * (1 / SLIVER)).clamp(max=1).nan_to_num(0.0)


class _Blend(torch.autograd.Function):
    """Σ_k weights[k] · planes[:, corners[k]]: (C, M), (3, P), (3, P) -> (C, P)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
        flat = corners.view(-1)
        values = torch.stack([plane.index_select(0, flat) for plane in planes]).view(
            len(planes), *corners.shape
        )
        ctx.save_for_backward(values, corners, weights)
        ctx.n_points = planes.shape[1]
        return (values * weights).sum(1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, corners, weights = ctx.saved_tensors
        to_planes = to_weights = None
        if ctx.needs_input_grad[0]:
            flat, zero = corners.view(-1), gradient.new_zeros(ctx.n_points)
            parts = gradient[:, None] * weights
            to_planes = torch.stack([zero.scatter_add(0, flat, part.view(-1)) for part in parts])
        if ctx.needs_input_grad[2]:
            to_weights = (values * gradient[:, None]).sum(0)
        return to_planes, None, to_weights
