"""Learning corrections: what a fit leaves over is carried back exactly, and a mistake of an expression is found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from semblance.core_models.builders.corrections import Corrections
from semblance.core_models.fitting.fit import Fit
from semblance.core_models.geometry.rotation import rotation_y
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.expressions import NAMES
from semblance.core_models.morphable.model import MorphableModel
from semblance.train.corrections import Leftover, Portrait, leftover, reflected, regressed, sane, smoothed

N = 468


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_model()


def posed(model: MorphableModel, yaw_degrees: float) -> Fit:
    """The mean at 18 dm from a camera of focal length 1000 px."""
    rotation, shift = rotation_y(np.radians(yaw_degrees)), np.array([0.5, -0.3, -18.0])
    seen = model.landmarks(model.mean[None])[0].double().numpy() @ rotation.T + shift
    pixels = 300 + 1000 * seen[:, :2] * [1, -1] / -seen[:, 2:]
    K = np.array([[1000.0, 0, 300], [0, 1000, 300], [0, 0, 1]])
    return Fit(np.zeros(80), np.zeros(52), rotation, shift, K, pixels, 0.0)


@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_a_leftover_is_the_motion_along_the_face_that_explains_it(model: MorphableModel, yaw: float) -> None:
    fitted = posed(model, yaw)
    detected = fitted.model_landmarks + np.random.default_rng(0).normal(size=(478, 2))
    one = leftover(model, Portrait(detected, (600, 600), None), fitted)
    moved = model.landmarks(model.mean[None])[0, :N].double().numpy() + one.offsets / 100
    seen = moved @ fitted.rotation.T + fitted.translation
    pixels = 300 + 1000 * seen[:, :2] * [1, -1] / -seen[:, 2:]
    facing = one.trust > 0.6
    np.testing.assert_allclose(pixels[facing], detected[:N][facing], atol=0.05)


def test_reflecting_twice_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    one = Leftover(rng.normal(size=(N, 3)), rng.random(N), rng.normal(size=(N, 3)), rng.random(52))
    twice = reflected(reflected(one))
    for field in dataclasses.fields(Leftover):
        np.testing.assert_array_equal(getattr(twice, field.name), getattr(one, field.name))


def test_regression_finds_a_planted_mistake() -> None:
    rng = np.random.default_rng(0)
    smile, constant = NAMES.index("mouthSmileLeft"), rng.normal(size=(N, 3))
    mistake = rng.normal(size=(N, 3))
    leftovers = []
    for weight in rng.uniform(0, 1, 80):
        expression = np.zeros(52)
        expression[smile] = weight
        leftovers.append(Leftover(constant + weight * mistake, np.ones(N), np.zeros((N, 3)), expression))
    found = regressed(leftovers, np.ones((52, N)))
    assert np.abs(found.expressions[smile] - mistake).mean() < 0.25 * np.abs(mistake).mean()
    assert np.abs(found.mean - constant).mean() < 0.25 * np.abs(constant).mean()
    assert np.abs(np.delete(found.expressions, smile, 0)).max() < 1e-9


def test_sane_corrections_are_bounded_and_do_not_move_or_grow_the_head(model: MorphableModel) -> None:
    points = model.landmarks(model.mean[None])[0, :N].double().numpy() * 100
    wild = Corrections.none()
    wild.mean[:] = 0.02 * (points - points.mean(0)) + [0, 1.0, 0.5]
    wild.expressions[:] = 50.0
    result = sane(wild, model)
    assert np.abs(result.mean).max() < 0.05
    assert np.linalg.norm(result.expressions, axis=2).max() < 4.01


def test_smoothing_keeps_constants_and_calms_noise() -> None:
    flat = Corrections(np.ones((N, 3)), np.ones((52, N, 3)))
    np.testing.assert_allclose(smoothed(flat).mean, 1)
    noise = Corrections(np.random.default_rng(0).normal(size=(N, 3)), flat.expressions)
    deviation = smoothed(noise).mean.std(0)
    assert deviation[2] < deviation[0] < 0.85
