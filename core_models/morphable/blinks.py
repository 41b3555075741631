"""Blinks that close: eyes are open by different amounts, and one displacement cannot close them all."""

from __future__ import annotations

import numpy as np
import torch

from ..landmarks import RIGHT_LOWER_LID, RIGHT_UPPER_LID
from .model import MorphableModel

_RANGE = (0.4, 2.0)


def closing_expressions(model: MorphableModel, neutral: torch.Tensor) -> torch.Tensor:
    """`model`'s expression modes (Ke, N, 3) for a person with `neutral` vertices (N, 3): blinks go as far as they must.

    Models without FaceMesh's lid landmarks or blinks keep theirs.
    """
    basis = model.expression_basis
    ids = model.landmark_ids.tolist()
    margins = [*RIGHT_UPPER_LID.tolist(), *RIGHT_LOWER_LID.tolist()]
    if not set(margins) <= set(ids):
        return basis
    right = model.landmark_vertices[[ids.index(i) for i in margins], 0]
    basis = basis.clone()
    for name, lids in (("eyeBlinkRight", right), ("eyeBlinkLeft", model.mirror[right])):
        if name in model.expression_names:
            rows = (shape[lids].double().numpy() for shape in (model.mean, neutral))
            share = blink_share(model.mean[:, 0].double().numpy(), *rows)
            basis[model.expression_names.index(name)] *= torch.from_numpy(share[:, None]).float()
    return basis


def blink_share(across: np.ndarray, mean_lids: np.ndarray, lids: np.ndarray) -> np.ndarray:
    """Factor (N,) of the mean's blink at places `across` (N,), x in the mean, that closes a person's lids.

    mean_lids, lids (14, 3): the upper lid's margin, then the lower's, of the mean and of the person.
    """
    half = len(lids) // 2
    order = np.argsort(mean_lids[:half, 0])
    opening, usual = (each[:half, 1] - each[half:, 1] for each in (lids, mean_lids))
    return np.interp(across, mean_lids[order, 0], np.clip(opening / usual, *_RANGE)[order])
