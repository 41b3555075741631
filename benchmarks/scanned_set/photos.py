"""The scanned set's photos: as the large set's (own_set/photos.py), of heads drawn from scans (heads.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from ...core_models.morphable.default import load_default_model
from ...core_models.morphable.model import MorphableModel
from ...core_models.render.trace import CameraMesh
from ...train.data.synthetic.lights import lamps_of
from ...train.data.synthetic.photograph import develop, expose
from ...train.data.synthetic.render import Thing, light_sh, render_scene
from ..heads import front_of
from ..own_set.people import SIDE, Part, pose, someone
from ..own_set.photos import LAMPS, OWN, RECIPE, backdrop, placed, with_relief
from ..specimens.canvas import make_canvas
from ..specimens.figure import glasses, make_figure
from ..specimens.lights import LIGHTS, make_light
from ..specimens.painting import Painting, paint
from ..specimens.people import Person
from ..specimens.specimen import Specimen, load, save, store
from .heads import REGIONS, Layout, Scans, identity_weights, lay_out, load_scans, random_expression

HEADS = 10
_RECIPE = (*sorted(Path(__file__).parent.glob("*.py")), *RECIPE)
_HAIRLINE = ((-1.4, -1.15, -0.85, -0.5, -0.2), (-0.75, -0.25, 0.1, 0.35, 0.47))
"""Height over the nasion at which hair begins, by depth behind it; decimetres."""
_EAR, _EAR_RADIUS = np.array((0.78, -0.15, -1.0)), 0.33
"""From the nasion."""
_COLLAR = np.array((0.0, 0.25, 0.0))
"""From where the older sets' clothes end to above the edge of the scans' shoulders."""
_INSIDE = {
    "teeth": ((0.62, 0.55, 0.42), 0.2),
    "gums_tongue": ((0.33, 0.12, 0.1), 0.35),
    "mouth_socket": ((0.18, 0.06, 0.05), 0.5),
    "eyelashes_left": ((0.015, 0.012, 0.01), 0.5),
    "eyelashes_right": ((0.015, 0.012, 0.01), 0.5),
}


def scanned_specimens(
    split: str, render_missing: bool, heads: Collection[int] | None = None
) -> Iterator[Specimen]:
    """See sets.py; of all heads or of some."""
    folder = store("scanned", _RECIPE)
    model = front_of(load_default_model())
    canvas = make_canvas(model)
    scans = load_scans()
    layout = lay_out(scans, model, canvas)
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
                    painted = person, paint(person, canvas)
                save(photograph_scan(scans, layout, model, *painted, light, number), file)
            yield load(file)


def photograph_scan(
    scans: Scans,
    layout: Layout,
    model: MorphableModel,
    person: Person,
    painting: Painting,
    light: str,
    number: int,
) -> Specimen:
    """One photo of a person in one kind of light; `model` gives clothes their cut."""
    generator = person.generator(200 + number)
    rest = scans.person(identity_weights(person.generator(20)))
    strength = random_expression(scans.expression_names, generator)
    moved = rest + np.einsum("k,kvc->vc", strength, scans.expression)
    neutral, vertices = (
        with_relief(layout.points(scans, points), layout.faces, layout.uv, painting.relief)
        for points in (rest, moved)
    )
    camera = pose(generator)
    panorama = make_light(light, generator)
    lamps = lamps_of(light, panorama, LAMPS)
    skin = np.median(painting.albedo[300:700, 300:700].reshape(-1, 3), axis=0)
    head = (vertices @ camera.rotation.T + camera.translation).astype(np.float32)
    shape = CameraMesh(head, layout.faces, layout.uv, layout.region.astype(np.uint8), REGIONS, camera.K)
    things = [placed(part, camera) for part in _around(scans, model, person, moved, skin)]
    roughness = np.float32(generator.uniform(0.28, 0.45))
    render = render_scene([Thing(shape, painting.albedo, roughness), *things], lamps, SIDE, OWN)
    scene = render.linear + (1 - render.coverage[..., None]) * backdrop(panorama, camera.K, generator)
    sh = light_sh(lamps)
    settings = expose(scene, render.own, sh, "", generator)
    return Specimen(
        name=f"scanned-{person.split}-{person.head:02d}-{light}", renderer="scanned", split=person.split,
        head=person.head, light=light, tone=person.tone, traits=person.traits, hardship="",
        photo_srgb=develop(scene, settings, generator), K=camera.K, rotation=camera.rotation,
        translation=camera.translation, vertices=vertices.astype(np.float32), neutral=neutral.astype(np.float32),
        faces=layout.faces.astype(np.int32), uv=layout.uv, face_region=layout.region.astype(np.uint8),
        region_names=REGIONS, albedo_linear=painting.albedo.astype(np.float16), sh=sh * settings.gains[:, None],
        face_mask=np.round(255 * np.clip(render.own, 0, 1)).astype(np.uint8),
    )  # fmt: skip


def _around(
    scans: Scans, model: MorphableModel, person: Person, points: np.ndarray, skin: np.ndarray
) -> list[Part]:
    """Skull, ears, neck, mouth, lashes, hair, clothes and glasses of a head (V, 3)."""
    generator = person.generator(30)
    marks = scans.landmarks(points)
    marks[9] = (marks[107] + marks[336]) / 2
    marks[6] = (2 * marks[168] + marks[197]) / 3
    parts = [
        (points[scans.parts[name].vertices], scans.parts[name].faces, np.array(colour), roughness)
        for name, (colour, roughness) in _INSIDE.items()
    ]
    shell = scans.parts["head_neck"]
    behind = points[shell.vertices]
    hair = 0.07 if person.hair_style != "bald" else 0.0
    grown = _hairy(behind - marks[168])[:, None] & np.array(hair > 0)
    parts.append((behind, shell.faces, np.where(grown, person.hair, 0.95 * skin), 0.4))
    if hair:
        fringe = 0.25 if "fringe" in person.traits else 0.0
        level = points - marks[168]
        level[:, 1] += fringe * (1 + 0.2 * np.sin(9 * points[:, 0] + generator.uniform(0, 6)))
        skull = np.concatenate([part.vertices[part.faces] for part in (shell, scans.parts["face"])])
        parts.append((*_lifted(points, skull, _hairy(level), hair, generator), person.hair, 0.35))
    cloth = generator.uniform(0.02, 0.5) * np.exp(generator.normal(0, 0.25, 3))
    frame = np.full(3, 0.02) if generator.random() < 0.6 else generator.uniform(0.03, 0.4, 3)
    parts += [
        (p.points + _COLLAR, p.faces, cloth, 0.8)
        for p in make_figure(model, person).parts
        if p.material == "cloth"
    ]
    if "glasses" in person.traits:
        parts += [
            (p.points, p.faces, frame, 0.15) for p in glasses(marks, generator) if p.material == "frame"
        ]
    return parts


def _hairy(level: np.ndarray) -> np.ndarray:
    """(M,) bool: does hair grow at points (M, 3) relative to the nasion?"""
    from_ear = np.linalg.norm(np.abs(level) * (1, 0, 0) + level * (0, 1, 1) - _EAR, axis=1)
    return (level[:, 1] > np.interp(level[:, 2], *_HAIRLINE)) & (from_ear > _EAR_RADIUS)


def _lifted(
    points: np.ndarray, faces: np.ndarray, where: np.ndarray, distance: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a surface that lies `where` (N,), lifted off it, with the ripple of strands."""
    shape = CameraMesh(
        points.astype(np.float32), faces, points[:, :2], np.zeros(len(faces), np.uint8), ("all",), np.eye(3)
    )
    strands = np.sin(90 * points[:, 0] + 6 * np.sin(3 * points[:, 1] + generator.uniform(0, 6)))
    return points + shape.normals * (distance + 0.006 * strands)[:, None], faces[where[faces].all(1)]
