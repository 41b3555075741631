"""The set rendered with Cycles (in the making)."""

from __future__ import annotations

from collections.abc import Iterator

from .specimen import Specimen


def cycles_specimens(split: str, render_missing: bool) -> Iterator[Specimen]:
    """See `specimens`."""
    raise NotImplementedError("the Cycles set is in the making")
