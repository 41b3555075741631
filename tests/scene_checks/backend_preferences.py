"""The preferences' buttons: `python backend_preferences.py ZIP FOLDER FAKE_PYTHON PYTHON`; prints a JSON object, last.

FAKE_PYTHON makes environments that do as FOLDER's plan.txt says; PYTHON computes.
"""

import json
import os
import sys
import time
from pathlib import Path

archive, folder, fake, python = sys.argv[1:]
os.environ["BLENDER_USER_RESOURCES"] = folder
import bpy  # noqa: E402, I001 (it makes addon_utils importable)
import addon_utils  # noqa: E402

MODULE = "bl_ext.user_default.semblance"
facts = {}


def main():
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    backend = sys.modules[f"{MODULE}.addon.operators.backend"]
    state = sys.modules[f"{MODULE}.addon.backend.installation"].installation()
    preferences = bpy.context.preferences.addons[MODULE].preferences
    backend.base_python = lambda: fake
    made = Path(bpy.utils.extension_path_user(MODULE, path="backend"))
    facts["outside the extension"] = not made.is_relative_to(Path(sys.modules[MODULE].__file__).parent)

    facts["offline"] = failure(bpy.ops.semblance.backend_setup)
    bpy.context.preferences.system.use_online_access = True
    facts["nothing to remove"] = bpy.ops.semblance.backend_remove.poll()
    order(made, "ok no_network")
    facts["no network"] = failure(bpy.ops.semblance.backend_setup)
    facts["status"] = state.status
    facts["half made"] = made.exists() and preferences.environment_python is None
    facts["made"] = (
        [*bpy.ops.semblance.backend_setup()],
        preferences.environment_python == made / "bin" / "python",
    )
    facts["chosen by itself"] = backend.chosen_backend() == (str(made / "bin" / "python"), "auto")
    facts["removed"] = [*bpy.ops.semblance.backend_remove()], not made.exists()
    preferences.interpreter = python
    facts["checked"] = [*bpy.ops.semblance.backend_check()]
    facts["versions"] = state.status
    preferences.interpreter = folder + "/nowhere"
    facts["forgotten"] = state.status
    facts["no such"] = failure(bpy.ops.semblance.backend_check)
    disabled_while_setting_up(backend, state, made)
    print(json.dumps(facts))


def disabled_while_setting_up(backend, state, made):
    """As with a window: the operator returns at once and a timer goes on."""
    order(made, "ok slow")
    state.set_up(
        backend.EnvironmentPlan(
            made, fake, backend.torch_builds(backend.this_machine())[0], backend.REQUIREMENTS
        )
    )
    bpy.app.timers.register(backend.tick, persistent=True)
    while "50 of 100 MB" not in state.setup.label or state.setup.fraction < 0.05:
        facts["goes on"] = backend.tick() is not None
        time.sleep(0.02)
    process = state.setup._process
    addon_utils.disable(MODULE, default_set=True)
    facts["ended"] = process.poll() is not None
    facts["timer left"] = bpy.app.timers.is_registered(backend.tick)
    addon_utils.enable(MODULE, default_set=True)
    addon_utils.disable(MODULE, default_set=True)


def order(made, words):
    made.parent.mkdir(parents=True, exist_ok=True)
    (made.parent / "plan.txt").write_text(words)


def failure(operator):
    try:
        operator()
    except RuntimeError as error:
        return str(error)
    return None


main()
