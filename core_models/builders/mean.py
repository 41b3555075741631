"""The default model's mean face: what the FaceMesh network believes a face to be (builder only; millimetres).

Average of its answers to blurred noise, made metric, symmetric and neutral; then its answers to pictures of that head
in many colours, lights and poses, averaged once. (More rounds drift away from real faces.)
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..geometry.rotation import rotation_x, rotation_y
from ..geometry.subdivision import Subdivision, subdivide
from ..images import smoothstep
from ..landmarks import MESH_COUNT
from ..morphable.albedo import eyeball_colours, face_colours
from ..morphable.eyeballs import build_eyeballs
from ..morphable.masks import CageParts, build_masks
from ..morphable.portrait import Lamp, Studio, portrait
from ..units import MM_PER_DM
from .deform import similarity
from .facemesh import INPUT_SIZE, FaceMeshNetwork
from .neutral import FACE_HEIGHT_MM, metric_frame, neutralise, symmetrised
from .openings import cage_targets, control_points
from .topology import Cage

# The picture leaves FaceMesh's usual margin around the face.
_PICTURE_DM = 2.9
_HEAD_CENTRE = (0.0, -0.35, -0.40)


def noise_average(
    network: FaceMeshNetwork, mirror: np.ndarray, rng: np.random.Generator, n: int
) -> np.ndarray:
    """Mean (468, 3) of the network's answers to `n` pictures of blurred noise, symmetric, arbitrary scale."""
    answers = []
    for _ in range(n):
        noise = cv2.GaussianBlur(rng.normal(size=(INPUT_SIZE, INPUT_SIZE, 3)), (0, 0), 2 ** rng.uniform(0, 6))
        noise = noise / noise.std()
        if rng.random() < 0.5:
            noise = noise.mean(2, keepdims=True) * 1.7 + np.zeros(3)
        picture = rng.uniform(50, 200) + rng.uniform(10, 70) * noise + rng.normal(0, 20, 3)
        answers.append(symmetrised(network(np.clip(picture, 0, 255).astype(np.uint8)), mirror))
    return _aligned_mean(answers, rounds=4)


def _aligned_mean(shapes: list[np.ndarray], rounds: int) -> np.ndarray:
    mean = np.mean(shapes, axis=0)
    for _ in range(rounds):
        mean = np.mean([similarity(shape, mean) for shape in shapes], axis=0)
    return mean


def coloured_heads_average(
    network: FaceMeshNetwork, points: np.ndarray, cage: Cage, rng: np.random.Generator, n: int
) -> np.ndarray:
    """Mean (468, 3) of the network's answers to `n` random pictures of the head with landmarks `points` (mm)."""
    head = _Head(points, cage)
    answers = [similarity(network(head.picture(rng)), points) for _ in range(n)]
    return symmetrised(_aligned_mean(answers, rounds=1), cage.mirror[: len(points)])


class _Head:
    """The current mean as a coloured mesh with eyeballs and hair, ready to be painted."""

    def __init__(self, points: np.ndarray, cage: Cage) -> None:
        targets, centres = cage_targets(points, cage)
        fine: Subdivision = subdivide(cage.faces, cage.n_vertices, 2)
        face = fine.matrix @ control_points(targets, fine.matrix[: cage.n_vertices], cage)
        self.balls = build_eyeballs()
        hair, hair_faces = _hair()
        balls = self.balls.offsets + centres[self.balls.side]
        self.vertices = torch.tensor(np.concatenate([face, balls, hair]) / MM_PER_DM)
        n_face = len(face)
        n_ball = n_face + len(self.balls.offsets)
        faces = np.concatenate([fine.faces, self.balls.faces + n_face, hair_faces + n_ball])
        self.faces = torch.tensor(faces)
        parts = CageParts(cage.eye_rings[:, 0], cage.mouth_rings[1], cage.mouth_rings)
        self.masks = build_masks(face, fine.matrix, cage.mirror, parts)
        self.n_hair = len(hair)

    def picture(self, rng: np.random.Generator) -> np.ndarray:
        tone = np.array([0.62, 0.40, 0.30]) * rng.uniform(0.35, 1.25) * rng.uniform(0.92, 1.08, 3)
        hair = np.tile([0.08, 0.05, 0.03], (self.n_hair, 1))
        colours = np.concatenate([face_colours(self.masks, tone), eyeball_colours(self.balls), hair])
        roll = rng.normal(0, 0.06)
        spin = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        key = Lamp((rng.normal(0, 0.6), rng.normal(0.5, 0.4), 0.8), rng.uniform(0.3, 0.8))
        fill = Lamp((rng.normal(0, 1), rng.normal(0, 0.5), 0.5), rng.uniform(0, 0.4))
        studio = Studio(
            lamps=(key, fill),
            ambient=rng.uniform(0.15, 0.5),
            background=tuple(rng.uniform(0, 0.8, 3)),
            width=_PICTURE_DM,
            distance=rng.uniform(5, 15),
            centre=_HEAD_CENTRE,
        )
        turn = spin @ rotation_x(rng.normal(0, 0.15)) @ rotation_y(rng.normal(0, 0.25))
        image = portrait(self.vertices, self.faces, torch.tensor(colours), turn, studio)
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2))
        noisy = image + rng.normal(0, rng.uniform(0, 8), image.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)


