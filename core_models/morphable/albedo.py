"""Albedo of the default model: mean and 80 modes in linear Rec.709, each along a physical axis.

Three modes span the colours of human skin; melanin and blood vary over the face as smooth random fields; lips, brows,
stubble, cheeks, nose, the skin under the eyes, sclera and irises have modes of their own.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ..skin_colour import BLOOD_DENSITY, melanin_density, skin_colour, skin_span
from . import eyeballs
from .masks import Masks

N_MODES = 80
N_MELANIN_FIELDS, N_BLOOD_FIELDS, N_EYE_MODES = 36, 22, 6
# Standard deviations of optical density over the face, in green.
_MELANIN_STD, _BLOOD_STD = 0.09, 0.10

_EAR_BLOOD = 0.14
"""Optical density in green: ears are a little redder than cheeks."""

_LIP_TINT = np.array([0.80, 0.54, 0.60])
_BROW = np.array([0.055, 0.036, 0.026])
_BROW_COVER, _NOSTRIL_COVER, _LASH_COVER = 0.7, 0.8, 0.75
_MOUTH_INSIDE = np.array([0.16, 0.045, 0.04])
_LID_MARGIN_TINT = np.array([1.0, 0.82, 0.80])

_SCLERA = np.array([0.54, 0.50, 0.46])
_IRIS = np.array([0.100, 0.080, 0.066])
_PUPIL = 0.012


def face_colours(masks: Masks, tone: np.ndarray) -> np.ndarray:
    """Linear albedo (N, 3) of the face without eyeballs for a skin `tone` (3,)."""
    colour = tone * _complexion(masks) * _tint(masks)
    for mask, target in _covers(masks):
        colour = colour + mask[:, None] * (target - colour)
    return colour


def _complexion(masks: Masks) -> np.ndarray:
    """Factors (N, 3): more blood in cheeks and nose, a little more pigment under the eyes."""
    density = (
        0.16 * masks.cheeks[:, None] * BLOOD_DENSITY
        + 0.16 * masks.nose[:, None] * BLOOD_DENSITY
        + 0.10 * masks.under_eyes[:, None] * (0.5 * BLOOD_DENSITY + 0.5 * melanin_density())
    )
    return np.exp(-density)


def _tint(masks: Masks) -> np.ndarray:
    lips = 1 + masks.lips[:, None] * (_LIP_TINT - 1)
    return lips * (1 + masks.lid_margins[:, None] * (_LID_MARGIN_TINT - 1))


def _covers(masks: Masks) -> list[tuple[np.ndarray, np.ndarray]]:
    """What hides the skin's own colour: (opacity (N,), colour (3,))."""
    return [
        (_BROW_COVER * masks.brows, _BROW),
        (masks.mouth, _MOUTH_INSIDE),
        (_NOSTRIL_COVER * masks.nostrils, np.array([0.03, 0.012, 0.01])),
        (_LASH_COVER * masks.lashes, _BROW / 2),
    ]


def eyeball_colours(balls: eyeballs.Eyeballs) -> np.ndarray:
    """Linear albedo (M, 3) of the eyeballs: sclera reddening backwards, iris with a darker rim, pupil."""
    radius = balls.front_radius
    redness = np.clip((radius - 8) / 6, 0, 1)[:, None]
    sclera = _SCLERA * (1 - redness * [0.05, 0.22, 0.24])
    rim = np.clip((radius - 4.4) / 1.3, 0, 1)[:, None] ** 2
    iris = _IRIS * (1.15 - 0.65 * rim)
    colour = np.where((radius < eyeballs.IRIS_RADIUS_MM)[:, None], iris, sclera)
    return np.where((radius < eyeballs.PUPIL_RADIUS_MM)[:, None], _PUPIL, colour)


