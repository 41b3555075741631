"""Cycles' diffuse colour pass beside the albedo: `python diffuse_colour.py RESULT.npz OUT` writes OUT.npz.

`pass`, `pass without gloss` and `albedo`: (H, W, 4) linear, the pass in the light of the scene, the same with a
specular level of 0, and the albedo's image as an emission. Blender 4: the compositor shows the pass.
"""

import os
import sys

import bpy
import checkout  # noqa: F401
import numpy as np

from semblance.addon.scene import scene_settings
from semblance.addon.scene.build import SceneOptions, build_face
from semblance.addon.scene.material import ALBEDO, face_shader
from semblance.addon.scene.mesh import SPECULAR
from semblance.core_models.reconstruction import Reconstruction


def main():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    options = SceneOptions(photo_light=False)
    face = build_face(Reconstruction.load(sys.argv[1]), "face", scene.collection, options).face
    bpy.context.view_layer.update()
    scene_settings.look_through(face, scene)
    scene_settings.use_world(face, scene)
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 16, False
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    show_pass(scene)
    arrays = {"pass": render(scene)}
    take_gloss_off(face)
    arrays["pass without gloss"] = render(scene)
    scene.use_nodes = False
    emit_albedo(face)
    arrays["albedo"] = render(scene)
    np.savez(sys.argv[2] + ".npz", **arrays)


def show_pass(scene):
    bpy.context.view_layer.use_pass_diffuse_color = True
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers, composite = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeComposite")
    tree.links.new(layers.outputs["DiffCol"], composite.inputs["Image"])


def take_gloss_off(face):
    specular = face_shader(face)[SPECULAR]
    face.data.materials[0].node_tree.links.remove(specular.links[0])
    specular.default_value = 0.0


def emit_albedo(face):
    tree = face.data.materials[0].node_tree
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(face_shader(face)[ALBEDO].links[0].from_socket, emission.inputs["Color"])
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])


def render(scene):
    path = os.path.join(os.path.dirname(sys.argv[2]), "diffuse.exr")
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(path)
    width, height = image.size
    pixels = np.array(image.pixels, np.float32).reshape(height, width, 4)[::-1]
    bpy.data.images.remove(image)
    return pixels


main()
