"""The extension in a real window, with the real worker: what a user clicks, and pictures of what a user sees.

`make test-gui`. The pictures go to the folder in SEMBLANCE_SHOTS, where it is set. Somebody should look at them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.io

from semblance.tests.gui.blender_window import BlenderWindow, blender_window, roots
from semblance.tests.jobs import until

pytestmark = pytest.mark.slow
ADDON = "bl_ext.user_default.semblance"
SESSION = f"__import__('sys').modules['{ADDON}.addon.queue.timer'].session()"
FACES = "[o.name for o in bpy.data.objects if 'semblance_model' in o]"
PREFERENCES = f"bpy.context.preferences.addons['{ADDON}'].preferences"
EEVEE_SECONDS = 300.0
"""What a processor may take to prepare Material Preview."""


@pytest.fixture(scope="module", params=roots())
def blender(request: pytest.FixtureRequest) -> Iterator[BlenderWindow]:
    with blender_window(request.param, (sys.prefix, sys.base_prefix)) as window:
        portrait = skimage.data.astronaut()
        left, right = portrait[:, 60:420], portrait[:, 420:60:-1]
        for name, pixels in {"astronaut": portrait, "crew": np.hstack([left, right, left])}.items():
            skimage.io.imsave(window.folder / f"{name}.png", pixels)
        window.open_sidebar("Semblance")
        window.run(f"{PREFERENCES}.interpreter = {sys.executable!r}")
        window.run("bpy.context.scene.semblance.quality = 'DRAFT'")
        yield window


@pytest.fixture
def shots(blender: BlenderWindow, tmp_path: Path) -> Path:
    version = ".".join(map(str, blender.run("answer = list(bpy.app.version[:2])")))
    return Path(os.environ.get("SEMBLANCE_SHOTS", tmp_path), version)


def add(blender: BlenderWindow, name: str) -> None:
    blender.run(f"bpy.ops.semblance.add_photos(filepath={str(blender.inside / name)!r})")


def idle(blender: BlenderWindow) -> None:
    blender.wait(f"not {SESSION}.busy", timeout=180)
    time.sleep(0.5)


def begin(blender: BlenderWindow) -> None:
    """A face that takes a while."""
    blender.run("bpy.context.scene.semblance.size, bpy.context.scene.semblance.quality = '4096', 'STANDARD'")
    blender.click("semblance.reconstruct")
    blender.wait(f"{SESSION}.making and {SESSION}.fraction > 0.05")


def until_skin(blender: BlenderWindow) -> np.ndarray:
    """The middle of the view once it shows skin, whose red is above its blue: not clay that waits for its material."""

    def middle() -> np.ndarray:
        return blender.pixels()[400:500, 470:580].astype(np.float32)

    until(lambda: (middle()[..., 0] - middle()[..., 2]).mean() > 15.0, EEVEE_SECONDS)
    return middle()


def test_without_a_backend_the_panel_says_so(blender: BlenderWindow, shots: Path) -> None:
    blender.shot(shots / "empty.png")
    blender.run(f"{PREFERENCES}.interpreter = '/nowhere/python'")
    add(blender, "astronaut.png")
    assert blender.wait(f"{SESSION}.failure and {SESSION}.failure.error.code") == "no_backend"
    blender.shot(shots / "no_backend.png")
    blender.click("semblance.open_preferences")
    blender.wait("len(bpy.context.window_manager.windows) == 2")
    blender.run(CLOSE)
    blender.wait("len(bpy.context.window_manager.windows) == 1")
    blender.run(f"{PREFERENCES}.interpreter = {sys.executable!r}")
    blender.click("semblance.remove_photo")
    assert blender.wait("not bpy.context.scene.semblance.photos")


CLOSE = """
with bpy.context.temp_override(window=bpy.context.window_manager.windows[1]):
    bpy.ops.wm.window_close()
