"""A result after saving, renaming, appending and duplicating: `python survive.py RESULT.npz FOLDER` prints its parts.

Runs in any Blender; one JSON object, last.
"""

import json
import sys
from pathlib import Path

import bpy
import checkout  # noqa: F401

from semblance.addon.scene import expressions, face_links, lamps, rebake, scene_settings
from semblance.addon.scene.build import SceneOptions, build_face
from semblance.addon.scene.material import ALBEDO, face_shader, texture_node
from semblance.core_models.reconstruction import Reconstruction, fit_of

reconstruction, folder = Reconstruction.load(sys.argv[1]), Path(sys.argv[2])
BLEND = str(folder / "survive.blend")


def main():
    facts = {}
    new_file()
    scene = bpy.context.scene
    face = build_face(reconstruction, "face", scene.collection, SceneOptions()).face
    for blocks in (
        bpy.data.objects,
        bpy.data.materials,
        bpy.data.node_groups,
        bpy.data.images,
        bpy.data.worlds,
    ):
        for block in blocks:
            block.name = "x"
    for node in face.data.materials[0].node_tree.nodes:
        node.name = "y"
    bpy.data.collections[0].name = "renamed"
    facts["renamed"] = parts(face)
    lamps.place_rig(face, "RIM", scene)
    face.name = "found again"
    bpy.ops.wm.save_as_mainfile(filepath=BLEND)
    bpy.ops.wm.open_mainfile(filepath=BLEND)
    face = bpy.data.objects["found again"]
    facts["reloaded"] = parts(face)
    facts["lamps"] = [face_links.lamps_of(face) is not None, lamps.is_untouched(face_links.lamps_of(face))]
    for name, linked, also in (
        ("copied", False, []),
        ("linked", True, []),
        ("copied whole", False, [face_links.eyes_of(face), face_links.camera_of(face)]),
    ):
        copy = duplicate(face, linked, also)
        facts[name] = parts(copy)
        facts[f"{name} lamps"] = face_links.lamps_of(copy) is not None
    facts["collection appended"] = parts(append("Collection", "renamed"))
    facts["collection's members"] = sorted(o.type for o in bpy.context.scene.objects)
    facts["object appended"] = parts(append("Object", "found again"))
    facts["object's members"] = sorted(o.type for o in bpy.context.scene.objects)
    print(json.dumps(facts))


def new_file():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def duplicate(face, linked, also):
    bpy.ops.object.select_all(action="DESELECT")
    for member in (face, *also):
        member.select_set(True)
    bpy.context.view_layer.objects.active = face
    bpy.ops.object.duplicate(linked=linked)
    assert bpy.context.active_object != face and (bpy.context.active_object.data == face.data) == linked
    return bpy.context.active_object


def append(kind, name):
    new_file()
    bpy.ops.wm.append(filepath=f"{BLEND}/{kind}/{name}", directory=f"{BLEND}/{kind}/", filename=name)
    return next(o for o in bpy.data.objects if face_links.MODEL in o)


def parts(face):
    """What is found from the face, and the face from what."""
    context = bpy.context
    context.view_layer.update()
    found = {}
    for name, part in (
        ("face", face),
        ("eyes", face_links.eyes_of(face)),
        ("camera", face_links.camera_of(face)),
    ):
        if part is not None and part.name in context.view_layer.objects:
            context.view_layer.objects.active = part
            found[name] = face_links.face_of(context) == face
    world = face_links.world_of(face)
    scene_settings.use_world(face, context.scene)
    scene_settings.look_through(face, context.scene)
    size = [context.scene.render.resolution_x, context.scene.render.resolution_y]
    shown = [context.scene.world == world, context.scene.camera == face_links.camera_of(face)]
    scene_settings.restore_world(context.scene)
    scene_settings.restore_view(context.scene)
    return {
        "found from": found,
        "shader": face_shader(face) is not None,
        "albedo": texture_node(face_shader(face)[ALBEDO]).image.size[0] == rebake.texture_size(face),
        "shown": shown,
        "size": size,
        "fit": face_links.fit_of(face) == fit_of(reconstruction),
        "sliders": {region: len(keys) for region, keys in expressions.sliders_by_region(face).items()},
        "photo expression": expressions.photo_expression(face).value,
        "eyes follow": eyes_follow(face),
    }


def eyes_follow(face):
    face_links.key_blocks(face)["eyeLookOutLeft"].value = 0.3
    bpy.context.view_layer.update()
    eyes = face_links.eyes_of(face)
    followed = round(face_links.key_blocks(eyes)["eyeLookOutLeft"].value, 3) if eyes else None
    expressions.reset_expression(face)
    bpy.context.view_layer.update()
    return followed


main()
