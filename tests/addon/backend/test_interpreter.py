"""Which Python computes, asked of real processes."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from semblance.addon.backend import interpreter
from semblance.addon.backend.interpreter import NoBasePythonError, backend_python, base_python, probe
from semblance.addon.backend.process import BackendMissingError


@dataclass(frozen=True)
class Chosen:
    chosen_python: str = ""
    environment_python: Path | None = None


def fake_python(folder: Path, name: str, answer: str) -> Path:
    """A program that answers the probe."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process without torch, with an empty PATH; the folder that the PATH names."""
    if os.name == "nt":
        pytest.skip("the fake interpreters are shell scripts")
    folder = tmp_path / "programs"
    folder.mkdir()
    real = importlib.util.find_spec
    monkeypatch.setattr(
        interpreter.importlib.util, "find_spec", lambda name: None if name == "torch" else real(name)
    )
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", "/opt/blender/blender")
    return folder


def test_this_process_computes_where_it_has_the_packages() -> None:
    assert backend_python(None) == sys.executable
    assert backend_python(Chosen()) == sys.executable


def test_the_choice_goes_before_the_environment_and_that_before_our_own(tmp_path: Path) -> None:
    made = tmp_path / "made" / "python"
    assert backend_python(Chosen(sys.executable, made)) == sys.executable
    assert backend_python(Chosen("", made)) == str(made)


def test_a_choice_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackendMissingError, match="preferences"):
        backend_python(Chosen(str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("version", "modules", "computes"),
    [
        ("[3, 11]", '["torch", "cv2", "mediapipe"]', True),
        ("[3, 13]", '["torch", "cv2", "mediapipe"]', False),
        ("[3, 12]", '["torch", "cv2"]', False),
    ],
)
def test_one_on_the_path_must_have_the_packages(
    bare: Path, version: str, modules: str, computes: bool
) -> None:
    fake_python(bare, "python3", f'["/opt/python", {version}, {modules}]')
    if computes:
        assert backend_python(None) == "/opt/python"
    else:
        with pytest.raises(BackendMissingError, match="Set Up Backend"):
            backend_python(None)


def test_what_is_no_python_is_passed_over(bare: Path) -> None:
    fake_python(bare, "python3.11", "Python was not found; run without arguments to install it.")
    fake_python(bare, "python3", '["/opt/python", [3, 12], []]')
    assert base_python() == "/opt/python"


def test_no_base_python_says_what_to_install(bare: Path) -> None:
    fake_python(bare, "python3", '["/opt/python", [3, 13], []]')
    with pytest.raises(NoBasePythonError, match=r"Install Python 3\.12"):
        base_python()


def test_blender_itself_is_never_asked(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "probe", lambda command: pytest.fail(f"{command} was started"))
    with pytest.raises(NoBasePythonError):
        base_python()


def test_a_real_python_says_what_it_is() -> None:
    found = probe([sys.executable])
    assert found is not None
    assert found.version == sys.version_info[:2] and found.computes
