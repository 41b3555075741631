"""Order-2 spherical harmonics (SH) as light.

A light is `sh` (..., 3, 9): RGB × the nine real orthonormal harmonics of `sh_basis`. Its coefficients are
*irradiance / π*, so a diffuse surface appears as ``albedo_linear · max(0, Σ c_k Y_k(n))`` with its unit
normal n (Ramamoorthi and Hanrahan 2001). Which frame the light lives in is the caller's business: normals and
light must share it (the program's is the camera frame).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

COSINE_LOBE = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])
"""(9,) diffuse reflection multiplies a radiance's coefficients by it: A_l/π of band l (Ramamoorthi and Hanrahan 2001,
eq. 8)."""


def sh_basis(normals: Tensor) -> Tensor:
    """The nine harmonics Y at unit directions: (..., 3) -> (..., 9).

    Order: 1; y, z, x; xy, yz, 3z²−1, xz, x²−y². Orthonormal over the sphere. In memory plane by plane.
    """
    x, y, z = normals.unbind(-1)
    one, linear, product = 0.5 / math.sqrt(math.pi), math.sqrt(0.75 / math.pi), 0.5 * math.sqrt(15 / math.pi)
    return torch.stack(
        [
            torch.full_like(x, one),
            linear * y,
            linear * z,
            linear * x,
            product * x * y,
            product * y * z,
            0.25 * math.sqrt(5 / math.pi) * (3 * z * z - 1),
            product * x * z,
            0.5 * product * (x * x - y * y),
        ]
    ).movedim(0, -1)


def shade(normals: Tensor, sh: Tensor) -> Tensor:
    """Light that leaves a white diffuse surface: max(0, Σ c_k Y_k(n)). Linear RGB.

    Args:
        normals: unit vectors (B, ..., 3) with a light for each of the batch, or (..., 3) with one light for all.
        sh: (B, 3, 9), or (3, 9).
    """
    n_batch = sh.ndim - 2
    basis = sh_basis(normals)
    light = basis.reshape(*basis.shape[:n_batch], -1, 9) @ sh.mT
    return light.reshape(normals.shape).clamp(min=0)


def rotate_sh(sh: Tensor, rotation: Tensor) -> Tensor:
    """The light turned by `rotation`: ``shade(R·n, rotate_sh(sh, R)) == shade(n, sh)``. Exact.

    Args:
        sh: (..., 3, 9).
        rotation: (..., 3, 3), proper or improper (a change of axes or a mirror image works too).
    """
    # The icosahedron's 12 corners are a spherical 5-design: sums over them integrate products of two order-2
    # harmonics exactly, so projecting the turned light onto the basis needs no solve.
    directions = _icosahedron(sh)
    basis = sh_basis(directions)
    turned = sh_basis(directions @ rotation)
    matrix = (4 * math.pi / len(directions)) * (basis.mT @ turned)
    return sh @ matrix.mT


def _icosahedron(like: Tensor) -> Tensor:
    """Unit corners (12, 3) of an icosahedron, of the type and device of `like`."""
    golden = 0.5 + 0.5 * math.sqrt(5)
    corners = [
        (0.0, a, b * golden)[shift:] + (0.0, a, b * golden)[:shift]
        for shift in range(3)
        for a in (-1.0, 1.0)
        for b in (-1.0, 1.0)
    ]
    return like.new_tensor(corners) / math.sqrt(1 + golden * golden)


def sh_to_radiance(sh: Tensor) -> Tensor:
    """Coefficients (..., 9) of the incoming radiance that makes the irradiance/π of `sh`: bands × (1, 3/2,
    4).

    The radiance of an order-2 fit can be negative in places, where a renderer must clamp it.
    """
    return sh * sh.new_tensor(1 / COSINE_LOBE)


def equirectangular(radiance_sh: Tensor, height: int) -> Tensor:
    """Panorama (height, 2·height, 3) of a radiance (3, 9) in a z-up frame, linear RGB, not clamped."""
    directions = panorama_directions(height, radiance_sh.dtype, radiance_sh.device)
    return sh_basis(directions) @ radiance_sh.mT


def panorama_directions(
    height: int, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
) -> Tensor:
    """Unit vectors (height, 2·height, 3) that a panorama's pixels look along.

    Blender's layout: the top row looks to +z, the middle column to +x, and columns run clockwise seen from
    above (−y is three quarters to the right).
    """
    step = math.pi / height
    row, column = ((torch.arange(n, dtype=dtype, device=device) + 0.5) * step for n in (height, 2 * height))
    polar, azimuth = torch.meshgrid(row, math.pi - column, indexing="ij")
    return torch.stack([polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos()], dim=-1)
