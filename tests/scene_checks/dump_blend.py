"""What a .blend holds, as arrays and JSON: `python dump_blend.py FILE.blend OUT` writes OUT.npz and OUT.json.

Needs bpy and numpy only and no Semblance: it runs in every Blender version that a result must open in.
"""

import json
import sys

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view


def main():
    bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
    face = next(o for o in bpy.data.objects if o.type == "MESH" and o.parent is None)
    eyes = face.children[0]
    arrays, facts = {}, {"version": list(bpy.app.version), "scene": scene_facts()}
    for name, obj in (("face", face), ("eyes", eyes)):
        dump_mesh(name, obj, arrays, facts)
    facts["images"] = {}
    for image in bpy.data.images:
        if image.source != "VIEWER":
            dump_image(image, arrays, facts["images"])
    facts["properties"] = {
        key: value
        for key, value in face.items()
        if key.startswith("semblance_") and isinstance(value, (str, int, float))
    }
    facts["worlds"] = {w.name: [w.use_fake_user, w["semblance_clamped_share"]] for w in bpy.data.worlds}
    arrays["face/pixels"] = projected(face)
    face.data.shape_keys.key_blocks["eyeLookOutLeft"].value = 0.7
    bpy.context.view_layer.update()
    facts["driven"] = eyes.data.shape_keys.key_blocks["eyeLookOutLeft"].value
    np.savez(sys.argv[2] + ".npz", **arrays)
    with open(sys.argv[2] + ".json", "w", encoding="utf-8") as file:
        json.dump(facts, file)


def scene_facts():
    scene = bpy.context.scene
    background = scene.camera.data.background_images[0]
    render = scene.render
    view = next(s for a in bpy.data.screens["Layout"].areas for s in a.spaces if s.type == "VIEW_3D")
    shader = bpy.data.materials[0].node_tree.nodes["Semblance face"]
    return {
        "world": scene.world and scene.world.name,
        "size": [render.resolution_x, render.resolution_y, render.resolution_percentage],
        "view_transform": scene.view_settings.view_transform,
        "background": [background.image.name, background.frame_method, background.display_depth],
        "shows_background": scene.camera.data.show_background_images,
        "viewport": [view.shading.type, view.region_3d.view_perspective],
        "viewport_light": [view.shading.use_scene_lights, view.shading.use_scene_world],
        "properties": [
            s.context for a in bpy.data.screens["Layout"].areas for s in a.spaces if s.type == "PROPERTIES"
        ],
        "camera_display": scene.camera.data.display_size,
        "lamp_lines": {
            o.name.split()[-1]: [o.data.cutoff_distance, o.data.use_custom_distance, o.location.length]
            for o in bpy.data.objects
            if o.type == "LIGHT"
        },
        "collections": {c.name: sorted(o.name for o in c.objects) for c in bpy.data.collections},
        "materials": [m.name for m in bpy.data.materials],
        "switches": {i.name: i.default_value for i in shader.inputs if i.type == "VALUE" and not i.is_linked},
        "active_node": bpy.data.materials[0].node_tree.nodes.active.name,
    }


def dump_mesh(name, obj, arrays, facts):
    mesh = obj.data
    n = len(mesh.vertices)
    arrays[f"{name}/faces"] = read(mesh.loops, "vertex_index", len(mesh.loops), np.int32).reshape(-1, 3)
    corner_uv = read(mesh.uv_layers.active.uv, "vector", 2 * len(mesh.loops)).reshape(-1, 2)
    arrays[f"{name}/corner_uv"] = corner_uv
    for attribute in ("Albedo", "Lighting"):
        data = mesh.attributes[attribute].data
        arrays[f"{name}/{attribute}"] = read(data, "color", 4 * n).reshape(-1, 4)
        arrays[f"{name}/{attribute} encoded"] = read(data, "color_srgb", 4 * n).reshape(-1, 4)
    for attribute in ("Confidence", "Roughness", "Specular", "Subsurface"):
        arrays[f"{name}/{attribute}"] = read(mesh.attributes[attribute].data, "value", n)
    arrays[f"{name}/Region"] = read(mesh.attributes["Region"].data, "value", len(mesh.polygons), np.int32)
    normals = read(mesh.vertex_normals, "vector", 3 * n)
    arrays[f"{name}/normals"] = normals.reshape(-1, 3)
    keys = mesh.shape_keys.key_blocks
    for key in keys:
        arrays[f"{name}/key/{key.name}"] = read(key.points, "co", 3 * n).reshape(-1, 3)
    facts[name] = {
        "keys": {key.name: key.value for key in keys},
        "active_colour": mesh.color_attributes.active_color.name,
        "render_colour": mesh.color_attributes[mesh.color_attributes.render_color_index].name,
        "smooth": all(p.use_smooth for p in mesh.polygons),
        "identity": np.allclose(obj.matrix_world, np.eye(4)),
        "materials": [m.name for m in mesh.materials],
        "attributes": [[a.name, a.data_type, a.domain] for a in mesh.attributes if not a.is_internal],
    }


def dump_image(image, arrays, facts):
    kind = image.name.split()[-1]
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    arrays[f"image/{kind}"] = pixels.reshape(height, width, 4)[::-1, :, :3]
    facts[kind] = [image.colorspace_settings.name, image.is_float, image.packed_file is not None]


def projected(face):
    """Evaluated vertices → pixels from the top-left corner, by Blender's own account."""
    scene = bpy.context.scene
    evaluated = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    pixels = []
    for vertex in evaluated.data.vertices:
        x, y, _ = world_to_camera_view(scene, scene.camera, evaluated.matrix_world @ vertex.co)
        pixels.append((x * scene.render.resolution_x, (1 - y) * scene.render.resolution_y))
    return np.array(pixels)


def read(collection, prop, size, dtype=np.float32):
    values = np.empty(size, dtype)
    collection.foreach_get(prop, values)
    return values


main()
