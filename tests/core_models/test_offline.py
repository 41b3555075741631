"""After set-up nothing needs a network: a whole job where there is none, and no socket is ever made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
import skimage.io

pytest.importorskip("bpy", reason="Blender as a Python module is not installed")

_HOOK = """
import os, sys

def watch(event, arguments):
    if event.startswith("socket."):
        with open(os.environ["SEMBLANCE_SOCKETS"], "a") as file:
            file.write(f"{event} {arguments} {sys.argv}\\n")

sys.addaudithook(watch)
with open(os.environ["SEMBLANCE_SOCKETS"] + ".watched", "a") as file:
    file.write("one process\\n")
"""

_FACE = """
from semblance.addon.backend import launch
from semblance.cli import main

launch._ISOLATED = ()  # which hides the hook from the worker
raise SystemExit(main())
"""


def without_network() -> list[str]:
    """A command that runs another where there is no network, if this machine has one and may use it."""
    command = [shutil.which("unshare") or "unshare", "--map-root-user", "--net"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except OSError:
        allowed = False
    return command if allowed else []


def test_a_whole_job_makes_no_socket(tmp_path: Path) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(_HOOK)
    sockets = tmp_path / "sockets.txt"
    photo = tmp_path / "astronaut.png"
    skimage.io.imsave(photo, skimage.data.astronaut()[:320, 60:380], check_contrast=False)
    path = os.pathsep.join(filter(None, [str(tmp_path / "hook"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", _FACE, "face", str(photo), "--quality", "draft", "--size", "512"]
    done = subprocess.run(
        [*without_network(), *command],
        env={**os.environ, "PYTHONPATH": path, "SEMBLANCE_SOCKETS": str(sockets)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "astronaut.blend").exists()
    assert len(Path(f"{sockets}.watched").read_text().splitlines()) >= 2, "Blender's side and the worker"
    assert not sockets.exists(), sockets.read_text()
