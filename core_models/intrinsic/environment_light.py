"""The light around a face, from what it does to the skin: a smooth surrounding, a few lamps, and light from skin to
skin.

Appearance ÷ expected albedo is linear in the radiance of every direction (`transport`), so the radiance comes from
non-negative least squares. The surrounding is a sum of broad lobes that a Gaussian prior keeps alike; lamps are single
directions under a sparsity prior (each costs in proportion to the light it gives); what a vertex's hidden directions
send is light from other skin. Robust weights leave out hair, highlights and shadows that the mesh puts elsewhere. How
the light's colour differs between these sources is a second, small ridge regression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from ..render.lighting import COSINE_LOBE, sh_basis
from ..render.transport import Directions, sphere_directions

N_LOBES = 40
LOBE_SHARPNESS = 4.0
"""κ of the surrounding's lobes exp(κ (cos − 1)): about 40° wide, as fine as order-2 light."""
LOBE_SIGMA = 0.45
"""σ of a lobe about the mean of all, in units of the typical skin's shading."""
LAMP_PRICE = 2.0
"""Cost, as a squared residual in σ, of a lamp that lights as strongly as the typical skin is lit."""
BOUNCE, BOUNCE_SIGMA = 0.3, 0.15
"""Light from skin to skin in hidden directions, in the same units; about the skin's albedo."""
RELATIVE_NOISE = 0.16
"""σ of appearance ÷ model: half of it of the sample itself, half of the typical skin, where shadows lie beside
themselves."""
EFFECTIVE_SAMPLES = 160
"""Those errors are correlated over a centimetre: so many independent ones fit on a face."""
CHROMA_SIGMA = 0.18
"""σ of one source's colour, channel by channel, relative to the light's mean colour."""
_HIGHLIGHT, _SHADOW = 1.2, 1.7
"""Residuals in σ at which a sample's weight has halved: highlights sooner than shadows, for skin is glossy."""
_TOLERANCES = (8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Factors on these, round by round: a start far off must not take half the face for an outlier."""
_LEAST_CHROMA = 0.15


@dataclass(frozen=True)
class SkinSamples:
    """Patches of skin of about 2 mm."""

    appearance: np.ndarray
    """(n, 3) linear."""
    reflectance: np.ndarray
    """(n, 3) the albedo expected there, up to one factor for each channel."""
    transport: np.ndarray
    """(n, D), see `transport.diffuse_transport`."""
    weights: np.ndarray
    """(n,) 0…1."""

    def every(self, step: int) -> SkinSamples:
        """One in `step` of them."""
        return SkinSamples(
            self.appearance[::step], self.reflectance[::step], self.transport[::step], self.weights[::step]
        )


@dataclass(frozen=True)
class Environment:
    """Light around the face, in units of the photo ÷ reflectance."""

    directions: Directions
    surround: np.ndarray
    """(D, 3) ≥ 0 radiance of the smooth surrounding."""
    lamps: np.ndarray
    """(D, 3) ≥ 0 radiance of lamps beside it."""
    bounce: np.ndarray
    """(3,) radiance of what is hidden by other skin."""
    residual: float
    """Weighted RMS of (photo − model) ÷ photo over the samples."""

    @property
    def radiance(self) -> np.ndarray:
        """(D, 3)."""
        return self.surround + self.lamps

    def shading(self, transport: np.ndarray) -> np.ndarray:
        """(n, 3) that a white surface shows; transport (n, D)."""
        return transport @ self.radiance + hidden(transport) * self.bounce

    def sh(self) -> np.ndarray:
        """(3, 9) irradiance/π of the unoccluded light as order-2 SH, camera frame, as in `render.lighting`."""
        basis = sh_basis(torch.as_tensor(self.directions.towards, dtype=torch.float64)).numpy()
        return ((self.radiance * self.directions.solid_angle[:, None]).T @ basis) * COSINE_LOBE

    def scaled(self, factor: np.ndarray) -> Environment:
        """The same light with each channel times factor (3,)."""
        return Environment(
            self.directions, self.surround * factor, self.lamps * factor, self.bounce * factor, self.residual
        )


def hidden(transport: np.ndarray) -> np.ndarray:
    """(n, 1): the cosine-weighted share of directions that other parts of the mesh hide."""
    return np.clip(1.0 - transport.sum(1, keepdims=True), 0.0, 1.0)


def fit_environment(samples: SkinSamples, directions: Directions) -> Environment:
    """The light that explains n samples of skin; even grey light of level 1 when there are none."""
    usable = (samples.weights > 0) & np.isfinite(samples.appearance).all(1)
    if not usable.any():
        count = len(directions.towards)
        even = np.ones((count, 3), np.float32)
        return Environment(directions, even, 0 * even, np.full(3, BOUNCE, np.float32), 0.0)
    weights = samples.weights[usable].astype(np.float64)
    lit = (samples.appearance[usable] / samples.reflectance[usable]).astype(np.float64)
    level = np.maximum([weighted_quantile(channel, weights) for channel in lit.T], 1e-5)
    lit = lit / level
    sources = _sources(directions)
    transport = samples.transport[usable].astype(np.float64)
    design = np.hstack([transport @ sources, hidden(transport)])
    amounts, trust = _fit_amounts(design, lit.mean(1), weights)
    colours = _fit_colours(design * amounts, lit, trust)
    per_source = amounts[:, None] * colours * level
    predicted = design @ (amounts[:, None] * colours)
    misfit = ((lit - predicted) / np.maximum(0.5 * (lit + 1), 1e-3)) ** 2
    return Environment(
        directions,
        (sources[:, :N_LOBES] @ per_source[:N_LOBES]).astype(np.float32),
        (sources[:, N_LOBES:] @ per_source[N_LOBES:-1]).astype(np.float32),
        per_source[-1].astype(np.float32),
        float(np.sqrt(np.average(misfit.mean(1), weights=trust))),
    )


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float = 0.5) -> float:
    """The value (n,) below which `share` of the weights (n,) lie."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(total, share * total[-1]), len(values) - 1)])


def _sources(directions: Directions) -> np.ndarray:
    """(D, N_LOBES + D) radiance of each source at amount 1: lobes that sum to 1, and lamps of irradiance π."""
    centres = sphere_directions(N_LOBES).towards.astype(np.float64)
    lobes = np.exp(LOBE_SHARPNESS * (directions.towards @ centres.T - 1))
    lobes /= lobes.sum(1, keepdims=True)
    return np.hstack([lobes, np.diag(math.pi / directions.solid_angle)])


def _fit_amounts(design: np.ndarray, lit: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative amounts (K,) with design (n, K) @ amounts ≈ lit (n,), and the samples' final weights (n,)."""
    hessian, pull = _prior(design.shape[1])
    price = np.zeros(design.shape[1])
    price[N_LOBES:-1] = LAMP_PRICE / 2
    amounts = np.zeros(design.shape[1])
    amounts[:N_LOBES] = 1.0
    trust = weights / weights.sum() * EFFECTIVE_SAMPLES
    for tolerance in _TOLERANCES:
        predicted = design @ amounts
        sigma = RELATIVE_NOISE * 0.5 * (predicted + 1.0)
        residual = (lit - predicted) / sigma
        limit = tolerance * np.where(residual > 0, _HIGHLIGHT, _SHADOW)
        robust = trust / (1 + (residual / limit) ** 2)
        weighted = design * (robust / sigma**2)[:, None]
        amounts = solve_non_negative(hessian + weighted.T @ design, pull + weighted.T @ lit - price)
    return amounts, robust


def _prior(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Quadratic prior on the amounts (K,): matrix (K, K) and right-hand side (K,)."""
    hessian, pull = np.zeros((count, count)), np.zeros(count)
    spread = np.eye(N_LOBES) - 1 / N_LOBES
    hessian[:N_LOBES, :N_LOBES] = spread / LOBE_SIGMA**2
    hessian[-1, -1], pull[-1] = 1 / BOUNCE_SIGMA**2, BOUNCE / BOUNCE_SIGMA**2
    return hessian, pull


def solve_non_negative(hessian: np.ndarray, descent: np.ndarray) -> np.ndarray:
    """x ≥ 0 (K,) that minimises ½ xᵀHx − dᵀx."""
    scale = np.trace(hessian) / len(hessian)
    upper = cholesky(hessian + 1e-9 * scale * np.eye(len(hessian)))
    return nnls(upper, solve_triangular(upper, descent, trans="T"), maxiter=10 * len(hessian))[0]


def _fit_colours(shares: np.ndarray, lit: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Colours (K, 3) ≈ 1 of the sources from what each adds to the samples, shares (n, K), lit (n, 3)."""
    predicted = shares.sum(1)
    weighted = shares * (trust / (RELATIVE_NOISE * 0.5 * (predicted + 1)) ** 2)[:, None]
    hessian = weighted.T @ shares + np.eye(shares.shape[1]) / CHROMA_SIGMA**2
    departure = np.linalg.solve(hessian, weighted.T @ (lit - predicted[:, None]))
    return np.maximum(1 + departure, _LEAST_CHROMA)
