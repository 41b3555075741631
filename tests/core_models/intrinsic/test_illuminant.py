"""Light told from skin: known skins in known lights, with and without the whites of the eyes, teeth, a dark photo."""

import numpy as np
import pytest

from semblance.core_models.intrinsic.analytic import _unevenness
from semblance.core_models.intrinsic.environment_light import SkinSamples
from semblance.core_models.intrinsic.illuminant import estimate_illuminant
from semblance.core_models.intrinsic.white_references import (
    SCLERA_LINEAR,
    SCLERA_SIGMAS,
    TEETH_LINEAR,
    TEETH_SIGMAS,
    WhiteReference,
    brightest,
)
from semblance.core_models.skin_colour import skin_colour, typology_angle

SKINS = {place: skin_colour(place, 0.03) for place in (0.1, 0.3, 0.5, 0.7, 0.9)}
"""Places on the curve of skin colours, very light to very dark."""


def eyes_in(gain: np.ndarray, n_pixels: int = 2000) -> list[WhiteReference]:
    return [WhiteReference.of(SCLERA_LINEAR * gain, SCLERA_LINEAR, SCLERA_SIGMAS, n_pixels)]


def teeth_in(gain: np.ndarray) -> list[WhiteReference]:
    return [WhiteReference.of(TEETH_LINEAR * gain, TEETH_LINEAR, TEETH_SIGMAS, 500)]


@pytest.mark.parametrize("place", SKINS)
def test_white_light_with_clear_eyes_gives_the_skins_own_tone(place: float) -> None:
    tone = estimate_illuminant(SKINS[place], eyes_in(np.ones(3)))
    assert abs(typology_angle(tone.albedo) - typology_angle(SKINS[place])) < 8


@pytest.mark.parametrize("place", (0.3, 0.5, 0.7))
@pytest.mark.parametrize("level", (0.6, 1.7))
def test_the_eyes_tell_weak_light_from_dark_skin(place: float, level: float) -> None:
    skin, truth = SKINS[place] * level, typology_angle(SKINS[place])
    with_eyes = abs(typology_angle(estimate_illuminant(skin, eyes_in(np.full(3, level))).albedo) - truth)
    without = abs(typology_angle(estimate_illuminant(skin).albedo) - truth)
    assert with_eyes < without
    assert with_eyes < 16


def test_no_tone_is_pulled_to_the_middle() -> None:
    """Over photos exposed a little more or less, the mean error of each tone is small and not towards the middle."""
    levels = np.exp(np.linspace(-0.4, 0.4, 9))
    for place, skin in SKINS.items():
        errors = [
            typology_angle(estimate_illuminant(skin * level, eyes_in(np.full(3, level))).albedo)
            - typology_angle(skin)
            for level in levels
        ]
        assert abs(np.mean(errors)) < 8
        assert np.mean(errors) * (0.5 - place) > -0.5


def test_a_shaded_eye_tells_little() -> None:
    alone = estimate_illuminant(SKINS[0.7])
    shaded = estimate_illuminant(SKINS[0.7], eyes_in(np.full(3, 0.1)))
    assert abs(typology_angle(alone.albedo) - typology_angle(shaded.albedo)) < 15


def test_a_warm_lamp_is_told_from_warm_skin_by_the_eyes() -> None:
    lamp = np.array([1.2, 1.0, 0.75])
    skin = SKINS[0.3]
    with_eyes, without = estimate_illuminant(skin * lamp, eyes_in(lamp)), estimate_illuminant(skin * lamp)
    wanted = np.log(lamp[0] / lamp[2])
    found, guessed = (np.log(tone.gain[0] / tone.gain[2]) for tone in (with_eyes, without))
    assert abs(found - wanted) < abs(guessed - wanted)
    assert abs(found - wanted) < 0.15


