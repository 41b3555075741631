"""A real Blender in a window on a screen that nobody sees: Xvfb, and xdotool for mouse and keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semblance.tools.build_extension import build

ROOTS = "SEMBLANCE_BLENDER_ROOTS"
"""The variable that names folders with a system that has Blender, for chroot; `blender` on the PATH without it."""
WIDTH, HEIGHT = 1280, 960
_HERE = Path(__file__).parent
_SHARED = "semblance-gui"


def roots() -> list[str]:
    """What to run the tests in; "" is this system."""
    return os.environ.get(ROOTS, "").split(os.pathsep)


class BlenderWindow:
    """A Blender that obeys: `run` Python in it, `click` what a user would click, `shot` what a user would see."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, inside: Path, display: str) -> None:
        """`folder` is `inside` for Blender."""
        self._process = process
        self._display = display
        self._last_row = 0
        self.folder = folder
        self.inside = inside

    def run(self, code: str, timeout: float = 180.0) -> Any:
        """Run Python and return its variable `answer`."""
        temporary = self.folder / "request.tmp"
        temporary.write_text(code, "utf-8")
        temporary.rename(self.folder / "request.py")
        answer = self.folder / "answer.json"
        end = time.monotonic() + timeout
        while not answer.exists():
            assert self._process.poll() is None, f"Blender ended: {self.log()}"
            assert time.monotonic() < end, f"Blender does not answer: {self.log()}"
            time.sleep(0.02)
        reply = json.loads(answer.read_text("utf-8"))
        answer.unlink()
        assert "error" not in reply, reply["error"]
        return reply["answer"]

    def wait(self, expression: str, timeout: float = 60.0) -> Any:
        """Until the expression is true."""
        end = time.monotonic() + timeout
        while not (answer := self.run(f"answer = {expression}")):
            assert time.monotonic() < end, f"{expression} stayed false: {self.log()}"
            time.sleep(0.2)
        return answer

    def open_sidebar(self, tab: str) -> None:
        """Show the 3-D view's sidebar on a tab."""
        self.run(f"{_REGION}\narea.spaces.active.show_region_ui = True")
        time.sleep(0.5)
        self.run(f"{_REGION}\nregion.active_panel_category = {tab!r}; area.tag_redraw()")
        time.sleep(0.5)

    def click(self, command: str) -> None:
        """Click the button of the sidebar whose Python command begins like this, as `bpy.ops.` is left out."""
        x, y, width, height = self.run(f"{_REGION}\nanswer = region.x, region.y, region.width, region.height")
        top = HEIGHT - y - height
        # Near the last click first: what follows is mostly there.
        rows = sorted(range(top + 6, top + height, 8), key=lambda row: abs(row - self._last_row))
        for row in rows:
            for share in (0.4, 0.85):
                self.move(x + int(width * share), row)
                if self.run(_HOVERED).startswith(f"bpy.ops.{command}"):
                    self.xdotool("click", "1")
                    self._last_row = row
                    return
        raise AssertionError(f"no button {command} in the sidebar")

    def move(self, x: int, y: int) -> None:
        """The mouse, to pixels from the upper left."""
        self.xdotool("mousemove", str(x - 1), str(y))
        self.xdotool("mousemove", str(x), str(y))
        time.sleep(0.06)

    def xdotool(self, *arguments: str) -> None:
        """Mouse and keys."""
        subprocess.run(["xdotool", *arguments], env={**os.environ, "DISPLAY": self._display}, check=True)

    def pixels(self) -> np.ndarray:
        """What the window shows, (HEIGHT, WIDTH, 3) uint8."""
        # Blender's own screenshots are black where Mesa draws without a graphics card.
        dump = ["xwd", "-root", "-silent"]
        screen = {**os.environ, "DISPLAY": self._display}
        return _pixels(subprocess.run(dump, env=screen, check=True, capture_output=True).stdout)

    def shot(self, target: Path) -> None:
        """Keep a picture of the window."""
        self.run(f"{_REGION}\narea.tag_redraw()")
        self.move(5, HEIGHT - 5)
        time.sleep(0.4)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.pixels()).save(target)

    def quit(self) -> int:
        """End Blender as a user does; its exit code."""
        (self.folder / "request.py").write_text("bpy.ops.wm.quit_blender()", "utf-8")
        return self._process.wait(60)

    def log(self) -> str:
        """The end of what Blender printed."""
        return (self.folder / "blender.log").read_text("utf-8", "replace")[-3000:]


