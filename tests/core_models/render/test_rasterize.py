"""Exact coverage against a slow reference, watertightness, clipping, and inputs that break rasterisers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from semblance.core_models.render import rasterize as module
from semblance.core_models.render.clip import homogeneous_pixels
from semblance.core_models.render.rasterize import rasterize, rasterize_uv

PIXELS = torch.eye(3)[None].double()  # K with which (u, −v, −1) is seen at pixel (u, v)


def at_pixels(position: Tensor, depth: Tensor | float = 1.0) -> Tensor:
    """Camera-frame points (1, N, 3) that PIXELS shows at (N, 2) pixels."""
    depth = torch.as_tensor(depth, dtype=torch.float64).expand(len(position))
    u, v = position.double().unbind(1)
    return torch.stack([u * depth, -v * depth, -depth], 1)[None]


def reference(
    position: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangle by triangle over the whole picture, 64-bit integers: ids, layers, relative gap of the first two."""
    snapped = np.rint(position * 256).astype(np.int64) - 128
    y, x = np.mgrid[:height, :width] * 256
    ids, layers = np.full((height, width), -1), np.zeros((height, width), np.int64)
    nearest, second = np.zeros((height, width)), np.zeros((height, width))
    for face, corners in enumerate(faces):
        a, b, c = snapped[corners]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0 or (cull and area > 0):
            continue
        order = corners if area > 0 else corners[::-1]
        inside, nearness = np.ones((height, width), bool), np.zeros((height, width))
        for k in range(3):
            start, end = snapped[order[(k + 1) % 3]], snapped[order[(k + 2) % 3]]
            dx, dy = end - start
            edge = dx * (y - start[1]) - dy * (x - start[0])
            inside &= (edge > 0) | ((edge == 0) & (dy < 0 or (dy == 0 and dx > 0)))
            nearness += edge / abs(area) / depth[order[k]]
        layers += inside
        second = np.where(inside, np.maximum(second, np.minimum(nearness, nearest)), second)
        better = inside & (nearness > nearest)
        ids[better], nearest[better] = face, nearness[better]
    return ids, layers, np.where(layers > 1, (nearest - second) / np.maximum(nearest, 1e-9), 1.0)


