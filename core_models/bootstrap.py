"""Runs a module of the package in whatever Python this is: PYTHON bootstrap.py MODULE [arguments]

Any Python 3 can read this file: one that cannot compute says so, and exits with 1, instead of dying of a
syntax error or a missing import. The worker says it in its event file (`protocol` describes it), others on stderr. The
package goes under its own name, whatever its folder is called (an extension's, a checkout in `semblance-1.2`).
"""

import json
import os
import sys

_WORKER = "semblance.core_models.worker"
_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(_HERE)
_PYTHONS = ((3, 11), (3, 12))
_PACKAGES = (
    ("numpy", "NumPy"),
    ("torch", "PyTorch"),
    ("cv2", "OpenCV"),
    ("mediapipe", "MediaPipe"),
    ("scipy", "SciPy"),
    ("PIL", "Pillow"),
    ("platformdirs", "platformdirs"),
)
_CURE = "Set up the backend in the preferences of Semblance, or choose another interpreter there."


def fail(code, message):  # type: ignore[no-untyped-def]
    """Say it and exit."""
    if _module != _WORKER:
        sys.stderr.write("semblance: %s %s\n" % (message, _CURE))
        sys.exit(1)
    event = {"event": "error", "request": None, "code": code, "message": message, "hint": _CURE}
    with open(os.path.join(sys.argv[-1], "events.jsonl"), "a") as file:
        file.write(json.dumps(event) + "\n")
    sys.exit(1)


_module = sys.argv.pop(1)
# Python puts a script's folder on its path, where our modules would shadow others of their names.
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
if tuple(sys.version_info[:2]) not in _PYTHONS:
    version, known = "%d.%d" % tuple(sys.version_info[:2]), " or ".join("%d.%d" % known for known in _PYTHONS)
    fail("wrong_python", "The backend's Python is version %s; Semblance needs %s." % (version, known))

import importlib.util
import runpy

_missing = [name for module, name in _PACKAGES if importlib.util.find_spec(module) is None]
if _missing:
    fail(
        "missing_package",
        "The backend's Python '%s' has no %s." % (sys.executable, " and no ".join(_missing)),
    )

_spec = importlib.util.spec_from_file_location(
    "semblance", os.path.join(_ROOT, "__init__.py"), submodule_search_locations=[_ROOT]
)
assert _spec is not None and _spec.loader is not None
# Processes that this one spawns (`train.evaluate`) inherit the path, and find an extension's folder there by its name;
# last, so that the folder's neighbours shadow nobody.
sys.path.append(os.path.dirname(_ROOT))
_package = importlib.util.module_from_spec(_spec)
sys.modules["semblance"] = _package
_spec.loader.exec_module(_package)
runpy.run_module(_module, run_name="__main__", alter_sys=True)
