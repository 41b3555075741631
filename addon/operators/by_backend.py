"""What operators whose work the backend does have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import bpy

from ..queue import timer
from ..queue.task import Task
from .errors import reports_errors


class ByBackend:
    """Mixin: a button leaves Blender free, and what comes of `tasks` arrives by itself; a script waits for it."""

    def tasks(self, context: bpy.types.Context) -> list[Task]:
        """What to ask of the backend. May raise SemblanceError."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin."""
        return self._run(context, timer.start)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it, and return when it is done."""
        return self._run(context, timer.run_to_end)

    @reports_errors
    def _run(self: Any, context: bpy.types.Context, run: Callable[[Sequence[Task]], None]) -> set[str]:
        run(self.tasks(context))
        return {"FINISHED"}
