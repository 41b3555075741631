"""Meshes and cameras: normals, connectivity, projection, crops, poses."""

from __future__ import annotations

import math

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from semblance.core_models.geometry.camera import (
    crop_intrinsics,
    intrinsics,
    project,
    to_camera,
)
from semblance.core_models.geometry.mesh import (
    edges,
    vertex_adjacency,
    vertex_normals,
)

CUBE = torch.tensor([[x, y, z] for z in (-1.0, 1.0) for y in (-1.0, 1.0) for x in (-1.0, 1.0)])
CUBE_FACES = torch.tensor(
    [
        *([0, 2, 3], [0, 3, 1]),  # −z
        *([4, 5, 7], [4, 7, 6]),  # +z
        *([0, 1, 5], [0, 5, 4]),  # −y
        *([2, 6, 7], [2, 7, 3]),  # +y
        *([0, 4, 6], [0, 6, 2]),  # −x
        *([1, 3, 7], [1, 7, 5]),  # +x
    ]
)


def camera() -> Tensor:
    return intrinsics(*torch.tensor([[800.0], [780.0], [310.0], [250.0]], dtype=torch.float64))


def test_normals_point_outside() -> None:
    normals = vertex_normals(CUBE[None].repeat(2, 1, 1) * torch.tensor([1.0, 3.0])[:, None, None], CUBE_FACES)
    assert torch.allclose(normals.norm(dim=-1), torch.ones(2, 8))
    assert bool(((normals * CUBE) > 0).all())
    assert torch.allclose(normals[0], normals[1])


def test_vertex_normals_are_weighted_by_area() -> None:
    """Where a big floor and a small wall meet, the normal leans towards the floor's, in the ratio of areas."""
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, -4], [0, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 3]])
    normal = vertex_normals(vertices, faces)[0]
    assert torch.allclose(normal, torch.tensor([0.0, 4, 1]) / math.sqrt(17))


def test_normals_of_broken_geometry_are_zero_and_gradients_right() -> None:
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]], requires_grad=True)
    faces = torch.tensor([[0, 1, 2]])
    normals = vertex_normals(vertices, faces)
    normals.sum().backward()
    assert bool((normals == 0).all())
    assert vertices.grad is not None and bool(vertices.grad.isfinite().all())
    cube = (
        (CUBE + torch.rand(8, 3, generator=torch.Generator().manual_seed(0)) * 0.3).double().requires_grad_()
    )
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, CUBE_FACES), cube)


def test_connectivity() -> None:
    found = edges(CUBE_FACES)
    assert len(found) == 18 and bool((found[:, 0] < found[:, 1]).all())
    assert len(CUBE) - len(found) + len(CUBE_FACES) == 2  # Euler
    neighbours, valence = vertex_adjacency(CUBE_FACES, 9)
    assert valence.tolist() == torch.bincount(found.flatten(), minlength=9).tolist()
    for vertex in range(9):
        expected = sorted(int(b if a == vertex else a) for a, b in found.tolist() if vertex in (a, b))
        row = neighbours[vertex].tolist()
        assert row[: len(expected)] == expected
        assert all(padding == vertex for padding in row[len(expected) :])


def test_projection_has_its_conventions() -> None:
    K = camera()
    points = torch.tensor([[[0.0, 0, -5], [1, 0, -4], [0, 1, -4]]], dtype=torch.float64)
    pixels = project(points, K)[0]
    assert torch.allclose(pixels[0], torch.tensor([310.0, 250]).double())  # the axis hits the principal point
    assert torch.allclose(pixels[1], torch.tensor([510.0, 250]).double())  # x is right
    assert torch.allclose(pixels[2], torch.tensor([310.0, 55]).double())  # y is up, rows run down


def test_a_crop_is_a_change_of_the_intrinsics() -> None:
    points = torch.randn(
        2, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ) - torch.tensor([0, 0, 9])
    K = camera().repeat(2, 1, 1)
    pixels = project(points, K)
    cropped = project(points, crop_intrinsics(K, 30.5, -12.0, 0.25))
    assert torch.allclose(cropped, (pixels - torch.tensor([30.5, -12.0]).double()) * 0.25)


def test_pose_moves_rows() -> None:
    vertices = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(2))
    rotation = torch.from_numpy(Rotation.from_rotvec([[0.1, 0.2, 0.3], [0, 0, 1]]).as_matrix()).float()
    translation = torch.tensor([[0.0, 1, -9], [2, 0, -7]])
    moved = to_camera(vertices, rotation, translation)
    assert torch.allclose(moved[1, 3], rotation[1] @ vertices[1, 3] + translation[1], atol=1e-6)
