"""Depth maps and the look-ups in them: against slow twins, batches, a known occluder."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from semblance.core_models.render.shadow_map import depth_at, depth_maps, percentage_closer

K = torch.tensor([[[30.0, 0, 14.3], [0, 28, 12.1], [0, 0, 1]]])
SIZE = (24, 30)


def triangles(batch: int = 1) -> tuple[Tensor, Tensor]:
    """Random big triangles that cross each other before the camera: (B, N, 3), (F, 3)."""
    generator = torch.Generator().manual_seed(3)
    vertices = (torch.rand(batch, 18, 3, generator=generator) - 0.5) * 5 - torch.tensor([0, 0, 6.0])
    return vertices, torch.arange(18).view(6, 3)


def ray_depth(vertices: np.ndarray, faces: np.ndarray, row: int, column: int) -> float:
    """Depth at which a pixel's ray meets the first triangle, by solving for each."""
    matrix = K[0].double().numpy()
    ray = np.array(
        [(column + 0.5 - matrix[0, 2]) / matrix[0, 0], -(row + 0.5 - matrix[1, 2]) / matrix[1, 1], -1.0]
    )
    nearest = math.inf
    for a, b, c in vertices[faces].astype(np.float64):
        depth, second, third = np.linalg.solve(np.stack([ray, a - b, a - c], axis=1), a)
        if second >= 0 and third >= 0 and second + third <= 1:
            nearest = min(nearest, depth)
    return nearest


def test_depths_are_those_that_rays_meet() -> None:
    vertices, faces = triangles()
    maps, ids = depth_maps(vertices, faces, K, *SIZE)
    slow = np.array(
        [
            [ray_depth(vertices[0].numpy(), faces.numpy(), y, x) for x in range(SIZE[1])]
            for y in range(SIZE[0])
        ]
    )
    assert torch.equal(torch.isinf(maps), ids < 0)
    finite = np.isfinite(slow) & (ids[0].numpy() >= 0)
    assert np.isfinite(slow).mean() > 0.3
    assert (np.isfinite(slow) == (ids[0].numpy() >= 0)).mean() > 0.995  # vertices are snapped to 1/256 pixel
    apart = np.abs(maps[0].numpy()[finite] - slow[finite])
    assert (apart < 1e-3).mean() > 0.99


def test_a_batch_is_one_by_one() -> None:
    vertices, faces = triangles(3)
    cameras = K * torch.tensor([1.0, 1.2, 0.9]).view(3, 1, 1)
    cameras[:, 2, 2] = 1
    maps, ids = depth_maps(vertices, faces, cameras, *SIZE)
    for image in range(3):
        one = slice(image, image + 1)
        alone, its_ids = depth_maps(vertices[one], faces, cameras[one], *SIZE)
        assert torch.equal(maps[one], alone) and torch.equal(ids[one], its_ids)
    assert torch.equal(
        depth_maps(vertices, faces, K, *SIZE)[0][1:2], depth_maps(vertices[1:2], faces, K, *SIZE)[0]
    )


def test_depths_may_be_measured_from_elsewhere() -> None:
    vertices, faces = triangles()
    maps, ids = depth_maps(vertices, faces, K, *SIZE)
    shifted, _ = depth_maps(vertices, faces, K, *SIZE, depth=-vertices[..., 2] - 6)
    covered = ids >= 0
    torch.testing.assert_close(shifted[covered], maps[covered] - 6, atol=1e-5, rtol=0)
    assert torch.isinf(shifted[~covered]).all()


def test_look_ups_beside_the_map_find_its_border() -> None:
    maps = torch.arange(24.0).view(2, 3, 4)
    column, row = torch.tensor([[-7, 9, 2], [0, 3, 1]]), torch.tensor([[-1, 5, 1], [0, 2, 9]])
    assert depth_at(maps, column, row).tolist() == [[0, 11, 6], [12, 23, 21]]


def test_percentage_closer_is_the_bilinear_share_of_four_comparisons() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 7, 9, generator=generator)
    maps[maps > 0.8] = math.inf
    x, y, limit = (torch.rand(2, 300, generator=generator).double() for _ in range(3))
    x, y = 12 * x - 1.5, 10 * y - 1.5
    share = percentage_closer(maps, x, y, limit)
    assert share.dtype == torch.float32
    for image in range(2):
        for i in range(0, 300, 7):
            expected = 0.0
            left, top = math.floor(x[image, i] - 0.5), math.floor(y[image, i] - 0.5)
            for row in (top, top + 1):
                for column in (left, left + 1):
                    weight = (1 - abs(float(x[image, i]) - 0.5 - column)) * (
                        1 - abs(float(y[image, i]) - 0.5 - row)
                    )
                    seen = maps[image, min(max(row, 0), 6), min(max(column, 0), 8)]
                    expected += weight * float(seen >= limit[image, i])
            assert abs(float(share[image, i]) - expected) < 1e-6


def test_a_wall_hides_what_is_behind_it_and_nothing_else() -> None:
    wall = torch.tensor([[[-1.0, -1, -4], [1, -1, -4], [1, 1, -4], [-1, 1, -4]]])
    maps, _ = depth_maps(wall, torch.tensor([[0, 1, 2], [0, 2, 3]]), K, *SIZE)
    x, y = torch.full((1, 3), 14.3).double(), torch.full((1, 3), 12.1).double()
    assert percentage_closer(maps, x, y, torch.tensor([[3.9, 4.1, 99.0]])).tolist() == [[1, 0, 0]]
    assert percentage_closer(maps, 0 * x + 1, 0 * y + 1, torch.tensor([[3.9, 4.1, 99.0]])).tolist() == [
        [1, 1, 1]
    ]
