"""The Blender scene of a specimen: two Cycles renders, of its light and of which pixels are the face's own.

World coordinates are the camera frame in decimetres; the camera looks along −z.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .figure import Part

SAMPLES, MASK_SAMPLES = 6, 4


@dataclass(frozen=True)
class Shot:
    """All that Blender needs. Points in the camera frame, dm; colours linear."""

    face: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    wet: np.ndarray
    """(F,) bool: triangles of the eyeballs"""
    moist: np.ndarray
    """(F,) bool: lips and mouth"""
    albedo: np.ndarray
    relief: np.ndarray
    roughness: float
    coat: float
    parts: tuple[Part, ...]
    strands: np.ndarray
    """(n, k, 3)"""
    colours: dict[str, np.ndarray]
    """Linear colours of the parts' materials"""
    panorama: np.ndarray
    K: np.ndarray
    size: tuple[int, int]
    """Width, height"""


def render(shot: Shot) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear light (H, W, 3), premultiplied; cover of the figure (H, W); cover of the face's own surface (H, W)."""
    scene = _scene(shot)
    face = _mesh(scene, "face", shot.face, shot.faces)
    _uv(face, shot)
    for make in (_skin(shot), _eye(shot), _lips(shot)):
        face.materials.append(make)
    index = np.where(shot.wet, 1, np.where(shot.moist, 2, 0)).astype(np.int32)
    face.polygons.foreach_set("material_index", index)
    others = [_mesh(scene, part.material, part.points, part.faces) for part in shot.parts]
    for mesh, part in zip(others, shot.parts, strict=True):
        mesh.materials.append(_material(part.material, shot))
    if len(shot.strands):
        others.append(_curves(scene, shot))
    _world(scene, shot.panorama)
    picture = _rendered(scene)
    for mesh, white in ((face, 1.0), *((mesh, 0.0) for mesh in others)):
        for slot in range(len(mesh.materials)):
            if mesh.materials[slot].name.split(".")[0] != "lens":
                mesh.materials[slot] = _glow(white)
    _world(scene, np.zeros((4, 8, 3), np.float32))
    scene.cycles.samples, scene.cycles.use_denoising = MASK_SAMPLES, False
    return picture[..., :3], picture[..., 3], np.clip(_rendered(scene)[..., 0], 0, 1)


def white_sphere(panorama: np.ndarray, side: int, samples: int) -> np.ndarray:
    """A white diffuse unit sphere (side, side, 4) lit by a panorama, seen from the camera's side, for checks."""
    scene = _empty(side, side, samples)
    scene.camera.data.type, scene.camera.data.ortho_scale = "ORTHO", 2.0
    scene.camera.location = (0, 0, 5)
    polar, azimuth = np.meshgrid(np.linspace(0, np.pi, 97), np.arange(192) * np.pi / 96, indexing="ij")
    unit = np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), -np.sin(polar) * np.sin(azimuth)], -1)
    index = np.arange(97 * 192).reshape(97, 192)
    right = np.roll(index, -1, 1)
    quads = np.stack([index[:-1], index[1:], right[1:], right[:-1]], -1).reshape(-1, 4)
    mesh = _mesh(scene, "sphere", unit.reshape(-1, 3), quads)
    material, _ = _plain("white", np.ones(3), 1.0)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (1, 1, 1, 1)
    links.new(diffuse.outputs[0], nodes["Material Output"].inputs["Surface"])
    mesh.materials.append(material)
    _world(scene, panorama)
    scene.cycles.max_bounces = 0
    return _rendered(scene)


def _empty(width: int, height: int, samples: int) -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.data.clip_start, scene.camera.data.clip_end = 0.01, 1000.0
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = samples, False
    scene.cycles.max_bounces, scene.cycles.transparent_max_bounces = 1, 12
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.cycles.sample_clamp_indirect = 4.0
    scene.cycles_curves.shape, scene.cycles_curves.subdivisions = "RIBBONS", 1
    scene.render.film_transparent = True
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.render.image_settings.color_mode = "RGBA"
    return scene


def _scene(shot: Shot) -> Any:
    scene = _empty(*shot.size, SAMPLES)
    scene.cycles.use_denoising = True
    scene.cycles.denoiser, scene.cycles.denoising_input_passes = "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
    camera = scene.camera.data
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", 36.0
    camera.lens = shot.K[0, 0] * 36.0 / shot.size[0]
    camera.shift_x = (shot.size[0] / 2 - shot.K[0, 2]) / shot.size[0]
    camera.shift_y = (shot.K[1, 2] - shot.size[1] / 2) / shot.size[0]
    return scene


def _mesh(scene: Any, name: str, points: np.ndarray, faces: np.ndarray) -> Any:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    mesh.shade_smooth()
    scene.collection.objects.link(bpy.data.objects.new(name, mesh))
    return mesh


def _uv(mesh: Any, shot: Shot) -> None:
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers.new(name="uv").data.foreach_set("uv", shot.uv[corners].astype(np.float32).ravel())


