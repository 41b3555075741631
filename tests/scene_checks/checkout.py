"""`import checkout` lets any Blender's Python import this checkout as `semblance`, whatever its folder is called."""

import importlib.util
import sys
from pathlib import Path

if "semblance" not in sys.modules:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location(
        "semblance", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    sys.modules["semblance"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
