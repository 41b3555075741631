"""How often the backend broke down: a worker that dies again and again is not started for ever."""

from __future__ import annotations

import math
import time
from pathlib import Path

from ...core_models.errors import SemblanceError

_LIMIT = 3
_SECONDS = 300.0


class TooManyBreakdownsError(SemblanceError):
    """The worker breaks down again and again."""

    code = "too_many_restarts"


class Breakdowns:
    """Those of the last five minutes, since the last success."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self) -> None:
        """One more."""
        self._times.append(time.monotonic())

    def forget(self) -> None:
        """A success."""
        self._times = []

    def check(self, log: Path) -> None:
        """Raises TooManyBreakdownsError, which names the last `log`, when there were three."""
        now = time.monotonic()
        self._times = [when for when in self._times if now - when < _SECONDS]
        if len(self._times) >= _LIMIT:
            minutes = math.ceil((self._times[0] + _SECONDS - now) / 60)
            raise TooManyBreakdownsError(
                f"The backend broke down {len(self._times)} times in a row, so it is not started again for now.",
                f"Try again in {minutes} minutes, or restart Blender; the details are in '{log}'.",
            )
