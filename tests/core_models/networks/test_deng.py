"""Deng et al.'s crop, camera, light and colour at our border, against their formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semblance.core_models.geometry.camera import project, to_camera
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.morphable.model import ModelData, MorphableModel
from semblance.core_models.networks.deng import (
    CROP,
    Camera,
    Crop,
    camera,
    encoded_light,
    five_points,
    linear_light,
    rotation_matrix,
    shaded_srgb,
)
from semblance.core_models.networks.regressor import Coefficients
from semblance.core_models.render.lighting import sh_basis
from semblance.core_models.render.shade import render_attributes
from semblance.tests import deng_formulas as deng

SEEDS = (0, 1, 2, 3)


def our_model(arrays: deng.LinearModel) -> MorphableModel:
    """The same model behind our interface."""

    def basis(interleaved: np.ndarray) -> np.ndarray:
        return interleaved.T.reshape(interleaved.shape[1], -1, 3)

    mean = arrays.meanshape.reshape(-1, 3)
    n, n_faces = len(mean), len(arrays.tri)
    return MorphableModel(
        ModelData(
            model_id="small",
            albedo_space="srgb",
            expression_names=tuple(f"expression_{k}" for k in range(64)),
            region_names=("skin",),
            mean=mean - mean.mean(0),
            identity_basis=basis(arrays.idBase),
            expression_basis=basis(arrays.exBase),
            albedo_mean=arrays.meantex.reshape(-1, 3) / 255,
            albedo_basis=basis(arrays.texBase) / 255,
            faces=arrays.tri,
            uv=np.zeros((n, 2)),
            mirror=np.arange(n),
            twin=np.arange(n),
            face_region=np.zeros(n_faces),
            landmark_ids=np.arange(1),
            landmark_vertices=np.zeros((1, 3)),
            landmark_weights=np.full((1, 3), 1 / 3),
        )
    )


def split(*raw: np.ndarray) -> Coefficients:
    return Coefficients.split(torch.tensor(np.array(raw), dtype=torch.float32))


def posed(model: MorphableModel, found: Coefficients, view: Camera) -> Tensor:
    return to_camera(model.shape(found.identity, found.expression), view.rotation, view.translation)


@pytest.mark.parametrize("seed", SEEDS)
def test_our_renderer_makes_their_picture(seed: int) -> None:
    arrays, raw = deng.small_model(seed), deng.random_coefficients(seed)
    expected, covered = deng.picture(arrays, raw)
    assert expected[covered].min() > 0, "a light without shadows, which they let go below zero"
    model, found = our_model(arrays), split(raw)
    view = camera(found.angles, found.translation)
    vertices = posed(model, found, view)
    colours = shaded_srgb(vertices, model.faces, model.albedo(found.albedo), encoded_light(found.gamma))
    image, coverage = render_attributes(vertices, model.faces, colours, view.K, CROP, CROP)
    both = (coverage[0].numpy() > 0) & covered
    # Vertices are snapped to 1/256 pixel by our rasteriser, so the outline's pixels may differ.
    assert both.sum() > 0.998 * covered.sum() > 5000
    assert (coverage[0].numpy() > 0).sum() < 1.002 * covered.sum()
    np.testing.assert_allclose(image[0].numpy()[both], expected[both], atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_vertices_land_on_their_pixels_in_crop_and_photo(seed: int) -> None:
    arrays, raw = deng.small_model(seed), deng.random_coefficients(seed)
    u, v, distance = deng.projected(arrays, raw).T
    in_crop = np.column_stack([u, CROP - v])
    model, found = our_model(arrays), split(raw)
    view = camera(found.angles, found.translation)
    vertices = posed(model, found, view)
    np.testing.assert_allclose(project(vertices, view.K)[0], in_crop, atol=1e-3)
    np.testing.assert_allclose(-vertices[0, :, 2], distance, atol=1e-5)
    crop = Crop(x0=310.25, y0=-17.5, scale=0.3)
    view = camera(found.angles, found.translation, crop)
    in_photo = in_crop / crop.scale + [crop.x0, crop.y0]
    np.testing.assert_allclose(project(vertices, view.K)[0], in_photo, atol=5e-3)


def test_the_axis_meets_the_middle_of_the_crop() -> None:
    """Half a pixel: the middle is the corner of four pixels, up is towards the first row."""
    found = split(np.zeros(257))
    view = camera(found.angles, found.translation)
    points = torch.tensor([[[0.0, 0.0, 0.0], [0.1, 0.2, 0.0]]])
    pixels = project(to_camera(points, view.rotation, view.translation), view.K)[0]
    assert pixels[0].tolist() == [112, 112]
    assert pixels[1].tolist() == pytest.approx([112 + 10.15, 112 - 20.3], abs=1e-4)


def test_rotation_is_theirs_and_differentiable() -> None:
    angles = torch.tensor([[0.3, -1.1, 2.0], [0.0, 0.4, -0.2]], dtype=torch.float64, requires_grad=True)
    for matrix, row in zip(rotation_matrix(angles), angles.detach().numpy(), strict=True):
        np.testing.assert_allclose(matrix.detach(), deng.rotation(row), atol=1e-12)
    assert torch.autograd.gradcheck(rotation_matrix, (angles,))


def face_landmarks(scale: float, roll: float, origin: tuple[float, float]) -> np.ndarray:
    """478 landmarks whose five points are the published reference points, by a scaled, rolled projection."""
    reference = np.array(
        [
            [-0.311, 0.290, 0.134],
            [0.310, 0.290, 0.132],
            [0.003, -0.046, 0.552],
            [-0.252, -0.381, 0.224],
            [0.248, -0.381, 0.222],
        ]
    )
    turned = reference @ deng.rotation(np.array([0.0, 0.0, roll])).T
    pixels = turned[:, :2] * [scale, -scale] + origin
    landmarks = np.full((478, 2), np.nan)
    apart = np.array([scale * 0.1, scale * 0.01])
    landmarks[[33, 362]], landmarks[[133, 263]] = pixels[:2] - apart, pixels[:2] + apart
    landmarks[1], landmarks[4] = pixels[2] - apart, pixels[2] + apart
    landmarks[[61, 291]] = pixels[3:]
    return landmarks


@pytest.mark.parametrize(
    ("scale", "roll", "origin"),
    [(102.0, 0.0, (112, 112)), (400.0, 0.5, (900.3, 70.8)), (37.0, -1.2, (5, 60))],
)
def test_alignment_takes_scale_and_place_and_keeps_the_roll(
    scale: float, roll: float, origin: tuple[float, float]
) -> None:
    landmarks = face_landmarks(scale, roll, origin)
    crop = Crop.around(landmarks)
    assert crop.scale == pytest.approx(102 / scale)
    assert [crop.x0, crop.y0] == pytest.approx(np.array(origin) - 112 * scale / 102)
    eyes = (five_points(landmarks)[:2] - [crop.x0, crop.y0]) * crop.scale
    right, up = np.diff(eyes, axis=0)[0] * [1, -1]
    assert np.arctan2(up, right) == pytest.approx(roll, abs=1e-6)


@pytest.mark.parametrize("scale", [0.13, 0.37, 0.7, 1.0, 2.5])
def test_crop_shows_the_photo_at_its_place(scale: float) -> None:
    """Half a pixel would show: the middle of a soft spot is where it belongs."""
    place, size = np.array([1100.3, 1040.6]), 12 / min(scale, 1.0)
    x, y = np.meshgrid(np.arange(2300) + 0.5, np.arange(2000) + 0.5)
    spot = 255 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * size**2))
    x0, y0 = place - np.array([90.0, 130.0]) / scale
    cut = Crop(x0, y0, scale).cut(np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8))
    assert cut.shape == (CROP, CROP, 3)
    light = np.where(cut[..., 0] < 3, 0.0, cut[..., 0])
    index = np.arange(CROP) + 0.5
    middle = [(light.sum(axis) * index).sum() / light.sum() for axis in (0, 1)]
    assert middle == pytest.approx([90, 130], abs=0.08)


def test_a_crop_over_the_border_is_black_there() -> None:
    photo = np.full((100, 150, 3), 200, np.uint8)
    cut = Crop(x0=-30.0, y0=60.0, scale=2.0).cut(photo)
    assert cut.shape == (CROP, CROP, 3)
    assert (cut[:76, 64:] == 200).all()
    assert (cut[:, :56] == 0).all() and (cut[84:] == 0).all()


def lit_faces(*seeds: int) -> tuple[MorphableModel, Tensor, Tensor, Coefficients]:
    model = our_model(deng.small_model(0))
    found = split(*(deng.random_coefficients(seed) for seed in seeds))
    view = camera(found.angles, found.translation)
    return model, posed(model, found, view), model.albedo(found.albedo), found


def linear_colours(model: MorphableModel, vertices: Tensor, albedo: Tensor, sh: Tensor) -> np.ndarray:
    light = sh_basis(vertex_normals(vertices, model.faces)) @ sh.T
    return decode(albedo.double().numpy()) * light.double().numpy()


def test_linear_light_is_the_best_and_says_how_good() -> None:
    model, vertices, albedo, found = lit_faces(0, 1)
    encoded = encoded_light(found.gamma)
    visible = vertices[..., 2] > vertices[..., 2].mean(1, keepdim=True)
    sh, residual = linear_light(vertices, model.faces, albedo, encoded, visible)
    for k in range(2):
        target = decode(shaded_srgb(vertices, model.faces, albedo, encoded)[k][visible[k]].double().numpy())
        generator = torch.Generator().manual_seed(k)
        others = [sh[k] + 0.003 * torch.randn(3, 9, generator=generator) for _ in range(9)]
        sizes = [
            np.linalg.norm(linear_colours(model, vertices[k], albedo[k], light)[visible[k]] - target)
            for light in (sh[k], *others)
        ]
        assert sizes[0] == min(sizes)
        assert float(residual[k]) == pytest.approx(sizes[0] / np.linalg.norm(target), rel=1e-3)
    assert 1e-3 < float(residual.max()) < 0.05


def test_linear_light_looks_at_what_is_seen() -> None:
    model, vertices, albedo, found = lit_faces(2)
    encoded = encoded_light(found.gamma)
    visible = vertices[..., 0] > 0
    changed = torch.where(visible[..., None], albedo, albedo.flip(1) * 0.3)
    first, _ = linear_light(vertices, model.faces, albedo, encoded, visible)
    second, _ = linear_light(vertices, model.faces, changed, encoded, visible)
    torch.testing.assert_close(first, second)


def test_ambient_light_converts_without_a_residual() -> None:
    """Where all light is one grey, decoding is a power of it and of the albedo: a linear ambient light does it."""
    model, vertices, _, found = lit_faces(3)
    gamma = torch.zeros_like(found.gamma)
    albedo = torch.full_like(vertices, 0.6)
    sh, residual = linear_light(
        vertices, model.faces, albedo, encoded_light(gamma), torch.ones(vertices.shape[:2], dtype=torch.bool)
    )
    expected = decode(np.array(0.6 * 0.8 * 0.8862269)) / decode(np.array(0.6))
    assert float(residual[0]) < 1e-5
    np.testing.assert_allclose(sh[0, :, 0] * 0.2820948, expected, atol=1e-4)
    assert sh[0, :, 1:].abs().max() < 1e-3


def test_light_is_differentiable() -> None:
    model, vertices, albedo, found = lit_faces(0)
    gamma = found.gamma.double().requires_grad_()
    visible = torch.ones(vertices.shape[:2], dtype=torch.bool)

    def light(gamma: Tensor) -> Tensor:
        return linear_light(vertices.double(), model.faces, albedo.double(), encoded_light(gamma), visible)[0]

    assert torch.autograd.gradcheck(light, (gamma,), atol=1e-4)


def decode(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
