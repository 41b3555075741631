"""Albedo of the default model: mean and 80 modes in linear Rec.709, from a few physical axes.

Global skin colour spans the measured range of human skin; melanin and haemoglobin vary over the face as smooth random
fields; lips, brows, stubble, cheeks, sclera and irises have modes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from . import eyes
from .identity import parity_basis
from .masks import Masks

N_MODES = 80
# Random fields over the face: (how many, correlation lengths mm).
N_MELANIN_FIELDS, N_HAEMOGLOBIN_FIELDS = 36, 22
_FIELD_LENGTHS_MM = (60.0, 25.0, 12.0)
_FIELD_ASYMMETRY = 0.4

# Optical densities (log-albedo) of a unit of melanin and haemoglobin in linear Rec.709 R, G, B: melanin absorbs as
# λ^-3.33 (Jacques 1998; Donner & Jensen 2006), blood mostly below 600 nm.
MELANIN_DENSITY = np.array([0.62, 1.0, 1.42])
HAEMOGLOBIN_DENSITY = np.array([0.18, 1.0, 0.72])
BLOODLESS_SKIN = np.array([0.86, 0.78, 0.70])


def skin_colour(melanin: np.ndarray, haemoglobin: np.ndarray) -> np.ndarray:
    """Linear Rec.709 albedo (…, 3) of skin by Beer–Lambert from dimensionless contents (…)."""
    density = melanin[..., None] * MELANIN_DENSITY + haemoglobin[..., None] * HAEMOGLOBIN_DENSITY
    return BLOODLESS_SKIN * np.exp(-density)


@dataclass(frozen=True)
class SkinSpan:
    """Mean (3,) and modes (3, 3), per standard deviation, of the colours of human skin."""

    mean: np.ndarray
    modes: np.ndarray


def skin_span() -> SkinSpan:
    """Principal axes of skin colours over the whole range of melanin and haemoglobin contents."""
    melanin, blood = np.meshgrid(np.linspace(0.05, 2.4, 40), np.linspace(0.15, 0.75, 12), indexing="ij")
    colours = skin_colour(melanin, blood).reshape(-1, 3)
    mean = colours.mean(0)
    values, vectors = np.linalg.eigh(np.cov((colours - mean).T))
    axes = (vectors * np.sqrt(values)).T[::-1]
    return SkinSpan(mean, axes * np.sign(axes.sum(1, keepdims=True)))


def random_fields(targets: np.ndarray, mirror: np.ndarray, count: int) -> np.ndarray:
    """The `count` strongest modes (count, N), unit variance in sum, of a smooth scalar process on the cage."""
    squared = cdist(targets, targets, "sqeuclidean")
    kernel = sum(np.exp(-squared / (2 * length**2)) for length in _FIELD_LENGTHS_MM) / len(_FIELD_LENGTHS_MM)
    found = []
    for parity, amplitude in ((1, 1.0), (-1, _FIELD_ASYMMETRY)):
        # The y axis of a vector field has the parity of a scalar.
        basis = parity_basis(mirror, parity)[1::3]
        basis = basis[:, np.abs(basis).sum(0) > 0]
        values, vectors = eigh(amplitude**2 * basis.T @ kernel @ basis)
        found += [
            (value, basis @ vector * np.sqrt(value)) for value, vector in zip(values, vectors.T, strict=True)
        ]
    found.sort(key=lambda item: -item[0])
    return np.array([field for _, field in found[:count]])


def picture_colours(masks: Masks, balls: eyes.Eyeballs, tone: np.ndarray) -> np.ndarray:
    """Linear colours (N + M, 3) of a face and its eyeballs for the pictures shown to the network; `tone` (3,) skin."""
    skin = tone * (1 - masks.cheeks[:, None] * [0.02, 0.12, 0.10])
    return np.concatenate([_painted(skin, tone, masks), _eyeball_mean(balls)])


def _painted(skin: np.ndarray, tone: np.ndarray, masks: Masks) -> np.ndarray:
    colour = skin
    for mask, target in (
        (masks.lips, tone * [0.85, 0.52, 0.6]),
        (0.85 * masks.brows, np.array([0.12, 0.07, 0.05])),
        (masks.mouth, np.array([0.12, 0.03, 0.03])),
        (0.85 * masks.nostrils, np.zeros(3)),
        (0.6 * masks.lashes, np.zeros(3)),
    ):
        colour = colour + mask[:, None] * (target - colour)
    return colour


def _eyeball_mean(balls: eyes.Eyeballs) -> np.ndarray:
    radius = balls.front_radius[:, None]
    ball = np.where(radius < eyes.IRIS_RADIUS_MM, [0.10, 0.06, 0.03], [0.55, 0.53, 0.51])
    return np.where(radius < eyes.PUPIL_RADIUS_MM, 0.01, ball)


def dense_albedo(
    masks: Masks, balls: eyes.Eyeballs, weights: sp.csr_matrix, fields: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (N + M, 3) and modes (80, N + M, 3) from masks, eyeballs and the cage's random `fields` (58, Nc)."""
    span = skin_span()
    mean = picture_colours(masks, balls, span.mean)
    n, total = len(masks.lips), len(mean)
    follows = (
        (1 - masks.brows * 0.85) * (1 - masks.mouth) * (1 - 0.85 * masks.nostrils) * (1 - 0.6 * masks.lashes)
    )
    tint = 1 + masks.lips[:, None] * (np.array([0.85, 0.52, 0.6]) - 1)
    skin = follows[:, None] * tint
    modes = [skin * mode for mode in span.modes]
    smooth = (weights @ fields.T).T
    plain = (follows * (1 - masks.lips))[:, None]
    melanin = -0.10 * span.mean * MELANIN_DENSITY
    blood = -0.12 * span.mean * HAEMOGLOBIN_DENSITY
    modes += [plain * field[:, None] * melanin for field in smooth[:N_MELANIN_FIELDS]]
    modes += [plain * field[:, None] * blood for field in smooth[N_MELANIN_FIELDS:]]
    modes += _feature_modes(masks, span.mean)
    face = np.zeros((N_MODES, total, 3))
    face[: len(modes), :n] = modes
    face[len(modes) :, n:] = _eyeball_modes(balls)
    return mean, face


