"""The landmark fit on faces whose truth is known: made by the model itself, projected exactly or with errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from semblance.core_models.fitting import solver
from semblance.core_models.fitting.fit import (
    FitError,
    FitSettings,
    PosedFace,
    Sighting,
    fit_landmarks,
    fit_person,
    pose_mean,
    regressed_person,
    scaled_orthographic_pose,
)
from semblance.core_models.fitting.noise import LandmarkNoise, NoiseSettings
from semblance.core_models.fitting.priors import CameraPrior, expression_precision, size_direction
from semblance.core_models.fitting.same_person import odd_photos
from semblance.core_models.landmarks import COUNT, INNER_LIPS, MIRROR, inter_ocular_distance
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel

SIZE = (1000, 800)
FOCAL = 2000.0


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_model()


def turn(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    return Rotation.from_euler("zxy", (roll, pitch, yaw), degrees=True).as_matrix()


def photographed(
    model: MorphableModel,
    rotation: np.ndarray,
    identity: np.ndarray | None = None,
    expression: dict[str, float] | None = None,
    distance: float = 8.0,
) -> np.ndarray:
    """Exact landmarks (478,2) of a face of the model, in pixels."""
    weights = np.zeros(model.n_expression)
    for name, weight in (expression or {}).items():
        weights[model.expression_names.index(name)] = weight
    shape = model.shape(
        torch.tensor(np.zeros(model.n_identity) if identity is None else identity, dtype=torch.float32)[None],
        torch.tensor(weights, dtype=torch.float32)[None],
    )
    points = model.landmarks(shape)[0].double().numpy() @ rotation.T + (0.1, -0.05, -distance)
    pixels = np.full((COUNT, 2), np.nan)
    pixels[model.landmark_ids.numpy()] = np.array(SIZE) / 2 + FOCAL * points[:, :2] * (1, -1) / -points[:, 2:]
    return pixels


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees."""
    return float(np.degrees(Rotation.from_matrix(first @ second.T).magnitude()))


def some_identity(model: MorphableModel, seed: int = 0) -> np.ndarray:
    return 0.7 * np.random.default_rng(seed).normal(size=model.n_identity)


@pytest.mark.parametrize("roll", [0, 90, 180, -135])
@pytest.mark.parametrize("yaw", [0, 40, -70])
def test_posing_the_mean_recovers_an_exact_pose(model: MorphableModel, yaw: float, roll: float) -> None:
    rotation = turn(yaw, 10, roll)
    fit = pose_mean(model, photographed(model, rotation), SIZE, FOCAL)
    assert angle_between(fit.rotation, rotation) < 0.01
    assert fit.translation == pytest.approx((0.1, -0.05, -8.0), abs=0.01)
    assert fit.landmark_rms_percent < 0.01


def test_a_fit_of_the_mean_is_the_mean(model: MorphableModel) -> None:
    rotation = turn(15, -5, 3)
    fit = fit_landmarks(model, photographed(model, rotation), SIZE, FOCAL)
    assert angle_between(fit.rotation, rotation) < 0.2
    assert np.abs(fit.identity).max() < 0.1
    assert fit.expression.max() < 0.02


@pytest.mark.parametrize("roll", [0, 180])
def test_a_fit_follows_identity_and_expression(model: MorphableModel, roll: float) -> None:
    truth = some_identity(model)
    landmarks = photographed(model, turn(20, 5, roll), truth, {"jawOpen": 0.5, "eyeBlinkLeft": 0.4})
    fit, posed = (method(model, landmarks, SIZE, FOCAL) for method in (fit_landmarks, pose_mean))
    assert fit.landmark_rms_percent < 0.25 * posed.landmark_rms_percent
    assert fit.expression[model.expression_names.index("jawOpen")] == pytest.approx(0.5, abs=0.2)
    assert ((fit.expression >= 0) & (fit.expression <= 1)).all()


def test_model_landmarks_are_the_projected_face(model: MorphableModel) -> None:
    landmarks = photographed(model, turn(-20), some_identity(model), {"jawOpen": 0.3})
    fit = fit_landmarks(model, landmarks, SIZE)
    coefficients = (torch.tensor(c, dtype=torch.float32)[None] for c in (fit.identity, fit.expression))
    points = model.landmarks(model.shape(*coefficients))[0].double().numpy()
    x, y, z = (points @ fit.rotation.T + fit.translation).T
    expected = np.stack([fit.K[0, 2] - fit.K[0, 0] * x / z, fit.K[1, 2] + fit.K[1, 1] * y / z], axis=1)
    np.testing.assert_allclose(fit.model_landmarks[model.landmark_ids.numpy()], expected, atol=0.02)
    errors = np.linalg.norm(fit.model_landmarks - landmarks, axis=1)[:468]
    rms = 100 * np.sqrt((errors**2).mean()) / inter_ocular_distance(landmarks)
    assert fit.landmark_rms_percent == pytest.approx(rms)


