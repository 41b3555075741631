"""Rendered heads with known geometry, whose shape is not made from the model's identity modes.

The mean is stretched along its axes, bent by a lattice of compactly supported functions, and given a nose, chin, brow
ridge, cheeks and jaw of its own. Each head has an expression (half of them smile), a skin, hair, a pose, a focal
length, and lights with cast shadows (Cycles: in flat light the landmark network sees little of a face's shape). Its
render goes through our face finder, so its landmarks have a network's real errors. Lengths are decimetres in model
space; the camera frame is Blender's own.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from semblance.core_models.faces.find import FaceFinder
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.landmarks import COUNT
from semblance.core_models.morphable.model import ModelData, MorphableModel
from semblance.core_models.photo.load import Photo, PhotoError

SIDE = 512
"""Pixels of the square renders."""
SAMPLES = 12
MAX_YAW = 45.0
BRIDGE = 168
"""Landmark at the bridge of the nose, from which the features below are measured."""

# Local shape of real faces that a lattice does not hit: centre (dm from the bridge of the nose; mirrored when beside
# the midline), radius, standard deviations of the displacement (dm).
FEATURES = (
    ((0.0, -0.42, 0.22), 0.14, (0.0, 0.025, 0.03)),  # tip of the nose
    ((0.16, -0.45, 0.05), 0.10, (0.015, 0.01, 0.0)),  # wings of the nose
    ((0.0, -0.15, 0.05), 0.14, (0.0, 0.0, 0.02)),  # bridge
    ((0.0, -1.10, 0.0), 0.20, (0.0, 0.03, 0.035)),  # chin
    ((0.25, 0.12, -0.05), 0.14, (0.0, 0.015, 0.02)),  # brow ridge
    ((0.45, -0.40, -0.25), 0.20, (0.02, 0.0, 0.03)),  # cheeks
    ((0.22, -0.75, 0.0), 0.12, (0.02, 0.01, 0.01)),  # corners of the mouth
    ((0.55, -0.85, -0.65), 0.25, (0.04, 0.0, 0.02)),  # jaw
    ((0.0, 0.50, -0.10), 0.35, (0.0, 0.0, 0.03)),  # forehead
)


def front_of(model: MorphableModel) -> MorphableModel:
    """Face and eyes of `model`: the benchmarks' heads have skulls and ears of their own making."""
    own = ~model.region_faces("cranium", "ears")
    n = int(model.faces[own].max()) + 1
    arrays = {name: buffer.numpy() for name, buffer in model.named_buffers()}
    cut = {name: arrays[name][:n] for name in ("mean", "albedo_mean", "uv", "mirror", "twin")}
    cut |= {name: arrays[name][:, :n] for name in ("identity_basis", "expression_basis", "albedo_basis")}
    cut |= {name: arrays[name][own.numpy()] for name in ("faces", "face_region")}
    names = {
        name: getattr(model, name)
        for name in ("model_id", "albedo_space", "expression_names", "region_names")
    }
    return MorphableModel(ModelData(**names, **(arrays | cut)))


@dataclass(frozen=True)
class Head:
    """A head, what its photo was taken with, and what was seen in it. Lengths dm."""

    neutral: np.ndarray
    """(N,3)"""
    expressed: np.ndarray
    """(N,3)"""
    rotation: np.ndarray
    """(3,3) model → camera"""
    translation: np.ndarray
    focal_px: float
    landmarks: np.ndarray
    """(478,2) pixels, detected; NaN where no face was found"""
    true_landmarks: np.ndarray
    """(478,2) pixels; NaN where the model has none"""
    image: np.ndarray
    """(SIDE,SIDE,3) uint8 sRGB"""

    @property
    def yaw(self) -> float:
        """Degrees, towards the subject's left."""
        return yaw_of(self.rotation)


def yaw_of(rotation: np.ndarray) -> float:
    """Yaw (degrees) of a rotation from model to camera."""
    return float(Rotation.from_matrix(rotation).as_euler("zxy", degrees=True)[2])


