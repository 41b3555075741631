"""The environment that computes, as a folder: what it was made for, how far its making came, its end.

`venv_setup.py` makes it. What is finished is written down step by step in the folder, `ready` last.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core_models.errors import SemblanceError
from .torch_builds import TorchBuild

READY = "ready"
"""The last step."""
_RECORD = "semblance.json"


class EnvironmentRemovalError(SemblanceError):
    """The environment cannot be deleted."""

    code = "environment_in_use"


@dataclass(frozen=True)
class EnvironmentPlan:
    """What to make, and where: `folder` is the environment's, `base` the Python that it is made with."""

    folder: Path
    base: str
    build: TorchBuild
    requirements: Path
    """The pinned packages, among them a line torch==VERSION."""

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return _python_in(self.folder)

    @property
    def torch(self) -> str:
        """The pinned torch, as pip's requirement."""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        return self.build.requirement(next(line.strip() for line in lines if line.startswith("torch==")))

    @property
    def is_begun(self) -> bool:
        """Whether the folder holds an environment for this very plan, whose Python, if it was made, still works."""
        record = _read_record(self.folder)
        same = {key: record.get(key) for key in self._record} == self._record
        return same and (not self.done_steps or self.python.exists())

    @property
    def done_steps(self) -> list[str]:
        """The names of the steps that are finished."""
        return _done_steps(self.folder)

    def write_done(self, steps: Sequence[str]) -> None:
        """Write down what is finished.

        Raises:
            OSError: the folder cannot be written.
        """
        partial = self.folder / f"{_RECORD}.new"
        partial.write_text(json.dumps({**self._record, "done": list(steps)}), encoding="utf-8")
        os.replace(partial, self.folder / _RECORD)

    @property
    def _record(self) -> dict[str, str]:
        """What an environment was made for; one that was made for something else is made anew."""
        return {"build": self.build.name, "requirements": self.requirements.read_text(encoding="utf-8")}


def environment_python(folder: Path) -> Path | None:
    """The interpreter of a complete environment; None where it is missing, half-made, or its base Python is gone."""
    python = _python_in(folder)
    return python if READY in _done_steps(folder) and python.exists() else None


def is_current(folder: Path, requirements: Path) -> bool:
    """Whether the environment was made with these requirements."""
    return _read_record(folder).get("requirements") == requirements.read_text(encoding="utf-8")


def is_half_made(folder: Path) -> bool:
    """Whether a set-up began here and did not end."""
    return folder.exists() and environment_python(folder) is None


class EnvironmentRemoval:
    """Deletes an environment bit by bit, for Blender would stand still while it deletes 30,000 files at once."""

    def __init__(self, folder: Path) -> None:
        """Delete nothing yet."""
        self.finished = False
        self._folder = folder
        self._deletions = _deletions(folder)

    def poll(self, seconds: float = 0.05) -> None:
        """Delete for that long.

        Raises:
            EnvironmentRemovalError: a file is in use or may not be deleted.
        """
        end = time.monotonic() + seconds
        try:
            while not self.finished and time.monotonic() < end:
                self.finished = next(self._deletions, None) is None
        except OSError as error:
            raise EnvironmentRemovalError(
                f"'{self._folder}' cannot be deleted ({error.strerror or error}).",
                "Close what uses it, other Blenders too, and try again, or delete it by hand.",
            ) from error


def _deletions(folder: Path) -> Iterator[str]:
    # What is left when this fails must not pass for an environment.
    (folder / _RECORD).unlink(missing_ok=True)
    for parent, folders, files in os.walk(folder, topdown=False):
        for path in (os.path.join(parent, name) for name in (*files, *folders)):
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)
            yield path
    if folder.is_dir():
        folder.rmdir()


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _read_record(folder: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return record
    return {}


def _done_steps(folder: Path) -> list[str]:
    done = _read_record(folder).get("done")
    return [str(name) for name in done] if isinstance(done, list) else []
