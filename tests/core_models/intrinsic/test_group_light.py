"""Faces of one photo share a light where they stand in one, and only there."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.environment_light import Environment, SkinSamples, fit_environment
from semblance.core_models.intrinsic.group_light import GroupLight
from semblance.core_models.render.transport import diffuse_transport, sphere_directions

DIRECTIONS = sphere_directions(128)
PALE, DARK = np.array([0.45, 0.28, 0.20]), np.array([0.12, 0.055, 0.03])


def _transport(sees: np.ndarray, seed: int, n: int = 900) -> np.ndarray:
    """Of convex skin turned to the camera, whose normals lie within 75° of the direction `sees` (3,)."""
    normals = np.random.default_rng(seed).normal(size=(8 * n, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals[(normals[:, 2] > 0) & (normals @ (sees / np.linalg.norm(sees)) > 0.26)][:n]
    return diffuse_transport(normals, np.ones((len(normals), 128), np.float32), DIRECTIONS)


def _light(sun_from: list[float]) -> Environment:
    lamps = np.zeros((128, 3))
    sun = int(np.argmax(DIRECTIONS.towards @ sun_from))
    lamps[sun] = np.array([1.1, 1.0, 0.9]) * np.pi / DIRECTIONS.solid_angle[sun]
    return Environment(DIRECTIONS, np.full((128, 3), 0.35), lamps, np.zeros(3), 0.0)


def _face(light: Environment, transport: np.ndarray, skin: np.ndarray, exposure: float = 1.0) -> SkinSamples:
    count = len(transport)
    noise = np.exp(0.1 * np.random.default_rng(count).normal(size=(count, 1)))
    appearance = exposure * skin * noise * light.shading(transport)
    return SkinSamples(appearance, np.tile(PALE, (count, 1)), transport, np.ones(count))


def _error(found: Environment, truth: Environment) -> float:
    """Mean |log| over the half sphere towards the camera, after one gain a channel."""
    transport = _transport(np.array([0, 0, 1.0]), seed=9)
    ratio = np.log(np.maximum(found.shading(transport), 1e-4) / truth.shading(transport))
    return float(np.abs(ratio - np.median(ratio, axis=0)).mean())


def test_a_face_in_profile_is_told_where_the_light_is() -> None:
    light = _light([0.8, 0.4, 0.45])
    frontal = _face(light, _transport(np.array([0, 0, 1.0]), seed=1), PALE)
    away = _face(light, _transport(np.array([-1.0, -0.6, -0.2]), seed=2), DARK, exposure=0.7)
    group = GroupLight()
    group.fit(frontal, DIRECTIONS)
    shared, alone = group.fit(away, DIRECTIONS), fit_environment(away, DIRECTIONS)
    assert _error(shared, light) < 0.5 * _error(alone, light)
    level = np.median(away.appearance / away.reflectance / shared.shading(away.transport), axis=0)
    np.testing.assert_allclose(level, 1, atol=0.05)


def test_a_face_in_another_light_keeps_its_own() -> None:
    group = GroupLight()
    transport = _transport(np.array([0, 0, 1.0]), seed=3)
    group.fit(_face(_light([0.9, 0.2, 0.3]), transport, PALE), DIRECTIONS)
    other = _light([-0.9, 0.2, 0.3])
    face = _face(other, transport, PALE)
    found = group.fit(face, DIRECTIONS)
    np.testing.assert_array_equal(found.radiance, fit_environment(face, DIRECTIONS).radiance)
    assert _error(found, other) < 0.08


def test_a_face_that_shows_no_skin_changes_nothing() -> None:
    group = GroupLight()
    empty = SkinSamples(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 128)), np.zeros(0))
    group.fit(empty, DIRECTIONS)
    face = _face(_light([0.8, 0.4, 0.45]), _transport(np.array([0, 0, 1.0]), seed=4), PALE)
    np.testing.assert_array_equal(
        group.fit(face, DIRECTIONS).radiance, fit_environment(face, DIRECTIONS).radiance
    )
