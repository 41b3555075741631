"""Barycentrics and blending: exact values, gradients, slivers, batches; and the pictures made of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semblance.core_models.geometry.camera import project
from semblance.core_models.render.interpolate import SLIVER, barycentrics, barycentrics_uv, interpolate
from semblance.core_models.render.rasterize import rasterize, rasterize_uv
from semblance.core_models.render.shade import render_attributes, render_mesh, sample_texture

K = torch.tensor([[[40.0, 0, 14.3], [0, 35, 17.1], [0, 0, 1]]], dtype=torch.float64)
SIZE = (32, 30)


def scene(batch: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random big triangles, some crossing the near plane and each other: (B, N, 3) float64, (F, 3)."""
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.rand(batch, 18, 3, generator=generator, dtype=torch.float64)
    vertices = (vertices - 0.5) * 5 - torch.tensor([0, 0, 4.0], dtype=torch.float64)
    vertices[:, 17, 2] = 1.0
    return vertices, torch.arange(18).view(6, 3)


def test_barycentrics_point_where_the_pixel_is() -> None:
    vertices, faces = scene(3)
    cameras = K.repeat(3, 1, 1) * torch.tensor([1, 1.3, 0.8]).double()[:, None, None]
    cameras[:, 2, 2] = 1
    ids = rasterize(vertices, faces, cameras, *SIZE)
    weights = barycentrics(vertices, faces, cameras, ids)
    position = interpolate(vertices, faces, ids, weights)
    for image in range(3):
        covered = ids[image] >= 0
        pixel = covered.nonzero().flip(1) + 0.5
        seen = project(position[image][covered][None], cameras[image : image + 1])[0]
        inside = weights[image][covered].amin(1) > 1e-9  # not clamped
        assert inside.double().mean() > 0.9
        assert float((seen - pixel)[inside].abs().max()) < 1e-9
        assert float((seen - pixel).abs().max()) < 0.5
    assert torch.allclose(weights.sum(-1), (ids >= 0).double())
    assert float(weights.min()) >= 0
    assert (position[ids < 0] == 0).all()


