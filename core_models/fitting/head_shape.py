"""The shape that a fit gives the model's head: computed once, used by every later stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..morphable.blinks import closing_expressions
from ..morphable.model import MorphableModel
from .fit import Fit


@dataclass(frozen=True, eq=False)
class HeadShape:
    """A fitted head, decimetres."""

    fit: Fit
    neutral: np.ndarray
    """(N, 3) float32, head frame, without the photo's expression."""
    vertices: np.ndarray
    """(N, 3) float32, head frame, with it."""
    expressions: np.ndarray
    """(Ke, N, 3) float32 offsets from `neutral`, with blinks that close this person's eyes."""

    @cached_property
    def in_camera(self) -> np.ndarray:
        """(N, 3) float32: `vertices` in the camera frame."""
        fit = self.fit
        return self.vertices @ fit.rotation.T.astype(np.float32) + fit.translation.astype(np.float32)


def head_shape(model: MorphableModel, fit: Fit) -> HeadShape:
    """The head that a fit describes."""
    identity = torch.as_tensor(fit.identity, dtype=torch.float32)[None]
    expression = torch.as_tensor(fit.expression, dtype=torch.float32)
    with torch.no_grad():
        neutral = model.shape(identity, torch.zeros_like(expression)[None])[0]
        expressions = closing_expressions(model, neutral)
        vertices = (neutral + torch.tensordot(expression, expressions, 1))[model.twin]
    return HeadShape(fit, neutral.numpy(), vertices.numpy(), expressions.numpy())
