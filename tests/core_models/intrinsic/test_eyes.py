"""Eyeballs: iris colour from the photo, without gloss, also where lids hide it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from semblance.core_models.intrinsic.eyes import _find_eyes, clear_eyes, held_to
from semblance.core_models.morphable.eyeballs import IRIS_RADIUS_MM, PUPIL_RADIUS_MM
from semblance.core_models.texture.observation import TexelObservation
from semblance.tests.observed import mean_face

BLUE = np.array([0.05, 0.08, 0.14])
SCLERA = np.array([0.52, 0.49, 0.46])
LIGHT = np.array([0.9, 0.8, 0.7])
SIZE = 384


@lru_cache(maxsize=1)
def _staring() -> tuple[TexelObservation, np.ndarray]:
    """Eyes in even light with blue irises, half hidden by lids: what the photo shows, and the expected albedo."""
    face = mean_face(SIZE)
    surface = face.surface
    prior = (face.atlas.weights @ face.mesh.albedo_mean).astype(np.float32)
    blank = replace(face, appearance=prior, seen=np.zeros(len(prior), np.float32))
    eyes = _find_eyes(blank, np.ones_like(prior), prior)
    truth = prior.copy()
    inside = (eyes.radius < IRIS_RADIUS_MM)[:, None]
    truth[eyes.texels] = np.where(
        inside, np.where((eyes.radius < PUPIL_RADIUS_MM)[:, None], 0.01, BLUE), SCLERA
    )
    high = surface.positions[:, 1] > surface.positions[eyes.texels, 1].mean() + 0.02
    seen = np.where(high | (surface.normals[:, 2] < 0.5), 0.0, 1.0).astype(np.float32)
    return replace(blank, appearance=truth * LIGHT, seen=seen), prior


def _ring(sight: TexelObservation, low: float, high: float) -> np.ndarray:
    eyes = _find_eyes(sight, np.ones_like(sight.appearance), sight.appearance)
    return eyes.texels[(eyes.radius > low) & (eyes.radius < high)]


def test_the_iris_has_the_photos_colour_under_the_lids_too() -> None:
    sight, prior = _staring()
    _, found = clear_eyes(sight, np.ones_like(prior) * LIGHT, prior)
    iris = _ring(sight, 2.6, 5.0)
    for part in (iris[sight.seen[iris] > 0.5], iris[sight.seen[iris] == 0]):
        assert len(part) > 50
        chroma = found[part].mean(0) / found[part].mean()
        np.testing.assert_allclose(chroma, BLUE / BLUE.mean(), atol=0.12)
    assert found[_ring(sight, 0.0, 1.2)].mean() < 0.5 * found[iris].mean()


def test_gloss_and_lashes_go_into_the_light() -> None:
    sight, prior = _staring()
    glossy = sight.appearance.copy()
    iris = _ring(sight, 3.0, 4.5)
    left = iris[sight.surface.positions[iris, 0] < sight.surface.positions[iris, 0].mean()]
    shining, dark = np.array_split(left[sight.seen[left] > 0.5], 2)
    glossy[shining[:12]] = 1.0
    glossy[dark[:12]] *= 0.1
    shading, found = clear_eyes(replace(sight, appearance=glossy), np.ones_like(prior) * LIGHT, prior)
    changed = np.concatenate([shining[:12], dark[:12]])
    albedo = glossy[changed] / shading[changed]
    assert np.abs(np.log(albedo / found[iris].mean(0))).max() < 0.6
    seen = sight.seen > 0.5
    np.testing.assert_allclose(found[seen] * shading[seen], glossy[seen], rtol=0.02, atol=2e-3)


def test_brown_eyes_without_blue_in_the_photo_do_not_make_blue_light() -> None:
    """A highlight on them is ten times as bright as the iris, not thousands of times."""
    sight, prior = _staring()
    brown = sight.appearance.copy()
    iris = _ring(sight, 0.0, 5.4)
    brown[iris] = [0.04, 0.015, 0.0]
    seen = iris[sight.seen[iris] > 0.5]
    brown[seen[::9]] = 1.0
    shading, _ = clear_eyes(replace(sight, appearance=brown), np.ones_like(prior) * LIGHT, prior)
    assert (shading[iris, 2] / shading[iris, 0]).max() < 30
    assert shading[iris].max() < 20


def test_unseen_eyes_are_left_alone() -> None:
    sight, prior = _staring()
    shading, found = clear_eyes(replace(sight, seen=0 * sight.seen), np.ones_like(prior), prior)
    assert (shading == 1).all()
    assert (found == prior).all()


def test_an_iris_as_bright_as_the_sclera_is_not_believed() -> None:
    sight, prior = _staring()
    eyes = _ring(sight, 0.0, 12.0)
    white = sight.appearance.copy()
    white[eyes] = SCLERA * LIGHT
    _, found = clear_eyes(replace(sight, appearance=white), np.ones_like(prior) * LIGHT, prior)
    iris = _ring(sight, 2.6, 5.0)
    assert found[iris].mean() < 0.3 * SCLERA.mean()


def test_fine_texels_stay_near_the_expected_albedo() -> None:
    expected = np.full((2, 3), 0.1)
    np.testing.assert_allclose(held_to(expected, np.array([[0.9] * 3, [0.11] * 3])), [[0.13] * 3, [0.11] * 3])
