"""What lies on the skin or beside it: hair strokes, make-up, ink, wrinkle lines, the mouth's inside and the eyes."""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import SIDE, Canvas, blob, hairs, mix, noise, polygon, scatter, strokes
from .people import Person

# MediaPipe's points: brows from nose to temple (upper, lower edge), upper and lower lid margins, beard outline.
_BROWS = (
    ((107, 66, 105, 63, 70), (55, 65, 52, 53, 46)),
    ((336, 296, 334, 293, 300), (285, 295, 282, 283, 276)),
)
_UPPER_LIDS = ((133, 173, 157, 158, 159, 160, 161, 246, 33), (362, 398, 384, 385, 386, 387, 388, 466, 263))
_LOWER_LIDS = ((133, 155, 154, 153, 145, 144, 163, 7, 33), (362, 382, 381, 380, 374, 373, 390, 249, 263))
_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_BEARD_TOP = (366, 401, 435, 427, 426, 327, 2, 98, 206, 207, 215, 177, 137)
_INK = np.array((0.025, 0.035, 0.045))

# The eyeballs' discs (morphable/eyeballs.py): centre, radius, and how polar angle runs along the radius.
_DISC, _DISC_RADIUS, _BACK_DEGREES, _FRONT = 0.084 * SIDE, 0.08 * SIDE, 150.0, 6.0
_BALL_MM, _IRIS_MM = 12.0, 5.85


def paint_hair(albedo: np.ndarray, canvas: Canvas, someone: Person) -> np.ndarray:
    """Brows, lashes, scalp, and a beard or stubble where the person has one."""
    generator = someone.generator(2)
    if "stubble" in someone.traits:
        albedo = _laid(albedo, _beard(canvas, generator, 9000, (2.0, 5.0)), someone.hair, 0.75, generator)
    if "beard" in someone.traits:
        albedo = _laid(albedo, _beard(canvas, generator, 16000, (10.0, 24.0)), someone.hair, 0.97, generator)
    if someone.hair_style != "bald":
        albedo = _laid(albedo, _scalp(canvas, someone, generator), someone.hair, 0.9, generator)
    for side in range(2):
        albedo = _laid(albedo, _brow(canvas, side, someone), someone.hair * 0.8, 0.85, generator)
    return _laid(albedo, _lashes(canvas, generator), np.array((0.012, 0.010, 0.009)), 0.9, generator)


def _laid(
    albedo: np.ndarray, cover: np.ndarray, colour: np.ndarray, opacity: float, generator: np.random.Generator
) -> np.ndarray:
    tint = colour * np.exp(0.3 * noise(generator, 3))[..., None]
    return mix(albedo, tint, opacity * cover)


def _beard(
    canvas: Canvas, generator: np.random.Generator, count: int, lengths: tuple[float, float]
) -> np.ndarray:
    outline = np.concatenate([canvas.points(*_JAW), canvas.points(*_BEARD_TOP)])
    middle = outline.mean(0)
    outline[: len(_JAW)] = middle + 1.04 * (outline[: len(_JAW)] - middle)
    lips = cv2.dilate(canvas.regions["lips"] + canvas.regions["mouth"], np.ones((9, 9)))
    rim = cv2.GaussianBlur(canvas.regions["rim"], (0, 0), 12)
    where = polygon(outline, 9) * np.clip(1 - cv2.GaussianBlur(lips, (0, 0), 4), 0, 1) ** 2 * (1 - rim) ** 2
    where = where * np.clip(0.75 + 0.25 * noise(generator, 45), 0.1, 1)
    roots = scatter(where, count, generator)
    sideways = (roots[:, 0] - SIDE / 2) / SIDE
    angles = np.pi / 2 - 0.9 * sideways + generator.normal(0, 0.35, count)
    drawn = hairs(roots, angles, generator.uniform(*lengths, count), generator.normal(0, 0.6, count))
    return strokes(drawn, 1.0, generator.uniform(0.75, 1, count))