def soup(seed: int, n: int, extent: float, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """n separate random triangles of about `extent` pixels around a picture (height, width), each at its own depth."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    centre = (torch.rand(n, 1, 2, generator=generator) * 1.2 - 0.1) * torch.tensor([width, height])
    position = centre + (torch.rand(n, 3, 2, generator=generator) - 0.5) * extent
    return position.reshape(-1, 2).double(), torch.arange(3 * n).view(n, 3)


@pytest.mark.parametrize("extent", [1.0, 3.0, 9.0, 40.0, 300.0, 20000.0])
@pytest.mark.parametrize("size", [(37, 53), (64, 5), (1, 90)])
@pytest.mark.parametrize("cull", [False, True])
def test_ids_equal_slow_reference(extent: float, size: tuple[int, int], cull: bool) -> None:
    n = 5000 if extent < 2 else 500
    position, faces = soup(int(extent), n, extent, size)
    depth = (
        1 + torch.randperm(n, generator=torch.Generator().manual_seed(1)).double().repeat_interleave(3) / 100
    )
    ids = rasterize(at_pixels(position, depth), faces, PIXELS, *size, cull=cull)[0]
    expected, layers, _ = reference(position.numpy(), depth.numpy(), faces.numpy(), *size, cull=cull)
    assert np.array_equal(ids.numpy(), expected)
    assert layers.max() > 1


@pytest.mark.parametrize("extent", [4.0, 30.0, 500.0])
def test_tilted_triangles_are_sorted_per_pixel(extent: float) -> None:
    position, faces = soup(5, 120, extent, (48, 48))
    depth = 1 + torch.rand(len(position), generator=torch.Generator().manual_seed(2)).double()
    ids = rasterize(at_pixels(position, depth), faces, PIXELS, 48, 48)[0].numpy()
    expected, _, gap = reference(position.numpy(), depth.numpy(), faces.numpy(), 48, 48)
    assert np.array_equal((ids < 0), (expected < 0))
    assert np.array_equal(ids[gap > 1e-5], expected[gap > 1e-5])
    assert (gap > 1e-5).mean() > 0.99


@pytest.mark.parametrize("scale", [0.5, 1.0, 7.0, 20.0])
def test_shared_edges_through_pixel_centres_are_drawn_once(scale: float) -> None:
    """A grid of triangles of both windings, all corners on pixel centres: every pixel inside is drawn once."""
    generator = torch.Generator().manual_seed(0)
    n = 7
    u, v = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="xy")
    position = (torch.stack([u, v], -1).reshape(-1, 2) * scale).round() + 0.5
    index = torch.arange(n * n).view(n, n)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    flip = torch.rand(a.shape, generator=generator) < 0.5
    first = torch.where(flip[..., None], torch.stack([a, b, d], -1), torch.stack([a, b, c], -1))
    other = torch.where(flip[..., None], torch.stack([a, d, c], -1), torch.stack([b, d, c], -1))
    faces = torch.cat([first.view(-1, 3), other.view(-1, 3)])
    faces = torch.stack([face.roll(k % 3) if k % 2 else face.flip(0) for k, face in enumerate(faces)])
    side = int((n - 1) * scale) + 3
    layers = sum(
        (rasterize(at_pixels(position), face[None], PIXELS, side, side)[0] >= 0).long() for face in faces
    )
    filled = torch.zeros(side, side, dtype=torch.long)
    end = int(position.max())  # right and bottom edges belong to the next triangle
    filled[:end, :end] = 1
    assert torch.equal(torch.as_tensor(layers), filled)


def octahedron(subdivisions: int) -> tuple[Tensor, Tensor]:
    """Unit sphere: (N, 3) float64, faces counter-clockwise outside."""
    corners = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    vertices = [np.array(corner, float) for corner in corners]
    faces = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    middle: dict[tuple[int, int], int] = {}

    def between(i: int, j: int) -> int:
        key = (min(i, j), max(i, j))
        if key not in middle:
            point = vertices[i] + vertices[j]
            middle[key] = len(vertices)
            vertices.append(point / np.linalg.norm(point))
        return middle[key]

    for _ in range(subdivisions):
        faces = [
            part
            for a, b, c in faces
            for ab, bc, ca in [(between(a, b), between(b, c), between(c, a))]
            for part in [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        ]
    return torch.tensor(np.array(vertices)), torch.tensor(faces)


def count_layers(vertices: Tensor, faces: Tensor, K: Tensor, size: int) -> Tensor:
    return torch.stack([rasterize(vertices, face[None], K, size, size)[0] >= 0 for face in faces]).sum(0)


def test_closed_mesh_covers_every_pixel_twice_or_not_at_all() -> None:
    sphere, faces = octahedron(3)
    turn = torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    )[0]
    vertices = (sphere @ turn.T + torch.tensor([0.3, 0.1, -5.0]))[None].float()
    K = torch.tensor([[[110.0, 0, 20], [0, 90, 25], [0, 0, 1]]])
    layers = count_layers(vertices, faces, K, 48)
    assert set(layers.unique().tolist()) == {0, 2}
    front = rasterize(vertices, faces, K, 48, 48, cull=True)
    assert torch.equal(front, rasterize(vertices, faces, K, 48, 48))
    outward = faces if torch.linalg.det(turn) > 0 else faces.flip(1)
    assert torch.equal(front >= 0, rasterize(vertices, outward, K, 48, 48, cull=True) >= 0)


def test_ground_through_the_near_plane_has_no_holes_and_right_ids() -> None:
    """A floor beneath and behind the camera covers each pixel below its horizon once."""
    generator = torch.Generator().manual_seed(4)
    x, z = torch.meshgrid(torch.linspace(-60, 60, 9), torch.linspace(-80, 30, 12), indexing="ij")
    jitter = torch.rand(2, *x.shape, generator=generator) * 3
    vertices = torch.stack([x + jitter[0], torch.full_like(x, -1.0), z + jitter[1]], -1).view(1, -1, 3)
    index = torch.arange(9 * 12).view(9, 12)
    a, b, c, d = (
        part.reshape(-1) for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    )
    faces = torch.cat([torch.stack([a, b, d], 1), torch.stack([a, d, c], 1)])
    K = torch.tensor([[[30.0, 0, 24], [0, 30, 20], [0, 0, 1]]])
    layers = count_layers(vertices, faces, K, 48)
    rows = torch.arange(48) + 0.5 - 20  # a ray through row v meets the floor at depth fy/(v − cy)
    assert (layers[rows > 30 / 70] == 1).all()  # the far border is beyond 70
    assert int(layers[rows < 0].sum()) == 0
    ids = rasterize(vertices, faces, K, 48, 48)[0]
    row, column = (ids >= 0).nonzero().unbind(1)
    depth = 30 / (row + 0.5 - 20).double()
    point = torch.stack([(column + 0.5 - 24) * depth / 30, -depth], 1)
    corners = vertices[0, :, [0, 2]].double()[faces[ids[row, column].long()]]
    weights = torch.linalg.solve(
        torch.cat([corners, torch.ones_like(corners[..., :1])], 2).mT,
        torch.cat([point, torch.ones(len(point), 1)], 1),
    )
    # Snapping moves a vertex by up to 1/512 pixel, which at distance d is d²/(512·30) on the floor.
    assert float((weights + depth.square()[:, None] / (512 * 30) / 2).min()) > -1e-3


def test_depth_is_exact_far_from_a_near_corner() -> None:
    """A floor from behind the camera to 200 away, and a slab a hair above it there: the slab is in front."""
    floor = torch.tensor([[-90.0, -1, 5], [90, -1, 5], [0, -1, -200]])
    slab = torch.tensor([[-9.0, -0.9997, -60], [9, -0.9997, -60], [9, -0.9997, -70], [-9, -0.9997, -70]])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [3, 5, 6]])
    K = torch.tensor([[[900.0, 0, 100], [0, 900, 0], [0, 0, 1]]])
    vertices = torch.cat([floor, slab])[None]
    ids = rasterize(vertices, faces, K, 24, 200)
    alone = rasterize(vertices, faces[1:], K, 24, 200)
    assert int((alone >= 0).sum()) > 300
    assert torch.equal(ids[alone >= 0], alone[alone >= 0] + 1)


def test_vertex_behind_camera_leaves_the_visible_part() -> None:
    vertices = torch.tensor([[[-1.0, -1, -2], [1, -1, -2], [0, -1, 3]]])
    K = torch.tensor([[[20.0, 0, 16], [0, 20, 16], [0, 0, 1]]])
    ids = rasterize(vertices, torch.tensor([[0, 1, 2]]), K, 32, 32)[0]
    assert int((ids == 0).sum()) > 30
    assert (ids[:26] == -1).all()  # nearest edge is at v = 16 + 20/2
    assert (rasterize(vertices + torch.tensor([0, 0, 2.5]), torch.tensor([[0, 1, 2]]), K, 32, 32) == -1).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e38, -1e38])
def test_broken_vertex_drops_its_own_triangles_only(bad: float) -> None:
    sphere, faces = octahedron(2)
    vertices = (sphere + torch.tensor([0, 0, -4.0])).float()
    K = torch.tensor([[[60.0, 0, 24], [0, 60, 24], [0, 0, 1]]])
    for axis in range(3):
        broken = vertices.clone()
        broken[7, axis] = bad
        kept = (faces != 7).all(1)
        alone = rasterize(vertices[None], faces[kept], K, 48, 48)
        alone = torch.where(alone >= 0, kept.nonzero()[:, 0][alone.long().clamp(min=0)], -1)
        assert torch.equal(rasterize(broken[None], faces, K, 48, 48), alone.int())


@pytest.mark.parametrize("far", [1e3, 1e5, 1e7])
def test_huge_triangle_keeps_its_edges(far: float) -> None:
    """Corners millions of pixels away: the edge through the picture stays where it is."""
    position = torch.tensor(
        [[-far, 10.0 - far], [far, 10.0 + far], [-far, 10.0 + 5 * far]]
    )  # edge v = u + 10 at the top
    ids = rasterize(at_pixels(position), torch.tensor([[0, 1, 2]]), PIXELS, 64, 64)[0]
    row, column = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    distance = row - column - 10
    assert (ids[distance > 0] == 0).all() and (ids[distance < 0] == -1).all()


@pytest.mark.parametrize("extent", [1.0, 6.0, 30.0, 500.0])
def test_equal_depth_goes_to_the_lowest_face(extent: float) -> None:
    corners = torch.tensor([[10.2, 9.7], [10.2 + extent, 9.9], [10.4, 9.5 + extent]])
    position = torch.cat([corners, corners, corners[[1, 2, 0]]])
    faces = torch.tensor([[6, 7, 8], [3, 4, 5], [0, 1, 2]])
    for order in (faces, faces.flip(0), faces[[1, 0, 2]]):
        assert set(rasterize(at_pixels(position), order, PIXELS, 40, 40).unique().tolist()) <= {-1, 0}


def test_both_resolvers_and_both_batch_layouts_agree() -> None:
    generator = torch.Generator().manual_seed(6)
    position, faces = soup(7, 300, 12.0, (40, 30))
    vertices = at_pixels(position, 1 + torch.rand(900, generator=generator)).float().repeat(3, 1, 1)
    vertices = vertices + torch.rand(vertices.shape, generator=generator) * 2
    vertices[1, 5] = math.nan
    K = PIXELS.float().repeat(3, 1, 1) * torch.tensor([1.0, 1.5, 0.5])[:, None, None]
    looped = rasterize(vertices, faces, K, 40, 30)
    assert torch.equal(module.rasterize_flat(vertices, faces, K, 40, 30, False, 0.01), looped)
    assert (looped >= 0).any((1, 2)).all()
    packed, resolved = module.resolve_packed, []

    def both(soup: module.Soup) -> Tensor:
        resolved.append((packed(soup), module.resolve_two_pass(soup)))
        return resolved[-1][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "resolve_packed", both)
        rasterize(vertices, faces, K, 40, 30)
    assert len(resolved) == 3
    for one, two in resolved:
        assert torch.equal(one, two)


def test_uv_space_has_row_zero_at_the_top() -> None:
    uv = torch.tensor([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])
    ids = rasterize_uv(uv, torch.tensor([[0, 1, 2], [0, 3, 2]]), 16)[0]
    row, column = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    below = row + column > 15  # below the diagonal that runs up from the lower left corner
    assert (ids[below] == 0).all() and (ids[row + column < 15] == 1).all() and (ids >= 0).all()


def test_uv_at_4096_fills_every_texel_once() -> None:
    uv = torch.tensor([[0.0, 0.0], [1, 0], [1, 1], [0, 1], [0.313, 0.671]])
    faces = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    ids = rasterize_uv(uv, faces, 4096)
    area = torch.bincount(ids.view(-1) + 1, minlength=5).double() / 4096**2
    assert int((ids < 0).sum()) == 0
    assert torch.allclose(
        area[1:], torch.tensor([0.671, 0.687, 0.329, 0.313], dtype=torch.float64) / 2, atol=2e-4
    )


def test_precision_of_the_input_is_kept() -> None:
    position, faces = soup(8, 100, 8.0, (32, 32))
    vertices = at_pixels(position, 2.0)
    assert torch.equal(homogeneous_pixels(vertices, PIXELS)[:2].T / 2, position)
    assert rasterize(vertices, faces, PIXELS, 32, 32).dtype == torch.int32


def test_ids_may_be_saved_by_autograd() -> None:
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1]])
    values = torch.rand(2, requires_grad=True)
    position, faces = soup(9, 20, 20.0, (16, 16))
    for ids in (
        rasterize_uv(uv, torch.tensor([[0, 1, 2]]), 8),
        rasterize(at_pixels(position), faces, PIXELS, 16, 16),
    ):
        values[ids.clamp(-1, 0) + 1].sum().backward()
        assert not ids.is_inference()
    assert values.grad is not None and bool((values.grad > 0).all())


def test_bad_arguments_and_empty_input() -> None:
    vertices, faces = torch.zeros(1, 3, 3) - 1, torch.tensor([[0, 1, 2]])
    for size in ((0, 8), (8, 16000)):
        with pytest.raises(ValueError, match="picture size"):
            rasterize(vertices, faces, PIXELS.float(), *size)
    with pytest.raises(ValueError, match="near"):
        rasterize(vertices, faces, PIXELS.float(), 8, 8, near=0.0)
    assert (rasterize(vertices, faces[:0], PIXELS.float(), 8, 9) == -1).all()
    assert rasterize(vertices, faces[:0], PIXELS.float(), 8, 9).shape == (1, 8, 9)
    assert (rasterize(vertices * math.nan, faces, PIXELS.float(), 8, 8) == -1).all()
