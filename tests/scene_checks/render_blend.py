"""Cycles renders of a .blend: `python render_blend.py FILE.blend FOLDER [--photo-only]` writes five pictures, or two.

photo_uv.png and aside.png: photo light, from the photo's place and from 2 cm beside it. photo_vertex.png: the same from
vertex colours. scene.png: the lamps. world.npy: (H, W, 4) linear, a white diffuse head
under the photo's World.
"""

import os
import sys

import bpy
import numpy as np


def main():
    blend, folder = sys.argv[1:3]
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = False
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    inputs = bpy.data.materials[0].node_tree.nodes["Semblance face"].inputs
    render(os.path.join(folder, "photo_uv.png"), samples=16)
    scene.camera.location.x += 0.02
    render(os.path.join(folder, "aside.png"), samples=16)
    scene.camera.location.x -= 0.02
    if "--photo-only" in sys.argv:
        return
    for name, photo_light, vertex_colours in (("photo_vertex", 1, 1), ("scene", 0, 0)):
        inputs["Photo light"].default_value = photo_light
        inputs["Vertex colours"].default_value = vertex_colours
        render(os.path.join(folder, f"{name}.png"), samples=16)
    scene.world = bpy.data.worlds[0]
    for lamp in [o for o in bpy.data.objects if o.type == "LIGHT"]:
        bpy.data.objects.remove(lamp)
    make_white()
    path = os.path.join(folder, "world.exr")
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    render(path, samples=64)
    image = bpy.data.images.load(path)
    pixels = np.array(image.pixels, np.float32).reshape(image.size[1], image.size[0], 4)[::-1]
    np.save(os.path.join(folder, "world.npy"), pixels)


def render(path, samples):
    scene = bpy.context.scene
    scene.cycles.samples = samples
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def make_white():
    tree = bpy.data.materials[0].node_tree
    diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (1, 1, 1, 1)
    output = next(n for n in tree.nodes if n.type == "OUTPUT_MATERIAL")
    tree.links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])


main()
