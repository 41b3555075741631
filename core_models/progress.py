"""Progress through the stages of a photo, and how long each one took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .protocol import Stage

Progress = Callable[[Stage, float], None]
"""Called with a stage's name and the fraction done before it, 0…1. It may raise `CancelledError`."""

_STAGES: dict[Stage, float] = {
    "model": 0.0, "regressor": 0.0, "photo": 0.0, "faces": 0.05, "shape": 0.2,
    "mask": 0.25, "shading": 0.35, "texture": 0.45, "result": 0.95,
}  # fmt: skip
"""Fraction of a photo's time before each stage."""


@dataclass
class Clock:
    """Reports each stage as it starts and remembers how long it took."""

    progress: Progress
    first: float = 0.0
    """Fraction of the photo's time before this face."""
    share: float = 1.0
    """Fraction that this face takes."""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """One of `_STAGES`, around the work."""
        self.tell(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)

    def tell(self, name: Stage, done: float = 0.0) -> None:
        """Report that the stage `name` is `done`, 0…1."""
        later = [start for start in _STAGES.values() if start > _STAGES[name]]
        length = min(later, default=1.0) - _STAGES[name]
        self.progress(name, self.first + self.share * (_STAGES[name] + done * length))

    def part(self, name: Stage, index: int, count: int) -> Callable[[float], None]:
        """`tell` for the `index`-th of `count` equal parts of a stage, each done by 0…1."""
        return lambda done: self.tell(name, (index + done) / count)