def _scalp(canvas: Canvas, someone: Person, generator: np.random.Generator) -> np.ndarray:
    """Hair roots on the rim above the hairline; the strands that grow there are the scene's."""
    rim = cv2.GaussianBlur(canvas.regions["rim"], (0, 0), 6)
    height = np.clip((0.47 * SIDE - np.arange(SIDE)[:, None]) / 30, 0, 1)
    where = np.clip(2 * rim - 0.9, 0, 1) * height
    count = 9000 if someone.hair_style == "shaved" else 26000
    roots = scatter(where, count, generator)
    angles = np.arctan2(roots[:, 1] - SIDE / 2, roots[:, 0] - SIDE / 2) + generator.normal(0, 0.5, count)
    length = 3.0 if someone.hair_style == "shaved" else 14.0
    drawn = hairs(roots, angles, np.full(count, length), generator.normal(0, 0.4, count))
    dense = 0.0 if someone.hair_style == "shaved" else 1.0
    return np.maximum(strokes(drawn, 1.0, generator.uniform(0.75, 1, count)), dense * where)


def _brow(canvas: Canvas, side: int, someone: Person) -> np.ndarray:
    """Strokes along a line of the person's own: raised, arched, thick or thin, long or short."""
    shape = someone.generator(3)
    lift, arch, thick = shape.normal(0, 5), shape.normal(0, 9), shape.uniform(0.45, 1.25)
    start, end = shape.uniform(-0.08, 0.08), shape.uniform(0.85, 1.0)
    count = int(shape.integers(240, 520))
    generator = someone.generator(4 + side)
    upper, lower = (canvas.points(*ids) for ids in _BROWS[side])
    along = start + (end - start) * generator.beta(1.15, 1.0, count)
    across = generator.normal(0, 0.32, count) * thick
    knots = np.linspace(0, 1, 5)
    middle, half = (upper + lower) / 2, np.linalg.norm(upper - lower, axis=1) / 2
    at = np.stack([np.interp(along, knots, middle[:, c]) for c in range(2)], 1)
    slope = np.stack([np.interp(along, knots, np.gradient(middle[:, c])) for c in range(2)], 1)
    width = np.interp(along, knots, half * (1.0, 1.2, 1.05, 0.8, 0.35))
    at += (along - np.clip(along, 0, 1))[:, None] * 4 * (middle[1] - middle[0])
    at[:, 1] += lift * -1 - arch * np.sin(np.pi * np.clip(along, 0, 1)) + across * 2 * width
    outward = np.arctan2(slope[:, 1], slope[:, 0])
    turned = np.where(along < 0.25, 0.9, 0.25) * (1 if outward.mean() < -1.6 or outward.mean() > 1.6 else -1)
    angles = outward + turned + generator.normal(0, 0.22, count)
    drawn = hairs(
        at, angles, generator.uniform(11, 24, count), -0.7 * turned * generator.uniform(0.4, 1, count)
    )
    return strokes(drawn, 1.1, generator.uniform(0.55, 1, count))


def _lashes(canvas: Canvas, generator: np.random.Generator) -> np.ndarray:
    """Roots on the lid margins; upper ones are longer."""
    drawn: list[np.ndarray] = []
    for lids, count, length in ((_UPPER_LIDS, 110, 9.0), (_LOWER_LIDS, 70, 4.5)):
        for ids in lids:
            margin, centre = canvas.points(*ids), canvas.points(*ids).mean(0)
            along = generator.uniform(0.8, len(ids) - 1.2, count)
            knots = np.arange(len(ids))
            at = np.stack([np.interp(along, knots, margin[:, c]) for c in range(2)], 1)
            eye = centre + np.array((0, 16 if lids is _UPPER_LIDS else -16))
            outward = np.arctan2(at[:, 1] - eye[1], at[:, 0] - eye[0])
            angles = outward + generator.normal(0, 0.2, count)
            drawn += hairs(at, angles, generator.uniform(0.6, 1.2, count) * length, np.zeros(count), 3)
    return strokes(drawn, 0.9)


