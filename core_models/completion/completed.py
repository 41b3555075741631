"""What every completion gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..intrinsic.separated import Separated


@dataclass(frozen=True, eq=False)
class Completed:
    """The albedo, whole."""

    albedo: np.ndarray
    """(Mf, 3) linear at the texels of the layout's full size."""
    confidence: np.ndarray
    """(P, P) over the plan, 1 seen … 0 invented, continued outside the layout."""


Complete = Callable[[Separated], Completed]
"""A completion of what the photo does not show."""
