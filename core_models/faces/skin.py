"""Which pixels look like this person's skin rather than like what surrounds the face, in this light.

Both colour models are learnt from the photo itself: skin from cheeks, nose and chin, the rest from a band around the
upper face (hair, background). Nothing is assumed about the tone of skin, and skin in shadow or in a highlight
is foreseen, since the cheeks may not show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CLUSTERS = 4
_MAX_SAMPLES = 4000
_SPREAD = (9.0, 4.0)
"""Variance added to each cluster of skin and of the rest: pixels differ from the samples by noise and texture."""
_LIGHTS = ((1.0, 1.0), (0.6, 0.25), (0.36, 0.12), (1.7, 0.15))
"""(relative light, how often): skin outside the samples may lie in half light, in shadow or in a highlight."""
_LIKE_SKIN = 0.03
"""Quantile of the skin samples' own likelihood above which a pixel of the band counts as skin (forehead, ear)."""
_MIN_SAMPLES = 200
_FLOOR = 1e-7
"""Density of a colour that neither model has seen; the differences between the logarithms of two such vanish."""


def skin_log_odds(srgb: np.ndarray, skin: np.ndarray, band: np.ndarray) -> np.ndarray:
    """(H, W) log of p(colour | skin) ÷ p(colour | rest), for float32 `srgb` (H, W, 3) in 0 … 1.

    `skin` and `band` (H, W) bool are the samples; all zero if either has too few pixels.
    """
    import cv2

    lab = cv2.cvtColor(srgb, cv2.COLOR_RGB2Lab)
    lab = lab * np.array([0.5, 1, 1], np.float32)  # shading moves lightness much more than hue
    if min(skin.sum(), band.sum()) < _MIN_SAMPLES:
        return np.zeros(skin.shape, np.float32)
    colours = lab.reshape(-1, 3)
    skin_samples = lab[skin]
    skin_density = np.zeros(len(colours), np.float32)
    for light, share in _LIGHTS:
        lit = _Mixture.learn(_relit(skin_samples, light), _SPREAD[0])
        skin_density += np.float32(share) * lit.density(colours)
    skin_density = skin_density.reshape(skin.shape)
    rest = band & (skin_density < np.quantile(skin_density[skin], _LIKE_SKIN))
    if rest.sum() < _MIN_SAMPLES:
        return np.zeros(skin.shape, np.float32)
    rest_density = _Mixture.learn(lab[rest], _SPREAD[1]).density(colours).reshape(skin.shape)
    return np.log(skin_density + _FLOOR) - np.log(rest_density + _FLOOR)


def _relit(half_lab: np.ndarray, light: float) -> np.ndarray:
    """The colours (N, 3) of the same surface under `light` times the light: CIELAB scales by its cube root."""
    factor = light ** (1 / 3)
    lightness = np.clip((half_lab[:, :1] * 2 + 16) * factor - 16, 0, 100) / 2
    return np.concatenate([lightness, half_lab[:, 1:] * factor], axis=1).astype(np.float32)


@dataclass(frozen=True)
class _Mixture:
    """Gaussians: weights (K,), means (K, 3), covariances (K, 3, 3)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def learn(cls, samples: np.ndarray, spread: float) -> _Mixture:
        """k-means from clusters of equal lightness: no random start, the same photo gives the same mask."""
        import cv2

        samples = np.ascontiguousarray(samples[:: max(1, len(samples) // _MAX_SAMPLES)], np.float32)
        start = np.argsort(np.argsort(samples[:, 0])) * _CLUSTERS // len(samples)
        stop = (cv2.TERM_CRITERIA_MAX_ITER | cv2.TERM_CRITERIA_EPS, 10, 0.1)
        first = start.astype(np.int32)[:, None]
        labels = cv2.kmeans(samples, _CLUSTERS, first, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)[1][:, 0]
        clusters = [samples[labels == k] for k in range(_CLUSTERS) if (labels == k).sum() > 1]
        return cls(
            np.array([len(cluster) for cluster in clusters]) / sum(map(len, clusters)),
            np.array([cluster.mean(0) for cluster in clusters]),
            np.array([np.cov(cluster.T) + spread * np.eye(3) for cluster in clusters]),
        )

    def density(self, colours: np.ndarray) -> np.ndarray:
        """(N,) float32 of colours (N, 3)."""
        total = np.zeros(len(colours), np.float32)
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            whitening = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
            distance = (((colours - mean.astype(np.float32)) @ whitening.T) ** 2).sum(-1)
            scale = weight * np.linalg.det(whitening) / (2 * np.pi) ** 1.5
            total += np.float32(scale) * np.exp(-0.5 * distance)
        return total
