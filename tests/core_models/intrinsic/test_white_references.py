"""Teeth and the whites of the eyes found on a face, and a dark photo told from a bright one."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from semblance.core_models.colour import linear_to_srgb_uint8
from semblance.core_models.intrinsic.white_references import (
    SCLERA_LINEAR,
    TEETH_LINEAR,
    _sclera,
    _teeth,
)
from semblance.core_models.photo.exposure import photo_exposure
from semblance.core_models.skin_colour import skin_colour
from semblance.core_models.texture.observation import TexelObservation
from semblance.tests.observed import mean_face

SKIN, GUMS = skin_colour(0.4), np.array([0.20, 0.06, 0.05])
LAMP = np.array([0.7, 0.6, 0.4])


@lru_cache(maxsize=1)
def _face() -> TexelObservation:
    """A face all seen, in one colour."""
    face = mean_face(256)
    colour = np.tile((SKIN * LAMP).astype(np.float32), (len(face.seen), 1))
    return replace(face, appearance=colour, seen=np.ones(len(colour), np.float32))


def smiling(openness: float, inside: np.ndarray) -> TexelObservation:
    """The face with `openness` of its lips' area open on what is `inside` (3,), half of it gums."""
    face = _face()
    mouth = np.flatnonzero(face.where("mouth"))
    share = np.cumsum(face.pixels(mouth)) / face.pixels(np.flatnonzero(face.where("lips"))).sum()
    appearance, seen = face.appearance.copy(), face.seen.copy()
    appearance[mouth] = inside * LAMP
    appearance[mouth[::2]] = GUMS * LAMP
    seen[mouth] = share < openness
    assert share[-1] > openness
    return replace(face, appearance=appearance, seen=seen)


def _white(face: TexelObservation) -> np.ndarray:
    """Shading of all vertices by a light that is divided out already."""
    return np.ones((len(face.mesh.vertices), 3))


def test_teeth_show_the_light() -> None:
    cue = _teeth(smiling(0.5, TEETH_LINEAR), _white(_face()))
    assert cue is not None
    np.testing.assert_allclose(cue.gain, LAMP, rtol=1e-5)


@pytest.mark.parametrize(("openness", "inside"), ((0.15, TEETH_LINEAR), (0.5, GUMS), (0.5, SKIN)))
def test_a_closed_mouth_and_a_tongue_are_no_teeth(openness: float, inside: np.ndarray) -> None:
    assert _teeth(smiling(openness, inside), _white(_face())) is None


def test_the_shade_of_the_lips_counts_half() -> None:
    cue = _teeth(smiling(0.5, TEETH_LINEAR), 0.49 * _white(_face()))
    assert cue is not None
    np.testing.assert_allclose(cue.gain, LAMP / 0.7, rtol=1e-5)


def test_the_whites_of_the_eyes_show_the_light_and_few_pixels_say_less() -> None:
    face = _face()
    eyes = face.where("eyes")
    shown = replace(face, appearance=np.where(eyes[:, None], SCLERA_LINEAR * LAMP, face.appearance))
    cue = _sclera(shown, _white(face))
    tiny = _sclera(
        replace(shown, surface=replace(face.surface, footprint=0.02 * face.surface.footprint)), _white(face)
    )
    assert cue is not None and tiny is not None
    np.testing.assert_allclose(cue.gain, LAMP, rtol=1e-5)
    assert tiny.level_sigma > 2 * cue.level_sigma


def photo(*parts: tuple[float, float]) -> np.ndarray:
    """sRGB picture of rows by (share, luminance), the rest 0.02."""
    rows = np.full(1000, 0.02)
    start = 0
    for share, luminance in parts:
        rows[start : start + round(1000 * share)] = luminance
        start += round(1000 * share)
    return np.repeat(np.tile(linear_to_srgb_uint8(rows)[:, None, None], (1, 40, 1)), 3, axis=2)


def test_a_dark_photo_is_told_from_a_dark_backdrop_and_from_dark_clothes() -> None:
    assert photo_exposure(photo((0.3, 0.55))) == 0
    assert photo_exposure(photo((0.05, 0.9))) == 0  # a collar before a black backdrop
    assert photo_exposure(photo((0.3, 0.6), (0.5, 0.98))) == 0
    half, quarter = (photo_exposure(photo((0.3, 0.55 * level), (0.04, 0.9 * level))) for level in (0.5, 0.25))
    assert -0.75 < half < -0.5
    assert half - quarter == pytest.approx(np.log(2), abs=0.02)
    assert -5 < photo_exposure(np.zeros((50, 40, 3), np.uint8)) < half