def paint_makeup(albedo: np.ndarray, canvas: Canvas, generator: np.random.Generator) -> np.ndarray:
    """Lipstick, blush, eye shadow and liner."""
    stick = np.array(((0.36, 0.03, 0.05), (0.42, 0.10, 0.13), (0.20, 0.02, 0.05), (0.45, 0.16, 0.12)))
    shadow = np.array(((0.10, 0.07, 0.12), (0.18, 0.10, 0.06), (0.05, 0.08, 0.12), (0.25, 0.12, 0.14)))
    lips = cv2.GaussianBlur(canvas.regions["lips"], (0, 0), 1.5)
    colour = stick[generator.integers(len(stick))]
    albedo = mix(albedo, colour, generator.uniform(0.55, 0.9) * lips * (1 + 0.08 * noise(generator, 4)))
    for cheek in (50, 280):
        blush = 0.28 * blob(canvas.landmarks[cheek], 58, (1.3, 0.7))
        albedo = mix(albedo, albedo * (1.0, 0.55, 0.6), blush)
    colour = shadow[generator.integers(len(shadow))]
    for ids, brow in zip(_UPPER_LIDS, (105, 334), strict=True):
        lid = canvas.points(*ids)
        top = 0.5 * lid + 0.5 * np.stack([lid[:, 0], np.full(len(lid), canvas.landmarks[brow][1] + 18)], 1)
        albedo = mix(albedo, colour, 0.55 * polygon(np.concatenate([lid, top[::-1]]), 7))
        albedo = mix(albedo, _INK * 0.5, 0.85 * cv2.GaussianBlur(strokes([lid], 3.5), (0, 0), 0.8))
    return albedo


def paint_tattoo(albedo: np.ndarray, canvas: Canvas, generator: np.random.Generator) -> np.ndarray:
    """A sprig of leaves beside the eye and three bars on the chin, in blue-black ink under the skin."""
    start = canvas.landmarks[int(generator.choice((226, 446)))] + (0, -10)
    outward = 1 if start[0] > SIDE / 2 else -1
    steps = np.linspace(0, 1, 40)[:, None]
    stem = start + steps * (outward * 60, 120) + np.sin(4 * steps) * (18, 0)
    lines = [stem]
    for i in range(4, 40, 5):
        for side in (-1, 1):
            turn = np.linspace(0, np.pi, 12)[:, None]
            tip = np.array((outward * 10 + side * 24, -14 * side - 6))
            lines.append(stem[i] + np.sin(turn / 2) * tip + np.sin(turn) * (tip[::-1] * (0.25, -0.25)))
    chin = canvas.landmarks[199]
    bars = [chin + np.array(((dx, -16), (dx, 22))) for dx in (-14, 0, 14)]
    ink = cv2.GaussianBlur(np.maximum(strokes(lines, 2.6), strokes(bars, 5)), (0, 0), 0.9)
    return mix(albedo, albedo * 0.25 + _INK * 0.6, 0.9 * ink)


def wrinkle_lines(canvas: Canvas, generator: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Lines (60, 2) and their widths: forehead, between the brows, crow's feet, from nose to mouth."""
    steps = np.linspace(0, 1, 60)[:, None]
    lines: list[tuple[np.ndarray, float]] = []
    middle, top = canvas.landmarks[9], canvas.landmarks[10]
    for share in (0.25, 0.45, 0.62, 0.78):
        width = generator.uniform(150, 230)
        centre = middle + share * (top - middle) + generator.normal(0, 6, 2)
        wave = 7 * np.sin(5 * steps + generator.uniform(0, 6)) + 12 * (2 * steps - 1) ** 2
        lines.append((centre + (2 * steps - 1) * (width, 0) + wave * (0, 1), 2.4))
    for side, corner, wing, mouth in ((-1, 33, 98, 61), (1, 263, 327, 291)):
        for angle in (-0.5, -0.1, 0.3, 0.65):
            direction = 55 * np.array((side * np.cos(angle), np.sin(angle)))
            lines.append(
                (canvas.landmarks[corner] + (side * 14, 0) + steps * direction + 4 * steps**2 * (0, 1), 1.7)
            )
        nose, end = canvas.landmarks[wing] + (side * 14, -22), canvas.landmarks[mouth] + (side * 22, 4)
        bow = 16 * np.sin(np.pi * steps) * (side, 0)
        lines.append((nose + steps * (end - nose) + bow, 3.4))
        lines.append((middle + (side * 13, 8) + steps * (side * 3, -46), 2.0))
    return lines


def paint_mouth(albedo: np.ndarray, canvas: Canvas, generator: np.random.Generator) -> np.ndarray:
    """Wet red inside the lips, dark farther in; pink inside the lids; dark nostrils."""
    lower = np.arange(SIDE)[:, None] > 600
    inside: np.ndarray = canvas.regions["mouth"] * lower
    depth = cv2.GaussianBlur(cv2.erode(inside, np.ones((13, 13))).astype(np.float32), (0, 0), 5)
    rim = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2.0)
    albedo = mix(albedo, np.array((0.30, 0.095, 0.085)), 0.85 * rim)
    albedo = mix(albedo, np.array((0.06, 0.015, 0.013)), np.clip(1.2 * depth, 0, 1))
    pockets = cv2.GaussianBlur((canvas.regions["mouth"] * ~lower).astype(np.float32), (0, 0), 1.5)
    albedo = mix(albedo, np.array((0.42, 0.19, 0.16)), 0.7 * pockets)
    for spot, side in ((98, 1), (327, -1)):
        hole = canvas.landmarks[spot] + (side * 20, 6)
        albedo = mix(albedo, albedo * (0.30, 0.2, 0.2), 0.8 * blob(hole, 9, (1.3, 0.7)))
    return albedo


