"""Which pixels look like this person's skin rather than like the hair around it, in this light.

Everything is learnt from the photo itself: how light falls on skin from the fitted normals, skin from cheeks, nose and
chin in even light, hair (or hat) from the person's pixels around the upper face. Nothing is assumed about the tone of
skin; shadow and gloss, which the cheeks may not show, are foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..colour import linear_to_srgb, srgb_to_linear
from ..render.lighting import sh_basis

_CLUSTERS = 4
_MAX_SAMPLES = 4000
_SKIN_SPREAD, _REST_SPREAD = 9.0, 6.0
"""Variance added to each cluster: pixels differ from the samples by noise and texture."""
_LIGHTS = ((1.0, 1.0), (0.6, 0.12), (0.36, 0.05), (1.7, 0.1))
"""(light relative to what the normals tell, how often): cast shadows, and more light than foreseen."""
_GLOSS = ((0.15, 0.05), (0.4, 0.05), (0.8, 0.05))
"""(white light added, in units of the brighter skin's, how often)."""
_BRIGHT_SKIN = 0.9
"""Quantile of the skin's brightness that is the unit of gloss."""
_INLIERS = 0.85
"""Share of the skin samples that the light explains best and that skin is learnt from: not glasses or moles."""
_LIKE_SKIN = 0.03
"""Quantile of the skin samples' own likelihood above which a pixel around the face counts as skin (forehead, ear)."""
_SMOOTH = 0.8
"""Quantile of the skin's roughness below which a surface is smooth: gloss has grey hair's colour, not its strands."""
_GLOSS_LOG_ODDS = -1.5
"""The most that colour says against a smooth and bright pixel."""
_MIN_SAMPLES = 100
_FLOOR, _UNKNOWN = 1e-7, 2e-6
"""Density of colours that are no skin, and of anything else that covers a face (glasses, hands), in CIELAB with halved
lightness."""
_BLACK = 0.004
"""Added before logarithms of linear light: about one step of 8-bit sRGB in the dark."""
_RESIDUAL = 0.06
"""Squared log residual, over three channels, at which a sample's weight in the fit of the light is a quarter."""
_RIDGE = np.array([0.0, *[2e-3] * 3, *[1e-2] * 5])
_ROUNDS = 8
"""Of reweighting."""
_EXTRAPOLATION = (0.7, 0.3)
"""How much darker and lighter (log) than any skin sample the light may be elsewhere."""
_DETAIL_PX, _AREA_PX = 1.5, 2.0
"""σ of the detail that makes a surface rough, and of the area it is averaged over."""


@dataclass(frozen=True)
class SkinEvidence:
    """What colour and texture say of each pixel, (h, w) float32 each."""

    colour: np.ndarray
    """log of p(colour | skin) ÷ p(colour | hair or another thing before the face)."""
    texture: np.ndarray
    """The same of the roughness of the surface."""


def weigh_skin(
    srgb: np.ndarray, normals: np.ndarray, skin: np.ndarray, face: np.ndarray, around: np.ndarray
) -> SkinEvidence:
    """Judge a picture (h, w, 3) uint8 of a face.

    Args:
        srgb: the picture.
        normals: (h, w, 3) of the fitted face, camera frame, zero beside it.
        skin: (h, w) bool, pixels that mostly are skin.
        face: (h, w) bool, where skin may be, but no eyes, brows or lips.
        around: (h, w) bool, pixels of the person around the face, hair for the most part.

    All zero where there are too few samples.
    """
    nothing = np.zeros(skin.shape, np.float32)
    on_mesh = normals.any(-1)
    skin, face = skin & on_mesh, face & on_mesh
    if skin.sum() < _MIN_SAMPLES:
        return SkinEvidence(nothing, nothing)
    linear = srgb_to_linear(srgb)
    log_light = light_on_skin(linear, normals, skin, face)
    residual = np.log(linear + _BLACK) - log_light
    misfit = (residual**2).sum(-1)
    skin = skin & (misfit <= np.quantile(misfit[skin], _INLIERS))
    rough = _roughness(srgb)
    glossy = (residual.mean(-1) > 0) & (rough < np.quantile(rough[skin], _SMOOTH))

    like_skin = _skin_density(linear, log_light, skin)
    rest = around & (like_skin < np.quantile(like_skin[skin], _LIKE_SKIN)) & ~glossy
    like_rest = np.full(skin.shape, _UNKNOWN, np.float32)
    texture = nothing
    if rest.sum() >= _MIN_SAMPLES:
        colours = _half_lab(linear)
        like_rest += _Mixture.learn(colours[rest], _REST_SPREAD).density(colours)
        texture = _texture_log_odds(rough, skin, rest)
    colour = np.log(like_skin + _FLOOR) - np.log(like_rest)
    return SkinEvidence(np.where(glossy, np.maximum(colour, _GLOSS_LOG_ODDS), colour), texture)


def light_on_skin(linear: np.ndarray, normals: np.ndarray, skin: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(h, w, 3) log of what this skin would show everywhere, its light being spherical harmonics of the normals.

    Robust least squares over `face` (h, w), starting from the surer `skin`; its median where normals are zero.
    """
    basis = sh_basis(torch.from_numpy(normals)).numpy()
    samples, shown = basis[face].astype(np.float64), np.log(linear[face] + _BLACK).astype(np.float64)
    weights = skin[face] + 1e-3
    for _ in range(_ROUNDS):
        weighted = samples * weights[:, None] / weights.sum()
        coefficients = np.linalg.solve(weighted.T @ samples + np.diag(_RIDGE), weighted.T @ shown)
        weights = 1 / (1 + ((shown - samples @ coefficients) ** 2).sum(-1) / _RESIDUAL) ** 2
    low, high = np.percentile(basis[skin] @ coefficients, [1, 99], axis=0)
    darker, lighter = _EXTRAPOLATION
    light = np.clip(basis @ coefficients, low - darker, high + lighter)
    return np.where(normals.any(-1, keepdims=True), light, np.median(light[skin], axis=0)).astype(np.float32)


def _skin_density(linear: np.ndarray, log_light: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(h, w) density of each colour among those that skin would have there."""
    relative = np.exp(np.median(log_light[skin], axis=0) - log_light)
    even = np.clip((linear + _BLACK) * relative - _BLACK, 0, 4)
    colours, samples = _half_lab(even), even[skin]
    learnt = _half_lab(samples[None])[0]
    density = np.zeros(skin.shape, np.float32)
    for light, share in _LIGHTS:
        density += np.float32(share) * _Mixture.learn(_relit(learnt, light), _SKIN_SPREAD).density(colours)
    white = np.quantile(samples.mean(-1), _BRIGHT_SKIN)
    for gloss, share in _GLOSS:
        glossy = _half_lab((samples + np.float32(gloss * white))[None])[0]
        density += np.float32(share) * _Mixture.learn(glossy, _SKIN_SPREAD).density(colours)
    # CIELAB follows the cube root of light: evened light stretches each of its three axes by that.
    return density * relative.mean(-1)


def _texture_log_odds(rough: np.ndarray, skin: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(h, w) in ±1.5; what is smoother than skin never speaks against it."""
    skin_middle = np.median(rough[skin])

    def log_likelihood(samples: np.ndarray) -> np.ndarray:
        spread = max(float(samples.std()), 0.5)
        return -0.5 * ((rough - np.median(samples)) / spread) ** 2 - np.log(spread)

    odds = log_likelihood(rough[skin]) - log_likelihood(rough[rest])
    odds = np.where(rough < skin_middle, np.maximum(odds, 0), odds)
    return np.clip(odds, -1.5, 1.5).astype(np.float32)


def _roughness(srgb: np.ndarray) -> np.ndarray:
    """(h, w) log of the local energy of fine detail in lightness."""
    import cv2

    lightness = cv2.cvtColor(srgb, cv2.COLOR_RGB2Lab)[..., 0].astype(np.float32)
    detail = lightness - cv2.GaussianBlur(lightness, (0, 0), _DETAIL_PX)
    return np.log(cv2.GaussianBlur(detail**2, (0, 0), _AREA_PX) + 0.05)


def _half_lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB (h, w, 3) with halved lightness, since shading moves it much more than hue."""
    import cv2

    return cv2.cvtColor(linear_to_srgb(linear), cv2.COLOR_RGB2Lab) * np.array([0.5, 1, 1], np.float32)


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
        """(…) float32 of colours (…, 3)."""
        total = np.zeros(colours.shape[:-1], np.float32)
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            whitening = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
            distance = (((colours - mean.astype(np.float32)) @ whitening.T) ** 2).sum(-1)
            scale = weight * np.linalg.det(whitening) / (2 * np.pi) ** 1.5
            total += np.float32(scale) * np.exp(-0.5 * distance)
        return total
