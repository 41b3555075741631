"""A person's albedo and relief, painted at 1024² in the model's UV layout: pigment maps first, then paint and hair.

Nothing here comes from the program's own skin colours or masks. Bare skin is a pair of maps, melanin and blood, turned
into colour by `skin_optics`; what lies on it is laid over in layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import SIDE, Canvas, blob, noise, scatter, spots
from .features import paint_eyes, paint_hair, paint_makeup, paint_mouth, paint_tattoo, wrinkle_lines
from .people import Person
from .skin_optics import melanin_for, skin_rgb

ALBEDO_RANGE = (0.004, 0.93)
_UNDER_EYES = (145, 374)


@dataclass(frozen=True)
class Painting:
    """albedo (SIDE, SIDE, 3) float32, linear; relief (SIDE, SIDE) float32, height in decimetres."""

    albedo: np.ndarray
    relief: np.ndarray


@dataclass
class _Skin:
    """Logarithms of the melanin and blood fractions and the height (dm), each (SIDE, SIDE), while being painted."""

    melanin: np.ndarray
    blood: np.ndarray
    relief: np.ndarray


def paint(someone: Person, canvas: Canvas) -> Painting:
    """The person's skin, eyes, brows and all that is on them."""
    skin = _bare(someone, canvas)
    generator = someone.generator(1)
    for trait, change in _MARKS.items():
        if trait in someone.traits:
            change(skin, canvas, generator)
    melanin, blood = np.exp(skin.melanin), np.exp(skin.blood)
    albedo = skin_rgb(melanin, blood).astype(np.float32)
    albedo = albedo * np.exp(0.035 * noise(generator, 2.3) + 0.02 * noise(generator, 5))[..., None]
    albedo = paint_mouth(albedo, canvas, generator)
    if "makeup" in someone.traits:
        albedo = paint_makeup(albedo, canvas, generator)
    if "tattoo" in someone.traits:
        albedo = paint_tattoo(albedo, canvas, generator)
    albedo = paint_hair(albedo, canvas, someone)
    albedo = paint_eyes(albedo, canvas, someone)
    return Painting(np.clip(albedo, *ALBEDO_RANGE).astype(np.float32), skin.relief)


def _bare(someone: Person, canvas: Canvas) -> _Skin:
    """Base tone with its low-frequency variation, lips and pores."""
    generator = someone.generator(0)
    blood = np.log(someone.blood) + 0.16 * noise(generator, 170) + 0.10 * noise(generator, 45)
    blood += 0.10 * noise(generator, 14) + 0.06 * noise(generator, 6)
    melanin = np.log(melanin_for(someone.typology_angle, someone.blood)) + 0.07 * noise(generator, 190)
    melanin += 0.05 * noise(generator, 50) + 0.05 * noise(generator, 14) + 0.03 * noise(generator, 5)
    ruddy = generator.uniform(0.25, 0.8)
    for spot, radius, height in ((50, 75, 0.6), (280, 75, 0.6), (1, 45, 0.7), (199, 60, 0.3), (9, 90, -0.15)):
        blood += ruddy * height * blob(canvas.landmarks[spot], radius)
    for spot in _UNDER_EYES:
        below = canvas.landmarks[spot] + (0, 26)
        dark = generator.uniform(0.1, 0.35)
        melanin += dark * blob(below, 30, (1.3, 0.55))
        blood += dark * blob(below, 30, (1.3, 0.55))
    for spot in (159, 386):
        blood += 0.3 * blob(canvas.landmarks[spot] - (0, 8), 34, (1.3, 0.7))
    _lips(melanin, blood, canvas, someone, generator)
    pores = 0.00012 * noise(generator, 3.2) + 0.00016 * noise(generator, 6) + 0.0004 * noise(generator, 13)
    flat = cv2.GaussianBlur(canvas.regions["rim"], (0, 0), 8)
    return _Skin(melanin, blood, (pores * np.clip(1 - 2 * flat, 0, 1)).astype(np.float32))


