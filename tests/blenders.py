"""Blender in processes of its own: a crash must fail a test, not end all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent / "scene_checks"
"""Scripts that need bpy and numpy only, for any Blender."""
_OTHERS = {"4.2": "SEMBLANCE_BPY42", "5.0": "SEMBLANCE_BPY50"}
"""Version → the variable that names a Python with that bpy."""

BLENDERS = [
    pytest.param("this", marks=pytest.mark.blender),
    *(pytest.param(version, marks=(pytest.mark.slow, pytest.mark.blender)) for version in _OTHERS),
]
"""Parameters of a fixture that calls `interpreter`."""


def interpreter(version: str) -> str:
    """The Python of a Blender version; skips the test where there is none."""
    if version == "this":
        return sys.executable
    variable = _OTHERS[version]
    if variable not in os.environ:
        pytest.skip(f"set {variable} to a Python with bpy {version}")
    return os.environ[variable]


def run_python(*arguments: str | Path, python: str = sys.executable) -> str:
    """Run it to its end, which must be a success, and return its stdout."""
    done = subprocess.run([python, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout
