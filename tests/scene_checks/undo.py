"""Each operator on faces, and one undo: `python undo.py RESULT.npz` prints what it did.

Whether the scene changed, alike for two faces, and was as before after one undo. Runs in any Blender; one JSON object,
last.
"""

import json
import sys

import bpy
import checkout  # noqa: F401

import semblance
from semblance.addon.scene import face_links
from semblance.addon.scene.material import face_shader

BEFORE = {
    "restore_world": ("use_world", {}),
    "remove_lamps": ("use_lamps", {"kind": "RIM"}),
    "restore_colours": ("match_colours", {}),
    "restore_view": ("look_through", {}),
}
OPERATORS = [
    ("show_light", {"light": "SCENE"}),
    ("use_world", {}),
    ("restore_world", {}),
    ("use_lamps", {"kind": "ESTIMATED"}),
    ("use_lamps", {"kind": "REMBRANDT"}),
    ("use_lamps", {"kind": "BUTTERFLY"}),
    ("use_lamps", {"kind": "RIM"}),
    ("remove_lamps", {}),
    ("match_colours", {}),
    ("restore_colours", {}),
    ("look_through", {}),
    ("restore_view", {}),
    ("reset_expression", {}),
    ("mirror_expression", {}),
    ("show_texture", {"texture": "VERTEX"}),
    ("show_confidence", {"show": True}),
]


def main():
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    semblance.register()
    bpy.ops.ed.undo_push(message="start")
    for _ in range(2):
        bpy.ops.semblance.import_result("EXEC_DEFAULT", True, filepath=sys.argv[1], name="face")
    for face in faces():
        for side, value in (("Left", 0.75), ("Right", 0.25)):
            face.shape_key_add(name=f"mouthSmile{side}", from_mix=False).value = value
        face.select_set(True)
    facts = {"faces": len(faces()), "operators": {}}
    for name, values in OPERATORS:
        facts["operators"][" ".join((name, *map(str, values.values())))] = changed_and_undone(name, values)
    facts["face of a removed lamp"] = face_after_replacing_its_active_lamp()
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    facts["without a face"] = sorted(name for name, _ in OPERATORS if getattr(bpy.ops.semblance, name).poll())
    semblance.unregister()
    print(json.dumps(facts))


def faces():
    return [o for o in bpy.data.objects if face_links.MODEL in o]


def changed_and_undone(name, values):
    run = bpy.ops.semblance
    if name in BEFORE:
        first, its_values = BEFORE[name]
        getattr(run, first)("EXEC_DEFAULT", True, **its_values)
    bpy.ops.ed.undo_push(message="before")
    before = state()
    assert getattr(run, name)("EXEC_DEFAULT", True, **values) == {"FINISHED"}
    after = state()
    bpy.ops.ed.undo()
    undone = state() == before
    if name in BEFORE:
        getattr(run, name)("EXEC_DEFAULT", True, **values)
    alike = all(after[kind][0] == after[kind][1] for kind in ("sliders", "keys", "own lamps"))
    return [after != before, alike or (name == "use_lamps" and values["kind"] == "ESTIMATED"), undone]


def face_after_replacing_its_active_lamp():
    bpy.ops.semblance.use_lamps(kind="RIM")
    lamp = next(o for o in face_links.lamps_of(faces()[0]).objects if o.type == "LIGHT")
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = lamp
    lamp.select_set(True)
    bpy.ops.semblance.use_lamps(kind="BUTTERFLY")
    return face_links.face_of(bpy.context) == faces()[0]


def state():
    scene = bpy.context.scene
    view, render = scene.view_settings, scene.render
    return {
        "scene": [scene.world and scene.world.name, scene.camera and scene.camera.name, sorted(scene.keys())],
        "view": [view.view_transform, view.look, view.exposure, render.resolution_x, render.resolution_y],
        "objects": sorted(o.name for o in bpy.data.objects),
        "lights": sorted(o.name for o in bpy.data.lights),
        "collections": sorted([c.name, c.hide_render] for c in bpy.data.collections),
        "sliders": [[i.default_value for i in face_shader(face) if i.type == "VALUE"] for face in faces()],
        "own lamps": [face_links.lamps_of(face) is not None for face in faces()],
        "keys": [[key.value for key in face_links.key_blocks(face).values()] for face in faces()],
    }


main()
