"""The doors between the rooms: who may import whom."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("addon", "core_models", "train")
FORBIDDEN = {
    "addon": {"torch", "cv2", "mediapipe", "PIL", "scipy", "skimage"},
    "core_models": {"bpy", "bmesh", "mathutils"},
    "train": {"bpy", "bmesh", "mathutils"},
}
# Inside core_models no import runs upwards; what is not listed stands between.
LEVELS = {
    "geometry": 0,
    "render": 1,
    "morphable": 2,
    "texture": 3,
    "photo": 3,
    "faces": 4,
    "fitting": 5,
    "networks": 5,
    "view": 5,
    "pipeline": 6,
    "engine": 7,
    "answers": 8,
    "worker": 9,
}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Dotted names, absolute ones as they are, relative ones from the repository's root with a leading ''."""
    package = ("", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            base = package[: len(package) - node.level + 1] + module if node.level else module
            yield from ((*base, alias.name) for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_a_forbidden_library(room: str) -> None:
    found = {(str(path), name[0]) for path in modules(room) for name in imports(path)}
    assert not [pair for pair in found if pair[1] in FORBIDDEN[room]]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_inside_are_relative(room: str) -> None:
    assert not [path for path in modules(room) if any(name[0] == "semblance" for name in imports(path))]


def test_addon_imports_only_the_result_of_core_models() -> None:
    wanted = ("", "core_models", "reconstruction")
    for path in modules("addon"):
        for name in imports(path):
            assert name[:2] != ("", "core_models") or name[:3] == wanted, path
            assert name[:2] != ("", "train"), path


def test_core_models_imports_no_other_room() -> None:
    for path in modules("core_models"):
        for name in imports(path):
            assert name[0] != "" or name[1] == "core_models", path


def test_train_never_imports_addon() -> None:
    assert not [path for path in modules("train") if any(name[:2] == ("", "addon") for name in imports(path))]


def test_no_import_runs_upwards() -> None:
    for path in modules("core_models"):
        own = path.relative_to(ROOT / "core_models").with_suffix("").parts[0]
        for name in imports(path):
            if name[:2] == ("", "core_models") and own in LEVELS and name[2] in LEVELS and name[2] != own:
                assert LEVELS[name[2]] < LEVELS[own], f"{path} imports {name[2]}"


def test_every_package_is_installed_by_pyproject() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {"semblance"} | {
        ".".join(("semblance", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert listed == there
