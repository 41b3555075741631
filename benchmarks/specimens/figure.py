"""Heads and what is about them as arrays in the model's frame (dm): skull, ears, neck, clothes, glasses, hand.

The face is the model's mean bent by fields outside its modes (benchmarks/heads.py), the same field for all parts; its
expressions are shape keys whose strength varies over the face, so that they too leave the model's span.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ...core_models.morphable.model import MorphableModel
from ..heads import BRIDGE, bent, landmarks_of, random_expression
from .people import Person


@dataclass(frozen=True)
class Part:
    """A mesh, its material's name, and its triangles (F, 3)."""

    material: str
    points: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Figure:
    """The bent face (N, 3) and the parts that bend with it, the skull first."""

    neutral: np.ndarray
    parts: tuple[Part, ...]


def make_figure(model: MorphableModel, someone: Person) -> Figure:
    """A person's head in rest."""
    generator = someone.generator(10)
    mean = model.mean.double().numpy()
    bridge = landmarks_of(model, mean)[model.landmark_ids.tolist().index(BRIDGE)]
    parts = [skull(), _ear(1.0, someone), _ear(-1.0, someone), *_torso(someone.generator(11))]
    counts = np.cumsum([len(mean)] + [len(part.points) for part in parts])
    points = bent(np.concatenate([mean] + [part.points for part in parts]), bridge, generator)
    moved = np.split(points, counts)
    return Figure(
        moved[0], tuple(Part(p.material, q, p.faces) for p, q in zip(parts, moved[1:-1], strict=True))
    )


def express(
    model: MorphableModel, neutral: np.ndarray, generator: np.random.Generator, strength: float = 1.0
) -> np.ndarray:
    """The face (N, 3) with an expression: keys of varying strength, and a small move that is no key's."""
    weights = strength * random_expression(model.expression_names, generator)
    if strength > 1:
        weights[model.expression_names.index("jawOpen")] = generator.uniform(0.5, 0.8)
    weights[model.expression_names.index("tongueOut")] = 0.0
    offset = np.einsum("k,knc->nc", np.clip(weights, 0, 1), model.expression_basis.double().numpy())
    mean = model.mean.double().numpy()
    waves = np.sin(mean @ generator.normal(0, 2.5, (3, 4)) + generator.uniform(0, 6, 4)).sum(1)
    # Not near the eyes, where uneven lids would let the eyeball through.
    away = np.clip((np.abs(mean[:, 1] - 0.33) - 0.15) / 0.2, 0, 1)
    offset = offset * (1 + 0.12 * waves * away)[:, None]
    pull = np.zeros_like(mean)
    for centre in (
        (0.3, -0.35, 0.0),
        (-0.3, -0.35, 0.0),
        (0.0, -0.7, 0.0),
        (0.35, 0.55, 0.0),
        (-0.35, 0.55, 0.0),
    ):
        near = np.exp(-((mean - centre) ** 2).sum(1) / (2 * 0.16**2))
        pull += near[:, None] * generator.normal(0, 0.012, 3)
    return neutral + offset + pull


def _grid(points: np.ndarray, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points (rows, columns, 3) → vertices and triangles; columns close into a ring where `closed`."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    if not closed:
        index, right = index[:, :-1], right[:, :-1]
    a, b, c, d = index[:-1], index[1:], right[1:], right[:-1]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return points.reshape(-1, 3), faces


def skull() -> Part:
    """The back of the head, from the rim's inside to behind."""
    polar, azimuth = np.meshgrid(np.linspace(0, 0.53 * np.pi, 20), np.arange(48) * np.pi / 24, indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), -np.cos(polar)], -1)
    return Part("scalp", *_grid(unit * (0.735, 1.02, 0.85) + (0.0, 0.40, -0.74), True))


