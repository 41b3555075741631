"""Errors that a user can mend, said by every operator in the same way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...core_models.errors import SemblanceError

Execute = Callable[..., set[str]]


def reports_errors(execute: Execute) -> Execute:
    """Wrap an operator's `execute`, or what it calls: a SemblanceError becomes a report of type ERROR, and CANCELLED.

    Called from Python, Blender then raises RuntimeError with the sentence.
    """

    @functools.wraps(execute)
    def wrapped(self: Any, context: Any, *more: Any) -> set[str]:
        try:
            return execute(self, context, *more)
        except SemblanceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    return wrapped
