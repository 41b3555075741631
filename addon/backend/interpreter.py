"""Which Python computes: Blender's own has no torch, so another one must be found, or made (`venv.py`)."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from ...core_models.errors import SemblanceError
from .process import BackendMissingError

SUPPORTED = ((3, 11), (3, 12))
"""What mediapipe 0.10.21, numpy 1.26 and the pinned scientific libraries all have wheels for."""
REQUIRED_MODULES = ("torch", "cv2", "mediapipe")
_PROBE_SECONDS = 20.0
_PROBE = (
    "import importlib.util, json, sys; print(json.dumps([sys.executable, sys.version_info[:2], "
    "[n for n in sys.argv[1:] if importlib.util.find_spec(n)]]))"
)


class Preferences(Protocol):
    """What the user chose, as far as it decides which Python computes."""

    @property
    def chosen_python(self) -> str:
        """An interpreter's path; empty for the automatic choice."""

    @property
    def environment_python(self) -> Path | None:
        """The interpreter of the environment that the button made, when it is complete."""


class NoBasePythonError(SemblanceError):
    """No Python that an environment could be made with."""

    code = "no_base_python"


@dataclass(frozen=True)
class Interpreter:
    """A Python that was asked what it is; `modules` are those of `REQUIRED_MODULES` that it can find."""

    path: str
    version: tuple[int, int]
    modules: tuple[str, ...]

    @property
    def supported(self) -> bool:
        """Whether the backend's packages exist for this version."""
        return self.version in SUPPORTED

    @property
    def computes(self) -> bool:
        """Whether the backend's packages are there."""
        return self.supported and self.modules == REQUIRED_MODULES


def backend_python(preferences: Preferences | None) -> str:
    """The interpreter for the worker.

    In this order: the one chosen in the preferences; the environment that the preferences' button made; this process's
    own (a checkout with Blender as a module); one on the PATH that has the packages.

    Args:
        preferences: None outside Blender.

    Raises:
        BackendMissingError: there is none, or the chosen one does not exist.
    """
    if preferences is not None and preferences.chosen_python:
        if shutil.which(preferences.chosen_python) is None:
            raise BackendMissingError(
                f"The chosen interpreter '{preferences.chosen_python}' is no program that can be started.",
                "Choose another one in the preferences of Semblance, or leave the field empty.",
            )
        return preferences.chosen_python
    if preferences is not None and preferences.environment_python is not None:
        return str(preferences.environment_python)
    if all(importlib.util.find_spec(name) is not None for name in REQUIRED_MODULES):
        return sys.executable
    for interpreter in _on_path(os.environ.get("PATH", "")):
        if interpreter.computes:
            return interpreter.path
    raise BackendMissingError(
        "No Python with PyTorch was found, which computes the face.",
        "Press 'Set Up Backend' in the preferences of Semblance (Edit › Preferences › Add-ons), or choose an "
        "interpreter there.",
    )


def base_python() -> str:
    """The interpreter to make an environment with: this process's own where its version allows, else one on the PATH.

    Raises:
        NoBasePythonError: neither does.
    """
    # Blender can be built with itself as `sys.executable`: asked what it is, it would open a window.
    if Path(sys.executable or "").stem.lower().startswith("python"):
        own = probe([sys.executable])
        if own is not None and own.supported:
            return own.path
    for interpreter in _on_path(os.environ.get("PATH", "")):
        if interpreter.supported:
            return interpreter.path
    raise NoBasePythonError(
        f"The backend needs Python 3.11 or 3.12; Blender's is {sys.version_info[0]}.{sys.version_info[1]}, and "
        "no other was found.",
        "Install Python 3.12 from python.org or your system's packages, start Blender again and press the button "
        "again.",
    )


def probe(command: Sequence[str]) -> Interpreter | None:
    """Ask a Python what it is; None when it gives no answer."""
    try:
        done = subprocess.run(
            [*command, "-I", "-c", _PROBE, *REQUIRED_MODULES],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_PROBE_SECONDS,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        path, (major, minor), modules = json.loads(done.stdout)
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return None
    return Interpreter(path, (major, minor), tuple(modules))


@cache
def _on_path(path: str) -> tuple[Interpreter, ...]:
    """Those on the PATH, and Windows' launcher's; asked once, for it costs a process each."""
    answers = [probe(command) for command in _candidates(path)]
    return tuple({answer.path: answer for answer in answers if answer is not None}.values())


def _candidates(path: str) -> Iterator[list[str]]:
    versions = [f"{major}.{minor}" for major, minor in SUPPORTED]
    for name in (*(f"python{version}" for version in versions), "python3", "python"):
        found = shutil.which(name, path=path)
        if found is not None:
            yield [found]
    launcher = shutil.which("py", path=path) if sys.platform == "win32" else None
    if launcher is not None:
        yield from ([launcher, f"-{version}"] for version in versions)
