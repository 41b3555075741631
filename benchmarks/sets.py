"""The sets of specimens, by name: `for specimen in specimens("cycles", "tune"): ...`"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from .own_set.photos import own_specimens
from .scanned_set.photos import scanned_specimens
from .specimens.cycles_set import cycles_specimens
from .specimens.specimen import Specimen

SETS: dict[str, Callable[[str, bool, Collection[int] | None], Iterator[Specimen]]] = {
    "cycles": cycles_specimens,
    "own": own_specimens,
    "scanned": scanned_specimens,
}


def specimens(
    renderer: str, split: str, render_missing: bool = True, heads: Collection[int] | None = None
) -> Iterator[Specimen]:
    """The specimens of a split (8 MB each), of all heads or of some; missing ones are rendered (seconds each) or left
    out.
    """
    return SETS[renderer](split, render_missing, heads)
