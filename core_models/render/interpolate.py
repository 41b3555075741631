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

SLIVER = 0.05
"""Height of a triangle's picture, in pixels, below which position gradients are attenuated.

Of 70 000 triangles at 224², the steepest hundredth of the vertices' gradients then holds 23 % of their sum of
squares, as at twice the resolution, instead of 42 %. Higher bounds begin to damp ordinary triangles.
"""

_OPPOSITE = ((1, 2), (2, 0), (0, 1))  # the two other corners of corner k, in order


def barycentrics(vertices_camera: Tensor, faces: Tensor, K: Tensor, ids: Tensor) -> Tensor:
    """Perspective-correct barycentric coordinates of every pixel's centre on its face.

    Vertices are not snapped here, so a centre may lie a hair outside the face that the rasteriser gave it:
    coordinates are clamped to [0, 1].

    Args:
        vertices_camera: (B, N, 3), camera frame.
        faces: (F, 3) int64.
        K: (B, 3, 3) or, one for all, (1, 3, 3), pixels.
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
    if len(ids) != batch:
        raise ValueError(f"attributes of {batch} meshes for {len(ids)} pictures")
    pixel, corners = _covered(ids, faces, n_vertices)
    planes = attributes.permute(2, 0, 1).reshape(channels, batch * n_vertices)
    weights = barycentrics.permute(3, 0, 1, 2).flatten(1)
    return _Blend.apply(planes, weights, pixel, corners).view(channels, *ids.shape).permute(1, 2, 3, 0)


def _dense_barycentrics(points: Tensor, faces: Tensor, ids: Tensor) -> Tensor:
    """points: homogeneous pixels (3, B·N)."""
    batch, height, width = ids.shape
    pixel, corners = _covered(ids, faces, points.shape[1] // batch)
    row = torch.div(pixel, width, rounding_mode="floor")
    u = (pixel - row * width).to(points.dtype) + 0.5
    v = (row % height if batch > 1 else row).to(points.dtype) + 0.5
    return (
        _Barycentrics.apply(points, u, v, pixel, corners, ids.numel()).view(3, *ids.shape).permute(1, 2, 3, 0)
    )


def _covered(ids: Tensor, faces: Tensor, n_vertices: int) -> tuple[Tensor, Tensor]:
    """Covered pixels (P,) as indices into B·H·W, and the flat vertex indices (3, P) of their faces."""
    flat = ids.reshape(-1)
    if flat.device.type == "cpu":  # several times faster than nonzero
        pixel = torch.from_numpy(np.flatnonzero(flat.numpy() >= 0))
    else:
        pixel = (flat >= 0).nonzero().squeeze(1)
    first = flat.index_select(0, pixel).long() * 3
    corners = torch.stack([faces.reshape(-1).index_select(0, first + corner) for corner in range(3)])
    if len(ids) > 1:
        corners += torch.div(pixel, ids[0].numel(), rounding_mode="floor") * n_vertices
    return pixel, corners


def _take(planes: Tensor, index: Tensor) -> Tensor:
    """(C, M), any (...) -> (C, ...). Plane by plane, which is several times faster than one look-up of rows."""
    taken, flat = planes.new_empty(len(planes), *index.shape), index.view(-1)
    for plane, out in zip(planes, taken, strict=True):
        torch.index_select(plane, 0, flat, out=out.view(-1))
    return taken


def _put(values: Tensor, index: Tensor, size: int) -> Tensor:
    """(C, P) at distinct places (P,) -> (C, size), 0 elsewhere."""
    planes = values.new_zeros(len(values), size)
    for plane, value in zip(planes, values, strict=True):
        plane.scatter_(0, index, value)
    return planes


def _add(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Adjoint of `_take`: (C, ...), (...) -> (C, size)."""
    planes, flat = values.new_zeros(len(values), size), index.view(-1)
    for plane, value in zip(planes, values, strict=True):
        plane.scatter_add_(0, flat, value.reshape(-1))
    return planes


