"""The large set: photos by the program's own rasteriser (render.py) of heads that are not the program's."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from ...core_models.morphable.default import load_default_model
from ...core_models.morphable.model import MorphableModel
from ...core_models.render.shade import sample_texture
from ...core_models.render.trace import CameraMesh
from ...train.data.synthetic.lights import lamps_of
from ...train.data.synthetic.photograph import develop, expose
from ...train.data.synthetic.render import Thing, light_sh, render_scene
from ..heads import front_of
from ..specimens.canvas import make_canvas
from ..specimens.figure import express, make_figure
from ..specimens.lights import HEIGHT, LIGHTS, make_light
from ..specimens.painting import Painting, paint
from ..specimens.people import Person
from ..specimens.specimen import Specimen, load, save, store
from .people import SIDE, Camera, Part, pose, someone, surroundings

HEADS = 24
LAMPS = 44
_COLOURS = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]])
"""Rows: light against dark, warm against cold, green against purple."""
OWN = ("skin", "lips", "brows", "eyes")
_HERE = Path(__file__).parent
_SPECIMENS = _HERE.parent / "specimens"
_RENDER = _HERE.parents[1] / "core_models" / "render"
_SYNTHETIC = _HERE.parents[1] / "train" / "data" / "synthetic"
_SHARED = ("lights", "canvas", "features", "figure", "painting", "people", "skin_optics")
RECIPE = (
    *sorted(_HERE.glob("*.py")),
    *(_SYNTHETIC / f"{name}.py" for name in ("lights", "panorama", "photograph", "render")),
    *(_RENDER / f"{name}.py" for name in ("lamps", "shadow_map", "trace")),
    _HERE.parent / "heads.py",
    *(_SPECIMENS / f"{name}.py" for name in _SHARED),
)


def own_specimens(
    split: str, render_missing: bool, heads: Collection[int] | None = None
) -> Iterator[Specimen]:
    """See sets.py; of all heads or of some."""
    folder = store("own", RECIPE)
    model = front_of(load_default_model())
    for head in range(HEADS):
        if heads and head not in heads:
            continue
        painted: tuple[Person, Painting] | None = None
        for number, light in enumerate(LIGHTS):
            file = folder / f"{split}-{head:02d}-{light}.npz"
            if not file.exists():
                if not render_missing:
                    continue
                if painted is None:
                    person = someone(split, head)
                    painted = person, paint(person, make_canvas(model))
                save(photograph_head(model, *painted, light, number), file)
            yield load(file)


def photograph_head(
    model: MorphableModel, person: Person, painting: Painting, light: str, number: int
) -> Specimen:
    """One photo of a person in one kind of light."""
    generator = person.generator(100 + number)
    figure = make_figure(model, person)
    neutral = with_relief(figure.neutral, model.faces.numpy(), model.uv.numpy(), painting.relief)
    vertices, camera = express(model, neutral, generator), pose(generator)
    panorama = make_light(light, generator)
    lamps = lamps_of(light, panorama, LAMPS)
    skin = np.median(painting.albedo[300:700, 300:700].reshape(-1, 3), axis=0)
    head = (vertices @ camera.rotation.T + camera.translation).astype(np.float32)
    shape = CameraMesh(
        head,
        model.faces.numpy(),
        model.uv.numpy(),
        model.face_region.numpy(),
        tuple(model.region_names),
        camera.K,
    )
    parts = surroundings(model, person, figure, vertices, skin)
    things = [placed(part, camera) for part in parts]
    roughness = np.float32(generator.uniform(0.28, 0.45))
    render = render_scene([Thing(shape, painting.albedo, roughness), *things], lamps, SIDE, OWN)
    scene = render.linear + (1 - render.coverage[..., None]) * backdrop(panorama, camera.K, generator)
    sh = light_sh(lamps)
    settings = expose(scene, render.own, sh, "", generator)
    return Specimen(
        name=f"own-{person.split}-{person.head:02d}-{light}", renderer="own", split=person.split, head=person.head,
        light=light, tone=person.tone, traits=person.traits, hardship="",
        photo_srgb=develop(scene, settings, generator), K=camera.K, rotation=camera.rotation,
        translation=camera.translation, vertices=vertices.astype(np.float32), neutral=neutral.astype(np.float32),
        faces=model.faces.numpy().astype(np.int32), uv=model.uv.numpy(), face_region=model.face_region.numpy(),
        region_names=tuple(model.region_names), albedo_linear=painting.albedo.astype(np.float16),
        sh=sh * settings.gains[:, None], face_mask=np.round(255 * np.clip(render.own, 0, 1)).astype(np.uint8),
    )  # fmt: skip


def with_relief(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, relief: np.ndarray) -> np.ndarray:
    """Vertices (N, 3) moved along their normals by a height map (S, S) in decimetres; uv (N, 2)."""
    shape = CameraMesh(vertices.astype(np.float32), faces, uv, faces[:, 0] * 0, ("all",), np.eye(3))
    smooth = cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 4.0)  # finer the mesh cannot show
    height = sample_texture(torch.as_tensor(smooth[..., None]), torch.as_tensor(uv)).numpy()
    return vertices + shape.normals * height


def placed(part: Part, camera: Camera) -> Thing:
    """A part as the camera has it."""
    points, faces, albedo, roughness = part
    seen = (points @ camera.rotation.T + camera.translation).astype(np.float32)
    empty = np.zeros((len(points), 2), np.float32)
    shape = CameraMesh(seen, faces, empty, np.zeros(len(faces), np.uint8), ("thing",), camera.K)
    return Thing(shape, np.broadcast_to(albedo, points.shape).astype(np.float32), roughness)


def backdrop(panorama: np.ndarray, K: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE, 3): a blurred wall of one colour, lit by the light behind the camera, with what stands before it."""
    light = panorama[HEIGHT // 4 : -HEIGHT // 4].mean((0, 1))
    wall = generator.uniform(0.1, 0.8) * np.exp(generator.normal(0, 0.12, 3))
    things = cv2.resize(
        generator.normal(size=(5, 5, 3)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
    )
    return (light * wall * np.exp(things * (0.3, 0.06, 0.06) @ _COLOURS)).astype(np.float32)
