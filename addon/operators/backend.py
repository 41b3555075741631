"""Set up, cancel, remove and check the backend; copy a report. Watched by one timer, so that Blender stays free."""

from __future__ import annotations

import functools
import platform
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.props import BoolProperty

from ...core_models.errors import SemblanceError
from ..backend.bug_report import report_text
from ..backend.installation import installation
from ..backend.interpreter import base_python
from ..backend.torch_builds import TorchBuild, this_machine, torch_builds
from ..backend.venv import EnvironmentPlan
from ..preferences import REQUIREMENTS, chosen_backend, environment_folder
from ..queue.timer import end_session, session

_POLL_SECONDS = 0.1
_MANIFEST = Path(__file__).parents[2] / "blender_manifest.toml"


class OfflineError(SemblanceError):
    """Blender may not use the network."""

    code = "offline"


@functools.cache
def _builds() -> tuple[TorchBuild, ...]:
    """This machine's, the smallest first; asked once, for the drivers' programs take their time."""
    return torch_builds(this_machine())


class SEMBLANCE_OT_backend_setup(bpy.types.Operator):
    """Download PyTorch and what else computes faces, into a folder of Semblance's own. Asks first"""

    bl_idname = "semblance.backend_setup"
    bl_label = "Set Up Backend"

    for_graphics_card: BoolProperty(
        name="PyTorch for the Graphics Card",
        description="A larger download. This version of Semblance computes on the CPU and has no use for it yet",
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Only an installed extension has a folder of its own; one thing at a time."""
        if environment_folder() is None:
            cls.poll_message_set("Only where Semblance is installed as an extension")
            return False
        return _is_idle(cls)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask."""
        error = _reported(self, self._plan)
        if error:
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(self, width=460, confirm_text="Download and Set Up")

    def draw(self, _context: bpy.types.Context) -> None:
        """What will happen, and what it costs."""
        build = self._chosen()
        column = self.layout.column(align=True)
        column.label(text=f"About {build.download_gb:.1f} GB will be downloaded, once, from pypi.org")
        column.label(text="and download.pytorch.org: PyTorch, OpenCV, MediaPipe and what they need.")
        column.label(text=f"They will take {build.disk_gb:.1f} GB on the disk. Remove Backend deletes them.")
        column.label(text="Nothing is sent. Afterwards Semblance works without a network.")
        if len(_builds()) > 1:
            self.layout.prop(
                self, "for_graphics_card", text=f"PyTorch for the graphics card ({_builds()[-1].label})"
            )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Begin; in background mode, to the end."""
        end_session()
        return _begin(self, lambda: installation().set_up(self._plan()))

    def _chosen(self) -> TorchBuild:
        return _builds()[-1 if self.for_graphics_card else 0]

    def _plan(self) -> EnvironmentPlan:
        folder = environment_folder()
        assert folder is not None
        if not bpy.app.online_access:
            raise OfflineError(
                "Blender may not use the network.",
                "Allow Online Access in Edit › Preferences › System › Network, and press the button again.",
            )
        return EnvironmentPlan(folder, base_python(), self._chosen(), REQUIREMENTS)


class SEMBLANCE_OT_backend_cancel(bpy.types.Operator):
    """Stop the set-up. What is finished is kept, and the next one goes on from there"""

    bl_idname = "semblance.backend_cancel"
    bl_label = "Cancel Set-Up"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """While there is one."""
        return installation().setup is not None

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Stop it."""
        installation().cancel()
        _redraw()
        return {"FINISHED"}


class SEMBLANCE_OT_backend_remove(bpy.types.Operator):
    """Delete the environment that Set Up Backend made. Faces already made stay as they are"""

    bl_idname = "semblance.backend_remove"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Where there is one, and nothing is computed with it."""
        folder = environment_folder()
        return folder is not None and folder.exists() and _is_idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Begin; in background mode, to the end."""
        folder = environment_folder()
        assert folder is not None
        end_session()
        return _begin(self, lambda: installation().remove(folder))


class SEMBLANCE_OT_backend_check(bpy.types.Operator):
    """Start the backend once and ask which versions it has and what it computes on"""

    bl_idname = "semblance.backend_check"
    bl_label = "Check Backend"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """One thing at a time."""
        return _is_idle(cls)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Begin; in background mode, to the end."""
        return _begin(self, lambda: installation().check(*chosen_backend()))


class SEMBLANCE_OT_copy_report(bpy.types.Operator):
    """Copy versions, the last error and the end of the log, for a bug report. No photo, no name of one, no user name"""

    bl_idname = "semblance.copy_report"
    bl_label = "Copy Report"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy it."""
        state, running = installation(), session()
        hello = running.hello or state.hello
        facts = {
            "Semblance": tomllib.loads(_MANIFEST.read_text(encoding="utf-8"))["version"],
            "Blender": f"{bpy.app.version_string} ({bpy.app.build_hash.decode()})",
            "System": f"{platform.platform()} ({platform.machine()}), Python {platform.python_version()}",
            "Backend": state.status or "not asked",
            **(hello.versions if hello else {}),
        }
        error, log = state.error, state.log
        if running.failure is not None:
            error, log = running.failure.error, running.log
        context.window_manager.clipboard = report_text(facts, str(error or ""), log)
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


def stop() -> None:
    """End the set-up or check that is going on, and the timer: the add-on is being disabled, or Blender ends."""
    installation().cancel()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def _is_idle(operator: type[bpy.types.Operator]) -> bool:
    if session().busy:
        operator.poll_message_set("A face is being computed")
        return False
    return not installation().busy


def _reported(operator: bpy.types.Operator, action: Callable[[], object]) -> SemblanceError | None:
    """Do it; the error that it raised, once it was shown."""
    try:
        action()
    except SemblanceError as error:
        installation().error = error
        _redraw()
        operator.report({"ERROR"}, str(error))
        return error
    return None


def _begin(operator: bpy.types.Operator, action: Callable[[], None]) -> set[str]:
    """Begin what a timer watches; Blender's timers do not fire in background mode."""
    if _reported(operator, action):
        return {"CANCELLED"}
    if not bpy.app.background:
        bpy.app.timers.register(tick, persistent=True)
        return {"FINISHED"}
    while installation().busy:
        installation().poll()
        time.sleep(_POLL_SECONDS)
    error = installation().error
    if error is not None:
        operator.report({"ERROR"}, str(error))
    return {"CANCELLED"} if error else {"FINISHED"}


def tick() -> float | None:
    """What the timer calls: poll, redraw; a set-up that succeeded is followed by a check."""
    state = installation()
    setting_up = state.setup is not None
    state.poll()
    if setting_up and not state.busy and state.error is None:
        try:
            state.check(*chosen_backend())
        except SemblanceError as error:
            state.error = error
    _redraw()
    return _POLL_SECONDS if state.busy else None


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"PREFERENCES", "VIEW_3D"}:
                area.tag_redraw()


CLASSES = (
    SEMBLANCE_OT_backend_setup,
    SEMBLANCE_OT_backend_cancel,
    SEMBLANCE_OT_backend_remove,
    SEMBLANCE_OT_backend_check,
    SEMBLANCE_OT_copy_report,
)
