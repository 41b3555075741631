"""Blender's half of test_blender_agreement, run as a script: pictures of the request's meshes.

python blender_render.py request.npz result.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np

from semblance.addon.scene.camera import camera_object, frame_scene


def main(request: Path, result: Path) -> None:
    asked = dict(np.load(request))
    answers = {}
    width, height = asked["image_size"].tolist()
    for name in asked["cameras"].tolist():
        scene = _empty_scene(samples=64)
        _add_mesh(asked["vertices"], asked["faces"], "EMISSION")
        reconstruction = SimpleNamespace(
            K=asked[name],
            image_size=asked["image_size"],
            rotation=asked["rotation"],
            translation=asked["translation"],
        )
        camera = camera_object("camera", reconstruction, bpy.data.images.new("photo", width, height))
        scene.collection.objects.link(camera)
        frame_scene(scene, camera, reconstruction.K, reconstruction.image_size)
        answers[name] = _render(scene, result.with_suffix(".exr"))[..., 0]
    scene = _empty_scene(samples=256)
    _add_mesh(asked["ball"], asked["ball_faces"], "DIFFUSE")
    _add_panorama(scene, asked["panorama"])
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.2
    camera.location, camera.rotation_euler = (0, -5, 0), (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = int(asked["lit_size"])
    answers["lit"] = _render(scene, result.with_suffix(".exr"))
    np.savez(result, **answers)


def _empty_scene(samples: int) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = (
        samples,
        False,
        False,
    )
    scene.cycles.pixel_filter_type, scene.cycles.max_bounces = "BOX", 0
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    return scene


def _add_mesh(vertices: np.ndarray, faces: np.ndarray, shader: str) -> None:
    """A mesh in metres of the head frame, white: its own light, or diffuse."""
    mesh = bpy.data.meshes.new("mesh")
    mesh.from_pydata((vertices * [1, 1, -1])[:, [0, 2, 1]].tolist(), [], faces.tolist())
    mesh.shade_smooth()
    material = bpy.data.materials.new("material")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    surface = nodes.new("ShaderNodeEmission" if shader == "EMISSION" else "ShaderNodeBsdfDiffuse")
    surface.inputs["Color"].default_value = (1, 1, 1, 1)
    links.new(surface.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("mesh", mesh))


def _add_panorama(scene: bpy.types.Scene, panorama: np.ndarray) -> None:
    height, width = panorama.shape[:2]
    image = bpy.data.images.new("sky", width, height, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.concatenate([panorama[::-1], np.ones((height, width, 1), np.float32)], axis=-1)
    image.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    image.pack()
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    tree = scene.world.node_tree
    sky = tree.nodes.new("ShaderNodeTexEnvironment")
    sky.image = image
    tree.links.new(sky.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def _render(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """(H, W, 4) float32, first row at the top."""
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)[::-1].copy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
