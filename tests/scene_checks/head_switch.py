"""The head's switch, in any Blender: `python head_switch.py FILE.blend` prints what it does, as JSON."""

import json
import sys

import bpy


def main():
    bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
    face = next(o for o in bpy.data.objects if o.type == "MESH" and o.parent is None)
    mask = face.modifiers["Face only"]
    group = face.vertex_groups["Head"].index
    facts = {
        "vertices": len(face.data.vertices),
        "in_group": sum(group in [g.group for g in v.groups] for v in face.data.vertices),
        "on": shown(face),
    }
    face["semblance_head"] = False
    face.update_tag()
    facts["off"] = shown(face)
    facts["toggles_off"] = [mask.show_viewport, mask.show_render]
    face["semblance_head"] = True
    face.update_tag()
    facts["on_again"] = shown(face)
    facts["vertices_after"] = len(face.data.vertices)
    print("FACTS" + json.dumps(facts))


def shown(face):
    bpy.context.view_layer.update()
    mesh = face.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return [len(mesh.vertices), len(mesh.polygons)]


main()
