"""The set rendered with Cycles: 12 heads a split under 7 lights, each photo with its own pose, lens and expression, and
10 hard photos. A split is about 15 minutes of one core.

    python -m semblance.benchmarks.specimens [--sheet FILE.png]

renders what is missing of both splits, half of the heads (all tones) first. A photo in which our face finder sees no
face is taken again from another seed; a line says so.

The truth ends where the scene does: skin has no subsurface scattering; the neck, ears and hand have a plain colour;
hair is of strands some five times too thick; light bounces once between surfaces, so that a truth of light × albedo
leaves out what cheeks, clothes and hair send on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from ...core_models.faces.find import FaceFinder
from ...core_models.morphable.default import load_default_model
from ...core_models.morphable.model import MorphableModel
from ...core_models.photo.load import Photo, PhotoError
from ...train.data.synthetic.panorama import irradiance_sh
from ...train.data.synthetic.photograph import develop, expose
from ..heads import front_of, landmarks_of
from .backdrop import backdrop
from .canvas import Canvas, make_canvas
from .figure import Figure, Part, express, glasses, hand, make_figure, skull, teeth
from .hair import fringe, strands
from .lights import LIGHTS, make_light
from .painting import Painting, paint
from .people import HEADS, Person, person
from .specimen import Specimen, load, save, store

if TYPE_CHECKING:
    from .scene import Shot  # needs bpy

HARD = (
    (0, "hdri", "tiny"), (1, "hard_side", "blurred"), (2, "soft", "overexposed"), (3, "top", "noisy"),
    (4, "soft", "grey"), (5, "overcast", "blocky"), (6, "two_colour", "cast"), (7, "hdri", "hand"),
    (8, "soft", "grimace"), (11, "hard_side", "cropped"),
)  # fmt: skip
"""Head, light, hardship."""
_YAWS = (-52.0, -34.0, -17.0, -4.0, 10.0, 26.0, 46.0)
_ATTEMPTS = 12
NOT_HASHED = ("__init__.py", "__main__.py", "specimen.py")


@dataclass(frozen=True)
class Plan:
    """One photo to take."""

    split: str
    head: int
    light: str
    hardship: str = ""

    @property
    def name(self) -> str:
        end = f"-{self.hardship}" if self.hardship else ""
        return f"cycles-{self.split}-{self.head:02d}-{self.light}{end}"

    def generator(self, attempt: int) -> np.random.Generator:
        """Randomness of this photo."""
        hard = [hardship for _, _, hardship in HARD].index(self.hardship) + 1 if self.hardship else 0
        return np.random.default_rng(
            [person(self.split, self.head).seed, LIGHTS.index(self.light), hard, attempt]
        )


def plans(split: str) -> list[Plan]:
    """All photos of a split, heads 0–5 first."""
    listed = []
    for first in (0, HEADS // 2):
        few = range(first, first + HEADS // 2)
        listed += [Plan(split, head, light) for head in few for light in LIGHTS]
        listed += [Plan(split, head, light, hardship) for head, light, hardship in HARD if head in few]
    return listed


def folder() -> Path:
    """Where the rendered specimens are kept; the key is this folder's code, not the program's (nor heads.py's)."""
    here = Path(__file__).parent
    synthetic = here.parents[1] / "train" / "data" / "synthetic"
    recipe = sorted(file for file in here.glob("*.py") if file.name not in NOT_HASHED)
    return store("cycles", (*recipe, *(synthetic / f"{name}.py" for name in ("panorama", "photograph"))))


def cycles_specimens(
    split: str, render_missing: bool, heads: Collection[int] | None = None
) -> Iterator[Specimen]:
    """See sets.py; of all heads or of some."""
    for plan in plans(split):
        if heads and plan.head not in heads:
            continue
        file = folder() / f"{plan.name}.npz"
        if render_missing and not file.exists():
            save(take(plan), file)
        if file.exists():
            yield load(file)


def take(plan: Plan) -> Specimen:
    """The first attempt in which a face is found."""
    for attempt in range(_ATTEMPTS):
        specimen = photograph(plan, attempt)
        if _is_found(specimen):
            return specimen
        print(f"{plan.name}: no face found at attempt {attempt}", flush=True)
    raise RuntimeError(f"{plan.name}: no face found in {_ATTEMPTS} attempts")


def _is_found(specimen: Specimen) -> bool:
    """Does the face finder see a face where the face is?"""
    with FaceFinder() as finder:
        try:
            found = finder.find(
                Photo(srgb=specimen.photo_srgb, focal_px=None, path=specimen.name, warnings=())
            )
        except PhotoError:
            return False
    height, width = specimen.face_mask.shape
    nose = np.clip(found[0].landmarks[4], 0, (width - 1, height - 1)).astype(int)
    return bool(cv2.dilate(specimen.face_mask, np.ones((15, 15)))[nose[1], nose[0]] > 0)


@cache
def _model() -> MorphableModel:
    return front_of(load_default_model())


@cache
def _canvas() -> Canvas:
    return make_canvas(_model())


@cache
def _made(split: str, head: int) -> tuple[Person, Figure, Painting]:
    someone = person(split, head)
    return someone, make_figure(_model(), someone), paint(someone, _canvas())


@dataclass(frozen=True)
class Camera:
    """Where from and through which lens."""

    K: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    size: tuple[int, int]

    def see(self, points: np.ndarray) -> np.ndarray:
        """Model → camera frame."""
        return points @ self.rotation.T + self.translation


def _camera(plan: Plan, attempt: int, generator: np.random.Generator) -> Camera:
    width, height = int(generator.integers(448, 513)), int(generator.integers(512, 561))
    order = person(plan.split, plan.head).generator(30).permutation(len(_YAWS))
    yaw = _YAWS[order[LIGHTS.index(plan.light)]] + generator.uniform(-8, 8)
    if attempt or plan.hardship:
        yaw *= 0.85 ** (attempt + (plan.hardship != ""))
    rotation = Rotation.from_euler("zxy", (generator.normal(0, 6), generator.normal(4, 7), yaw), degrees=True)
    focal = height * float(np.exp(generator.uniform(np.log(1.1), np.log(4.0))))
    scale = (
        generator.uniform(40, 52) * 1.1**attempt if plan.hardship == "tiny" else generator.uniform(155, 200)
    )
    offset = generator.normal((0.0, -0.05), 0.12)
    if plan.hardship == "tiny":
        offset[1] = 3.2 - height / 2 / scale
    if plan.hardship == "cropped":
        offset = np.array((np.sign(yaw) * 0.95 * 0.9**attempt * width / 2 / scale, offset[1]))
    K = np.array(((focal, 0, width / 2), (0, focal, height / 2), (0, 0, 1.0)))
    return Camera(K, rotation.as_matrix(), np.array((*offset, -focal / scale)), (width, height))


def photograph(plan: Plan, attempt: int = 0) -> Specimen:
    """Take one photo."""
    from .scene import render

    someone, figure, painting = _made(plan.split, plan.head)
    generator = plan.generator(attempt)
    model, camera = _model(), _camera(plan, attempt, generator)
    face = express(model, figure.neutral, generator, 1.8 if plan.hardship == "grimace" else 1.0)
    shot = _shot(plan, camera, face, generator)
    sh = irradiance_sh(shot.panorama)
    linear, cover, mask = render(shot)
    behind = backdrop(*camera.size, 0.282095 * sh[:, 0] * generator.uniform(0.6, 1.3), generator)
    linear = linear + (1 - np.clip(cover, 0, 1))[..., None] * behind
    settings = expose(linear, mask, sh, plan.hardship, generator)
    return Specimen(
        name=plan.name,
        renderer="cycles",
        split=plan.split,
        head=plan.head,
        light=plan.light,
        tone=someone.tone,
        traits=someone.traits,
        hardship=plan.hardship,
        photo_srgb=develop(linear, settings, generator),
        K=camera.K,
        rotation=camera.rotation,
        translation=camera.translation,
        vertices=face.astype(np.float32),
        neutral=figure.neutral.astype(np.float32),
        faces=model.faces.numpy().astype(np.int32),
        uv=model.uv.numpy(),
        face_region=model.face_region.numpy(),
        region_names=model.region_names,
        albedo_linear=painting.albedo.astype(np.float16),
        sh=sh * settings.gains[:, None],
        face_mask=np.round(255 * mask).astype(np.uint8),
    )


def _shot(plan: Plan, camera: Camera, face: np.ndarray, generator: np.random.Generator) -> Shot:
    """What Blender renders: the face (N, 3, model frame) and all about it as the camera sees them."""
    from .scene import Shot

    someone, figure, painting = _made(plan.split, plan.head)
    model = _model()
    parts, locks = _surroundings(plan, figure, face, generator)
    regions = [
        np.asarray(model.face_region) == model.region_names.index(n) for n in ("eyes", "lips", "mouth")
    ]
    return Shot(
        face=camera.see(face),
        faces=model.faces.numpy(),
        uv=model.uv.numpy(),
        wet=regions[0],
        moist=regions[1] | regions[2],
        albedo=painting.albedo,
        relief=painting.relief,
        roughness=someone.generator(31).uniform(0.38, 0.56),
        coat=max(0.0, someone.generator(32).uniform(-0.15, 0.12)),
        parts=tuple(Part(part.material, camera.see(part.points), part.faces) for part in parts),
        strands=camera.see(locks) if len(locks) else locks,
        colours=_colours(someone, painting, generator),
        panorama=make_light(plan.light, generator),
        K=camera.K,
        size=camera.size,
    )


def _surroundings(
    plan: Plan, figure: Figure, face: np.ndarray, generator: np.random.Generator
) -> tuple[list[Part], np.ndarray]:
    """Parts and strands about an expressed face, in the model's frame."""
    model, someone = _model(), person(plan.split, plan.head)
    landmarks = dict(zip(model.landmark_ids.tolist(), landmarks_of(model, face), strict=True))
    parts = [*figure.parts, *teeth(landmarks)]
    if "glasses" in someone.traits:
        parts += glasses(landmarks, someone.generator(33))
    if plan.hardship == "hand":
        parts += hand(landmarks, generator)
    rest, faces = model.mean.double().numpy(), model.faces.numpy()
    middle = rest[faces].mean(1)
    rim = np.asarray(model.face_region) == model.region_names.index("rim")
    hairy = rim & (middle[:, 1] > 0.08) & ((middle[:, 2] < -0.52) | (middle[:, 1] > 0.86))
    scalp = np.concatenate([faces[hairy], figure.parts[0].faces + len(rest)])
    heads_points = np.concatenate([face, figure.parts[0].points])
    locks = strands(someone, heads_points, scalp, np.concatenate([rest, skull().points]))
    if "fringe" in someone.traits:
        locks = np.concatenate([locks, fringe(face, someone, landmarks[10][1] + 0.04, someone.generator(22))])
    return parts, locks


def _colours(someone: Person, painting: Painting, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Materials of the parts; the neck is as the cheeks and brow are."""
    skin = np.median(painting.albedo[300:420, 420:600].reshape(-1, 3), axis=0)
    covered = {"bald": 0.0, "shaved": 0.6}.get(someone.hair_style, 0.9)
    cloth = np.exp(generator.uniform(np.log(0.02), np.log(0.75))) * np.exp(generator.normal(0, 0.4, 3))
    return {
        "plain_skin": 0.92 * skin,
        "scalp": skin + covered * (someone.hair - skin),
        "hair": someone.hair,
        "cloth": np.clip(cloth, 0.01, 0.85),
        "frame": someone.generator(34).choice((0.01, 0.03, 0.12)) * np.array((1.0, 0.8, 0.6)),
        "teeth": np.array((0.62, 0.56, 0.44)) * someone.generator(35).uniform(0.8, 1.1),
    }