def _hair() -> tuple[np.ndarray, np.ndarray]:
    """An ellipsoid behind the face: vertices (N, 3) mm and faces (F, 3)."""
    rows, columns = 24, 40
    polar, turn = np.meshgrid(np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, columns), indexing="ij")
    shell = [
        80 * np.sin(polar) * np.cos(turn),
        -5 + 108 * np.cos(polar),
        -125 + 95 * np.sin(polar) * np.sin(turn),
    ]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    return np.stack(shell, axis=-1).reshape(-1, 3), faces


def build_mean(network: FaceMeshNetwork, cage: Cage, rng: np.random.Generator) -> np.ndarray:
    """The neutral mean landmarks (468, 3), millimetres, exactly symmetric, nasion at y = z = 0."""
    n = MESH_COUNT
    mirror, faces = cage.mirror[:n], cage.faces[(cage.faces < n).all(1)]
    start = metric_frame(noise_average(network, mirror, rng, 400), FACE_HEIGHT_MM)
    start = neutralise(start, faces, mirror)
    seen = metric_frame(coloured_heads_average(network, start, cage, rng, 60))
    seen = neutralise(seen, faces, mirror)
    shaped = _narrowed_mouth(metric_frame(seen, FACE_HEIGHT_MM), 0.955)
    shaped = metric_frame(neutralise(shaped, faces, mirror), FACE_HEIGHT_MM)
    return _corrected(shaped)


def _narrowed_mouth(points: np.ndarray, factor: float) -> np.ndarray:
    """The network's mouth is wider than a resting one."""
    weight = np.exp(-((points - (points[13] + points[14]) / 2) ** 2).sum(1) / (2 * 18**2))
    return points * np.stack([1 + (factor - 1) * weight, np.ones(len(points)), np.ones(len(points))], axis=1)


def _corrected(points: np.ndarray) -> np.ndarray:
    """Lower brows and forehead, widen the sides: how landmarks found in 50 portraits differ, on average, from ours.

    Only part of the difference is taken: people in portraits smile and narrow their eyes.
    """
    x, y = np.abs(points[:, 0]), points[:, 1]
    brows = smoothstep(y, -2, 20) * (1 - smoothstep(x, 48, 70))
    between = np.exp(-((x / 9) ** 2)) * (1 - smoothstep(y, 22, 40))
    drop = brows * (5.0 + 1.5 * smoothstep(y, 25, 50)) * (1 - 0.5 * between)
    lips = np.exp(-((x / 22) ** 2)) * np.exp(-(((y - points[13, 1]) / 12) ** 2))
    thinner = 0.10 * lips * (y - points[13, 1])
    # The network's resting mouth smiles a little.
    corners = np.exp(-(((x - 27) / 10) ** 2)) * np.exp(-(((y - points[61, 1]) / 8) ** 2))
    wider = 0.055 * smoothstep(x, 42, 66) + 0.02 * smoothstep(x, 30, 55) * smoothstep(-y, 40, 75)
    # Brows that sit lower over the eye would overhang it.
    back = 1.2 * smoothstep(x, 8, 20) * smoothstep(y, 3, 14) * (1 - smoothstep(y, 26, 44))
    height = y - drop - thinner - 1.2 * corners
    return np.stack([points[:, 0] * (1 + wider), height, points[:, 2] - back], axis=1)
