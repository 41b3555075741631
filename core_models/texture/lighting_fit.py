"""Order-2 light and the skin's tone together, from what the photo shows of the skin.

Minimises, by Levenberg–Marquardt, over samples i and channels c

    Σ ρ((I_ic − a_ic(β) · Y(n_i)·s_c) / σ_ic) · n_eff / n  +  |β|²  +  light priors(s)

where a(β) = mean · exp(Σ β_k ℓ_k), with ℓ_k the logarithmic slope of the model's k-th albedo mode: absorption
multiplies (Beer–Lambert), so that an albedo stays positive and no mode gains weight on dark skin. What one photo
cannot tell (dark skin in strong light or light skin in weak light; a warm lamp or a warm skin) is settled by the
priors: β is standard normal, the light nearly grey and about as strong as a photographer's exposure makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..render.lighting import sh_basis

RELATIVE_NOISE = 0.2
"""σ of appearance ÷ model: order-2 light without shadows and smooth albedo modes leave about that on skin."""
EFFECTIVE_SAMPLES = 60
"""Those errors are correlated over a few centimetres: so many independent ones fit on a face."""
GREY_LEVEL = 1.25
"""Expected mean shading of what is seen: exposures render skin near its own albedo."""
LEVEL_SIGMA = 0.3
"""σ of that level's logarithm: half a stop over or under is common."""
CHROMA_SIGMA = (0.18, 0.08, 0.06)
"""σ of the light's departure from grey per band, relative to band 0 of an even light of its level."""
BAND_SIGMA = (0.3, 0.45, 0.2)
"""σ of the bands' coefficients about a light that comes equally from everywhere, relative to its band 0: keeps the
light positive from the sides that no visible skin faces."""
_HIGHLIGHT, _SHADOW = 1.0, 1.5
"""Residuals in σ at which a sample's weight has halved (Cauchy): highlights sooner than shadows, for skin is glossy."""
_TOLERANCES = (16.0, 4.0, 1.0)
"""Factors on these, one after the other: a start far off must not take the face for an outlier."""
_ITERATIONS, _TRIALS = 12, 6
_ENOUGH = 1e-5
"""Relative gain of a step below which the fit is done."""
_FITTED_MODES = 3
"""The strongest ones on the skin, which are its tone: local ones would explain shadows."""
_LEAST_ALBEDO = 0.01
"""Linear; below the darkest skin in blue, where linear modes would reach 0."""
_ALBEDO_NOISE = 0.02
_Y0 = 0.2820948
_BAND = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])


def _whiten() -> np.ndarray:
    """(27, 27): a relative light → its mean over and differences between channels, in σ."""
    together, apart = np.full((3, 3), 1 / 3), np.eye(3) - 1 / 3
    scale = _Y0 / np.array([BAND_SIGMA, CHROMA_SIGMA])[:, _BAND]
    return np.kron(together, np.diag(scale[0])) / np.sqrt(3) + np.kron(apart, np.diag(scale[1]))


_WHITEN = _whiten()