def _ear(side: float, someone: Person) -> Part:
    """A shell with a raised helix and a hollow, standing off the head."""
    generator = someone.generator(12)
    height, flare = generator.uniform(0.26, 0.34), generator.uniform(0.25, 0.6)
    radius, turn = np.meshgrid(np.linspace(0, 1.25, 18), np.arange(40) * np.pi / 20, indexing="ij")
    outline = 1 + 0.12 * np.sin(turn) - 0.06 * np.cos(2 * turn)
    back, up = radius * outline * np.cos(turn) * 0.58, radius * outline * np.sin(turn)
    helix = 0.28 * np.exp(-(((radius - 0.88) / 0.11) ** 2)) * (np.cos(turn + 0.5) > -0.7)
    inner = 0.22 * np.exp(-(((radius - 0.55) / 0.10) ** 2)) * np.clip(np.cos(turn - 0.4), 0, 1)
    hollow = -0.25 * np.exp(-((radius / 0.36) ** 2))
    rise = helix + inner + hollow + 0.35 - 2.2 * np.clip(radius - 1.0, 0, 1)
    shrink = np.where(radius > 1, 2.0 - radius, 1.0)
    outwards = np.array((np.cos(flare), 0.0, np.sin(flare)))
    backwards = np.array((np.sin(flare), 0.12, -np.cos(flare)))
    upwards = np.array((0.05, 1.0, -0.15))
    at = (back * shrink)[..., None] * backwards + (up * shrink)[..., None] * upwards
    points = height * (at + rise[..., None] * outwards) + (0.70, 0.20, -0.95)
    vertices, faces = _grid(points * (side, 1, 1), True)
    return Part("plain_skin", vertices, faces if side > 0 else faces[:, ::-1])


def _torso(generator: np.random.Generator) -> list[Part]:
    """Neck and shoulders lofted from ellipses; clothes begin at a collar."""
    collar = generator.uniform(-1.75, -1.55)
    level = np.concatenate([np.linspace(-0.45, -1.5, 16), np.linspace(-1.54, -4.0, 32), [-6.0, -9.0]])
    knots = (-9.0, -4.0, -2.8, -2.25, -1.95, -1.75, -1.6, -1.45, -1.2, -1.05, -0.9, -0.45)
    wide = np.interp(level, knots, (1.9, 1.9, 1.95, 1.85, 1.45, 0.95, 0.70, 0.60, 0.58, 0.575, 0.50, 0.47))
    deep = np.interp(level, knots, (0.95, 0.95, 0.95, 0.85, 0.75, 0.62, 0.56, 0.51, 0.49, 0.48, 0.45, 0.42))
    back = np.interp(
        level, knots, (-1.0, -1.0, -1.0, -1.0, -1.0, -0.98, -0.97, -0.95, -0.93, -0.92, -0.9, -0.85)
    )
    turn = np.arange(64) * np.pi / 32
    ring = np.stack([np.sin(turn), np.cos(turn)], 1)
    ring = np.sign(ring) * np.abs(ring) ** 0.85

    def loft(rows: np.ndarray, thicker: float) -> tuple[np.ndarray, np.ndarray]:
        x = (wide[rows] + thicker)[:, None] * ring[None, :, 0]
        z = back[rows, None] + (deep[rows] + thicker)[:, None] * ring[None, :, 1]
        # A collar dips in front.
        y = level[rows, None] - (0.18 * thicker / 0.06) * np.clip(ring[None, :, 1], 0, 1) * (
            level[rows, None] > -2.1
        )
        return _grid(np.stack([x, y + 0 * x, z], -1), True)

    skin, cloth = np.flatnonzero(level > -2.4), np.flatnonzero(level < collar)
    return [Part("plain_skin", *loft(skin, 0.0)), Part("cloth", *loft(cloth, 0.06))]


