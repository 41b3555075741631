"""A white sphere in a face's light: `python lit_sphere.py RESULT.npz OUT` writes OUT.npz.

`normals` (P, 3) of the sphere's pixels seen from one side, in Blender's axes; radiance (P, 3) from there in Cycles, lit
by the World (`world`), the World turned by 90° (`turned`) and the lamps (`lamps`). Runs in any Blender.
"""

import os
import sys

import bpy
import checkout  # noqa: F401
import numpy as np

from semblance.addon.scene import face_links, lamps, scene_settings
from semblance.addon.scene.build import SceneOptions, build_face
from semblance.addon.scene.light import TURN
from semblance.core_models.reconstruction import Reconstruction

SIDE = 40


def main():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    built = build_face(Reconstruction.load(sys.argv[1]), "face", scene.collection, SceneOptions())
    for part in (built.face, built.eyes):
        if part is not None:
            part.hide_render = True
    bpy.context.view_layer.update()
    normals, inside = add_sphere_and_camera(scene)
    arrays = {"normals": normals[inside]}
    world = face_links.world_of(built.face)
    scene_settings.use_world(built.face, scene)
    for name, angle in (("turned", np.pi / 2), ("world", 0.0)):
        world[TURN] = angle
        world.update_tag()
        arrays[name] = render(scene)[inside]
    scene_settings.restore_world(scene)
    lamps.place_estimated(built.face, scene)
    arrays["lamps"] = render(scene)[inside]
    np.savez(sys.argv[2] + ".npz", **arrays)


def add_sphere_and_camera(scene):
    """Seen from ahead, above and to the right."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=512, ring_count=256, radius=1)
    mesh = bpy.context.active_object.data
    mesh.shade_smooth()
    material = bpy.data.materials.new("white")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (1, 1, 1, 1)
    tree.links.new(diffuse.outputs["BSDF"], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    mesh.materials.append(material)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    camera.rotation_euler = (1.1, 0.0, 0.5)
    turn = np.array(camera.rotation_euler.to_matrix())
    camera.location = turn @ (0.0, 0.0, 5.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(at, -at)
    inside = np.hypot(x, y) < 0.93
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    return np.stack([x, y, z], -1) @ turn.T, inside


def render(scene):
    """(SIDE, SIDE, 3) linear."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 256, False, 0
    scene.cycles.use_adaptive_sampling = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    path = os.path.join(os.path.dirname(sys.argv[2]), "sphere.exr")
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(path)
    pixels = np.array(image.pixels, np.float32).reshape(SIDE, SIDE, 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return pixels


main()