def test_blending_is_perspective_correct() -> None:
    """On a floor that recedes, an attribute equal to the distance is the ray's distance."""
    vertices = torch.tensor([[[-9.0, -1, -1], [9, -1, -1], [9, -1, -20], [-9, -1, -20]]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    ids = rasterize(vertices, faces, K, 64, 30)
    depth = interpolate(-vertices[..., 2:], faces, ids, barycentrics(vertices, faces, K, ids))[0, ..., 0]
    row, column = (ids[0] >= 0).nonzero().unbind(1)
    exact = K[0, 1, 1] / (row.double() + 0.5 - K[0, 1, 2])
    assert float((depth[row, column] / exact - 1).abs().quantile(0.95)) < 1e-9


def test_gradients_match_finite_differences() -> None:
    vertices, faces = scene(2, seed=1)
    cameras = K.repeat(2, 1, 1)
    ids = rasterize(vertices, faces, cameras, *SIZE)
    weights = barycentrics(vertices, faces, cameras, ids)
    ids = torch.where((weights > 1e-3).all(-1), ids, -1)  # clamped pixels have no derivative
    attributes = torch.rand(2, 18, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert len(ids.unique()) > 4

    def picture(vertices: Tensor, cameras: Tensor, attributes: Tensor) -> Tensor:
        return interpolate(attributes, faces, ids, barycentrics(vertices, faces, cameras, ids))

    inputs = [tensor.clone().requires_grad_() for tensor in (vertices, cameras, attributes)]
    assert torch.autograd.gradcheck(picture, inputs, atol=1e-6, fast_mode=True)
    loose = weights.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda attributes, weights: interpolate(attributes, faces, ids, weights),
        (inputs[2], loose),
        fast_mode=True,
    )


def test_gradcheck_of_every_entry_on_a_small_picture() -> None:
    vertices = torch.tensor(
        [[[-1.0, -1, -3], [1, -0.8, -4], [0.2, 1, -2.5], [1.5, 1, -3]]], dtype=torch.float64
    )
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    camera = torch.tensor([[[9.0, 0, 4], [0, 8, 4], [0, 0, 1]]], dtype=torch.float64)
    ids = rasterize(vertices, faces, camera, 8, 8)
    ids = torch.where((barycentrics(vertices, faces, camera, ids) > 1e-3).all(-1), ids, -1)
    assert set(ids.unique().tolist()) == {-1, 0, 1}
    inputs = (vertices.requires_grad_(), camera.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda vertices, camera: barycentrics(vertices, faces, camera, ids), inputs
    )


@pytest.mark.parametrize("height", [SLIVER / 1000, SLIVER / 20, SLIVER * 5])
def test_position_gradients_of_slivers_stay_bounded(height: float) -> None:
    """Seen edge-on, `height` pixels high: a barycentric's gradient is 1/height, but never more than 1/SLIVER."""
    corners = torch.tensor([[[0.5, 4.5], [8.5, 4.5], [4.5, 4.5 + height]]], dtype=torch.float64)
    vertices = torch.cat([corners * torch.tensor([1, -1]), -torch.ones(1, 3, 1)], dim=2).requires_grad_()
    camera = torch.eye(3, dtype=torch.float64)[None]
    ids = torch.full((1, 9, 9), -1)
    ids[0, 4, 3] = 0
    weights = barycentrics(vertices, torch.tensor([[0, 1, 2]]), camera, ids)
    weights[0, 4, 3, 2].backward()
    assert vertices.grad is not None
    steepest = float(vertices.grad[..., :2].norm(dim=-1).max())
    expected = 1 / max(height, SLIVER)
    assert 0.5 * expected < steepest < 1.01 * expected


def test_degenerate_triangles_give_finite_values_and_gradients() -> None:
    vertices = torch.tensor(
        [[[0.0, 0, -1], [0, 0, -1], [0, 0, -1], [1, 1, -1], [2, 2, -1]]], requires_grad=True
    )
    faces = torch.tensor([[0, 1, 2], [0, 3, 4]])
    ids = torch.tensor([[[0, 1, -1]]])
    weights = barycentrics(vertices, faces, torch.eye(3)[None], ids)
    assert torch.allclose(weights.sum(-1), torch.tensor([[[1.0, 1, 0]]]))
    (weights * torch.rand(3, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert vertices.grad is not None and bool(vertices.grad.isfinite().all())


def test_broken_vertex_poisons_nothing_else() -> None:
    vertices, faces = scene()
    clean = vertices.clone().requires_grad_()
    broken = vertices.clone()
    broken[0, 4] = torch.nan
    broken.requires_grad_()
    kept = faces[[0, 2, 3, 4, 5]]
    pictures = []
    for points, topology in ((clean, kept), (broken, faces)):
        ids = rasterize(points, topology, K, *SIZE)
        pictures.append(interpolate(points, topology, ids, barycentrics(points, topology, K, ids)))
        pictures[-1].square().sum().backward()
    assert torch.equal(*pictures)
    assert clean.grad is not None and broken.grad is not None
    others = [i for i in range(18) if i not in (3, 4, 5)]
    assert torch.allclose(clean.grad[:, others], broken.grad[:, others])


def test_uv_space_reproduces_its_own_coordinates() -> None:
    generator = torch.Generator().manual_seed(3)
    u, v = torch.meshgrid(torch.linspace(0.1, 0.9, 6), torch.linspace(0.1, 0.9, 6), indexing="xy")
    uv = torch.stack([u, v], -1).view(-1, 2) + torch.rand(36, 2, generator=generator) * 0.05
    index = torch.arange(36).view(6, 6)
    a, b, c, d = (
        part.reshape(-1) for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    )
    faces = torch.cat([torch.stack([a, b, d], 1), torch.stack([a, d, c], 1)])
    ids = rasterize_uv(uv, faces, 128)
    found = interpolate(uv[None], faces, ids, barycentrics_uv(uv, faces, ids))[0]
    row, column = (ids[0] >= 0).nonzero().unbind(1)
    texel = torch.stack([(column + 0.5) / 128, 1 - (row + 0.5) / 128], 1)
    assert len(row) > 8000
    assert float((found[row, column] - texel).abs().max()) < 1 / 512 / 128 * 2


def test_one_camera_serves_a_batch_and_batches_must_agree() -> None:
    vertices, faces = scene(2)
    ids = rasterize(vertices, faces, K, *SIZE)
    assert torch.equal(ids, rasterize(vertices, faces, K.repeat(2, 1, 1), *SIZE))
    weights = barycentrics(vertices, faces, K, ids)
    assert torch.equal(weights, barycentrics(vertices, faces, K.repeat(2, 1, 1), ids))
    with pytest.raises(ValueError, match="3 meshes for 2 pictures"):
        interpolate(torch.zeros(3, 18, 1), faces, ids, weights)


def test_planes_come_first_in_memory() -> None:
    vertices, faces = scene(2)
    cameras = K.repeat(2, 1, 1)
    ids = rasterize(vertices, faces, cameras, *SIZE)
    weights = barycentrics(vertices, faces, cameras, ids)
    picture = interpolate(vertices, faces, ids, weights)
    assert picture.shape == (2, *SIZE, 3) and weights.shape == (2, *SIZE, 3)
    assert picture.permute(3, 0, 1, 2).is_contiguous()
    # Another memory layout of the same weights is as good.
    assert torch.equal(interpolate(vertices, faces, ids, weights.contiguous()), picture)


def test_anti_aliased_coverage_is_the_area() -> None:
    position = torch.tensor([[4.3, 5.2], [25.9, 7.7], [12.2, 27.4]])
    vertices = torch.cat([position * torch.tensor([1, -1]), -torch.ones(3, 1)], dim=1)[None]
    colors = torch.tensor([[[0.2, 0.5, 0.9]]]).expand(1, 3, 3)
    values, coverage = render_attributes(
        vertices, torch.tensor([[0, 1, 2]]), colors, torch.eye(3)[None], 32, 32, 8
    )
    (ax, ay), (bx, by) = position[1] - position[0], position[2] - position[0]
    assert float(coverage.sum()) == pytest.approx(float(ax * by - ay * bx) / 2, rel=2e-3)
    assert torch.allclose(values[coverage > 0], colors[0, :1].expand(int((coverage > 0).sum()), 3), atol=1e-5)
    assert (values[coverage == 0] == 0).all()
    centre = (coverage[0] * (torch.arange(32) + 0.5)).sum() / coverage.sum()
    assert float(centre) == pytest.approx(float(position[:, 0].mean()), abs=0.01)


def test_texture_lookup() -> None:
    texture = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    row, column = torch.meshgrid(torch.arange(5), torch.arange(7), indexing="ij")
    uv = torch.stack([(column + 0.5) / 7, 1 - (row + 0.5) / 5], -1).double()
    assert torch.allclose(sample_texture(texture, uv), texture)
    between = sample_texture(texture, (uv[2, 3] + uv[3, 3]) / 2)
    assert torch.allclose(between, (texture[2, 3] + texture[3, 3]) / 2)
    outside = sample_texture(texture, torch.tensor([[-3.0, 9.0], [1.0, 0.0]], dtype=torch.float64))
    assert torch.allclose(outside, texture[[0, 4], [0, 6]])
    assert sample_texture(texture, torch.rand(2, 3, 4, 2, dtype=torch.float64)).shape == (2, 3, 4, 3)
    inner = uv[1:3, 2:4] + 0.03
    assert torch.autograd.gradcheck(sample_texture, (texture.requires_grad_(), inner.requires_grad_()))


def test_render_mesh_lights_albedo_per_vertex_and_by_texture_alike() -> None:
    vertices = torch.tensor([[[-1.0, -1, -3], [1, -1, -3], [1, 1, -3], [-1, 1, -3]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    camera = torch.tensor([[[30.0, 0, 16], [0, 30, 16], [0, 0, 1]]])
    sh = torch.zeros(1, 3, 9)
    sh[0, :, 0], sh[0, 1, 2] = 2.0, 1.0  # white from everywhere, and green from the front
    albedo = torch.full((1, 4, 3), 0.5)
    expected = torch.tensor(
        [0.5 * 2 * 0.2820948, 0.5 * (2 * 0.2820948 + 0.4886025), 0.5 * 2 * 0.2820948, 1.0]
    )
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    for picture in (
        render_mesh(vertices, faces, albedo, sh, camera, 32, 32),
        render_mesh(vertices, faces, torch.full((4, 4, 3), 0.5), sh, camera, 32, 32, uv=uv),
    ):
        assert picture.shape == (1, 32, 32, 4)
        assert torch.allclose(picture[0, 16, 16], expected, atol=1e-5)
        assert (picture[0, 2, 2] == 0).all()
    moving = vertices.clone().requires_grad_()
    render_mesh(moving, faces, albedo, sh, camera, 32, 32)[..., :3].square().sum().backward()
    assert moving.grad is not None and bool(moving.grad.isfinite().all()) and bool((moving.grad != 0).any())
    flat = render_mesh(vertices, faces, albedo, None, camera, 32, 32)
    assert torch.allclose(flat[0, 16, 16, :3], torch.full((3,), 0.5))