def dense_albedo(
    masks: Masks, balls: eyeballs.Eyeballs, weights: sp.csr_matrix, fields: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (N + M, 3) and modes (80, N + M, 3) from masks, eyeballs and the cage's random `fields` (58, Nc).

    `weights` (N, Nc) is the subdivision matrix.
    """
    span = skin_span()
    mean = face_colours(masks, span.mean)
    shown = np.ones(len(mean))
    for mask, _ in _covers(masks):
        shown = shown * (1 - mask)
    skin = shown[:, None] * _complexion(masks) * _tint(masks)
    smooth = np.asarray(weights @ fields.T).T
    melanin = -_MELANIN_STD * skin * span.mean * melanin_density()
    blood = -_BLOOD_STD * skin * span.mean * BLOOD_DENSITY
    face_modes = [skin * mode for mode in span.modes]
    face_modes += [field[:, None] * melanin for field in smooth[:N_MELANIN_FIELDS]]
    face_modes += [field[:, None] * blood for field in smooth[N_MELANIN_FIELDS:]]
    face_modes += _feature_modes(masks, shown, span.mean)
    modes = np.zeros((N_MODES, len(mean) + len(balls.polar), 3))
    modes[: len(face_modes), : len(mean)] = face_modes
    modes[len(face_modes) :, len(mean) :] = _eyeball_modes(balls)
    return np.concatenate([mean, eyeball_colours(balls)]), modes


def head_albedo(ear_share: np.ndarray, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (N, 3) and modes (80, N, 3) of the head behind the face: plain skin, more blood in the ears.

    ear_share (N,) 0 on the head … 1 on the ears; fields (58, N) as those of `dense_albedo`, at the vertices.
    """
    span = skin_span()
    skin = np.exp(-_EAR_BLOOD * ear_share[:, None] * BLOOD_DENSITY)
    melanin, blood = fields[:N_MELANIN_FIELDS, :, None], fields[N_MELANIN_FIELDS:, :, None]
    shared = [
        skin * span.modes[:, None],
        melanin * (-_MELANIN_STD * skin * span.mean * melanin_density()),
        blood * (-_BLOOD_STD * skin * span.mean * BLOOD_DENSITY),
    ]
    modes = np.zeros((N_MODES, len(skin), 3))
    modes[: sum(map(len, shared))] = np.concatenate(shared)
    return span.mean * skin, modes


def random_coefficients(rng: np.random.Generator, count: int) -> np.ndarray:
    """Coefficients (count, 80) of random people: skin tones from the whole curve, everything else Gaussian.

    Independent normal numbers would leave the curve of skin colours, which is bent, and stain dark skin with variations
    that belong to light skin; those are scaled with the tone here.
    """
    span = skin_span()
    tone = skin_colour(rng.uniform(0, 1, count), np.clip(rng.normal(0.03, 0.08, count), -0.05, 0.25))
    coefficients = rng.normal(size=(count, N_MODES))
    coefficients[:, :3] = span.coefficients(tone)
    n_skin = N_MODES - N_EYE_MODES
    coefficients[:, 3:n_skin] *= np.minimum(1, (tone / span.mean).min(1))[:, None]
    return coefficients


def _feature_modes(masks: Masks, shown: np.ndarray, tone: np.ndarray) -> list[np.ndarray]:
    """Thirteen modes (N, 3) per standard deviation, of lips, brows, stubble, cheeks, nose and under the eyes."""
    stubble = np.clip(masks.beard + masks.moustache, 0, 1)
    under_eyes = 0.5 * BLOOD_DENSITY + 0.5 * melanin_density()
    features: list[tuple[np.ndarray, np.ndarray]] = [
        (masks.lips, -0.16 * tone * _LIP_TINT * BLOOD_DENSITY),
        (masks.lips, -0.16 * tone * _LIP_TINT * melanin_density()),
        (masks.lips, tone * _LIP_TINT * [0.05, 0.0, -0.08]),
        (masks.brows, 0.15 * (_BROW - tone)),
        (masks.brows, np.array([0.040, 0.028, 0.018])),
        (masks.brows, np.array([0.018, 0.0, -0.008])),
        (shown * masks.beard, -0.14 * tone * [1.05, 1.0, 0.85]),
        (shown * stubble, -0.10 * tone * [1.05, 1.0, 0.85]),
        (shown * masks.moustache, -0.10 * tone * [1.05, 1.0, 0.85]),
        (shown * masks.cheeks, -0.12 * tone * BLOOD_DENSITY),
        (shown * masks.nose, -0.12 * tone * BLOOD_DENSITY),
        (shown * masks.under_eyes, -0.12 * tone * under_eyes),
        (shown * masks.under_eyes, tone * [0.0, -0.02, 0.06]),
    ]
    return [mask[:, None] * colour for mask, colour in features]


def _eyeball_modes(balls: eyeballs.Eyeballs) -> np.ndarray:
    """`N_EYE_MODES` modes (6, M, 3): sclera brightness and yellowness; iris light, brown to blue, green, inner ring."""
    radius = balls.front_radius
    sclera = radius >= eyeballs.IRIS_RADIUS_MM
    iris = (radius < eyeballs.IRIS_RADIUS_MM) & (radius >= eyeballs.PUPIL_RADIUS_MM)
    inner = iris & (radius < 3.5)
    features = (
        (sclera, 0.09 * _SCLERA),
        (sclera, np.array([0.0, -0.02, -0.05])),
        (iris, 0.36 * _IRIS),
        (iris, np.array([-0.014, 0.004, 0.025])),
        (iris, np.array([-0.004, 0.010, -0.006])),
        (inner, np.array([0.014, 0.007, 0.0])),
    )
    return np.stack([mask[:, None] * colour for mask, colour in features])
