"""What relighting does to a scene, and takes back: `python relight.py RESULT.npz FOLDER` prints facts.

Runs in any Blender; one JSON object, last.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import checkout  # noqa: F401
import numpy as np

from semblance.addon.scene import expressions, face_links, lamps, rebake, scene_settings
from semblance.addon.scene.build import SceneOptions, build_face
from semblance.addon.scene.light import TURN
from semblance.addon.scene.material import ALBEDO, face_shader, texture_node
from semblance.core_models.reconstruction import Reconstruction

reconstruction, folder = Reconstruction.load(sys.argv[1]), Path(sys.argv[2])
BLEND = str(folder / "relight.blend")


def main():
    facts = {}
    for check in (worlds, colours, cameras, rigs, changed_rig, estimated, keys, rebaked):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        scene = bpy.context.scene
        face = build_face(reconstruction, "face", scene.collection, SceneOptions()).face
        bpy.context.view_layer.update()
        facts[check.__name__] = check(scene, face)
    print(json.dumps(facts))


def reload():
    bpy.ops.wm.save_as_mainfile(filepath=BLEND)
    bpy.ops.wm.open_mainfile(filepath=BLEND)
    return bpy.context.scene, next(o for o in bpy.data.objects if face_links.MODEL in o)


def worlds(scene, face):
    scene.world = bpy.data.worlds.new("mine")
    scene_settings.use_world(face, scene)
    scene_settings.use_world(face, scene)
    scene, face = reload()
    facts = {"shown": scene_settings.shows_world(scene), "before": scene_settings.world_before(scene).name}
    scene_settings.restore_world(scene)
    facts["restored"] = scene.world.name
    facts["forgotten"] = scene_settings.world_before(scene) is None and not scene_settings.shows_world(scene)
    scene_settings.use_world(face, scene)
    scene.world = bpy.data.worlds.new("another")
    facts["not ours"] = scene_settings.shows_world(scene)
    scene_settings.use_world(face, scene)
    scene_settings.restore_world(scene)
    facts["restored another"] = scene.world.name
    scene.world = None
    scene_settings.use_world(face, scene)
    scene_settings.restore_world(scene)
    facts["restored none"] = scene.world is None
    scene_settings.use_world(face, scene)
    bpy.data.worlds.remove(face_links.world_of(face))
    try:
        scene_settings.use_world(face, scene)
    except face_links.PartMissingError as error:
        facts["deleted"] = error.code
    return facts


def colours(scene, face):
    settings = scene.view_settings
    names = ("view_transform", "look", "exposure", "gamma", "use_curve_mapping")
    settings.view_transform, settings.exposure, settings.gamma = "Filmic", 0.7, 1.3
    settings.look, settings.use_curve_mapping = "High Contrast", True
    before = [getattr(settings, name) for name in names]
    scene_settings.match_colours(scene)
    scene_settings.match_colours(scene)
    scene, _ = reload()
    settings = scene.view_settings
    matched = [getattr(settings, name) for name in names]
    scene_settings.restore_colours(scene)
    after = [getattr(settings, name) for name in names]
    return {"matched": matched, "restored": after == before, "matches": scene_settings.matches_colours(scene)}


def cameras(scene, face):
    render, mine = scene.render, bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    names = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
    scene.camera = mine
    render.resolution_x, render.resolution_percentage, render.pixel_aspect_y = 777, 50, 1.25
    before = [getattr(render, name) for name in names]
    scene_settings.look_through(face, scene)
    scene, face = reload()
    render = scene.render
    framed = [scene.camera == face_links.camera_of(face), *(getattr(render, name) for name in names)]
    bpy.data.objects.remove(face_links.camera_of(face))
    scene_settings.restore_view(scene)
    return {
        "framed": framed,
        "restored": scene.camera.name == "mine" and before == [getattr(render, name) for name in names],
        "left": scene_settings.looks_through(scene),
    }


def rigs(scene, face):
    facts = {}
    for kind in (*lamps.RIGS, "REMBRANDT"):
        lamps.place_rig(face, kind, scene)
    scene, face = reload()
    own = face_links.lamps_of(face)
    facts["kind"], facts["untouched"] = own[lamps.KIND], lamps.is_untouched(own)
    facts["lamps"] = [sum(o.type == "LIGHT" for o in bpy.data.objects), len(bpy.data.lights)]
    facts["home"] = own.name in face_links.home_of(face, scene).children
    key = next(o for o in own.objects if "key" in o.name)
    facts["turned"] = turned(face, key)
    facts["removed"] = lamps.remove_lamps(face)
    facts["left"] = [len(bpy.data.lights), sum(o.type == "EMPTY" for o in bpy.data.objects)]
    facts["collections"] = len(bpy.data.collections)
    face.location, face.scale, face.rotation_euler.z = (1, 2, 3), (2, 2, 2), math.pi / 2
    bpy.context.view_layer.update()
    own = lamps.place_rig(face, "BUTTERFLY", scene)
    bpy.context.view_layer.update()
    key = next(o for o in own.objects if "key" in o.name)
    facts["moved"] = [round(v, 4) for v in key.matrix_world.translation]
    facts["watts"] = key.data.energy
    return facts


def turned(face, lamp):
    """The lamp's place before and after a quarter turn, and the World's mapping."""
    world = face_links.world_of(face)
    bpy.context.scene.world = world
    places = []
    for angle in (0.0, math.pi / 2):
        world[TURN] = angle
        world.update_tag()
        bpy.context.view_layer.update()
        places.append([round(v, 4) for v in lamp.matrix_world.translation])
    evaluated = world.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mapping = next(n for n in evaluated.node_tree.nodes if n.type == "MAPPING")
    return [*places, round(mapping.inputs["Rotation"].default_value[2], 4)]


def changed_rig(scene, face):
    own = lamps.place_rig(face, "RIM", scene)
    own.objects[1].data.energy = 77
    scene, face = reload()
    own = face_links.lamps_of(face)
    facts = {"untouched": lamps.is_untouched(own)}
    lamps.place_rig(face, "BUTTERFLY", scene)
    facts["kept"] = [own.hide_render, own.hide_viewport, own.objects[1].data.energy]
    facts["new"] = face_links.lamps_of(face) != own and face_links.lamps_of(face)[lamps.KIND]
    friend = bpy.data.objects.new("the user's", None)
    face_links.lamps_of(face).objects.link(friend)
    facts["removed"] = lamps.remove_lamps(face)
    facts["friend"] = "the user's" in bpy.data.objects
    return facts


def estimated(scene, face):
    own = lamps.place_estimated(face, scene)
    suns = [o.data for o in own.objects if o.type == "LIGHT"]
    return {"types": sorted({sun.type for sun in suns}), "count": len(suns), "residual": own[lamps.RESIDUAL]}


def keys(scene, face):
    blocks = face_links.key_blocks(face)
    blocks["jawOpen"].value, blocks["Photo expression"].value = 0.4, 0.2
    left = face.shape_key_add(name="mouthSmileLeft", from_mix=False)
    right = face.shape_key_add(name="mouthSmileRight", from_mix=False)
    left.value, right.value = 0.75, 0.25
    sliders = expressions.sliders_by_region(face)
    facts = {
        region: [[s.label, s.key.name, s.right and s.right.name] for s in found]
        for region, found in sliders.items()
    }
    expressions.mirror_expression(face)
    facts["mirrored"] = [left.value, right.value, round(blocks["jawOpen"].value, 4)]
    expressions.reset_expression(face)
    facts["reset"] = [left.value, blocks["jawOpen"].value, blocks["Photo expression"].value]
    return facts


def rebaked(scene, face):
    facts = {"before": len(bpy.data.images)}
    small = replace(
        reconstruction,
        albedo_srgb=np.ascontiguousarray(reconstruction.albedo_srgb[::2, ::2]),
        shading_linear=np.ascontiguousarray(reconstruction.shading_linear[::2, ::2]),
        confidence=np.ascontiguousarray(reconstruction.confidence[::2, ::2]),
        vertex_albedo_linear=reconstruction.vertex_albedo_linear * np.float32(0.5),
    )
    _, face = reload()
    facts["kept"] = len(rebake.apply_textures(face, small))
    facts["images"], facts["size"] = len(bpy.data.images), rebake.texture_size(face)
    facts["attributes"] = colour_names(face)
    facts["halved"] = bool(np.allclose(colour(face, "Albedo"), 0.5 * original(face), atol=1e-6))
    eyes = face_links.eyes_of(face)
    facts["eyes"] = colour_names(eyes)
    painted = texture_node(face_shader(face)[ALBEDO]).image
    painted.pixels[0] = 0.123
    painted.update()
    painted.pack()
    face.data.color_attributes["Albedo"].data[0].color = (1, 0, 0, 1)
    _, face = reload()
    painted = texture_node(face_shader(face)[ALBEDO]).image
    elsewhere = bpy.data.materials.new("elsewhere")
    elsewhere.use_nodes = True
    node = elsewhere.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = texture_node(face_shader(face)["Lighting"]).image
    facts["kept painted"] = [
        image in (painted, node.image) for image in rebake.apply_textures(face, reconstruction)
    ]
    facts["painted is kept"] = painted.use_fake_user and painted.users == 1
    facts["attributes painted"] = colour_names(face)
    facts["active"] = face.data.color_attributes.active_color.name
    facts["size again"] = rebake.texture_size(face)
    return facts


def colour_names(obj):
    return sorted(attribute.name for attribute in obj.data.color_attributes)


def colour(face, name):
    data = face.data.color_attributes[name].data
    values = np.empty(4 * len(data), np.float32)
    data.foreach_get("color", values)
    return values.reshape(-1, 4)[:, :3]


def original(face):
    is_eye = reconstruction.face_region == list(reconstruction.region_names).index("eyes")
    return reconstruction.vertex_albedo_linear[np.unique(reconstruction.faces[~is_eye])]


main()