_REGION = """
window = bpy.context.window_manager.windows[0]
area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
region = next(region for region in area.regions if region.type == "UI")
"""
_HOVERED = f"""{_REGION}
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.context.window_manager.clipboard = ""
    if bpy.ops.ui.copy_python_command_button.poll():
        bpy.ops.ui.copy_python_command_button()
    answer = bpy.context.window_manager.clipboard
"""


@contextmanager
def blender_window(root: str, shared: Sequence[str] = ()) -> Iterator[BlenderWindow]:
    """A window with the built extension enabled; skips the test where that cannot be had.

    Args:
        root: one of `roots`.
        shared: folders of this system that a Blender in another root must see under the same path.
    """
    _need(root)
    with ExitStack() as stack:
        inside = Path("/tmp", f"{_SHARED}-{os.getpid()}")
        folder = Path(root, *inside.parts[1:]) if root else inside
        folder.mkdir(parents=True)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for path in shared if root else ():
            _mount(stack, path, root)
        (folder / "tmp").mkdir()
        archive = build(folder / "dist")
        environment = {
            **os.environ,
            "BLENDER_USER_RESOURCES": str(inside / "user"),
            "SEMBLANCE_REMOTE": str(inside),
            "TMPDIR": str(inside / "tmp"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        chroot = ["chroot", root] if root else []
        install = [
            "-b",
            "--factory-startup",
            "--command",
            "extension",
            "install-file",
            "-r",
            "user_default",
            "-e",
        ]
        subprocess.run(
            [*chroot, "blender", *install, str(inside / "dist" / archive.name)],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        environment["DISPLAY"] = display = _screen(stack)
        shutil.copy(_HERE / "remote.py", folder)
        log = stack.enter_context(open(folder / "blender.log", "wb"))
        window = ["-p", "0", "0", str(WIDTH), str(HEIGHT), "--python", str(inside / "remote.py")]
        process = subprocess.Popen(
            [*chroot, "blender", *window], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        stack.callback(_end, process)
        blender = BlenderWindow(process, folder, inside, display)
        blender.run("pass")
        yield blender


def _pixels(dump: bytes) -> np.ndarray:
    """X's format of 32 bits a pixel, blue first → (H, W, 3) uint8."""
    header = np.frombuffer(dump, ">u4", 25)
    size, width, height, bytes_a_line, colours = (int(header[index]) for index in (0, 4, 5, 12, 19))
    start = size + 12 * colours
    lines = np.frombuffer(dump, np.uint8, height * bytes_a_line, start).reshape(height, bytes_a_line)
    return lines[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]


def _need(root: str) -> None:
    missing = [name for name in ("Xvfb", "xdotool", "xwd") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is not installed")
    if root and (sys.platform != "linux" or os.geteuid() != 0):
        pytest.skip(f"{ROOTS} needs chroot, which needs root")
    if not (Path(root, "usr/bin/blender").exists() if root else shutil.which("blender")):
        pytest.skip(f"no Blender in '{root}'" if root else f"no Blender on the PATH; {ROOTS} is not set")


def _mount(stack: ExitStack, path: str, root: str) -> None:
    target = Path(root, *Path(path).parts[1:])
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", "-o", "ro", path, str(target)], check=True)
    stack.callback(subprocess.run, ["umount", "-l", str(target)])


def _screen(stack: ExitStack) -> str:
    read, write = os.pipe()
    screen = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"]
    process = subprocess.Popen(screen, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    stack.callback(_end, process)
    with open(read) as numbers:
        return f":{numbers.readline().strip()}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