class _Barycentrics(torch.autograd.Function):
    """(3, M) homogeneous pixels -> (3, size) weights. Derived by hand: three times as fast as autograd.

    With p_k the corner relative to the pixel, d_k·(u_k − u, v_k − v), the weight of corner i is the cross product
    a_i = p_j × p_k over the sum of all three (Olano and Greer 1997): no division by depth, so corners behind the
    camera are fine.
    """

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, u: Tensor, v: Tensor, pixel: Tensor, corners: Tensor, size: int
    ) -> Tensor:
        x, y, depth = _take(points, corners)
        x, y = torch.addcmul(x, u, depth, value=-1), torch.addcmul(y, v, depth, value=-1)
        raw = torch.stack([torch.addcmul(x[i] * y[j], y[i], x[j], value=-1) for i, j in _OPPOSITE])
        total = raw.sum(0)
        inverse = torch.where(total.abs() > torch.finfo(total.dtype).tiny, total.reciprocal(), 0)
        # Also turns a triangle without area into (1/3, 1/3, 1/3).
        weights = raw.mul_(inverse).clamp_(min=1e-20)
        weights /= weights.sum(0)
        ctx.save_for_backward(x, y, depth, weights, inverse, u, v, pixel, corners)
        ctx.n_points = points.shape[1]
        return _put(weights, pixel, size)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, depth, weights, inverse, u, v, pixel, corners = ctx.saved_tensors
        gradient = _take(gradient, pixel)
        gradient = (gradient - (gradient * weights).sum(0)).mul_(inverse * _attenuation(x, y, depth, inverse))
        parts = torch.empty(3, *corners.shape, dtype=x.dtype, device=x.device)
        for k, (i, j) in enumerate(_OPPOSITE):
            torch.addcmul(gradient[j] * y[i], gradient[i], y[j], value=-1, out=parts[0, k])
            torch.addcmul(gradient[i] * x[j], gradient[j], x[i], value=-1, out=parts[1, k])
        torch.addcmul(u * parts[0], v, parts[1], out=parts[2]).neg_()
        return _add(parts, corners, ctx.n_points), None, None, None, None, None


def _attenuation(x: Tensor, y: Tensor, depth: Tensor, inverse: Tensor) -> Tensor:
    """Height of each pixel's triangle in the picture over SLIVER, at most 1: (P,). x, y: corners times depth (3, P)."""
    x, y = x / depth, y / depth
    squares = [(x[i] - x[j]).square_().addcmul_(y[i] - y[j], y[i] - y[j]) for i, j in _OPPOSITE]
    longest = torch.maximum(torch.maximum(squares[0], squares[1]), squares[2])
    # Twice the area over the longest edge; 0/0 where there is neither.
    height = (inverse * (depth[0] * depth[1] * depth[2])).mul_(longest.sqrt_()).abs_().reciprocal_()
    return height.mul_(1 / SLIVER).clamp_(max=1)


class _Blend(torch.autograd.Function):
    """Σ_k weights[k] · planes[:, corners[k]] at each covered pixel: (C, M), (3, size) -> (C, size).

    Channel by channel: what is in work stays in a CPU's cache, and large pictures need little memory.
    """

    @staticmethod
    def forward(ctx: Any, planes: Tensor, weights: Tensor, pixel: Tensor, corners: Tensor) -> Tensor:
        ctx.sizes = planes.shape[1], weights.shape[1]
        flat, weights = corners.view(-1), _take(weights, pixel)
        blended, saved = planes.new_zeros(len(planes), ctx.sizes[1]), []
        for plane, out in zip(planes, blended, strict=True):
            value = plane.index_select(0, flat).view_as(corners)
            out.scatter_(0, pixel, (value * weights).sum(0))
            if ctx.needs_input_grad[1]:
                saved.append(value)
        ctx.save_for_backward(weights, pixel, corners, *saved)
        return blended

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weights, pixel, corners, *values = ctx.saved_tensors
        n_points, size = ctx.sizes
        to_planes = gradient.new_zeros(len(gradient), n_points) if ctx.needs_input_grad[0] else None
        to_weights = torch.zeros_like(weights) if ctx.needs_input_grad[1] else None
        for channel, along in enumerate(gradient):
            along = along.index_select(0, pixel)
            if to_planes is not None:
                to_planes[channel].scatter_add_(0, corners.view(-1), (along * weights).view(-1))
            if to_weights is not None:
                to_weights.addcmul_(values[channel], along)
        return to_planes, None if to_weights is None else _put(to_weights, pixel, size), None, None