def _image(name: str, pixels: np.ndarray) -> Any:
    """A float image from (H, W) or (H, W, 3) linear values, top row first."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, float_buffer=True, is_data=True)
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    rgba = np.concatenate([colour[::-1], np.ones((height, width, 1))], 2)
    image.pixels.foreach_set(rgba.astype(np.float32).ravel())
    image.update()
    return image


def _plain(name: str, colour: np.ndarray, roughness: float, specular: float = 0.5) -> tuple[Any, Any]:
    """A material and its Principled node."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    node = material.node_tree.nodes["Principled BSDF"]
    node.inputs["Base Color"].default_value = (*map(float, colour), 1.0)
    node.inputs["Roughness"].default_value = roughness
    node.inputs["Specular IOR Level"].default_value = specular
    return material, node


def _painted(name: str, shot: Shot, roughness: float, coat: float) -> Any:
    material, node = _plain(name, np.ones(3), roughness, 0.4)
    node.inputs["Coat Weight"].default_value = coat
    node.inputs["Coat Roughness"].default_value = 0.25
    nodes, links = material.node_tree.nodes, material.node_tree.links
    colour, height, bump = (
        nodes.new("ShaderNodeTexImage"),
        nodes.new("ShaderNodeTexImage"),
        nodes.new("ShaderNodeBump"),
    )
    colour.image = bpy.data.images.get("albedo") or _image("albedo", shot.albedo)
    height.image = bpy.data.images.get("relief") or _image("relief", shot.relief)
    bump.inputs["Distance"].default_value = 1.0
    links.new(colour.outputs["Color"], node.inputs["Base Color"])
    links.new(height.outputs["Color"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], node.inputs["Normal"])
    return material


def _skin(shot: Shot) -> Any:
    return _painted("skin", shot, shot.roughness, shot.coat)


def _lips(shot: Shot) -> Any:
    return _painted("lips", shot, 0.36, shot.coat)


def _eye(shot: Shot) -> Any:
    material = _painted("eye", shot, 0.12, 0.0)
    for link in list(material.node_tree.links):
        if link.to_socket.name == "Normal":
            material.node_tree.links.remove(link)
    return material


def _material(name: str, shot: Shot) -> Any:
    if name == "lens":
        return _lens()
    roughness, specular = {"cloth": (0.9, 0.1), "frame": (0.25, 0.5), "teeth": (0.25, 0.5)}.get(
        name, (shot.roughness, 0.4)
    )
    return _plain(name, shot.colours[name], roughness, specular)[0]


def _lens() -> Any:
    """Clear, with the reflection of a coated lens."""
    material, _ = _plain("lens", np.ones(3), 0.0)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    clear, gloss, mixed = (
        nodes.new(f"ShaderNode{n}") for n in ("BsdfTransparent", "BsdfGlossy", "MixShader")
    )
    clear.inputs["Color"].default_value, gloss.inputs["Roughness"].default_value = (0.95, 0.96, 0.95, 1), 0.02
    mixed.inputs["Fac"].default_value = 0.05
    links.new(clear.outputs[0], mixed.inputs[1])
    links.new(gloss.outputs[0], mixed.inputs[2])
    links.new(mixed.outputs[0], nodes["Material Output"].inputs["Surface"])
    return material


def _curves(scene: Any, shot: Shot) -> Any:
    hair = bpy.data.hair_curves.new("hair")
    n_strands, n_points = shot.strands.shape[:2]
    hair.add_curves([n_points] * n_strands)
    hair.attributes["position"].data.foreach_set("vector", shot.strands.astype(np.float32).ravel())
    radius = np.tile(np.linspace(0.0055, 0.002, n_points), n_strands).astype(np.float32)
    (hair.attributes.get("radius") or hair.attributes.new("radius", "FLOAT", "POINT")).data.foreach_set(
        "value", radius
    )
    hair.materials.append(_plain("hair", shot.colours["hair"], 0.4, 0.5)[0])
    scene.collection.objects.link(bpy.data.objects.new("hair", hair))
    return hair


def _glow(level: float) -> Any:
    name = f"glow{level:.0f}"
    if name in bpy.data.materials:
        return bpy.data.materials[name]
    material, _ = _plain(name, np.zeros(3), 1.0)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (level, level, level, 1)
    links.new(emission.outputs[0], nodes["Material Output"].inputs["Surface"])
    return material


def _world(scene: Any, panorama: np.ndarray) -> None:
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    texture = nodes.new("ShaderNodeTexEnvironment")
    texture.image = _image("panorama", panorama)
    links.new(texture.outputs["Color"], nodes["Background"].inputs["Color"])
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 1024
    scene.world = world


def _rendered(scene: Any) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "picture.exr")
        bpy.ops.render.render(write_still=True)
        return _read(Path(scene.render.filepath))


def _read(file: Path) -> np.ndarray:
    """RGBA (H, W, 4) float32 of an EXR file, through Blender (OpenCV's reader is off by default)."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.is_data = True
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return np.ascontiguousarray(pixels.reshape(height, width, 4)[::-1])
