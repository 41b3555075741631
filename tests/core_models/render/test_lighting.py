"""Spherical harmonics: orthonormality, rotation, radiance against irradiance, the panorama's directions."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn.functional import normalize

from semblance.core_models.render.lighting import equirectangular, rotate_sh, sh_basis, sh_to_radiance, shade


def directions(n: int, seed: int = 0) -> Tensor:
    """(n, 3) uniform on the sphere."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, 3, generator=generator, dtype=torch.float64), dim=-1)


def quadrature(n: int) -> tuple[Tensor, Tensor]:
    """Midpoint rule on the sphere: (P, 3) directions, (P,) solid angles."""
    z = (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 - 1
    angle = (torch.arange(2 * n, dtype=torch.float64) + 0.5) * math.pi / n
    z, angle = torch.meshgrid(z, angle, indexing="ij")
    radius = (1 - z * z).sqrt()
    points = torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1).view(-1, 3)
    return points, torch.full((len(points),), 4 * math.pi / len(points), dtype=torch.float64)


def random_light(*shape: int) -> Tensor:
    return torch.randn(*shape, 3, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_basis_is_orthonormal_and_ordered() -> None:
    points, weights = quadrature(128)
    basis = sh_basis(points)
    assert torch.allclose((basis * weights[:, None]).T @ basis, torch.eye(9, dtype=torch.float64), atol=1e-3)
    x, y, z = 0.48, 0.6, 0.64
    expected = [
        0.282095,
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3 * z * z - 1),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
    assert sh_basis(torch.tensor([x, y, z])).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mirror", [False, True])
def test_rotation_is_exact(mirror: bool) -> None:
    rotation = torch.from_numpy(Rotation.from_rotvec([[0.4, -1.1, 2.0], [3.0, 0.2, -0.5]]).as_matrix())
    if mirror:
        rotation = rotation * torch.tensor([-1.0, 1, 1], dtype=torch.float64)
    sh, normals = random_light(2), directions(50)
    turned = rotate_sh(sh, rotation)
    for light, other, matrix in zip(sh, turned, rotation, strict=True):
        assert torch.allclose(sh_basis(normals @ matrix.T) @ other.T, sh_basis(normals) @ light.T, atol=1e-12)
    assert torch.allclose(rotate_sh(turned, rotation.mT), sh, atol=1e-12)
    assert torch.allclose(turned.square().sum((1, 2)), sh.square().sum((1, 2)))
    light = sh.float()
    assert torch.allclose(rotate_sh(light, rotation.float()), turned.float(), atol=1e-5)


def test_shade_broadcasts_and_never_goes_below_zero() -> None:
    sh, normals = random_light(2), directions(24).view(2, 4, 3, 3)
    light = shade(normals, sh)
    assert light.shape == (2, 4, 3, 3)
    assert float(light.min()) == 0 and float(light.max()) > 0
    for image in range(2):
        assert torch.allclose(shade(normals[image], sh[image]), light[image])
        expected = (sh_basis(normals[image]) @ sh[image].T).clamp(min=0)
        assert torch.allclose(light[image], expected)


def test_radiance_makes_the_irradiance() -> None:
    """∫ L(ω)·max(0, n·ω) dω / π over the sphere is what `shade` says, for any normal."""
    sh = random_light() * 0.2
    sh[:, 0] = 3  # positive everywhere
    points, weights = quadrature(100)
    radiance = sh_basis(points) @ sh_to_radiance(sh).T
    normals = directions(20, seed=2)
    irradiance = ((normals @ points.T).clamp(min=0) * weights) @ radiance / math.pi
    assert torch.allclose(irradiance, shade(normals, sh), atol=2e-3)


def test_panorama_directions() -> None:
    """A light from one axis is brightest at its place in the panorama."""
    places = {
        (0, 0, 1): (0, None),
        (0, 0, -1): (31, None),
        (1, 0, 0): (16, 32),
        (0, -1, 0): (16, 48),
        (0, 1, 0): (16, 16),
    }
    for axis, (row, column) in places.items():
        radiance = sh_basis(torch.tensor([axis], dtype=torch.float64)).expand(3, 9)
        picture = equirectangular(radiance, 32)
        assert picture.shape == (32, 64, 3)
        found_row, found_column = divmod(int(picture[..., 0].argmax()), 64)
        assert abs(found_row - row) <= 1
        assert column is None or abs(found_column - column) <= 1