def bent(vertices: np.ndarray, bridge: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A head (N,3) of another person, from outside the span of the model's modes."""
    points = vertices - bridge
    stretched = points * (np.exp(generator.normal(0.0, (0.035, 0.035, 0.05))) - 1.0)
    axes = np.arange(-0.9, 1.0, 0.45), np.arange(-1.35, 0.9, 0.45), np.arange(-1.35, 0.5, 0.45)
    lattice = np.stack(np.meshgrid(*axes), -1).reshape(-1, 3)
    mirrored = cKDTree(lattice).query(lattice * (-1, 1, 1))[1]
    offsets = generator.normal(0.0, 0.03, lattice.shape)
    offsets = (offsets + 0.85 * offsets[mirrored] * (-1, 1, 1)) / np.hypot(1.0, 0.85)
    displacement = stretched + _features(points, generator)
    for node, offset in zip(lattice, offsets, strict=True):
        radius = np.linalg.norm(points - node, axis=1) / 0.7
        weight = np.maximum(1.0 - radius, 0.0) ** 4 * (4.0 * radius + 1.0)  # Wendland 1995, C2 in 3-D
        displacement += weight[:, None] * offset
    return vertices + displacement


def _features(points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    total = np.zeros_like(points)
    for centre, radius, deviations in FEATURES:
        offset = generator.normal(size=3) * deviations
        for side in (1.0,) if centre[0] == 0 else (1.0, -1.0):
            turn = np.array((side, 1.0, 1.0))
            squared = ((points - turn * centre) ** 2).sum(1)
            total += np.exp(-squared / (2 * radius**2))[:, None] * turn * offset
    return total


def random_expression(names: tuple[str, ...], generator: np.random.Generator) -> np.ndarray:
    """Weights (Ke,): three small random ones; every second head smiles, with or without open lips."""
    weights = np.zeros(len(names))
    weights[generator.choice(len(names), 3, replace=False)] = generator.uniform(0.05, 0.4, 3)
    if generator.random() < 0.5:
        smile, teeth = generator.uniform(0.3, 0.9), generator.integers(0, 2)
        for side in ("Left", "Right"):
            weights[names.index("mouthSmile" + side)] = smile
            weights[names.index("mouthUpperUp" + side)] = 0.3 * smile * teeth
    return weights


def landmarks_of(model: MorphableModel, vertices: np.ndarray) -> np.ndarray:
    """(L,3) points of (N,3) vertices."""
    return model.landmarks(torch.tensor(vertices, dtype=torch.float32)[None])[0].double().numpy()


def render_head(model: MorphableModel, seed: int, shot: int = 0) -> Head:
    """Photo `shot` of head number `seed`; its landmarks are not yet detected (NaN).

    All but the neutral shape differs from shot to shot.
    """
    generator = np.random.default_rng(seed)
    mean = model.mean.double().numpy()
    bridge = landmarks_of(model, mean)[model.landmark_ids.tolist().index(BRIDGE)]
    neutral = bent(mean, bridge, generator)
    if shot:
        generator = np.random.default_rng((seed, shot))
    expression = random_expression(model.expression_names, generator)
    expressed = neutral + np.einsum("k,knc->nc", expression, model.expression_basis.double().numpy())
    angles = (generator.normal(0.0, 6.0), generator.normal(0.0, 8.0), generator.uniform(-MAX_YAW, MAX_YAW))
    rotation = Rotation.from_euler("zxy", angles, degrees=True).as_matrix()
    focal = SIDE * float(np.exp(generator.uniform(0.0, np.log(5.0))))
    scale = SIDE * generator.uniform(0.24, 0.34)  # pixels per decimetre: the face fills half of the frame
    translation = np.array([*generator.normal(0.0, 0.15, 2), -focal / scale])
    skin = 0.5 * generator.normal(size=(1, model.n_albedo))
    albedo = model.albedo(torch.tensor(skin, dtype=torch.float32))[0].double().numpy()
    scene = _empty_scene(focal)
    colours, faces, points = _with_hair(model, expressed, albedo, bridge, generator)
    _add_mesh(scene, points @ rotation.T + translation, faces, colours)
    _light(scene, generator)
    image = _render(scene)
    seen = landmarks_of(model, expressed) @ rotation.T + translation
    true = np.full((COUNT, 2), np.nan)
    true[model.landmark_ids.numpy()] = SIDE / 2 + focal * seen[:, :2] * (1, -1) / -seen[:, 2:]
    missing = np.full((COUNT, 2), np.nan)
    return Head(neutral, expressed, rotation, translation, focal, missing, true, image)


def _with_hair(
    model: MorphableModel,
    face: np.ndarray,
    albedo: np.ndarray,
    bridge: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours (M,3), triangles and points (M,3): the face, a shell of hair over its rim, a skull and a neck."""
    faces = model.faces.numpy()
    rim = faces[model.region_faces("rim").numpy()]
    level = (model.mean.double().numpy() - bridge)[:, 1]
    hair_rim = rim[(level[rim] > -0.3).all(1)]
    normals = vertex_normals(torch.tensor(face)[None], model.faces)[0].numpy()
    shell = face + normals * (0.09 + 0.01 * generator.normal(size=(len(face), 1)))
    skull, skull_faces = _ellipsoid(np.add(bridge, (0.0, 0.05, -1.3)), (0.85, 1.15, 1.0))
    neck, neck_faces = _ellipsoid(np.add(bridge, (0.0, -2.0, -1.2)), (0.58, 1.4, 0.58))
    body, body_faces = _ellipsoid(np.add(bridge, (0.0, -3.0, -1.4)), (2.2, 1.0, 0.9))
    hair = np.array((0.45, 0.30, 0.18)) * generator.uniform(0.03, 0.9)
    parts = [
        (face, faces, albedo),
        (shell, hair_rim, hair),
        (skull, skull_faces, hair),
        (neck, neck_faces, 0.9 * np.median(albedo, axis=0)),
        (body, body_faces, generator.uniform(0.02, 0.7, 3)),
    ]
    starts = np.cumsum([0] + [len(part) for part, _, _ in parts])
    return (
        np.concatenate([np.broadcast_to(colour, part.shape) for part, _, colour in parts]),
        np.concatenate([corners + start for (_, corners, _), start in zip(parts, starts, strict=False)]),
        np.concatenate([part for part, _, _ in parts]),
    )


def _ellipsoid(centre: np.ndarray, radii: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = 24, 36
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, columns), indexing="ij"
    )
    unit = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return centre + unit.reshape(-1, 3) * radii, faces


def _empty_scene(focal: float) -> Any:
    """A Blender scene whose camera is at the origin and looks along −z, as our camera frame has it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.sensor_width = 36.0
    camera.data.lens = 36.0 * focal / SIDE
    camera.data.clip_end = 1000.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 3
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.view_settings.view_transform = "Standard"
    return scene


def _add_mesh(scene: Any, points: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
    mesh = bpy.data.meshes.new("head")
    mesh.from_pydata(points, [], faces)
    mesh.shade_smooth()
    attribute = mesh.color_attributes.new("albedo", "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set(
        "color", np.column_stack([colours, np.ones(len(colours))]).astype(np.float32).ravel()
    )
    material = bpy.data.materials.new("skin")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    source = nodes.new("ShaderNodeVertexColor")
    source.layer_name = "albedo"
    principled = nodes["Principled BSDF"]
    principled.inputs["Roughness"].default_value = 0.5
    principled.inputs["Specular IOR Level"].default_value = 0.35
    material.node_tree.links.new(source.outputs["Color"], principled.inputs["Base Color"])
    mesh.materials.append(material)
    scene.collection.objects.link(bpy.data.objects.new("head", mesh))


def _light(scene: Any, generator: np.random.Generator) -> None:
    """A grey surrounding and one to three lamps from the front, hard and soft."""
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    grey = generator.uniform(0.12, 0.4) * np.exp(generator.normal(0.0, 0.12, 3))
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*grey, 1.0)
    scene.world = world
    n_lamps = int(generator.integers(1, 4))
    for _ in range(n_lamps):
        lamp = bpy.data.lights.new("lamp", "SUN")
        lamp.energy = float(generator.uniform(2.0, 3.6)) / n_lamps
        lamp.angle = float(np.radians(generator.uniform(3.0, 60.0)))
        lamp.color = np.exp(generator.normal(0.0, 0.06, 3))
        direction = np.array((0.0, 0.5, 1.0)) + generator.normal(size=3) * (0.8, 0.35, 0.2)
        holder = bpy.data.objects.new("lamp", lamp)
        holder.rotation_mode = "QUATERNION"
        turn = Rotation.align_vectors(direction[None], np.array([[0.0, 0.0, 1.0]]))[0].as_quat()
        holder.rotation_quaternion = (turn[3], *turn[:3])  # a sun shines along its −z
        scene.collection.objects.link(holder)


def _render(scene: Any) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "head.png")
        bpy.ops.render.render(write_still=True)
        return np.ascontiguousarray(cv2.imread(scene.render.filepath)[..., ::-1])


def make_heads(model: MorphableModel, count: int) -> list[Head]:
    """The first `count` heads on which a face was found, cached in the system's temporary folder."""
    code = hashlib.sha256(Path(__file__).read_bytes() + model.mean.numpy().tobytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"semblance-heads-{code}"
    folder.mkdir(exist_ok=True)
    heads: list[Head] = []
    with FaceFinder() as finder:
        for seed in range(2 * count):
            head = _cached(folder / f"{seed}.npz", model, seed, finder)
            if np.isfinite(head.landmarks).all():
                heads.append(head)
            if len(heads) == count:
                break
    return heads


def _cached(file: Path, model: MorphableModel, seed: int, finder: FaceFinder) -> Head:
    names = tuple(Head.__dataclass_fields__)
    if file.exists():
        with np.load(file) as stored:
            values: dict[str, Any] = {name: stored[name] for name in names}
            return Head(**values | {"focal_px": float(values["focal_px"])})
    head = render_head(model, seed)
    try:
        found = finder.find(Photo(srgb=head.image, focal_px=None, path=file.stem, warnings=()))
        head = replace(head, landmarks=found[0].landmarks.astype(np.float64))
    except PhotoError:
        pass  # kept with landmarks that are NaN, so that it is not rendered again
    np.savez(file, **{name: getattr(head, name) for name in names})
    return head