"""


def test_a_click_makes_a_face_while_blender_stays_free(blender: BlenderWindow, shots: Path) -> None:
    add(blender, "astronaut.png")
    blender.shot(shots / "looking.png")
    idle(blender)
    blender.shot(shots / "found.png")
    blender.click("semblance.reconstruct")
    blender.wait(f"{SESSION}.stage == 'Making the textures'")
    blender.shot(shots / "busy.png")
    answers = [0.0]
    while blender.run(f"answer = {SESSION}.busy and not {SESSION}.ended"):
        start = time.monotonic()
        blender.run("pass")
        answers.append(time.monotonic() - start)
    idle(blender)
    # A Blender that waits for the worker answers once, at the end. The face's arrival takes longest.
    assert len(answers) > 10 and sorted(answers)[-2] < 4.0
    assert blender.run(f"answer = {FACES}") == ["astronaut"]
    assert blender.run("answer = bpy.context.view_layer.objects.active.name") == "astronaut"
    blender.shot(shots / "result.png")


def test_a_second_one_is_cancelled(blender: BlenderWindow) -> None:
    begin(blender)
    blender.click("semblance.cancel")
    idle(blender)
    assert blender.run(f"answer = {SESSION}.failure is None")
    assert blender.run(f"answer = {FACES}") == ["astronaut"]


def test_one_undo_takes_the_face_back(blender: BlenderWindow) -> None:
    blender.run("bpy.context.scene.semblance.size, bpy.context.scene.semblance.quality = '512', 'DRAFT'")
    blender.run("bpy.ops.ed.undo_push(message='before')")
    blender.click("semblance.reconstruct")
    blender.wait(f"{SESSION}.making")
    idle(blender)
    assert blender.run(f"answer = {FACES}") == ["astronaut", "astronaut.001"]
    blender.move(400, 500)
    blender.xdotool("key", "ctrl+z")
    blender.wait(f"{FACES} == ['astronaut']")


def test_faces_can_be_chosen(blender: BlenderWindow, shots: Path) -> None:
    add(blender, "crew.png")
    idle(blender)
    assert blender.run(f"answer = [len(found) for found in {SESSION}.found.values()]")[-1] == 3
    blender.run("bpy.context.scene.semblance.photos[1].chosen[1] = True")
    blender.shot(shots / "choice.png")
    blender.run("bpy.ops.semblance.remove_photo(index=1)")


def test_another_file_ends_the_work(blender: BlenderWindow) -> None:
    begin(blender)
    blender.run("bpy.ops.wm.save_as_mainfile(filepath=bpy.app.tempdir + 'kept.blend')")
    blender.run("bpy.ops.wm.open_mainfile(filepath=bpy.app.tempdir + 'kept.blend')")
    assert not blender.run(f"answer = {SESSION}.busy")
    blender.open_sidebar("Semblance")


def test_disabling_during_the_work_ends_it(blender: BlenderWindow) -> None:
    begin(blender)
    blender.run(f"import addon_utils; addon_utils.disable({ADDON!r}, default_set=True)")
    assert not blender.run("answer = hasattr(bpy.types.Scene, 'semblance')")
    blender.run(f"import addon_utils; addon_utils.enable({ADDON!r}, default_set=True)")
    blender.run(f"{PREFERENCES}.interpreter = {sys.executable!r}")
    blender.open_sidebar("Semblance")


def test_scripts_may_be_reloaded_during_the_work(blender: BlenderWindow) -> None:
    begin(blender)
    blender.run("bpy.ops.script.reload()")
    # Some Blenders disable and enable extensions, others do nothing to them.
    blender.open_sidebar("Semblance")
    blender.run(f"{SESSION}.cancel()")
    idle(blender)


def test_the_face_is_looked_at_and_relit(blender: BlenderWindow, shots: Path) -> None:
    assert blender.run(f"answer = {FACES}") == ["astronaut"]
    blender.click("semblance.show_face")
    view = until_skin(blender)
    blender.shot(shots / "shown.png")
    blender.click("semblance.use_lamps(kind='BUTTERFLY')")
    blender.wait("any(o.type == 'LIGHT' and o.name != 'Light' for o in bpy.data.objects)")
    until(lambda: np.abs(until_skin(blender) - view).mean() > 5.0, EEVEE_SECONDS)
    blender.shot(shots / "relit.png")
    blender.run(LIGHT_THEME)
    time.sleep(5)
    blender.shot(shots / "light_theme.png")


def test_blender_quits_in_peace(blender: BlenderWindow) -> None:
    blender.run(
        "[setattr(a.spaces.active.shading, 'type', 'SOLID') for w in "
        "bpy.context.window_manager.windows for a in w.screen.areas if a.type == 'VIEW_3D']"
    )
    begin(blender)
    assert blender.quit() == 0
    assert not list(blender.folder.glob("tmp/semblance-*"))


LIGHT_THEME = """
from pathlib import Path
folders = [Path(folder) for folder in bpy.utils.preset_paths("interface_theme")]
theme = next(path for folder in folders for path in folder.glob("*.xml") if "light" in path.stem.lower())
bpy.ops.script.execute_preset(filepath=str(theme), menu_idname="USERPREF_MT_interface_theme_presets")
"""
