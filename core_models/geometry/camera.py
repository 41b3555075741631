"""The one camera of the program: a pinhole K and a rigid pose.

Camera frame: x right, y up, z towards the camera, so visible points have z < 0. A vertex V of the model is at
``Xc = V·Rᵀ + t``; its picture is at ``u = cx − fx·x/z``, ``v = cy + fy·y/z``, in pixels from the image's
top-left *corner* (the first pixel's centre is (0.5, 0.5)). Cropping and resizing a picture change K, never
the pose. Everything is batched, differentiable and free of units: whatever unit the vertices have, the
translation has too.
"""

from __future__ import annotations

import torch
from torch import Tensor


def intrinsics(fx: Tensor, fy: Tensor, cx: Tensor, cy: Tensor) -> Tensor:
    """K (..., 3, 3) of focal lengths and principal point in pixels, all of shape (...)."""
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    return torch.stack([fx, zero, cx, zero, fy, cy, zero, zero, one], dim=-1).unflatten(-1, (3, 3))


def to_camera(vertices: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Model space → camera frame: ``V·Rᵀ + t``. (B, N, 3), (B, 3, 3), (B, 3) -> (B, N, 3)."""
    return vertices @ rotation.mT + translation[..., None, :]


def project(points_camera: Tensor, K: Tensor) -> Tensor:
    """Camera-frame points (B, N, 3) to pixels (B, N, 2) by K (B, 3, 3). Points with z ≥ 0 have no picture:
    not checked.
    """
    x, y, z = points_camera.unbind(-1)
    u = K[..., 0, 2, None] - K[..., 0, 0, None] * x / z
    v = K[..., 1, 2, None] + K[..., 1, 1, None] * y / z
    return torch.stack([u, v], dim=-1)


def crop_intrinsics(K: Tensor, x0: float, y0: float, scale: float) -> Tensor:
    """K of the picture whose top-left corner was at pixel (x0, y0) and which was then enlarged `scale` times.

    A point at (u, v) of the old picture is at ``((u − x0)·scale, (v − y0)·scale)`` of the new one.
    """
    crop = K.new_tensor([[scale, 0.0, -x0 * scale], [0.0, scale, -y0 * scale], [0.0, 0.0, 1.0]])
    return crop @ K
