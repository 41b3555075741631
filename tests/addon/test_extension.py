"""The extension as Blender installs it: its zip, its life in each Blender, its preferences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.fake_worker import head
from semblance.tests.synthetic import synthetic_reconstruction

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built and validated by Blender's own tool, which fails the build where it finds fault."""
    tool = REPOSITORY / "tools" / "build_extension.py"
    out = tmp_path_factory.mktemp("dist")
    printed = subprocess.run(
        [sys.executable, tool, "--out", out], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return Path(printed.stdout.strip())


def test_the_zip_holds_what_runs_and_nothing_else(archive: Path) -> None:
    roots = ("__init__.py", "__main__.py", "cli.py", "blender_manifest.toml", "requirements.txt", "LICENSE")
    expected = set(roots) | {
        path.relative_to(REPOSITORY).as_posix()
        for room in ("addon", "core_models", "train")
        for path in (REPOSITORY / room).rglob("*")
        if path.suffix == ".py" or path.parent.name == "weights"
    }
    with zipfile.ZipFile(archive) as packed:
        assert {name for name in packed.namelist() if not name.endswith("/")} == expected
    assert archive.stat().st_size < 20e6


@pytest.mark.skipif(os.name == "nt", reason="the fake backend is a shell script")
@pytest.mark.parametrize("version", BLENDERS)
def test_the_extension_lives_in_blender(archive: Path, tmp_path: Path, version: str) -> None:
    result = tmp_path / "face.npz"
    synthetic_reconstruction(n=12, texture_size=16, photo_size=(16, 20)).save(result)
    python, arguments = tmp_path / "python", tmp_path / "arguments.txt"
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{arguments}'\nexit 7\n")
    python.chmod(0o755)
    script = CHECKS / "enable_extension.py"
    facts = last_json(run_python(script, archive, tmp_path, result, python, python=interpreter(version)))
    assert facts.pop("blend") > 100_000
    code, command = facts.pop("handed on")
    assert code == 7 and arguments.read_text().splitlines()[-len(command) :] == command
    assert facts == {
        "enabled": True,
        "settings": True,
        "heavy": [],
        "help": 0,
        "refused": 2,
        "enabled_after_writing": True,
        "disabled": True,
    }


@pytest.mark.skipif(os.name == "nt", reason="the fake backend is a shell script")
@pytest.mark.parametrize("version", BLENDERS)
def test_every_operator(archive: Path, tmp_path: Path, version: str) -> None:
    result, photo, python = tmp_path / "face.npz", tmp_path / "ok.png", tmp_path / "python"
    head().save(result)
    Image.new("RGB", (64, 80), (120, 90, 60)).save(photo)
    # What comes before the device starts the real worker.
    start = 'while [ "$1" != --device ]; do shift; done'
    python.write_text(f'#!/bin/sh\n{start}\nexec "{sys.executable}" -m semblance.tests.fake_worker "$@"\n')
    python.chmod(0o755)
    script = CHECKS / "every_operator.py"
    printed = run_python(script, archive, tmp_path, result, photo, python, python=interpreter(version))
    assert last_json(printed) == [], printed


@pytest.mark.skipif(os.name == "nt", reason="the fake Python is a script with a first line")
@pytest.mark.parametrize("version", BLENDERS)
def test_the_preferences_buttons(archive: Path, tmp_path: Path, version: str) -> None:
    fake = tmp_path / "python3.11"
    source = (Path(__file__).parents[1] / "fake_python.py").read_text(encoding="utf-8")
    fake.write_text(source.replace("#!PYTHON", f"#!{sys.executable}", 1), encoding="utf-8")
    fake.chmod(0o755)
    script = CHECKS / "backend_preferences.py"
    printed = run_python(script, archive, tmp_path, fake, sys.executable, python=interpreter(version))
    facts = last_json(printed)
    assert "Allow Online Access" in facts.pop("offline")
    assert "Check the network" in facts.pop("no network")
    assert facts.pop("status").startswith("The packages could not be downloaded.")
    assert facts.pop("versions").startswith("Ready · Python 3.11")
    assert "nowhere" in facts.pop("no such")
    assert facts == {
        "outside the extension": True,
        "nothing to remove": False,
        "half made": True,
        "made": [["FINISHED"], True],
        "chosen by itself": True,
        "removed": [["FINISHED"], True],
        "checked": ["FINISHED"],
        "forgotten": "",
        "goes on": True,
        "ended": True,
        "timer left": False,
    }


def test_processes_that_the_backend_spawns_find_the_extension(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "semblance")
    (tmp_path / "semblance" / "spawning.py").write_text(_SPAWNING)
    (tmp_path / "numpy.py").write_text("raise SystemExit('a neighbour shadows numpy')")
    bootstrap = tmp_path / "semblance" / "core_models" / "bootstrap.py"
    command = [sys.executable, "-E", "-s", bootstrap, "semblance.spawning"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.strip() == str(tmp_path / "semblance" / "spawning.py"), done.stderr


_SPAWNING = """
import concurrent.futures
import multiprocessing

import numpy


def where() -> str:
    return __file__


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        print(pool.submit(where).result())
"""


def last_json(printed: str) -> Any:
    return json.loads(printed.splitlines()[-1])
