"""How detected landmarks err: noise that is correlated over the face, and outliers.

A face-mesh network does not make 468 independent errors. It misplaces whole patches, so the errors of
neighbours agree. A fit that takes them for independent counts the same observation dozens of times and
over-trusts it against the shape prior; generalised least squares (Aitken 1936) does not. And it sees eyes,
brows, nose and mouth, but guesses where on a smooth forehead, cheek or jaw a point belongs: on rendered
heads (benchmarks/heads.py) points on eyes are off by 0.8 mm per axis, points 3 cm from any feature by 3.5 mm.
All lengths here are decimetres in a plane through the face, parallel to the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from ..landmarks import (
    COUNT,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)

_NOSE = np.array([1, 2, 98, 327, 64, 294, 48, 278, 129, 358])
"""Tip, septum, nostrils and wings."""
_FEATURES = np.concatenate(
    [LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW, LIPS, INNER_LIPS, _NOSE, np.arange(RIGHT_IRIS, COUNT)]
)
"""Landmarks that lie on something to be seen."""
_OUTLIER_SIGMAS = 4.0
"""A residual of this many standard deviations has half its weight (Cauchy's influence function)."""


@dataclass(frozen=True)
class NoiseSettings:
    """Standard deviations per image axis (dm) of the parts of a landmark's error."""

    independent: float = 0.0025
    correlated: tuple[tuple[float, float], ...] = ((0.10, 0.0015),)
    """Pairs (length over which errors agree, standard deviation) of squared-exponential covariances."""
    doubling_distance: float = 0.3
    """Deviations double at this distance from the nearest feature, and go on growing linearly."""

    def scaled(self, factor: float) -> NoiseSettings:
        """The same errors, `factor` times as large."""
        correlated = tuple((length, factor * deviation) for length, deviation in self.correlated)
        return replace(self, independent=factor * self.independent, correlated=correlated)


class LandmarkNoise:
    """Covariance of L landmark errors, the same for both image axes: K + diag(s² / weight).

    `positions` (L,3): the landmarks on the mean face; `ids` (L,): their numbers.
    """

    def __init__(self, positions: np.ndarray, ids: np.ndarray, settings: NoiseSettings) -> None:
        factors = 1.0 + _feature_distance(positions, ids) / settings.doubling_distance
        squared = ((positions[:, None] - positions[None]) ** 2).sum(-1)
        correlated = np.zeros_like(squared)
        for length, deviation in settings.correlated:
            correlated += deviation**2 * np.exp(-squared / (2 * length**2))
        self._correlated = correlated * np.outer(factors, factors)
        self._variance = (settings.independent * factors) ** 2
        self.reweight(np.ones(len(positions)))

    def reweight(self, weights: np.ndarray) -> None:
        """Set outlier weights (L,) in (0, 1]: weight w divides the independent part of a variance by w."""
        self._independent = self._variance / weights
        self._factor = np.linalg.cholesky(self.covariance)

    @property
    def covariance(self) -> np.ndarray:
        """(L, L) dm²."""
        return self._correlated + np.diag(self._independent)

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """Values (L,…) → values of the same shape whose errors are uncorrelated with unit variance."""
        flat = solve_triangular(self._factor, values.reshape(len(values), -1), lower=True, check_finite=False)
        return flat.reshape(values.shape)

    def outlier_weights(self, residuals: np.ndarray) -> np.ndarray:
        """Weights (L,) of residuals (L,2), judged by the part that the correlated noise cannot explain.

        While the fit is still far off, its own spread (median absolute deviation) stands in for the noise.
        """
        alone = self._independent[:, None] * cho_solve((self._factor, True), residuals, check_finite=False)
        sizes = np.linalg.norm(alone, axis=1) / np.sqrt(self._variance)
        spread = max(1.0, 1.4826 * float(np.median(np.abs(sizes - np.median(sizes)))))
        return 1.0 / (1.0 + (sizes / (_OUTLIER_SIGMAS * spread)) ** 2)


def _feature_distance(positions: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Distance (L,) of each landmark from the nearest one on a feature; 0 when the model has none of those."""
    features = positions[np.isin(ids, _FEATURES)]
    if not len(features):
        return np.zeros(len(positions))
    return np.linalg.norm(positions[:, None] - features[None], axis=2).min(1)
