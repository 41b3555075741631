"""What a trace's samples see: places, sums, shares, crops, seams; on every device that there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from semblance.core_models.geometry.mesh import twins
from semblance.core_models.render.trace import CameraMesh, Trace

SIZE = (40, 48)
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def bump(n: int = 25) -> CameraMesh:
    """A round hill of n² vertices before the camera; its left half is "left", its right half "right"."""
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    z = 0.6 * np.exp(-2 * (x**2 + y**2)) - 6
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + n + 1], -1),
            np.stack([corner, corner + n + 1, corner + n], -1),
        ]
    )
    vertices = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    uv = ((vertices[:, :2] + 1) / 2).astype(np.float32)
    region = (vertices[faces, 0].mean(1) > 0).astype(np.uint8)
    return CameraMesh(
        vertices, faces, uv, region, ("left", "right"), np.array([[90, 0, 25.2], [0, 85, 19.1], [0, 0, 1.0]])
    )


def split(mesh: CameraMesh) -> CameraMesh:
    """The same with the vertices between the regions doubled, as a UV seam does."""
    left = np.unique(mesh.faces[mesh.face_region == 0])
    shared = np.intersect1d(left, mesh.faces[mesh.face_region == 1])
    renamed = np.arange(len(mesh.vertices))
    renamed[shared] = len(mesh.vertices) + np.arange(len(shared))
    faces = np.where(mesh.face_region[:, None] == 1, renamed[mesh.faces], mesh.faces)
    grown = {
        name: np.concatenate([getattr(mesh, name), getattr(mesh, name)[shared]])
        for name in ("vertices", "uv")
    }
    return replace(mesh, **grown, faces=faces)


@pytest.mark.parametrize("device", DEVICES)
def test_samples_lie_where_their_pixels_are(device: str) -> None:
    mesh = bump()
    trace = Trace.of(mesh, *SIZE, supersample=3, device=device)
    x, y, z = trace.interpolate(mesh.vertices).cpu().double().unbind(1)
    column = mesh.K[0, 2] - mesh.K[0, 0] * x / z
    row = mesh.K[1, 2] + mesh.K[1, 1] * y / z
    for at, pixel in ((column, trace.pixel.cpu() % SIZE[1]), (row, trace.pixel.cpu() // SIZE[1])):
        within = at - pixel
        assert float(within.min()) > -0.01 and float(within.max()) < 1.01
        assert float((within - 0.5).abs().max()) > 0.3
    depth = trace.depth
    assert depth.shape == (3 * SIZE[0], 3 * SIZE[1])
    np.testing.assert_allclose(depth[np.isfinite(depth)], -z.numpy(), atol=1e-5)


def test_sums_are_means_over_each_pixels_samples() -> None:
    trace = Trace.of(bump(), *SIZE)
    samples = torch.rand(len(trace.pixel), 2, generator=torch.Generator().manual_seed(0))
    slow = np.zeros((*SIZE, 2))
    count = np.zeros(SIZE)
    for pixel, sample in zip(trace.pixel.tolist(), samples.numpy(), strict=True):
        slow[divmod(pixel, SIZE[1])] += sample / 4
        count[divmod(pixel, SIZE[1])] += 1 / 4
    np.testing.assert_allclose(trace.sums(samples), slow, atol=1e-6)
    np.testing.assert_allclose(trace.coverage, count, atol=1e-6)
    assert 0 < (count == 1).mean() < 1 and ((count > 0) & (count < 1)).any()
    one = trace.picture(torch.full((len(trace.pixel), 1), 0.7))[..., 0]
    np.testing.assert_allclose(one, 0.7 * (count > 0), atol=1e-6)


def test_shares_of_regions_add_up() -> None:
    trace = Trace.of(bump(), *SIZE)
    left, right = trace.share(("left",)), trace.share(("right",))
    np.testing.assert_allclose(left + right, trace.coverage, atol=1e-6)
    assert left[:, :23].sum() > 0.8 * left.sum() and right[:, 27:].sum() > 0.8 * right.sum()
    assert not trace.share(("nose",)).any()


def test_a_crop_is_a_part_of_the_picture() -> None:
    mesh = bump()
    whole, part = Trace.of(mesh, *SIZE), Trace.of(mesh, 16, 20, crop=(8.0, 12.0, 1.0))
    pictures = [trace.sums(trace.normals) for trace in (whole, part)]
    np.testing.assert_allclose(pictures[1], pictures[0][12:28, 8:28], atol=1e-4)
    enlarged = Trace.of(mesh, 32, 40, supersample=1, crop=(8.0, 12.0, 2.0))
    assert torch.equal(enlarged.ids, part.ids)


def test_normals_ignore_seams() -> None:
    mesh = bump()
    seamed = split(mesh)
    assert len(seamed.vertices) > len(mesh.vertices)
    assert (twins(seamed.vertices)[: len(mesh.vertices)] == np.arange(len(mesh.vertices))).all()
    whole, cut = Trace.of(mesh, *SIZE), Trace.of(seamed, *SIZE)
    torch.testing.assert_close(cut.normals, whole.normals, atol=1e-5, rtol=0)
    torn = Trace.of(replace(seamed, twin=np.arange(len(seamed.vertices))), *SIZE)
    assert float((torn.normals - whole.normals).abs().max()) > 1e-3
    torch.testing.assert_close(whole.normals.norm(dim=1), torch.ones(len(whole.normals)))


@pytest.mark.parametrize("device", DEVICES)
def test_textures_are_sampled_and_shrunk_before_they_alias(device: str) -> None:
    trace = Trace.of(bump(), *SIZE, device=device)
    ramp = np.repeat((np.arange(64, dtype=np.float32)[None, :, None] + 0.5) / 64, 64, axis=0)
    inner = (trace.uv > 0.05).all(1) & (trace.uv < 0.95).all(1)
    torch.testing.assert_close(trace.texture(ramp)[inner, 0], trace.uv[inner, 0], atol=1e-4, rtol=0)
    checker = (np.indices((2048, 2048)).sum(0) % 2).astype(np.float32)[..., None]
    torch.testing.assert_close(trace.texture(checker)[inner], torch.full_like(trace.uv[inner, :1], 0.5))


def test_a_mesh_that_nobody_sees() -> None:
    mesh = bump()
    trace = Trace.of(replace(mesh, vertices=mesh.vertices + np.float32([0, 0, 12])), *SIZE)
    assert not trace.coverage.any() and np.isinf(trace.depth).all()
    assert trace.texture(np.ones((8, 8, 3), np.float32)).shape == (0, 3)
    assert not trace.picture(trace.normals).any()