@dataclass(frozen=True)
class LightFit:
    """Light and albedo that explain a face."""

    sh: np.ndarray
    """(3, 9) float32, camera frame, RGB × real SH as in `render.lighting`."""
    albedo_coefficients: np.ndarray
    """(Ka,) float32, in standard deviations: the model's albedo nearest to `log_modes · log_coefficients`."""
    log_coefficients: np.ndarray
    """(Ka,) float32, β above; 0 for the weak modes, which are not fitted."""
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

    appearance (n, 3) linear, normals (n, 3) unit in the camera frame, weights (n,) 0…1, albedo_mean (n, 3) linear,
    albedo_basis (Ka, n, 3) linear per σ. With no usable sample the light is grey at `GREY_LEVEL`.
    """
    n_modes = len(albedo_basis)
    usable = (weights > 0) & np.isfinite(appearance).all(1)
    if not usable.any():
        light = np.zeros((3, 9), np.float32)
        light[:, 0] = GREY_LEVEL / _Y0
        return LightFit(light, np.zeros(n_modes, np.float32), np.zeros(n_modes, np.float32), 0.0)
    mean, basis = albedo_mean[usable], albedo_basis[:, usable]
    strongest = np.sort(np.argsort(-(basis**2).sum((1, 2)))[:_FITTED_MODES])
    slopes = log_slopes(mean, basis[strongest])
    problem = _Problem.of(appearance[usable], normals[usable], weights[usable], mean, slopes)
    unknowns = problem.start()
    for tolerance in _TOLERANCES:
        unknowns = _levenberg_marquardt(replace(problem, tolerance=tolerance), unknowns)
    light, beta = unknowns[:27].reshape(3, 9), np.zeros(n_modes)
    beta[strongest] = unknowns[27:]
    alpha = _nearest_coefficients(problem.albedo(unknowns) - mean, basis, problem.trust)
    return LightFit(
        light.astype(np.float32), alpha.astype(np.float32), beta.astype(np.float32), problem.misfit(unknowns)
    )


def log_slopes(albedo_mean: np.ndarray, albedo_basis: np.ndarray) -> np.ndarray:
    """d log(albedo) per σ (K, n, 3), as a difference over ±½ σ, of modes (K, n, 3) about a mean (n, 3)."""
    upper, lower = (np.maximum(albedo_mean + side * albedo_basis, _LEAST_ALBEDO) for side in (0.5, -0.5))
    return np.log(upper / lower)


def _nearest_coefficients(offset: np.ndarray, basis: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Coefficients (Ka,) with a unit normal prior whose linear modes (Ka, n, 3) come nearest to an offset (n, 3)."""
    weighted = basis * (np.sqrt(trust)[:, None] / _ALBEDO_NOISE)
    design = weighted.reshape(len(basis), -1).astype(np.float64)
    wanted = (offset * (np.sqrt(trust)[:, None] / _ALBEDO_NOISE)).ravel()
    return np.linalg.solve(design @ design.T + np.eye(len(basis)), design @ wanted)


