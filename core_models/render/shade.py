"""Pictures of meshes: rasterize, interpolate and light, put together.

Shading is deferred: attributes are interpolated first and everything else happens per pixel. Pictures are
anti-aliased by averaging `supersample`² samples a pixel in linear light.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from ..geometry.camera import crop_intrinsics
from ..geometry.mesh import vertex_normals
from .interpolate import barycentrics, interpolate
from .lighting import shade
from .rasterize import rasterize


def render_attributes(
    vertices_camera: Tensor,
    faces: Tensor,
    attributes: Tensor,
    K: Tensor,
    height: int,
    width: int,
    supersample: int = 1,
) -> tuple[Tensor, Tensor]:
    """Vertex attributes seen by the camera.

    Args:
        vertices_camera: (B, N, 3). faces: (F, 3). K: (B, 3, 3), for height × width.
        attributes: (B, N, C).
        supersample: samples per pixel and axis.

    Returns:
        (B, H, W, C), the mean over the pixel's *covered* samples, 0 where there are none; and the covered
        fraction (B, H, W). Differentiable to attributes and vertices, but for the outline.
    """
    values, ids = _samples(vertices_camera, faces, attributes, K, height, width, supersample)
    return downsample(values, ids >= 0, supersample)


def render_mesh(
    vertices_camera: Tensor,
    faces: Tensor,
    albedo_linear: Tensor,
    sh: Tensor | None,
    K: Tensor,
    height: int,
    width: int,
    supersample: int = 2,
    uv: Tensor | None = None,
) -> Tensor:
    """A lit mesh: (B, H, W, 4) linear RGB, not premultiplied, and coverage.

    Args:
        vertices_camera: (B, N, 3). faces: (F, 3). K: (B, 3, 3), for height × width.
        albedo_linear: per vertex (B, N, 3), or, with `uv` (N, 2), a texture (S, S, 3) whose top row is at v =
        1. sh: light in the camera frame (B, 3, 9); None shows the albedo itself. supersample: samples per
        pixel and axis.
    """
    normals = vertex_normals(vertices_camera, faces)
    surface = albedo_linear if uv is None else uv.expand(len(vertices_camera), -1, -1)
    attributes = torch.cat([surface, normals], dim=-1)
    values, ids = _samples(vertices_camera, faces, attributes, K, height, width, supersample)
    surface, normals = values.split([surface.shape[-1], 3], dim=-1)
    color = surface if uv is None else sample_texture(albedo_linear, surface)
    if sh is not None:
        color = color * shade(_unit(normals), sh)
    covered = ids >= 0
    mean, coverage = downsample(color * covered[..., None], covered, supersample)
    return torch.cat([mean, coverage[..., None]], dim=-1)


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Bilinear look-up, clamped at the border. Row 0 is at v = 1; texel centres are at (i + 0.5)/S.

    Args:
        texture: (S, S', C).
        uv: (..., 2).

    Returns:
        (..., C), differentiable to both.
    """
    rows, columns, channels = texture.shape
    # Clamped by hand because MPS has no border padding.
    size = uv.new_tensor([columns, rows])
    u, v = (2 * uv - 1).clamp(min=1 / size - 1, max=1 - 1 / size).unbind(-1)
    grid = torch.stack([u, -v], dim=-1).reshape(1, 1, -1, 2)
    values = grid_sample(texture.permute(2, 0, 1)[None].to(uv.dtype), grid, align_corners=False)
    return values.reshape(channels, -1).t().reshape(*uv.shape[:-1], channels)


def downsample(values: Tensor, covered: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Average factor² samples a pixel: values (B, fH, fW, C), 0 where not covered, and covered (B, fH, fW)
    bool.

    Returns the mean over covered samples (B, H, W, C) and the covered fraction (B, H, W).
    """
    weight = covered.to(values.dtype)
    if factor == 1:
        return values, weight
    total = avg_pool2d(values.permute(0, 3, 1, 2), factor).permute(0, 2, 3, 1)
    fraction = avg_pool2d(weight[:, None], factor)[:, 0]
    return total / fraction.clamp(min=0.5 / factor**2)[..., None], fraction


def _unit(normals: Tensor) -> Tensor:
    """`torch.nn.functional.normalize`, several times faster on vectors (..., 3) that lie in planes."""
    # Clamped before the root, whose slope at the empty pixels' zeros would be infinite.
    return normals * normals.square().sum(-1, keepdim=True).clamp(min=1e-24).rsqrt()


def _samples(
    vertices_camera: Tensor,
    faces: Tensor,
    attributes: Tensor,
    K: Tensor,
    height: int,
    width: int,
    factor: int,
) -> tuple[Tensor, Tensor]:
    """Attributes and ids of a picture `factor` times as large: (B, fH, fW, C), (B, fH, fW)."""
    K = crop_intrinsics(K, 0.0, 0.0, float(factor))
    ids = rasterize(vertices_camera, faces, K, height * factor, width * factor)
    weights = barycentrics(vertices_camera, faces, K, ids)
    return interpolate(attributes, faces, ids, weights), ids