def test_a_smile_is_not_identity(model: MorphableModel) -> None:
    truth = some_identity(model, 1)
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "jawOpen": 0.15}
    neutral = fit_landmarks(model, photographed(model, turn(5), truth), SIZE, FOCAL)
    smiling = fit_landmarks(model, photographed(model, turn(5), truth, smile), SIZE, FOCAL)
    shapes = model.shape(
        torch.tensor(np.stack([neutral.identity, smiling.identity]), dtype=torch.float32),
        torch.zeros(2, model.n_expression),
    )
    first, second = model.landmarks(shapes).numpy()
    lips = np.isin(model.landmark_ids.numpy(), INNER_LIPS)
    assert np.median(np.linalg.norm(first - second, axis=1)) < 0.006
    assert np.linalg.norm(first - second, axis=1)[lips].mean() < 0.015
    ids = model.landmark_ids.tolist()
    gap = abs(second[ids.index(13), 1] - second[ids.index(14), 1])
    mean = model.landmarks(model.mean[None])[0].numpy()
    assert gap == pytest.approx(abs(mean[ids.index(13), 1] - mean[ids.index(14), 1]), abs=0.005)


def test_a_mirrored_photo_gives_the_mirrored_face(model: MorphableModel) -> None:
    landmarks = photographed(
        model, turn(25, 5, 10), some_identity(model), {"mouthSmileLeft": 0.6, "jawOpen": 0.2}
    )
    flipped = landmarks[MIRROR] * (-1, 1) + (SIZE[0], 0)
    fit, mirrored = (fit_landmarks(model, points, SIZE) for points in (landmarks, flipped))
    shapes = model.shape(
        *(
            torch.tensor(np.stack(pair), dtype=torch.float32)
            for pair in ((fit.identity, mirrored.identity), (fit.expression, mirrored.expression))
        )
    ).numpy()
    reflected = shapes[1][model.mirror.numpy()] * (-1, 1, 1)
    assert np.linalg.norm(shapes[0] - reflected, axis=1).max() < 0.002
    reflection = np.diag((-1.0, 1.0, 1.0))
    assert angle_between(reflection @ mirrored.rotation @ reflection, fit.rotation) < 0.05


def test_outliers_do_not_pull_the_face(model: MorphableModel) -> None:
    landmarks = photographed(model, turn(-15), some_identity(model))
    clean = fit_landmarks(model, landmarks, SIZE, FOCAL)
    generator = np.random.default_rng(0)
    wrong = generator.choice(468, 47, replace=False)
    spoilt = landmarks.copy()
    spoilt[wrong] += generator.normal(0.0, 0.3 * inter_ocular_distance(landmarks), (47, 2))
    fit = fit_landmarks(model, spoilt, SIZE, FOCAL)
    assert angle_between(fit.rotation, clean.rotation) < 1.0
    shift = np.linalg.norm(fit.model_landmarks - clean.model_landmarks, axis=1)[:468]
    assert np.median(shift) < 0.01 * inter_ocular_distance(landmarks)