def _lips(
    melanin: np.ndarray, blood: np.ndarray, canvas: Canvas, someone: Person, generator: np.random.Generator
) -> None:
    """Thin, bloody skin with upright lines; dark skins keep pigment in them, most in the upper lip."""
    lips = cv2.GaussianBlur(canvas.regions["lips"] + 0.0, (0, 0), 3.5)
    inner = canvas.regions["mouth"] * (np.arange(SIDE)[:, None] > 600)
    lips = np.maximum(lips, cv2.GaussianBlur(inner.astype(np.float32), (0, 0), 3.5))
    upper = np.arange(SIDE)[:, None] < canvas.landmarks[13][1]
    lines = cv2.GaussianBlur(noise(generator, 4), (0, 0), sigmaX=0.5, sigmaY=9)
    fuller = generator.uniform(1.3, 2.2)
    target = np.log(someone.blood) + fuller + 0.5 * lines
    blood += lips * (target - blood)
    thinner = generator.uniform(0.15, 0.5) if someone.tone >= 5 else 0.3
    melanin -= lips * (thinner - 0.35 * upper * (someone.tone >= 5) + 0.2 * lines)


def _freckles(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    where = np.sum(
        [blob(canvas.landmarks[i], r) for i, r in ((50, 90), (280, 90), (4, 70), (9, 120))], axis=0
    )
    count = int(generator.integers(450, 900))
    radii = np.exp(generator.normal(np.log(2.0), 0.35, count))
    marks = spots(scatter(where, count, generator), radii, generator.uniform(0.3, 1.6, count))
    skin.melanin = np.log(np.exp(skin.melanin) + 0.06 * np.tanh(marks))


def _moles(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    count = int(generator.integers(5, 12))
    centres = scatter(canvas.regions["skin"], count, generator)
    radii = np.exp(generator.normal(np.log(3.6), 0.4, count))
    marks = spots(centres, radii, np.full(count, 2.0))
    skin.melanin = np.log(np.exp(skin.melanin) * (1 + np.tanh(marks)) + 0.35 * np.tanh(marks))
    skin.relief += 0.0015 * spots(centres, radii, (radii > 4).astype(float))


def _acne(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    where = np.sum(
        [blob(canvas.landmarks[i], r) for i, r in ((50, 80), (280, 80), (199, 60), (9, 110))], axis=0
    )
    count = int(generator.integers(25, 50))
    centres = scatter(where, count, generator)
    radii = np.exp(generator.normal(np.log(4.5), 0.3, count))
    skin.blood += 1.3 * np.tanh(spots(centres, radii, np.full(count, 1.2)))
    skin.relief += 0.0015 * spots(centres, radii, generator.uniform(0.3, 1, count))


def _scars(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    for _ in range(2):
        start = scatter(blob(canvas.landmarks[int(generator.choice((50, 280, 9)))], 90), 1, generator)[0]
        direction = generator.normal(size=2)
        direction *= generator.uniform(60, 130) / np.linalg.norm(direction)
        steps = np.linspace(0, 1, 60)[:, None]
        path = (
            start + steps * direction + 9 * np.sin(3 * steps + generator.uniform(0, 6)) * direction[::-1] / 90
        )
        mark = np.minimum(spots(path, np.full(60, 2.6), np.full(60, 0.6)), 1)
        skin.melanin -= 0.8 * mark
        skin.blood += 0.5 * mark
        skin.relief += 0.0015 * mark


def _wrinkles(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    for line, radius in wrinkle_lines(canvas, generator):
        height = np.sin(np.linspace(0, np.pi, len(line)))
        mark = np.tanh(spots(line, np.full(len(line), radius), 0.5 * height))
        skin.melanin += 0.18 * mark
        skin.blood += 0.3 * mark
        skin.relief -= 0.0045 * mark
    age_spots = scatter(canvas.regions["skin"], 60, generator)
    skin.melanin += spots(age_spots, np.exp(generator.normal(1.4, 0.5, 60)), generator.uniform(0.1, 0.6, 60))


def _vitiligo(skin: _Skin, canvas: Canvas, generator: np.random.Generator) -> None:
    around = sum(blob(canvas.landmarks[i], r) for i, r in ((386, 70), (0, 60), (50, 60)))
    patch = 1 / (1 + np.exp(-8 * (around + 0.28 * noise(generator, 28) + 0.1 * noise(generator, 9) - 0.62)))
    skin.melanin += patch * (np.log(0.006) - skin.melanin)


_MARKS = {
    "freckles": _freckles,
    "moles": _moles,
    "acne": _acne,
    "scars": _scars,
    "wrinkles": _wrinkles,
    "vitiligo": _vitiligo,
}
