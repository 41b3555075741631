"""How detected landmarks err: noise that is correlated over the face, and outliers.

A face-mesh network does not make 468 independent errors. It misplaces whole features, and the points of
the outline more than others, so the errors of neighbours agree. A fit that takes them for independent
counts the same observation dozens of times and over-trusts it against the shape prior; generalised least
squares (Aitken 1936) does not. All lengths here are decimetres in a plane through the face, parallel to
the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

_OUTLIER_SIGMAS = 4.0
"""A residual of this many standard deviations has half its weight (Cauchy's influence function)."""


@dataclass(frozen=True)
class NoiseSettings:
    """Standard deviations per image axis (dm) of the parts of a landmark's error."""

    independent: float = 0.0045
    correlated: tuple[tuple[float, float], ...] = ((0.10, 0.004), (0.35, 0.005))
    """Pairs (length over which errors agree, standard deviation) of squared-exponential covariances."""
    contour_factor: float = 2.0
    """The outline is so much less certain than the rest."""
    iris_factor: float = 1.0


class LandmarkNoise:
    """Covariance of L landmark errors, the same for both image axes: K + diag(s² / weight).

    `positions` (L,3): the landmarks on the mean face; `factors` (L,) multiply each one's standard deviation.
    """

    def __init__(self, positions: np.ndarray, factors: np.ndarray, settings: NoiseSettings) -> None:
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
        self._factor = np.linalg.cholesky(self._correlated + np.diag(self._independent))

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
