"""The light around a face comes back from what it does to skin; gain, outliers and empty input do no harm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from semblance.core_models.intrinsic.environment_light import (
    Environment,
    SkinSamples,
    fit_environment,
    solve_non_negative,
    weighted_quantile,
)
from semblance.core_models.render.transport import diffuse_transport, sphere_directions

SKIN = np.array([0.45, 0.28, 0.20])
DIRECTIONS = sphere_directions(128)
SUN = int(np.argmax(DIRECTIONS.towards @ [0.8, 0.4, 0.45]))


def _transport(n: int = 1500, seed: int = 0) -> np.ndarray:
    """Of a half sphere towards the camera with a ridge that throws shadows for x < 0."""
    normals = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    normals[:, 2] = np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    seen = np.ones((n, 128), np.float32)
    seen[(normals[:, 0] < 0.1) & (normals[:, 0] > -0.2)] = DIRECTIONS.towards[:, 0] < 0.2
    return diffuse_transport(normals, seen, DIRECTIONS)


def _light(sun: np.ndarray, sky: np.ndarray) -> Environment:
    radiance = np.tile(sky, (128, 1))
    radiance[SUN] += sun * np.pi / DIRECTIONS.solid_angle[SUN]
    return Environment(DIRECTIONS, radiance, 0 * radiance, 0.3 * sky, 0.0)


def _samples(light: Environment, transport: np.ndarray) -> SkinSamples:
    count = len(transport)
    appearance = SKIN * light.shading(transport)
    return SkinSamples(appearance, np.tile(SKIN, (count, 1)), transport, np.ones(count))


def _error(found: np.ndarray, truth: np.ndarray) -> float:
    """Median |log| after one gain a channel."""
    ratio = np.log(np.maximum(found, 1e-4) / truth)
    return float(np.abs(ratio - np.median(ratio, axis=0)).mean())


@pytest.mark.parametrize("sun", [0.0, 1.0, 2.0])
def test_sky_and_sun_come_back(sun):
    transport = _transport()
    light = _light(np.array([1.1, 1.0, 0.9]) * sun, np.array([0.28, 0.3, 0.33]))
    found = fit_environment(_samples(light, transport), DIRECTIONS)
    assert _error(found.shading(transport), light.shading(transport)) < 0.05
    assert found.residual < 0.05
    assert found.radiance.min() >= 0


def test_a_brighter_photo_is_brighter_light_and_nothing_else():
    transport = _transport()
    samples = _samples(_light(np.ones(3), np.full(3, 0.3)), transport)
    twice = SkinSamples(2 * samples.appearance, samples.reflectance, transport, samples.weights)
    once = fit_environment(samples, DIRECTIONS)
    np.testing.assert_allclose(
        fit_environment(twice, DIRECTIONS).radiance, 2 * once.radiance, rtol=1e-3, atol=1e-4
    )


def test_hair_and_highlights_do_not_bend_the_light():
    transport = _transport()
    clean = _samples(_light(np.ones(3), np.full(3, 0.4)), transport)
    spoilt = clean.appearance.copy()
    spoilt[:120] = 0.01
    spoilt[120:240] += 0.6
    spoilt[240:260] = np.nan
    found = fit_environment(SkinSamples(spoilt, clean.reflectance, transport, clean.weights), DIRECTIONS)
    assert _error(found.shading(transport), clean.appearance / SKIN) < 0.08


def test_lamps_of_two_colours_stay_apart():
    transport = _transport()
    warm, cool = (int(np.argmax(DIRECTIONS.towards @ [side, 0.1, 0.4])) for side in (0.9, -0.9))
    radiance = np.full((128, 3), 0.2)
    radiance[warm] += np.array([1.2, 0.9, 0.6]) * 30
    radiance[cool] += np.array([0.7, 1.0, 1.3]) * 30
    light = Environment(DIRECTIONS, radiance, 0 * radiance, np.full(3, 0.1), 0.0)
    found = fit_environment(_samples(light, transport), DIRECTIONS)
    assert _error(found.shading(transport), light.shading(transport)) < 0.06


def test_without_skin_the_light_is_even():
    empty = SkinSamples(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 128)), np.zeros(0))
    found = fit_environment(empty, DIRECTIONS)
    np.testing.assert_allclose(found.shading(np.full((1, 128), 1 / 128)), 1.0, atol=1e-5)
    black = SkinSamples(np.zeros((5, 3)), np.ones((5, 3)), _transport(5), np.ones(5))
    assert np.isfinite(fit_environment(black, DIRECTIONS).radiance).all()


def test_least_squares_without_negative_values_agrees_with_a_general_solver():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(8, 6))
    hessian, descent = root.T @ root, rng.normal(size=6)

    def cost(x: np.ndarray) -> float:
        return float(0.5 * x @ hessian @ x - descent @ x)

    reference = minimize(cost, np.ones(6), bounds=[(0, None)] * 6, options={"ftol": 1e-14, "gtol": 1e-10}).x
    np.testing.assert_allclose(solve_non_negative(hessian, descent), reference, atol=1e-4)


def test_weighted_quantile():
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.1, 1.0])) == 2.0
    assert weighted_quantile(np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4), 1.0) == 4.0
