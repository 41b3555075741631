"""Heads of the large set: people and poses drawn at random, and what is around and before their faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ...core_models.morphable.model import MorphableModel
from ...core_models.render.trace import CameraMesh
from ..specimens.figure import Figure, glasses
from ..specimens.people import Person
from ..specimens.skin_optics import TYPOLOGY_RANGES

SIDE = 640
"""Pixels of the square photos."""
_HAIR = (
    (0.012, 0.010, 0.009),
    (0.03, 0.019, 0.013),
    (0.075, 0.042, 0.024),
    (0.36, 0.24, 0.12),
    (0.36, 0.35, 0.34),
)
_IRIS = ((0.02, 0.011, 0.007), (0.06, 0.028, 0.012), (0.11, 0.07, 0.025), (0.1, 0.16, 0.25))
_MARKS = ("freckles", "moles", "acne", "scars", "wrinkles", "makeup", "tattoo", "stubble", "beard")


def someone(split: str, head: int) -> Person:
    """Person number `head` of the large set; tones take turns."""
    seed = 50000 + 10000 * ("tune", "test").index(split) + head
    generator = np.random.default_rng(seed)
    tone = 1 + head % 6
    low, high = TYPOLOGY_RANGES[tone]
    marks = generator.choice(_MARKS, int(generator.integers(1, 4)), replace=False)
    worn = [name for name, share in (("glasses", 0.25), ("fringe", 0.25)) if generator.random() < share]
    light = tone <= 3
    return Person(
        split=split,
        head=head,
        seed=seed,
        tone=tone,
        typology_angle=generator.uniform(low + 0.1 * (high - low), min(high - 0.1 * (high - low), 64.0)),
        blood=float(np.exp(generator.normal(np.log(0.008), 0.3))),
        hair_style="fringe" if "fringe" in worn else str(generator.choice(("short", "long", "bald"))),
        hair=np.array(_HAIR[int(generator.integers(5 if light else 2))]) * np.exp(generator.normal(0, 0.15)),
        iris=np.array(_IRIS[int(generator.integers(4 if light else 2))]),
        sclera=generator.uniform(0.47, 0.7) * np.array((1.0, 0.94, 0.87)) ** generator.uniform(0.4, 1.5),
        traits=(*(str(mark) for mark in marks), *worn),
    )


@dataclass(frozen=True)
class Camera:
    """Where the head stands: rotation (3, 3), translation (3,) dm, K (3, 3)."""

    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray


def pose(generator: np.random.Generator) -> Camera:
    """Yaw mostly within ±35°, up to 60° in every seventh photo."""
    far = generator.random() < 1 / 7
    yaw = generator.uniform(35, 60) * generator.choice((-1, 1)) if far else generator.uniform(-35, 35)
    angles = (generator.normal(0, 5), generator.normal(0, 8), yaw)
    focal = SIDE * float(np.exp(generator.uniform(np.log(1.1), np.log(4.5))))
    per_decimetre = SIDE * generator.uniform(0.2, 0.32)
    translation = np.array([*generator.normal(0.0, 0.12, 2), -focal / per_decimetre])
    K = np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]])
    return Camera(Rotation.from_euler("zxy", angles, degrees=True).as_matrix(), translation, K)


Part = tuple[np.ndarray, np.ndarray, np.ndarray, float]
"""Points (M, 3) dm in model space, triangles (T, 3), linear albedo (3,), GGX roughness."""


def surroundings(
    model: MorphableModel, person: Person, figure: Figure, face: np.ndarray, skin: np.ndarray
) -> list[Part]:
    """Skull, ears, neck, clothes, hair and glasses around a face (N, 3) of bare skin colour (3,)."""
    generator = person.generator(30)
    bald = person.hair_style == "bald"
    cloth = generator.uniform(0.02, 0.5) * np.exp(generator.normal(0, 0.25, 3))
    frame = np.full(3, 0.02) if generator.random() < 0.6 else generator.uniform(0.03, 0.4, 3)
    look = {
        "plain_skin": (0.9 * skin, 0.4),
        "scalp": (skin if bald else person.hair, 0.4),
        "cloth": (cloth, 0.8),
        "frame": (frame, 0.15),
    }
    worn = list(figure.parts)
    if "glasses" in person.traits:
        worn += glasses(_landmarks(model, face), generator)
    parts = [(part.points, part.faces, *look[part.material]) for part in worn if part.material in look]
    level = face[:, 1] - _landmarks(model, face)[168][1]
    if not bald:
        parts.append((*_shell(model, face, ("rim",), level > -0.2, 0.07, generator), person.hair, 0.35))
    if "fringe" in person.traits:
        lock = 0.40 + 0.08 * np.sin(9 * face[:, 0] + generator.uniform(0, 6)) + 0.05 * np.sin(47 * face[:, 0])
        covered = level > lock - generator.uniform(0.0, 0.12)
        parts.append((*_shell(model, face, ("rim", "skin"), covered, 0.06, generator), person.hair, 0.35))
    return parts


def _landmarks(model: MorphableModel, vertices: np.ndarray) -> dict[int, np.ndarray]:
    """MediaPipe's points on vertices (N, 3)."""
    corners, weights = model.landmark_vertices.numpy(), model.landmark_weights.numpy()
    points = (vertices[corners] * weights[..., None]).sum(1)
    return dict(zip(model.landmark_ids.tolist(), points, strict=True))


def _shell(
    model: MorphableModel,
    face: np.ndarray,
    regions: tuple[str, ...],
    where: np.ndarray,
    distance: float,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a face's regions that lies `where` (N,), lifted off it, with the ripple of strands."""
    faces = model.faces.numpy()
    K = np.eye(3)
    shape = CameraMesh(
        face.astype(np.float32), faces, model.uv.numpy(), model.face_region.numpy(), model.region_names, K
    )
    chosen = faces[shape.in_regions(regions) & where[faces].all(1)]
    strands = np.sin(90 * face[:, 0] + 6 * np.sin(3 * face[:, 1] + generator.uniform(0, 6)))
    return face + shape.normals * (distance + 0.006 * strands)[:, None], chosen
