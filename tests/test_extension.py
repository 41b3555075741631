"""The repository as a Blender extension: built, installed, enabled, used and disabled."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.synthetic import synthetic_reconstruction

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.parametrize("version", BLENDERS)
def test_the_extension_lives_in_blender(tmp_path: Path, version: str) -> None:
    result = tmp_path / "face.npz"
    synthetic_reconstruction(n=12, texture_size=16, photo_size=(16, 20)).save(result)
    script = CHECKS / "enable_extension.py"
    printed = run_python(script, REPOSITORY, tmp_path, result, python=interpreter(version))
    facts = json.loads(printed.splitlines()[-1])
    assert facts.pop("blend") > 100_000
    assert facts == {
        "enabled": True,
        "settings": True,
        "heavy": [],
        "help": 0,
        "enabled_after_writing": True,
        "disabled": True,
    }
    packed = zipfile.ZipFile(tmp_path / "semblance.zip").namelist()
    assert {"__init__.py", "addon/scene/build.py", "core_models/worker.py", "cli.py"} <= set(packed)
    assert not [
        name for name in packed if name.startswith((".", "tests/", "benchmarks/")) or "__pycache__" in name
    ]
