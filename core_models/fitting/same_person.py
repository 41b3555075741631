"""Do photos that are said to show one person do so? Only clear disagreement of the faces' shapes is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..morphable.model import MorphableModel
from .fit import Sighting, fit_landmarks

ODD_DISTANCE = 0.03
"""RMS distance (dm) of a photo's neutral landmarks from the mean of the others'. On rendered heads 1 % of pairs of
photos of one head are further apart, and a quarter of pairs of different heads."""


def odd_photos(model: MorphableModel, sightings: Sequence[Sighting]) -> list[int]:
    """Indices of photos whose face, fitted alone, is shaped unlike the others'; of two, the second is told."""
    if len(sightings) == 1:
        return []
    fits = [
        fit_landmarks(model, sighting.landmarks, sighting.image_size, sighting.focal_px)
        for sighting in sightings
    ]
    identity = torch.tensor(np.stack([fit.identity for fit in fits]), dtype=torch.float32)
    neutral = model.shape(identity, torch.zeros(len(fits), model.n_expression))
    points = model.landmarks(neutral).double().numpy()
    others = (points.sum(0) - points) / (len(points) - 1)
    distances = np.sqrt(((points - others) ** 2).sum(2).mean(1))
    odd = np.flatnonzero(distances > ODD_DISTANCE)
    return odd.tolist() if len(points) > 2 else odd[1:].tolist()
