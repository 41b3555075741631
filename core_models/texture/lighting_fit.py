"""Order-2 light and albedo coefficients together, from what the photo shows of the skin.

Minimises, by Gauss–Newton with robust weights, over samples i and channels c

    Σ ρ((I_ic − a_ic(α) · Y(n_i)·s_c) / σI_ic)² · n_eff / n  +  |α|²  +  light priors(s)

where a(α) is the model's albedo. What one photo cannot tell (dark skin in strong light or light skin in weak
light; a warm lamp or a warm skin) is settled by the priors: α is standard normal, the light is nearly grey
and about as
strong as a photographer's exposure makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..render.lighting import sh_basis

RELATIVE_NOISE = 0.15
"""σ of appearance ÷ model: order-2 light without shadows and smooth albedo modes leave about that on skin."""
EFFECTIVE_SAMPLES = 150
"""Those errors are correlated over a few centimetres: so many independent ones fit on a face."""
GREY_LEVEL = 1.0
"""Expected mean shading of what is seen: exposures render skin near its own albedo."""
LEVEL_SIGMA = 0.35
"""σ of that level; small enough to matter, wide enough for a stop over or under."""
CHROMA_SIGMA = (0.06, 0.05, 0.04)
"""σ of the light's departure from grey per band, relative to its mean level."""
BAND_SIGMA = (0.6, 0.3)
"""σ of the directional bands' coefficients, relative to the mean of band 0."""
_HIGHLIGHT, _SHADOW = 1.0, 1.5
"""Residuals in σ beyond which a sample loses weight: highlights sooner than shadows, for skin is glossy."""
_ITERATIONS = 12
_FREE = 1e3
_Y0 = 0.2820948
_BAND = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])


@dataclass(frozen=True)
class LightFit:
    """Light and albedo that explain a face."""

    sh: np.ndarray
    """(3, 9) float32, camera frame, RGB × real SH as in `render.lighting`."""
    albedo_coefficients: np.ndarray
    """(Ka,) float32, in standard deviations."""
    residual: float
    """Weighted RMS of (photo − model) ÷ photo over the samples."""


def fit_light(
    appearance: np.ndarray,
    normals: np.ndarray,
    weights: np.ndarray,
    albedo_mean: np.ndarray,
    albedo_basis: np.ndarray,
) -> LightFit:
    """Fit from n samples of skin.

    appearance (n, 3) linear, normals (n, 3) unit in the camera frame, weights (n,) 0…1, albedo_mean (n, 3)
    linear, albedo_basis (Ka, n, 3) linear per σ. With no usable sample the light is grey at `GREY_LEVEL`.
    """
    n_modes = len(albedo_basis)
    basis = sh_basis(torch.as_tensor(normals, dtype=torch.float64)).numpy()
    usable = (weights > 0) & np.isfinite(appearance).all(1)
    light = np.zeros((3, 9))
    light[:, 0] = GREY_LEVEL / _Y0
    alpha = np.zeros(n_modes)
    if not usable.any():
        return LightFit(light.astype(np.float32), alpha.astype(np.float32), 0.0)
    image, basis, mean = (
        appearance[usable].astype(np.float64),
        basis[usable],
        albedo_mean[usable].astype(np.float64),
    )
    modes = albedo_basis[:, usable].astype(np.float64)
    trust = weights[usable] / weights[usable].sum() * EFFECTIVE_SAMPLES
    light[:, 0] *= np.median(image.mean(1) / np.maximum(mean.mean(1), 1e-3))
    level = light[0, 0]
    sigma = RELATIVE_NOISE * (0.5 * image + 0.5 * np.median(image, axis=0))
    level_slope = np.tile(trust @ basis / trust.sum(), 3) / 3 / LEVEL_SIGMA**2
    level_prior = np.outer(level_slope, level_slope) * LEVEL_SIGMA**2
    for _ in range(_ITERATIONS):
        shading, albedo = basis @ light.T, mean + np.tensordot(alpha, modes, 1)
        residual = (image - albedo * shading) / sigma
        robust = trust[:, None] * _huber(residual)
        jacobian = _jacobian(albedo / sigma, shading / sigma, basis, modes)
        hessian, gradient = _normal_equations(jacobian, residual, robust)
        prior = level_prior + _band_prior(level)
        hessian[:27, :27] += prior
        gradient[:27] += GREY_LEVEL * level_slope - prior @ light.ravel()
        hessian[27:, 27:] += np.eye(n_modes)
        gradient[27:] -= alpha
        step = np.linalg.solve(hessian, gradient)
        light, alpha = light + step[:27].reshape(3, 9), np.clip(alpha + step[27:], -3.0, 3.0)
        level = max(light[:, 0].mean(), 0.1 * level)
    error = (residual * RELATIVE_NOISE) ** 2
    spread = float(np.sqrt((trust[:, None] * error).sum() / (3 * trust.sum())))
    return LightFit(light.astype(np.float32), alpha.astype(np.float32), spread)


def _huber(residual: np.ndarray) -> np.ndarray:
    limit = np.where(residual > 0, _HIGHLIGHT, _SHADOW)
    return np.minimum(1.0, limit / np.maximum(np.abs(residual), 1e-9))


def _jacobian(albedo: np.ndarray, shading: np.ndarray, basis: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """d(albedo · shading) by the light's 27 and the albedo's Ka numbers: (3, n, 9 + Ka); a channel sees its
    own 9.
    """
    by_light = albedo.T[:, :, None] * basis[None]
    by_albedo = shading.T[:, :, None] * modes.transpose(2, 1, 0)
    return np.concatenate([by_light, by_albedo], axis=2)


def _normal_equations(
    jacobian: np.ndarray, residual: np.ndarray, robust: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_modes = jacobian.shape[2] - 9
    hessian, gradient = np.zeros((27 + n_modes,) * 2), np.zeros(27 + n_modes)
    for channel in range(3):
        place = np.r_[9 * channel : 9 * channel + 9, 27 : 27 + n_modes]
        weighted = jacobian[channel] * robust[:, channel, None]
        hessian[np.ix_(place, place)] += weighted.T @ jacobian[channel]
        gradient[place] += weighted.T @ residual[:, channel]
    return hessian, gradient


def _band_prior(level: float) -> np.ndarray:
    """Inverse covariance (27, 27) of a light, mean 0, whose mean band-0 coefficient is `level`."""
    grey_sigma = (np.array([_FREE, *BAND_SIGMA]) * level)[_BAND]
    chroma_sigma = (np.array(CHROMA_SIGMA) * level)[_BAND]
    together, apart = np.full((3, 3), 1 / 9), np.eye(3) - 1 / 3
    precision = np.kron(together, np.diag(grey_sigma**-2.0)) + np.kron(apart, np.diag(chroma_sigma**-2.0))
    return precision