@dataclass(frozen=True)
class _Problem:
    """The sum above and its derivatives; the unknowns are the light's 27 numbers, then the albedo's K."""

    image: np.ndarray
    """(n, 3)."""
    sigma: np.ndarray
    """(n, 3)."""
    trust: np.ndarray
    """(n,), sums to `EFFECTIVE_SAMPLES`."""
    basis: np.ndarray
    """(n, 9)."""
    mean: np.ndarray
    """(n, 3)."""
    slopes: np.ndarray
    """(3, n, K)."""
    tolerance: float = 1.0
    """Factor on the residuals at which samples lose weight."""

    @classmethod
    def of(
        cls, image: np.ndarray, normals: np.ndarray, weights: np.ndarray, mean: np.ndarray, slopes: np.ndarray
    ) -> _Problem:
        image, mean = image.astype(np.float64), mean.astype(np.float64)
        return cls(
            image=image,
            sigma=RELATIVE_NOISE * (0.5 * image + 0.5 * np.median(image, axis=0)) + 1e-4,
            trust=weights / weights.sum() * EFFECTIVE_SAMPLES,
            basis=sh_basis(torch.as_tensor(normals, dtype=torch.float64)).numpy(),
            mean=mean,
            slopes=np.ascontiguousarray(slopes.transpose(2, 1, 0), dtype=np.float64),
        )

    def start(self) -> np.ndarray:
        """Grey light of the level that the mean albedo asks for."""
        light = np.zeros((3, 9))
        light[:, 0] = np.median(self.image.mean(1) / np.maximum(self.mean.mean(1), 1e-3)) / _Y0
        return np.concatenate([light.ravel(), np.zeros(self.slopes.shape[2])])

    def residual(self, unknowns: np.ndarray) -> np.ndarray:
        """(photo − model) ÷ σ, (n, 3)."""
        return (self.image - self.albedo(unknowns) * self._shading(unknowns)) / self.sigma

    def misfit(self, unknowns: np.ndarray) -> float:
        """RMS of (photo − model) ÷ photo."""
        squared = (self.residual(unknowns) * RELATIVE_NOISE) ** 2
        return float(np.sqrt((self.trust[:, None] * squared).sum() / (3 * self.trust.sum())))

    def cost(self, unknowns: np.ndarray) -> float:
        """Half the sum."""
        residual = self.residual(unknowns)
        squared_limit = self._limits(residual) ** 2
        robust = squared_limit * np.log1p(residual**2 / squared_limit)
        prior, _ = self._prior(unknowns)
        return 0.5 * float((self.trust[:, None] * robust).sum() + prior @ prior)

    def normal_equations(self, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gauss–Newton matrix and minus gradient of `cost`."""
        prior, slope = self._prior(unknowns)
        hessian, descent = slope.T @ slope, -slope.T @ prior
        residual, albedo, shading = (
            self.residual(unknowns),
            self.albedo(unknowns),
            self._shading(unknowns),
        )
        robust = self.trust[:, None] * 1.0 / (1.0 + (residual / self._limits(residual)) ** 2)
        n_modes = self.slopes.shape[2]
        for channel in range(3):
            place = np.r_[9 * channel : 9 * channel + 9, 27 : 27 + n_modes]
            by_light = albedo[:, channel, None] * self.basis
            by_albedo = (albedo * shading)[:, channel, None] * self.slopes[channel]
            jacobian = np.hstack([by_light, by_albedo]) / self.sigma[:, channel, None]
            weighted = jacobian * robust[:, channel, None]
            hessian[np.ix_(place, place)] += weighted.T @ jacobian
            descent[place] += weighted.T @ residual[:, channel]
        return hessian, descent

    def albedo(self, unknowns: np.ndarray) -> np.ndarray:
        """a(β), (n, 3)."""
        return self.mean * np.exp((self.slopes @ unknowns[27:]).T)

    def _shading(self, unknowns: np.ndarray) -> np.ndarray:
        return self.basis @ unknowns[:27].reshape(3, 9).T

    def _limits(self, residual: np.ndarray) -> np.ndarray:
        return self.tolerance * np.where(residual > 0, _HIGHLIGHT, _SHADOW)

    def _prior(self, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Departures (28 + K,) from what is expected, in σ, and their derivatives (28 + K, 27 + K).

        First the light relative to its own level, so that the priors do not favour weak light; then the level; then
        β.
        """
        light, count = unknowns[:27], len(unknowns)
        mean_basis = np.tile(self.trust @ self.basis / self.trust.sum(), 3) / 3
        level = max(float(mean_basis @ light), 1e-3)
        even = np.zeros(27)
        even[[0, 9, 18]] = 1 / _Y0
        departure = np.concatenate(
            [_WHITEN @ (light / level - even), [np.log(level / GREY_LEVEL) / LEVEL_SIGMA]]
        )
        slope = np.zeros((count + 1, count))
        slope[:27, :27] = _WHITEN @ (np.eye(27) / level - np.outer(light, mean_basis) / level**2)
        slope[27, :27] = mean_basis / (level * LEVEL_SIGMA)
        slope[28:, 27:] = np.eye(count - 27)
        return np.concatenate([departure, unknowns[27:]]), slope


def _levenberg_marquardt(problem: _Problem, unknowns: np.ndarray) -> np.ndarray:
    damping = 1e-3
    for _ in range(_ITERATIONS):
        hessian, descent = problem.normal_equations(unknowns)
        cost = problem.cost(unknowns)
        for _ in range(_TRIALS):
            trial = unknowns + np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), descent)
            gain = cost - problem.cost(trial)
            if gain > 0:
                break
            damping *= 8
        else:
            break
        unknowns, damping = trial, damping / 4
        if gain < _ENOUGH * cost:
            break
    return unknowns
