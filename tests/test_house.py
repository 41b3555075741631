"""The doors between the rooms: who may import whom, in functions and for the type checker too."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from semblance.tests.import_graph import (
    ROOT,
    circles,
    file_graph,
    imports,
    modules,
    private_names,
    tree,
    written_imports,
)

ROOMS = ("addon", "core_models", "train")
"""What is installed; benchmarks/ and tests/ are not."""
GUARDED = (*ROOMS, "benchmarks")
FORBIDDEN = {
    "addon": {"torch", "cv2", "mediapipe", "PIL", "scipy", "skimage"},
    "core_models": {"bpy", "bmesh", "mathutils", "numba"},
    "train": {"bpy", "bmesh", "mathutils", "numba"},
}
# Beside all of addon/backend; of addon/queue, what talks to Blender's scene and timers remains.
BPY_FREE = ("queue/task", "queue/session", "headless/outputs", "headless/terminal")
DOORS = {
    "addon": {"core_models"},
    "core_models": set(),
    "train": {"core_models"},
    "benchmarks": {"core_models", "train"},
}
"""The other rooms that a room may enter."""
ADDON_DOORS = {"reconstruction", "protocol", "errors"}
"""By which addon enters core_models."""
# Inside core_models an import runs downwards, from a module or room to one of a lower level; every one is listed.
LEVELS = {
    "bootstrap": 0,
    "errors": 0,
    "landmarks": 0,
    "units": 0,
    "versions": 0,
    "colour": 0,
    "images": 1,
    "protocol": 1,
    "reconstruction": 1,
    "skin_colour": 1,
    "geometry": 2,
    "progress": 2,
    "render": 3,
    "morphable": 4,
    "networks": 4,
    "photo": 4,
    "texture": 5,
    "faces": 6,
    "intrinsic": 6,
    "view": 6,
    "completion": 7,
    "fitting": 7,
    "models": 8,
    "bake": 9,
    "merge_textures": 10,
    "assembly": 10,
    "pipeline": 11,
    "engine": 12,
    "requests": 13,
    "worker": 14,
    "builders": 15,
}
# Private names that tests still reach for: a list to shorten, not to lengthen.
PRIVATE_NAMES_IN_TESTS = {
    "tests/addon/backend/test_faults.py": {"_patience", "_process", "_worker"},
    "tests/addon/backend/test_venv_setup.py": {"_replace"},
    "tests/core_models/intrinsic/test_eyes.py": {"_find_eyes"},
    "tests/core_models/intrinsic/test_illuminant.py": {"_unevenness"},
    "tests/core_models/intrinsic/test_white_references.py": {"_sclera", "_teeth"},
    "tests/core_models/texture/test_seams.py": {"_case"},
    "tests/scene_checks/backend_preferences.py": {"_process"},
    "tests/scene_checks/operators.py": {"_draw_funcs"},  # Blender's
    "tests/seams.py": {"_pixels"},
}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_room_imports_a_forbidden_library(room: str) -> None:
    found = {(str(path), name[0]) for path in modules(room) for name in imports(path)}
    assert not [pair for pair in found if pair[1] in FORBIDDEN[room]]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_inside_are_relative(room: str) -> None:
    assert not [
        path for path in modules(room) if any(name[0] == "semblance" for name in written_imports(path))
    ]


@pytest.mark.parametrize("room", GUARDED)
def test_rooms_enter_others_by_their_doors(room: str) -> None:
    allowed = DOORS[room] | {room}
    assert not [
        f"{path} imports {'.'.join(name[1:])}"
        for path in modules(room)
        for name in imports(path)
        if name[0] == "" and name[1] not in allowed
    ]


def test_addon_enters_core_models_by_its_doors() -> None:
    for path in modules("addon"):
        for name in imports(path):
            assert name[:2] != ("", "core_models") or name[2] in ADDON_DOORS, path


def test_what_needs_no_bpy_has_none() -> None:
    """Neither itself nor through what it imports, at any time."""
    bpy_free = [*modules("addon/backend"), *(ROOT / f"addon/{name}.py" for name in BPY_FREE)]
    seen: set[Path] = set()
    while bpy_free:
        path = bpy_free.pop()
        seen.add(path)
        for name in imports(path):
            assert name[0] not in FORBIDDEN["core_models"], path
            near = [ROOT.joinpath(*name[1:length]).with_suffix(".py") for length in range(2, len(name) + 1)]
            bpy_free += [file for file in near if name[0] == "" and file.is_file() and file not in seen]


def test_what_answers_for_both_processes_needs_the_standard_library_alone() -> None:
    for name in imports(ROOT / "core_models/protocol.py"):
        assert name[0] in sys.stdlib_module_names or name[:3] == ("", "core_models", "errors"), name


def test_networks_know_no_photo_no_fit_and_no_texture() -> None:
    for path in modules("core_models/networks"):
        for name in imports(path):
            assert name[:2] != ("", "core_models") or name[2] not in ("photo", "fitting", "texture"), path


def test_every_part_of_core_models_has_a_level() -> None:
    there = {
        path.relative_to(ROOT / "core_models").with_suffix("").parts[0] for path in modules("core_models")
    }
    assert there - {"__init__"} <= LEVELS.keys()


def test_no_import_runs_upwards() -> None:
    for path in modules("core_models"):
        own = path.relative_to(ROOT / "core_models").with_suffix("").parts[0]
        for name in imports(path):
            if name[:2] == ("", "core_models") and name[2] != own:
                assert LEVELS[name[2]] < LEVELS[own], f"{path} imports {name[2]}"


def test_every_room_is_on_the_map() -> None:
    named = set(re.findall(r"(?<!`)`([^`\n]+)`", (ROOT / "docs/architecture.md").read_text(encoding="utf-8")))
    folders = {
        path.parent.relative_to(ROOT) for room in GUARDED for path in (ROOT / room).rglob("__init__.py")
    }
    rooms = {folder.as_posix() for folder in folders if len(folder.parts) > 1} | {
        f"{room}/" for room in GUARDED
    }
    assert not rooms - named
    assert not {path.stem for path in (ROOT / "core_models").glob("[!_]*.py")} - named


def test_no_files_import_each_other() -> None:
    assert not circles(file_graph(GUARDED))


def test_core_models_prints_nothing() -> None:
    assert not [
        f"{path}:{node.lineno}"
        for path in modules("core_models")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def test_tests_use_public_names() -> None:
    found = {path.relative_to(ROOT).as_posix(): private_names(path) for path in modules("tests")}
    known = PRIVATE_NAMES_IN_TESTS
    assert not {path: new for path, names in found.items() if (new := names - known.get(path, set()))}


def test_every_package_is_installed_by_pyproject() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {"semblance"} | {
        ".".join(("semblance", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert listed == there
