"""Shape from shading on faces that the model itself makes: derivatives, and whether the truth comes nearer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from semblance.core_models.colour import linear_to_srgb_uint8
from semblance.core_models.errors import CancelledError
from semblance.core_models.fitting.fit import Fit, FitSettings, Sighting, fit_person, state_of
from semblance.core_models.fitting.noise import NoiseSettings
from semblance.core_models.fitting.photometric import PhotometricSettings, refine
from semblance.core_models.fitting.priors import PriorSettings
from semblance.core_models.fitting.samples import SurfaceSamples, sample_surface
from semblance.core_models.fitting.shading import SkinModel, sh_slopes
from semblance.core_models.fitting.solver import State, moved
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.landmarks import COUNT
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.render.interpolate import barycentrics, interpolate
from semblance.core_models.render.lighting import sh_basis, shade
from semblance.core_models.render.rasterize import rasterize

SIZE = 320
FOCAL = 1000.0
LIGHT = np.outer([1.0, 0.95, 0.9], [2.2, 0.5, 0.9, 0.7, 0.1, 0.05, 0.1, 0.1, 0.05])


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_model()


@pytest.fixture(scope="module")
def samples(model: MorphableModel) -> SurfaceSamples:
    return sample_surface(model)


def true_state(model: MorphableModel, seed: int, yaw: float = 20.0) -> State:
    generator = np.random.default_rng(seed)
    expression = np.zeros(model.n_expression)
    expression[model.expression_names.index("jawOpen")] = 0.1
    return State(
        Rotation.from_euler("zxy", (3, 5, yaw), degrees=True).as_matrix(),
        np.array([0.05, 0.1, -8.0]),
        math.log(FOCAL),
        generator.normal(size=model.n_identity),
        expression,
    )


def shape_of(model: MorphableModel, state: State) -> torch.Tensor:
    coefficients = (torch.tensor(c, dtype=torch.float32)[None] for c in (state.identity, state.expression))
    return model.shape(*coefficients)[0]


def photographed(model: MorphableModel, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Photo (SIZE, SIZE, 3) uint8 and mask of the mean albedo in `LIGHT`."""
    turn = torch.tensor(state.rotation, dtype=torch.float32)
    posed = (shape_of(model, state) @ turn.T + torch.tensor(state.translation, dtype=torch.float32))[None]
    K = torch.tensor([[[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]]])
    ids = rasterize(posed, model.faces, K, SIZE, SIZE)
    light = shade(vertex_normals(posed, model.faces), torch.tensor(LIGHT, dtype=torch.float32)[None])
    colours = model.albedo(torch.zeros(1, model.n_albedo)) * light
    weights = barycentrics(posed, model.faces, K, ids)
    image = interpolate(colours, model.faces, ids, weights)[0].numpy()
    return linear_to_srgb_uint8(np.clip(image, 0, 1)), (ids[0].numpy() >= 0).astype(np.float32)


def drawn_to_the_mean(model: MorphableModel, state: State, share: float = 0.5) -> np.ndarray:
    """Landmarks (478,2) as a network tells them that makes every face more average than it is."""
    pixels = np.full((COUNT, 2), np.nan)
    average = State(
        state.rotation, state.translation, state.log_focal, share * state.identity, state.expression
    )
    points = model.landmarks(shape_of(model, average)[None])[0].double().numpy()
    x, y, z = (points @ state.rotation.T + state.translation).T
    pixels[model.landmark_ids.numpy()] = np.stack([SIZE / 2 - FOCAL * x / z, SIZE / 2 + FOCAL * y / z], 1)
    return pixels


def test_slopes_of_the_light() -> None:
    directions = np.random.default_rng(0).normal(size=(20, 3))
    slopes, step = sh_slopes(directions), 1e-6
    for axis in range(3):
        moved = np.eye(3)[axis] * step
        ahead, behind = (sh_basis(torch.tensor(directions + side * moved)).numpy() for side in (1, -1))
        np.testing.assert_allclose(slopes[..., axis], (ahead - behind) / (2 * step), atol=1e-8)


def test_normals_point_out_and_turn_with_the_coefficients(
    model: MorphableModel, samples: SurfaceSamples
) -> None:
    state = true_state(model, 0)
    normals, slopes = samples.normals(state)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-12)
    assert np.median(normals[:, 2]) > 0.4
    generator = np.random.default_rng(1)
    n_unknowns = 7 + model.n_identity + model.n_expression
    for _ in range(3):
        direction = 1e-6 * generator.normal(size=n_unknowns)
        direction[-model.n_expression :] = 0  # those at 0 cannot become smaller
        ahead, behind = (samples.normals(moved(state, side * direction))[0] for side in (1, -1))
        expected = slopes @ np.delete(direction, np.arange(3, 7))
        np.testing.assert_allclose(expected, (ahead - behind) / 2, atol=1e-10)