def test_gaze_follows_the_irises(model: MorphableModel) -> None:
    looking = {"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}
    fit = fit_landmarks(model, photographed(model, turn(), expression=looking), SIZE, FOCAL)
    weight = dict(zip(model.expression_names, fit.expression, strict=True))
    assert weight["eyeLookInLeft"] == pytest.approx(0.6, abs=0.15)
    assert weight["eyeLookOutRight"] == pytest.approx(0.6, abs=0.15)
    assert weight["eyeLookOutLeft"] + weight["eyeLookInRight"] < 0.02


def test_the_size_of_the_face_stays_the_means(model: MorphableModel) -> None:
    fit = fit_landmarks(model, photographed(model, turn(10), 1.5 * some_identity(model, 2)), SIZE)
    shape = model.shape(
        torch.tensor(fit.identity, dtype=torch.float32)[None], torch.zeros(1, model.n_expression)
    )
    fitted, mean = (model.landmarks(v)[0].numpy()[:468] for v in (shape, model.mean[None]))
    size = [np.linalg.norm(points - points.mean(0)) for points in (fitted, mean)]
    assert size[0] / size[1] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("broken", ["nan", "point", "line", "scattered"])
def test_landmarks_that_are_no_face_are_named(model: MorphableModel, broken: str) -> None:
    landmarks = photographed(model, turn())
    if broken == "nan":
        landmarks[5, 0] = np.nan
    elif broken == "point":
        landmarks[:] = 100.0
    elif broken == "line":
        landmarks[:, 1] = 2 * landmarks[:, 0]
    else:
        landmarks = np.random.default_rng(0).uniform(0, 800, (COUNT, 2))
    with pytest.raises(FitError) as caught:
        fit_landmarks(model, landmarks, SIZE)
    assert caught.value.code == "fit_failed"
    assert caught.value.hint


def test_a_wrong_number_of_landmarks_is_a_programming_error(model: MorphableModel) -> None:
    with pytest.raises(ValueError, match="478"):
        fit_landmarks(model, np.zeros((68, 2)), SIZE)


def test_solver_derivatives_agree_with_finite_differences(model: MorphableModel) -> None:
    generator = np.random.default_rng(0)
    size = (12, 3)
    basis = solver.Basis(
        generator.normal(size=size),
        generator.normal(size=(*size, 2)),
        generator.normal(size=(*size, 2)),
        np.eye(2),
        np.eye(2),
        np.ones(2),
    )
    centre = np.array([5.0, 6.0])
    start = solver.State(turn(20, 10, 30), np.array([0.1, 0.2, -20.0]), 6.5, np.full(2, 0.2), np.full(2, 0.5))
    _, jacobian = solver.pixel_jacobian(basis, start, centre)
    for k in range(jacobian.shape[2]):
        step = np.zeros(jacobian.shape[2])
        step[k] = 1e-6
        ahead, behind = (solver.project(basis, solver.moved(start, s), centre)[0] for s in (step, -step))
        np.testing.assert_allclose(jacobian[..., k], (ahead - behind) / 2e-6, atol=5e-4)


def test_box_solver_agrees_with_a_general_one() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        root = generator.normal(size=(8, 8))
        matrix, vector = root @ root.T + 0.1 * np.eye(8), 5 * generator.normal(size=8)
        mine = solver.solve_box(matrix, vector, np.full(8, 0.5))
        cost: Callable[[np.ndarray], float] = lambda x, m=matrix, v=vector: 0.5 * x @ m @ x - v @ x  # noqa: E731
        other = minimize(cost, np.full(8, 0.5), bounds=[(0, 1)] * 8, tol=1e-12).x
        np.testing.assert_allclose(mine, other, atol=1e-4)


def test_whitened_noise_is_white() -> None:
    generator = np.random.default_rng(0)
    positions = generator.uniform(-0.5, 0.5, (30, 3))
    noise = LandmarkNoise(positions, np.arange(30), NoiseSettings())
    samples = np.linalg.cholesky(noise.covariance) @ generator.normal(size=(30, 20000))
    white = noise.whiten(samples)
    np.testing.assert_allclose(white @ white.T / 20000, np.eye(30), atol=0.05)


def test_an_isolated_jump_is_an_outlier_and_a_common_shift_is_not() -> None:
    positions = np.random.default_rng(0).uniform(-0.5, 0.5, (100, 3))
    noise = LandmarkNoise(positions, np.arange(100), NoiseSettings())
    residuals = np.full((100, 2), 0.004)
    residuals[7] += 0.2
    for _ in range(5):  # at first the jump spoils its neighbours, too
        weights = noise.outlier_weights(residuals)
        noise.reweight(weights)
    assert weights[7] < 0.1
    assert np.delete(weights, 7).min() > 0.8


def test_orthographic_pose_survives_outliers() -> None:
    generator = np.random.default_rng(0)
    points, rotation = generator.normal(size=(60, 3)), turn(50, 20, 170)
    pixels = (points @ rotation.T)[:, :2] * (1, -1) * 80 + (300, 200)
    pixels[:6] += 200
    found, position, scale = scaled_orthographic_pose(points, pixels)
    assert angle_between(found, rotation) < 1.0
    assert position == pytest.approx((300, 200), abs=2)
    assert scale == pytest.approx(80, rel=0.02)


def test_size_direction_is_the_derivative_of_log_size() -> None:
    generator = np.random.default_rng(0)
    points, basis = generator.normal(size=(40, 3)), generator.normal(size=(40, 3, 4))

    def log_size(coefficients: np.ndarray) -> float:
        moved = points + basis @ coefficients
        return float(np.log(np.linalg.norm(moved - moved.mean(0))))

    steps = 1e-6 * np.eye(4)
    expected = [(log_size(step) - log_size(-step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(size_direction(points, basis), expected, atol=1e-6)


def test_partners_are_coupled() -> None:
    names = ("eyeLookInLeft", "eyeLookOutRight", "mouthSmileLeft", "mouthSmileRight", "jawOpen")
    precision = expression_precision(names, FitSettings().prior)
    assert precision[0, 1] < 0
    assert precision[2, 3] < 0
    assert precision[2, 4] == 0


def test_opposites_are_not_used_against_each_other() -> None:
    names = ["jawLeft", "jawRight", "eyeLookUpLeft", "eyeLookDownLeft", "eyeLookUpRight"]
    precision = expression_precision(names, FitSettings().prior)
    assert precision[0, 1] > 1
    assert precision[2, 3] > 1
    assert precision[2, 1] == 0
    assert np.linalg.eigvalsh(precision).min() > 0


def test_a_told_focal_length_is_believed(model: MorphableModel) -> None:
    landmarks = photographed(model, turn(20), some_identity(model))
    told = fit_landmarks(model, landmarks, SIZE, 1500.0)
    assert told.K[0, 0] == pytest.approx(1500.0, rel=0.1)
    firm = replace(FitSettings(), camera=CameraPrior(sigma_factor=1e-4))
    guessed = fit_landmarks(model, landmarks, SIZE, settings=firm)
    assert guessed.K[0, 0] != pytest.approx(told.K[0, 0], rel=0.01)


def album(model: MorphableModel, seed: int, yaws: tuple[float, ...] = (5, -30, 35)) -> list[Sighting]:
    """Photos of one person: every pose and expression another, landmarks with errors of 1 % of the eyes' distance."""
    generator = np.random.default_rng(seed)
    truth, sightings = 0.8 * generator.normal(size=model.n_identity), []
    for yaw in yaws:
        smile = dict.fromkeys(("mouthSmileLeft", "mouthSmileRight"), float(generator.uniform(0, 0.7)))
        exact = photographed(model, turn(yaw, *generator.normal(0, 5, 2)), truth, smile)
        errors = generator.normal(0, 0.01 * inter_ocular_distance(exact), exact.shape)
        sightings.append(Sighting(exact + errors, SIZE, FOCAL))
    return sightings


def neutral_landmarks(model: MorphableModel, identity: np.ndarray) -> np.ndarray:
    shape = model.shape(torch.tensor(identity, dtype=torch.float32)[None], torch.zeros(1, model.n_expression))
    return model.landmarks(shape)[0].numpy()[:468]


def test_a_regressed_face_takes_the_means_place(model: MorphableModel) -> None:
    """What it knew beforehand stays, as far as the landmarks do not speak against it; alone, it is the fit."""
    identity = 0.8 * np.random.default_rng(0).normal(size=model.n_identity)
    sightings = album(model, 0)
    plain = fit_person(model, sightings)
    told = [
        replace(
            sighting,
            regressed=PosedFace(identity + side, fit.expression, fit.rotation, fit.translation, fit.K),
        )
        for sighting, fit, side in zip(sightings, plain, (-0.5, 0.0, 0.5), strict=True)
    ]
    fitted = fit_person(model, told)
    for fit in fitted:
        np.testing.assert_array_equal(fit.identity, fitted[0].identity)
        assert np.abs(fit.identity - identity).mean() < 0.75 * np.abs(plain[0].identity - identity).mean()
        assert fit.landmark_rms_percent < 2
    for fit, sighting in zip(regressed_person(model, told), told, strict=True):
        np.testing.assert_allclose(fit.identity, identity)
        for name in ("expression", "rotation", "translation", "K"):
            np.testing.assert_allclose(getattr(fit, name), getattr(sighting.regressed, name))


def test_two_photos_tell_more_than_one_and_three_more_than_two(model: MorphableModel) -> None:
    errors = np.zeros((6, 3))
    for seed in range(6):
        sightings = album(model, seed)
        truth = neutral_landmarks(model, 0.8 * np.random.default_rng(seed).normal(size=model.n_identity))
        for count in (1, 2, 3):
            fits = fit_person(model, sightings[:count])
            assert all(np.array_equal(fit.identity, fits[0].identity) for fit in fits)
            moved = neutral_landmarks(model, fits[0].identity)
            turned = Rotation.align_vectors(truth - truth.mean(0), moved - moved.mean(0))[0]
            moved = turned.apply(moved - moved.mean(0)) + truth.mean(0)
            errors[seed, count - 1] = np.linalg.norm(moved - truth, axis=1).mean()
    one, two, three = np.median(errors, 0)
    assert two < 0.85 * one
    assert three < 0.95 * two


def test_another_person_among_the_photos_is_told(model: MorphableModel) -> None:
    sightings = album(model, 0)
    assert odd_photos(model, sightings) == []
    assert odd_photos(model, sightings[:1]) == []
    generator = np.random.default_rng(3)
    other = photographed(model, turn(10), 2.0 * generator.normal(size=model.n_identity))
    stranger = Sighting(other, SIZE, FOCAL)
    assert 1 in odd_photos(model, [sightings[0], stranger, sightings[1]])
    assert odd_photos(model, [sightings[0], stranger]) == [1]
