"""Install, enable and disable the extension: `python enable_extension.py ZIP FOLDER RESULT.npz PYTHON`.

PYTHON is a backend that writes its arguments into FOLDER/arguments.txt and exits with 7.

Runs in any Blender, without Semblance's own environment; prints one JSON object, last.
"""

import json
import os
import sys
from pathlib import Path

archive, folder, result, python = sys.argv[1:]
os.environ["BLENDER_USER_RESOURCES"] = folder
import bpy  # noqa: E402, I001 (it makes addon_utils importable)
import addon_utils  # noqa: E402

MODULE = "bl_ext.user_default.semblance"


def main():
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    facts = {"enabled": is_enabled(), "settings": hasattr(bpy.types.Scene, "semblance")}
    facts["heavy"] = [name for name in ("torch", "cv2", "mediapipe", "PIL") if name in sys.modules]
    facts["help"] = command(["face", "--help"])
    facts["refused"] = command(["evaluate", "--nonsense"])
    bpy.context.preferences.addons[MODULE].preferences.interpreter = python
    arguments = ["evaluate", "--photos", "a folder", "--out", "b"]
    facts["handed on"] = [command(arguments), arguments]
    facts["blend"] = write_blend()
    facts["enabled_after_writing"] = is_enabled()
    addon_utils.disable(MODULE, default_set=True)
    facts["disabled"] = not is_enabled() and not hasattr(bpy.types.Scene, "semblance")
    print(json.dumps(facts))


def command(arguments):
    run = sys.modules[f"{MODULE}.addon"].blender_command(sys.modules[f"{MODULE}.cli"].main)
    return run(arguments)


def is_enabled():
    return MODULE in [entry.module for entry in bpy.context.preferences.addons]


def write_blend():
    from bl_ext.user_default.semblance.addon.scene.blend_file import write_document
    from bl_ext.user_default.semblance.addon.scene.build import SceneOptions
    from bl_ext.user_default.semblance.core_models.reconstruction import Reconstruction

    path = Path(folder) / "face.blend"
    write_document(Reconstruction.load(result), "face", SceneOptions(), path)
    return path.stat().st_size


main()