def test_slopes_of_the_brightness() -> None:
    generator = np.random.default_rng(0)
    skin = SkinModel(np.log(generator.uniform(0.1, 0.5, 30)), 0.1 * generator.normal(size=(30, 4)), 0.01)
    normals = generator.normal(size=(30, 3)) + np.array([0.0, 0.0, 2.0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    used = np.arange(0, 30, 2)
    seen = generator.normal(-2, 0.3, len(used))
    skin.start(seen, used)
    skin.values = (
        skin.values + generator.normal(size=13) * np.r_[np.full(9, 0.3 * skin.values[0]), np.ones(4)]
    )
    _, by_normal, by_values = skin.compare(seen, normals, used)
    for k in range(13):
        step = 1e-6 * np.eye(13)[k]
        results = []
        for side in (1, -1):
            skin.values = skin.values + side * step
            results.append(skin.compare(seen, normals, used)[0])
            skin.values = skin.values - side * step
        np.testing.assert_allclose(by_values[:, k], (results[1] - results[0]) / 2e-6, rtol=1e-5, atol=1e-7)
    for axis in range(3):
        step = 1e-6 * np.eye(3)[axis]
        ahead, behind = (skin.compare(seen, normals + side * step, used)[0] for side in (1, -1))
        np.testing.assert_allclose(by_normal[:, axis], (behind - ahead) / 2e-6, rtol=1e-5, atol=1e-7)


def surface_error(model: MorphableModel, fit: Fit, truth: State) -> tuple[float, float]:
    """Median distance (dm) after rigid alignment, and median angle of normals, at the samples' skin."""
    skin = np.unique(model.faces[model.region_faces("skin", "lips")].numpy())
    front = skin[model.mean.numpy()[skin, 2] > 0]
    pair = [shape_of(model, state) for state in (state_of(fit), truth)]
    points = [vertices.double().numpy()[front] for vertices in pair]
    normals = [vertex_normals(vertices[None], model.faces)[0].double().numpy()[front] for vertices in pair]
    centred = [each - each.mean(0) for each in points]
    turn = Rotation.align_vectors(centred[1], centred[0])[0]
    cosine = (turn.apply(normals[0]) * normals[1]).sum(1)
    distance = np.linalg.norm(turn.apply(centred[0]) - centred[1], axis=1)
    return float(np.median(distance)), float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def test_brightness_tells_what_landmarks_do_not(model: MorphableModel, samples: SurfaceSamples) -> None:
    noise = NoiseSettings(independent=0.00375, correlated=((0.10, 0.00225),), doubling_distance=0.1)
    free = FitSettings(noise, PriorSettings(depth_sigma=0.03), iterations=8)
    before, after = [], []
    for seed in range(3):
        truth = true_state(model, seed)
        photo = photographed(model, truth)
        sighting = Sighting(drawn_to_the_mean(model, truth), (SIZE, SIZE), FOCAL)
        fits = fit_person(model, [sighting])
        refined = refine(model, samples, [photo], [sighting], fits, PhotometricSettings(free))
        before.append(surface_error(model, fits[0], truth))
        after.append(surface_error(model, refined[0], truth))
    assert (np.array(after) < np.array(before)).all()
    assert (np.median(after, 0) < 0.93 * np.median(before, 0)).all()


def test_a_photo_that_shows_something_else_bends_the_face_little(
    model: MorphableModel, samples: SurfaceSamples
) -> None:
    truth = true_state(model, 0)
    photo, mask = photographed(model, truth)
    sighting = Sighting(drawn_to_the_mean(model, truth, 1.0), (SIZE, SIZE), FOCAL)
    fits = fit_person(model, [sighting])
    for other in ((photo[::-1].copy(), mask), (photo, np.zeros_like(mask))):
        assert refine(model, samples, [other], [sighting], fits)[0].landmark_rms_percent < 1.5


def test_worse_outlines_are_not_taken(model: MorphableModel, samples: SurfaceSamples) -> None:
    truth = true_state(model, 0)
    sighting = Sighting(drawn_to_the_mean(model, truth), (SIZE, SIZE), FOCAL)
    fits = fit_person(model, [sighting])
    strict = PhotometricSettings(worst_outlines=0.5, tolerated_outlines=0.0)
    assert refine(model, samples, [photographed(model, truth)], [sighting], fits, strict) == fits


def test_progress_is_told_and_cancels(model: MorphableModel, samples: SurfaceSamples) -> None:
    truth = true_state(model, 0)
    sighting = Sighting(drawn_to_the_mean(model, truth), (SIZE, SIZE), FOCAL)
    fits = fit_person(model, [sighting])
    told: list[float] = []

    def tick(done: float) -> None:
        told.append(done)
        if done > 0.2:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        refine(model, samples, [photographed(model, truth)], [sighting], fits, tick=tick)
    assert told == sorted(told) and told[0] == 0