@pytest.mark.parametrize("level", (0.6, 1.7))
def test_teeth_tell_weak_light_from_dark_skin(level: float) -> None:
    for place in (0.3, 0.5, 0.7):
        truth = typology_angle(SKINS[place])
        with_teeth, without = (
            abs(typology_angle(estimate_illuminant(SKINS[place] * level, cues).albedo) - truth)
            for cues in (teeth_in(np.full(3, level)), [])
        )
        assert with_teeth < 0.8 * without


def test_what_shades_the_eyes_tints_them_and_that_is_not_the_lights_colour() -> None:
    """Half hidden eyes show lids: dark and as warm as skin."""
    skin = SKINS[0.3] * 0.6
    lids = skin * 0.4
    lamp = estimate_illuminant(skin, [WhiteReference.of(lids, SCLERA_LINEAR, SCLERA_SIGMAS, 500)]).gain
    assert abs(np.log(lamp[0] / lamp[2])) < 0.25


def test_a_dark_photo_has_weak_light_not_dark_skin() -> None:
    skin, truth = SKINS[0.3] * 0.35, typology_angle(SKINS[0.3])
    usual, dark = (
        typology_angle(estimate_illuminant(skin, log_level=np.log(level)).albedo) for level in (1.0, 0.35)
    )
    assert usual < truth - 40
    assert abs(dark - truth) < 15


def test_a_lamp_from_the_side_lifts_the_mean_above_what_most_of_the_skin_shows() -> None:
    def unevenness(shading: np.ndarray) -> float:
        ones = np.ones((len(shading), 3), np.float32)
        samples = SkinSamples(ones, ones, np.ones((len(shading), 1), np.float32), np.ones(len(shading)))
        return _unevenness(samples, np.repeat(shading[:, None], 3, axis=1))

    assert unevenness(np.full(100, 0.7)) == pytest.approx(0)
    lamp = np.where(np.arange(100) < 20, 2.0, 0.8)
    assert unevenness(lamp) == pytest.approx(np.log(1.04 / 0.8), abs=1e-6)
    assert unevenness(np.where(np.arange(100) < 20, 9.0, 0.8)) == pytest.approx(0.3)


def test_light_times_skin_is_what_was_seen() -> None:
    skin = np.array([0.31, 0.2, 0.12])
    tone = estimate_illuminant(skin, eyes_in(np.array([0.9, 1.0, 1.1])))
    np.testing.assert_allclose(tone.gain * tone.albedo, skin, rtol=1e-12)


def test_a_grey_photo_gets_the_colour_of_skin_of_its_lightness() -> None:
    tone = estimate_illuminant(np.full(3, 0.2), grey=True)
    red, green, blue = tone.albedo
    assert red > green > blue
    np.testing.assert_allclose(tone.gain * tone.albedo, 0.2)


@pytest.mark.parametrize("skin", (np.zeros(3), np.full(3, 40.0), np.array([0.0, 1.0, 0.0])))
def test_impossible_colours_still_give_skin(skin: np.ndarray) -> None:
    tone = estimate_illuminant(skin, [WhiteReference.of(np.zeros(3), SCLERA_LINEAR, SCLERA_SIGMAS, 10)])
    assert np.isfinite(tone.gain).all() and (tone.gain > 0).all()
    assert (tone.albedo > 0).all() and (tone.albedo < 1).all()


def test_the_whitest_of_the_eye_counts() -> None:
    """Lids, lashes and iris lie where the model has the sclera; they must not darken it."""
    white, lash = np.tile(SCLERA_LINEAR, (30, 1)), np.full((70, 3), 0.04)
    np.testing.assert_allclose(brightest(np.vstack([lash, white]), np.ones(100), 0.15), SCLERA_LINEAR)


def test_gloss_that_shows_the_lights_colour_takes_warmth_from_the_light() -> None:
    skin = SKINS[0.5] * np.array([1.3, 1.0, 0.7])
    warm = estimate_illuminant(skin)
    assert np.log(warm.gain[0] / warm.gain[2]) > 0.15
    neutral = estimate_illuminant(skin, coolest=0.0)
    assert np.log(neutral.gain[0] / neutral.gain[2]) < np.log(warm.gain[0] / warm.gain[2]) - 0.1
