"""Clipping of triangles in homogeneous pixel coordinates, before the perspective division.

A camera-frame point (x, y, z) is ``(u·d, v·d, d)`` with d = −z its depth and (u, v) its picture: linear in
the point, so cutting an edge here is exact. Only triangles that reach behind the near plane or very far out
of the picture come this way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def homogeneous_pixels(vertices_camera: Tensor, K: Tensor) -> Tensor:
    """(u·d, v·d, d) of camera-frame points. (B, N, 3), (B or 1, 3, 3) -> (3, B·N), differentiable to both."""
    return _HomogeneousPixels.apply(vertices_camera, K.expand(len(vertices_camera), 3, 3))


class _HomogeneousPixels(torch.autograd.Function):
    """By hand: autograd's way back through the columns of a matrix takes twice the time of the way there."""

    @staticmethod
    def forward(ctx: Any, vertices: Tensor, K: Tensor) -> Tensor:
        ctx.save_for_backward(vertices, K)
        x, y, z = vertices.unbind(-1)
        fx, fy, cx, cy = _parameters(K)
        return torch.stack([fx * x - cx * z, -fy * y - cy * z, -z]).flatten(1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        vertices, K = ctx.saved_tensors
        along_u, along_v, along_depth = gradient.unflatten(1, vertices.shape[:2])
        fx, fy, cx, cy = _parameters(K)
        to_vertices = torch.empty_like(vertices)
        torch.mul(along_u, fx, out=to_vertices[..., 0])
        torch.mul(along_v, -fy, out=to_vertices[..., 1])
        torch.sub(-along_depth, along_u * cx + along_v * cy, out=to_vertices[..., 2])
        to_K = None
        if ctx.needs_input_grad[1]:
            x, y, z = vertices.unbind(-1)
            to_K = torch.zeros_like(K)
            to_K[:, 0, 0], to_K[:, 1, 1] = (along_u * x).sum(-1), -(along_v * y).sum(-1)
            to_K[:, 0, 2], to_K[:, 1, 2] = -(along_u * z).sum(-1), -(along_v * z).sum(-1)
        return to_vertices, to_K


def _parameters(K: Tensor) -> tuple[Tensor, ...]:
    """fx, fy, cx, cy, each (B, 1)."""
    return K[:, 0, 0, None], K[:, 1, 1, None], K[:, 0, 2, None], K[:, 1, 2, None]


def clip_triangles(
    points: Tensor, corners: Tensor, source: Tensor, near: float, limit: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut triangles at depth `near` and at |u|, |v| = `limit`, plane by plane (Sutherland and Hodgman 1974).

    Neighbours stay watertight: corners that survive keep their index, and two triangles that share a cut edge
    compute the new corner by the same arithmetic.

    Args:
        points: homogeneous pixels (3, M).
        corners: indices into points, (3, T). Triangles with a non-finite corner are dropped.
        source: any label (T,) that the pieces inherit.

    Returns:
        points (3, M'), beginning with the given ones; corners (3, T') and source (T',) of the pieces.
    """
    finite = points.isfinite().all(0)[corners].all(0)
    corners, source = corners[:, finite], source[finite]
    points, corners, source = _clip_by_plane(points, corners, source, points[2] - near)
    for axis in (0, 1):
        for side in (1, -1):
            distance = limit * points[2] + side * points[axis]
            points, corners, source = _clip_by_plane(points, corners, source, distance)
    return points, corners, source


def _clip_by_plane(
    points: Tensor, corners: Tensor, source: Tensor, distance: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Keep what has distance (M,) > 0: each triangle becomes none, one or two."""
    inside = distance[corners] > 0
    n_inside = inside.sum(0)
    whole = n_inside == 3
    pieces, labels = [corners[:, whole]], [source[whole]]
    for n in (1, 2):
        chosen = n_inside == n
        # Turn each triangle so that its odd corner, the only one inside (n = 1) or outside (n = 2), is first.
        odd = (inside[:, chosen] == (n == 1)).int().argmax(0)
        turn = (odd + torch.arange(3, device=odd.device)[:, None]) % 3
        a, b, c = corners[:, chosen].gather(0, turn)
        count = points.shape[1]
        ab = torch.arange(count, count + len(a), device=a.device)
        ac = ab + len(a)
        if n == 1:
            cuts = [_cut(points, distance, a, b), _cut(points, distance, a, c)]
            pieces.append(torch.stack([a, ab, ac]))
            labels.append(source[chosen])
        else:
            cuts = [_cut(points, distance, b, a), _cut(points, distance, c, a)]
            pieces += [torch.stack([ab, b, c]), torch.stack([ab, c, ac])]
            labels += [source[chosen]] * 2
        points = torch.cat([points, *cuts], dim=1)
    return points, torch.cat(pieces, dim=1), torch.cat(labels)


def _cut(points: Tensor, distance: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    """Where the edges from inner (n,) to outer (n,) cross the plane: (3, n)."""
    start, end = distance[inner], distance[outer]
    return points[:, inner] + (points[:, outer] - points[:, inner]) * (start / (start - end))