def tube(path: np.ndarray, radius: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """A round tube with closed ends along a path (n, 3), radius per point."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, (0.31, 0.83, 0.46))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangent, side)
    turn = np.arange(12) * np.pi / 6
    radii = np.broadcast_to(radius, len(path))[:, None, None]
    rings = path[:, None] + radii * (
        side[:, None] * np.cos(turn)[:, None] + other[:, None] * np.sin(turn)[:, None]
    )
    ends = np.repeat(path[[0, -1], None], 12, axis=1)
    return _grid(np.concatenate([ends[:1], rings, ends[1:]]), True)


def glasses(landmarks: dict[int, np.ndarray], generator: np.random.Generator) -> list[Part]:
    """Frame, temples and lenses for a face's landmarks."""
    eyes = [(landmarks[33] + landmarks[133]) / 2, (landmarks[263] + landmarks[362]) / 2]
    front = max(landmarks[i][2] for i in (168, 105, 334, 9, 6)) + 0.05
    half = np.array((generator.uniform(0.25, 0.29), generator.uniform(0.17, 0.23)))
    power, thick = generator.uniform(2.0, 5.0), generator.uniform(0.012, 0.03)
    turn = np.arange(65) * np.pi / 32
    loop = np.stack([np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(turn), np.sin(turn))], 1) * half
    parts: list[Part] = []
    for side, eye in zip((-1.0, 1.0), eyes, strict=True):
        centre = np.array((side * max(abs(eye[0]), half[0] + 0.07), eye[1] - 0.02, front))
        rim = np.stack([centre[0] + loop[:, 0], centre[1] + loop[:, 1], 0 * loop[:, 0] + front], 1)
        rim[:, 2] -= 0.25 * np.clip(np.abs(rim[:, 0]) - 0.1, 0, 1) ** 2
        parts.append(Part("frame", *tube(rim, thick)))
        fan = np.stack([np.broadcast_to(rim.mean(0), rim.shape), rim])
        parts.append(Part("lens", *_grid(fan, False)))
        hinge = centre + np.array((side * half[0], 0.6 * half[1], -0.06))
        ear = np.array((side * 0.80, eye[1] + 0.07, -0.95))
        bow = np.array((side * 0.79, eye[1] + 0.09, -0.45))
        parts.append(
            Part("frame", *tube(np.array((hinge, bow, ear, ear + np.array((0, -0.2, -0.15)))), 0.018))
        )
        nose = centre - (side * (half[0] + 0.0), -0.3 * half[1], 0)
        parts.append(Part("frame", *tube(np.linspace(nose, (0.0, nose[1] + 0.03, front + 0.02), 6), thick)))
    return parts


def hand(landmarks: dict[int, np.ndarray], generator: np.random.Generator) -> list[Part]:
    """A hand laid on a cheek and the mouth's corner: palm, four fingers, a thumb."""
    side = 1.0 if generator.random() < 0.5 else -1.0
    cheek = landmarks[280 if side > 0 else 50]
    lean = Rotation.from_euler("z", side * generator.uniform(15, 40), degrees=True)
    parts = []
    for i in range(4):
        length = (0.62, 0.72, 0.68, 0.52)[i]
        steps = np.linspace(0, 1, 9)[:, None]
        path = (
            np.array(((i - 1.5) * 0.19, -0.25, 0.13))
            + steps * (0.02 * (i - 1.5), length, 0)
            - steps**2 * (0, 0, 0.12)
        )
        radius = (
            0.095 * np.sqrt(np.clip(1 - (np.linspace(0.0, 1.0, 9)) ** 6, 0.02, 1)) * (1 - 0.2 * steps[:, 0])
        )
        parts.append((path, radius))
    palm = np.linspace((0.0, -0.25, 0.1), (0.0, -1.5, -0.05), 12)
    parts.append(
        (palm, np.interp(np.linspace(0, 1, 12), (0, 0.1, 0.5, 0.7, 1), (0.2, 0.36, 0.36, 0.27, 0.25)))
    )
    thumb = np.linspace((-side * 0.3, -0.75, 0.15), (-side * 0.58, -0.15, 0.15), 8)
    parts.append((thumb, 0.11 * np.sqrt(np.clip(1 - np.linspace(0.0, 1.0, 8) ** 6, 0.02, 1))))
    made = []
    for path, radius in parts:
        points, faces = tube(path, radius)
        flat = points * (1, 1, 0.7) + (0, 0, 0.04)
        made.append(Part("plain_skin", lean.apply(flat) + cheek + (0.0, -0.15, 0.05), faces))
    return made


def teeth(landmarks: dict[int, np.ndarray]) -> list[Part]:
    """Upper teeth: a scalloped band behind the upper lip, hidden while the lips are closed."""
    lip = landmarks[13]
    turn = np.linspace(-1.15, 1.15, 97)
    cell = np.abs(np.sin(np.pi * turn * 4.8))
    rows = []
    for y, out in ((0.07, -0.03), (0.0, 0.0), (-0.05, 0.0), (-0.075, -0.012)):
        x, z = (0.27 + out) * np.sin(turn), (0.23 + out) * (np.cos(turn) - 1) - 0.012 * (1 - cell) ** 3
        rows.append(np.stack([x, y * np.where(y < -0.06, 0.9 + 0.1 * cell, 1) + 0 * x, z], 1))
    points, faces = _grid(np.stack(rows) + lip + (0.0, 0.0, -0.085), False)
    return [Part("teeth", points, faces)]
