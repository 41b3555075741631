"""Every operator of the installed extension: `python every_operator.py ZIP FOLDER RESULT.npz PHOTO PYTHON`.

PYTHON is a backend whose faces are RESULT. Prints what is amiss as a JSON list, last.
"""

import json
import os
import sys
import tempfile

archive, folder, result, photo, python = sys.argv[1:]
os.environ["BLENDER_USER_RESOURCES"] = folder
os.environ["TMPDIR"] = os.environ["TEMP"] = os.path.join(folder, "temporary")
os.mkdir(os.environ["TMPDIR"])
import bpy  # noqa: E402, I001 (it makes addon_utils importable)
import addon_utils  # noqa: E402
import numpy as np  # noqa: E402

MODULE = "bl_ext.user_default.semblance"
PHOTO = {"directory": os.path.dirname(photo), "files": [{"name": os.path.basename(photo)}]}
# Each is run in this order, with the face of `import_result` selected from then on.
CALLS = {
    "add_photos": PHOTO,
    "find_faces": {},
    "reconstruct": {},
    "use_camera_background": {},
    "use_image": {"image": "portrait.png"},
    "remove_photo": {"index": -1},
    "import_result": {"filepath": result, "name": "face"},
    "show_light": {"light": "SCENE"},
    "use_world": {},
    "restore_world": {},
    "use_lamps": {"kind": "RIM"},
    "remove_lamps": {},
    "match_colours": {},
    "restore_colours": {},
    "look_through": {},
    "restore_view": {},
    "reset_expression": {},
    "mirror_expression": {},
    "show_texture": {"texture": "VERTEX"},
    "show_confidence": {"show": True},
    "rebake": {"size": "512"},
    "dismiss_error": {},
    "copy_report": {},
    "backend_check": {},
}
# Refused by their polls here; backend_preferences.py runs those of the backend.
REFUSED = {"cancel", "backend_cancel", "backend_remove"}
NEEDS_WINDOW = {"open_preferences", "show_face", "show_light_here"}
NEEDS_NETWORK = {"backend_setup"}
amiss = []


def main():
    install()
    operators = {cls.bl_idname.split(".")[1]: cls for cls in part("addon.operators").CLASSES}
    known = {*CALLS, *REFUSED, *NEEDS_WINDOW, *NEEDS_NETWORK}
    check(set(operators) == known, f"other operators: {sorted(set(operators) ^ known)}")
    for name, cls in operators.items():
        getattr(bpy.ops.semblance, name).poll()
        describe(name, cls)
    for name, values in CALLS.items():
        operator = getattr(bpy.ops.semblance, name)
        prepare(name)
        check(operator.poll(), f"{name}: refused")
        check(operator("EXEC_DEFAULT", True, **values) == {"FINISHED"}, f"{name}: not finished")
    for name in REFUSED:
        check(not getattr(bpy.ops.semblance, name).poll(), f"{name}: not refused")
    survives_save_and_load()
    disabled_twice()
    print(json.dumps(amiss))


def install():
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    bpy.context.preferences.addons[MODULE].preferences.interpreter = python
    bpy.ops.ed.undo_push(message="start")


def prepare(name):
    """What an operator wants to find."""
    if name == "use_image":
        bpy.data.images.load(photo).name = "portrait.png"
    if name == "use_camera_background":
        bpy.context.view_layer.objects.active = bpy.context.active_object["semblance_camera"]


def describe(name, cls):
    check(cls.__doc__ or hasattr(cls, "description"), f"{name}: no tooltip")
    for prop in getattr(bpy.ops.semblance, name).get_rna_type().properties:
        hidden = prop.identifier == "rna_type" or prop.is_hidden
        check(hidden or prop.description, f"{name}.{prop.identifier}: no tooltip")
    check(not (cls.__doc__ or "").endswith("."), f"{name}: Blender ends tooltips with a full stop of its own")


def arrays(face):
    """Positions, UV, attributes, shape keys and images of a face object."""
    mesh = face.data
    found = {"co": read(mesh.vertices, "co", 3), "uv": read(mesh.uv_layers.active.data, "uv", 2)}
    for attribute in mesh.color_attributes:
        found[f"attribute {attribute.name}"] = read(attribute.data, "color", 4)
    for block in mesh.shape_keys.key_blocks:
        found[f"key {block.name}"] = read(block.data, "co", 3)
    for node in images_of(face):
        found[f"image {node.label or node.name}"] = np.array(node.image.pixels[:], np.float32)
    return found


def images_of(face):
    trees = [material.node_tree for material in face.data.materials]
    groups = [node.node_tree for tree in trees for node in tree.nodes if node.type == "GROUP"]
    return [node for tree in (*trees, *groups) for node in tree.nodes if node.type == "TEX_IMAGE"]


def read(items, name, width):
    values = np.empty(len(items) * width, np.float32)
    items.foreach_get(name, values)
    return values


def survives_save_and_load():
    face = next(item for item in bpy.data.objects if "semblance_fit" in item)
    name, before = face.name, arrays(face)
    bpy.context.scene.semblance.quality = "BEST"
    path = os.path.join(folder, "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    after = arrays(bpy.data.objects[name])
    check(all(np.array_equal(before[key], after[key]) for key in before), "a face changed in its file")
    check(bpy.context.scene.semblance.quality == "BEST", "settings did not survive")


def disabled_twice():
    """Nothing of ours is left: classes, settings, timers, handlers, commands."""
    timer = part("addon.queue.timer").tick
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        check(not [name for name in dir(bpy.types) if "SEMBLANCE" in name], "a class is left")
        check(not hasattr(bpy.types.Scene, "semblance"), "settings are left")
        check(not bpy.app.timers.is_registered(timer), "a timer is left")
        check(not our_handlers(), f"handlers are left: {our_handlers()}")
        left = [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("semblance-")]
        check(not left, f"temporary files are left: {left}")
        addon_utils.enable(MODULE, default_set=True)
        check(bpy.ops.semblance.import_result(filepath=result) == {"FINISHED"}, "does not work again")
    addon_utils.disable(MODULE, default_set=True)


def our_handlers():
    values = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    handlers = [handler for value in values if isinstance(value, list) for handler in value]
    return [str(handler) for handler in handlers if MODULE in handler.__module__]


def part(name):
    """A module of the installed extension."""
    __import__(f"{MODULE}.{name}")
    return sys.modules[f"{MODULE}.{name}"]


def check(holds, sentence):
    if not holds:
        amiss.append(sentence)


main()