def _feature_modes(masks: Masks, tone: np.ndarray) -> list[np.ndarray]:
    """Thirteen modes (N, 3) of lips, brows, stubble, cheeks, nose and the skin under the eyes."""
    brow_gap = np.array([0.12, 0.07, 0.05]) - tone
    pairs: list[tuple[np.ndarray, np.ndarray]] = [
        (masks.lips, np.array([0.06, -0.03, -0.02])),
        (masks.lips, np.array([0.05, 0.05, 0.05])),
        (masks.lips, np.array([-0.01, -0.02, 0.03])),
        (masks.brows, 0.3 * brow_gap),
        (masks.brows, np.array([0.06, 0.045, 0.03])),
        (masks.brows, np.array([0.03, 0.0, -0.01])),
        (masks.beard, -0.18 * tone * [1.0, 0.95, 0.85]),
        (np.clip(masks.beard + masks.moustache, 0, 1), -0.12 * tone),
        (masks.moustache, -0.14 * tone),
        (masks.cheeks, tone * [0.0, -0.12, -0.10]),
        (masks.nose, tone * [0.0, -0.12, -0.10]),
        (masks.under_eyes, -0.12 * tone * [0.8, 1.0, 0.9]),
        (masks.under_eyes, tone * [0.02, -0.06, 0.02]),
    ]
    return [mask[:, None] * colour for mask, colour in pairs]


def _eyeball_modes(balls: eyes.Eyeballs) -> np.ndarray:
    """Six modes (6, M, 3): sclera brightness and tint, iris along brown–blue, lightness, green, and its inner ring."""
    radius = balls.front_radius
    sclera = radius >= eyes.IRIS_RADIUS_MM
    iris = (radius < eyes.IRIS_RADIUS_MM) & (radius >= eyes.PUPIL_RADIUS_MM)
    inner = iris & (radius < 3.5)
    pairs = (
        (sclera, [0.07, 0.07, 0.07]),
        (sclera, [0.01, -0.02, -0.05]),
        (iris, [0.02, 0.05, 0.09]),
        (iris, [0.05, 0.04, 0.03]),
        (iris, [0.0, 0.03, 0.0]),
        (inner, [0.05, 0.03, 0.01]),
    )
    return np.stack([mask[:, None] * np.array(colour) for mask, colour in pairs])