def paint_eyes(albedo: np.ndarray, canvas: Canvas, someone: Person) -> np.ndarray:
    """Sclera with veins, iris with fibres and a dark limbus, pupil: on both discs."""
    generator = someone.generator(6)
    pupil, iris = generator.uniform(1.5, 2.6), _IRIS_MM * generator.uniform(0.97, 1.03)
    limbus, fibres = generator.uniform(0.3, 0.75), generator.normal(size=180)
    for side in range(2):
        centre = np.array((_DISC if side == 0 else SIDE - _DISC, SIDE - _DISC))
        rows, columns = np.mgrid[0:SIDE, 0:SIDE] + 0.5
        dx, dy = columns - centre[0], rows - centre[1]
        radius, azimuth = np.hypot(dx, dy), np.arctan2(dy, dx)
        share = np.expm1(np.minimum(radius / _DISC_RADIUS, 1) * np.log1p(_FRONT)) / _FRONT
        polar = np.radians(share * _BACK_DEGREES)
        front = np.where(polar < np.pi / 2, _BALL_MM * np.sin(polar), _BALL_MM + polar)
        ball = _sclera(someone, front, centre, generator)
        fibre = np.interp(azimuth % (2 * np.pi), np.linspace(0, 2 * np.pi, 180), fibres)
        ring = np.exp(-(((front - 1.35 * pupil) / 0.9) ** 2))
        colour = someone.iris * np.exp(0.22 * fibre + 0.15 * noise(generator, 7))[..., None]
        colour = mix(colour, colour * (1.5, 1.1, 0.7), 0.5 * ring)
        colour = mix(colour, colour * 0.25, limbus * _step(front, iris - 1.1, iris - 0.1))
        ball = mix(ball, colour, 1 - _step(front, iris - 0.25, iris + 0.35))
        ball = mix(ball, np.array((0.006, 0.006, 0.006)), 1 - _step(front, pupil - 0.15, pupil + 0.15))
        albedo = np.where((radius < 1.06 * _DISC_RADIUS)[..., None], ball, albedo)
    return albedo


def _sclera(
    someone: Person, front: np.ndarray, centre: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """White with red veins that run towards the iris, redder at the back."""
    ball = np.broadcast_to(someone.sclera, (SIDE, SIDE, 3)) * np.exp(0.03 * noise(generator, 20))[..., None]
    ball = mix(ball, ball * (0.95, 0.68, 0.62), 0.7 * _step(front, 8.5, 12.5))
    lines = []
    for _ in range(int(generator.integers(14, 34))):
        angle = generator.uniform(0, 2 * np.pi)
        reach = np.linspace(0.95, generator.uniform(0.55, 0.75), 14) * _DISC_RADIUS
        bend = angle + np.cumsum(generator.normal(0, 0.05, 14))
        lines.append(centre + np.stack([reach * np.cos(bend), reach * np.sin(bend)], 1))
    return mix(ball, np.array((0.42, 0.09, 0.07)), 0.45 * strokes(lines, 0.8))


def _step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
