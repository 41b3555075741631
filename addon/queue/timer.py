"""This Blender's session, the timer that drives it while Blender stays free, and what ends it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from ...core_models.errors import InternalError, SemblanceError
from ...core_models.protocol import Failed
from ..backend.launch import worker_command
from ..preferences import chosen_backend
from .session import Session
from .task import Task

_INTERVAL = 0.1
_HANDS_IN_SCENE = ("TRANSFORM_OT_", "OBJECT_OT_")
"""Modal operators that hold pointers into the scene. Others may run for hours: add-ons that show pressed keys."""


class BusyError(SemblanceError):
    """Only one thing at a time can be waited for."""

    code = "busy"


@cache
def session() -> Session:
    """The one of this Blender."""
    return Session(lambda: worker_command(*chosen_backend()))


def end_session() -> None:
    """Close it; the next call of `session` makes a new one, which knows nothing."""
    session().close()
    session.cache_clear()


def start(tasks: Sequence[Task]) -> None:
    """Let the tasks be worked on; their answers arrive while the user does something else."""
    session().add(*tasks)
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0)
    redraw()


def run_to_end(tasks: Sequence[Task]) -> None:
    """Work on the tasks and return when all are finished; the first failure ends it.

    Raises:
        SemblanceError: a task failed, or others are being worked on.
    """
    running = session()
    if running.busy:
        raise BusyError("Semblance is busy.", "Wait until it is ready, or cancel.")
    running.forget_failures()
    running.add(*tasks)
    while running.busy:
        running.poll()
        _finish(running)
        if running.failure is not None:
            running.cancel()
        time.sleep(_INTERVAL / 4)
    if running.failure is not None:
        raise running.failure.error


def redraw() -> None:
    """Have the sidebars drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def scene_is_free() -> bool:
    """Whether a face can be added now: nobody edits, sculpts, or drags something about."""
    windows = bpy.context.window_manager.windows
    running = [operator.bl_idname for window in windows for operator in window.modal_operators]
    return bpy.context.mode == "OBJECT" and not any(name.startswith(_HANDS_IN_SCENE) for name in running)


def tick() -> float | None:
    """What the timer calls: send, listen, let a face arrive when the scene is free. None ends it."""
    running, windows = session(), bpy.context.window_manager.windows
    running.poll()
    if running.ended and windows:
        # Timers have no window; operators and undo need one.
        with bpy.context.temp_override(window=windows[0]):
            if scene_is_free():
                _finish(running)
            else:
                running.keep(Path(bpy.app.tempdir, "semblance"))
    redraw()
    return _INTERVAL if running.busy else None


def _finish(running: Session) -> None:
    ended = running.take()
    if ended is None or isinstance(ended.event, Failed):
        return
    try:
        ended.task.finish(ended.event)
    except SemblanceError as error:
        running.fail(ended.task, error)
    except Exception as error:
        traceback.print_exc()
        running.fail(ended.task, InternalError(f"An unexpected error: {error!r}."))


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    """Another file is opened: what was asked for in this one is given up."""
    stop()


def stop() -> None:
    """Give up all that is going on."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    end_session()


def add_to_blender() -> Callable[[], None]:
    """Listen to Blender opening files; returns what ends that, the timer and the worker."""
    bpy.app.handlers.load_pre.append(_before_load)

    def remove() -> None:
        bpy.app.handlers.load_pre.remove(_before_load)
        stop()

    return remove
