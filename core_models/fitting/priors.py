"""What is known about a face before the photo is seen, as penalties of the landmark fit.

Identity coefficients are normal, but for the size of the face, which one photo cannot show, and its
depth, which one photo shows badly.
Expression weights that lie in [0, 1] are 0 for the most part, and left and right tend to move together; those of
models made from scans are normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FREQUENCY = {
    "eyeLook": 3.0,
    "mouthSmile": 2.0,
    "eyeBlink": 2.0,
    "jawOpen": 1.5,
    "mouthClose": 0.5,
    "cheekPuff": 0.5,
    "jawForward": 0.3,
    "tongueOut": 0.1,
}
"""Mean weight of some expressions in portraits, relative to that of the others (by prefix of the name)."""

_DEPTH_POINTS = 60
"""So many independent points do the landmarks of a face count for in depth."""
_ONE_SIDED = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Not two halves of one expression, but opposites."""
_OPPOSITES = {
    "jawLeft": "jawRight",
    "mouthLeft": "mouthRight",
    "eyeLookUpLeft": "eyeLookDownLeft",
    "eyeLookUpRight": "eyeLookDownRight",
    "eyeLookInLeft": "eyeLookOutLeft",
    "eyeLookInRight": "eyeLookOutRight",
}
"""Together they would cancel, and leave a slider position that no person makes."""


@dataclass(frozen=True)
class PriorSettings:
    """Strengths of the priors."""

    identity_sigma: float = 0.8
    """Below 1: landmarks of rendered heads follow an individual's shape by less than half."""
    size_sigma: float = 0.003
    """Standard deviation of the log size of the face: next to none, see `size_direction`."""
    depth_sigma: float = 0.005
    """Standard deviation (dm) of how far identity moves a point in depth, see `identity_precision`."""
    expression_mean: float = 0.07
    """Mean of the exponential prior on expression weights."""
    pair_sigma: float = 0.2
    """Standard deviation of the difference between a left and a right weight."""
    opposite_sigma: float = 0.3
    """Standard deviation of the sum of two opposite weights."""


@dataclass(frozen=True)
class CameraPrior:
    """What is believed of a camera whose focal length the photo does not tell: two log-normals' product.

    Focal lengths cluster about those of phones and portrait lenses, but portraits are cropped; people stand
    at arm's length to a few metres, but a face may be small in the frame. Each belief corrects the other.
    """

    focal_per_side: float = 2.0
    """Focal length / longer side of the photo."""
    focal_sigma: float = 0.4
    distance: float = 18.0
    """Camera to face, dm."""
    distance_sigma: float = 0.35
    known_sigma: float = 0.03
    """Log deviation of a focal length that the photo tells."""
    sigma_factor: float = 1.0
    """Small values hold the focal length at its most likely value."""

    def log_focal(self, side: int, scale: float, focal_px: float | None) -> tuple[float, float]:
        """Mean and standard deviation of the log focal length in pixels, at `scale` pixels per dm of face."""
        if focal_px is not None:
            return math.log(focal_px), self.known_sigma * self.sigma_factor
        means = np.log([self.focal_per_side * side, self.distance * scale])
        weights = np.array([self.focal_sigma, self.distance_sigma]) ** -2
        return float(means @ weights / weights.sum()), self.sigma_factor * float(weights.sum() ** -0.5)


def size_direction(points: np.ndarray, identity_basis: np.ndarray) -> np.ndarray:
    """Change of log size per unit of each identity coefficient (Ki,), of points (L,3) with basis (L,3,Ki).

    Size trades with distance, so landmarks say nothing about it, and a maximum a posteriori fit that is free
    to choose it chooses too small a face. With the Mahalanobis norm |·| and a face mean + d, the most likely
    member of the family s·(mean + d) has s ≈ |mean|² / (|mean|² + |d|²): 0.9 for a typical d of 80 modes.
    """
    centred = points - points.mean(0)
    return np.einsum("lc,lck->k", centred, identity_basis) / (centred**2).sum()


def identity_precision(points: np.ndarray, basis: np.ndarray, settings: PriorSettings) -> np.ndarray:
    """Precision (Ki,Ki) of coefficients that move points (L,3) by basis (L,3,Ki).

    Normal, at the mean's size, and reluctant in depth: perspective and turned heads tell of depth, but
    so weakly that landmark errors across the image, which the modes couple with depth, would decide it. Without
    the last term the surface of rendered heads (benchmarks/shape.py) came out worse than the mean's, 1.46
    against 1.42 mm; with it 1.30 mm.
    """
    size = size_direction(points, basis)
    depth = basis[:, 2]
    return (
        np.eye(len(size)) / settings.identity_sigma**2
        + np.outer(size, size) / settings.size_sigma**2
        + depth.T @ depth * (_DEPTH_POINTS / len(points) / settings.depth_sigma**2)
    )


def expression_prior(
    names: Sequence[str], allowed: tuple[float, float], settings: PriorSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (Ke,Ke) and exponential rates (Ke,) of weights in `allowed`: normal ones, where some are negative."""
    if allowed[0] < 0:
        return np.eye(len(names)), np.zeros(len(names))
    return expression_precision(names, settings), expression_rates(names, settings)


def expression_rates(names: Sequence[str], settings: PriorSettings) -> np.ndarray:
    """Rates (Ke,) of the exponential prior p(e) ∝ exp(−rate·e); its kink at 0 makes expressions sparse."""
    factors = [
        next((f for prefix, f in _FREQUENCY.items() if name.startswith(prefix)), 1.0) for name in names
    ]
    return 1.0 / (settings.expression_mean * np.array(factors))


def expression_precision(names: Sequence[str], settings: PriorSettings) -> np.ndarray:
    """Precision (Ke,Ke) that couples partners (left with right, both eyes looking the same way) and opposites."""
    index = {name: k for k, name in enumerate(names)}
    precision = 1e-3 * np.eye(len(names))  # expressions without effect stay determined
    for name, k in index.items():
        partner = index.get(_partner(name), k)
        if partner > k:
            difference = np.zeros(len(names))
            difference[[k, partner]] = 1.0, -1.0
            precision += np.outer(difference, difference) / settings.pair_sigma**2
    for name, opposite in _OPPOSITES.items():
        if name in index and opposite in index:
            together = np.isin(np.arange(len(names)), [index[name], index[opposite]])
            precision += np.outer(together, together) / settings.opposite_sigma**2
    return precision


def _partner(name: str) -> str:
    """The expression that accompanies `name` on the other side of the face."""
    swaps = {"Left": "Right", "Right": "Left"}
    side = next((end for end in swaps if name.endswith(end)), None)
    if side is None or name in _ONE_SIDED:
        return name
    stem = name.removesuffix(side)
    return {"eyeLookIn": "eyeLookOut", "eyeLookOut": "eyeLookIn"}.get(stem, stem) + swaps[side]
