"""What is known about a face before the photo is seen, as penalties of the landmark fit.

Identity coefficients are standard normal, but for the size of the face, which one photo cannot show; expression
weights lie in [0, 1], most of them at 0, and left and right tend to move together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Mean weights of the exponential prior on expressions are scaled by these: cheap where a portrait shows them often.
_USUAL = {"eyeLook": 3.0, "mouthSmile": 2.0, "eyeBlink": 2.0, "jawOpen": 1.5}
_RARE = {"mouthClose": 0.5, "cheekPuff": 0.5, "jawForward": 0.3, "tongueOut": 0.1}


@dataclass(frozen=True)
class PriorSettings:
    """Strengths of the priors; see the functions below for their meaning."""

    identity_sigma: float = 1.0
    size_sigma: float = 0.003
    expression_mean: float = 0.15
    pair_sigma: float = 0.2


def size_direction(points: np.ndarray, identity_basis: np.ndarray) -> np.ndarray:
    """Change of log size per unit of each identity coefficient (Ki,), of points (L,3) with basis (L,3,Ki).

    Size trades with distance, so landmarks say nothing about it, and a maximum a posteriori fit that is free to
    choose it chooses too small a face: with the Mahalanobis norm |·|, the scale s that makes s·(mean + d) most
    probable is |mean|² / (|mean|² + |d|²), about 0.9 for a typical d of 80 coefficients.
    """
    centred = points - points.mean(0)
    return np.einsum("lc,lck->k", centred, identity_basis) / (centred**2).sum()


def identity_precision(size: np.ndarray, settings: PriorSettings) -> np.ndarray:
    """Precision (Ki,Ki): standard normal coefficients of a face whose size is the mean's."""
    precision = np.eye(len(size)) / settings.identity_sigma**2
    return precision + np.outer(size, size) / settings.size_sigma**2


def expression_rates(names: Sequence[str], settings: PriorSettings) -> np.ndarray:
    """Rates (Ke,) of the exponential prior p(e) ∝ exp(−rate·e): its kink at 0 makes expressions sparse."""
    factors = {**_USUAL, **_RARE}
    scale = [next((f for prefix, f in factors.items() if name.startswith(prefix)), 1.0) for name in names]
    return 1.0 / (settings.expression_mean * np.array(scale))


def expression_precision(names: Sequence[str], settings: PriorSettings) -> np.ndarray:
    """Precision (Ke,Ke) that couples partners: left with right, and both eyes looking the same way."""
    index = {name: k for k, name in enumerate(names)}
    precision = np.zeros((len(names), len(names)))
    for name, k in index.items():
        partner = index.get(_partner(name), k)
        if partner > k:
            difference = np.zeros(len(names))
            difference[[k, partner]] = 1.0, -1.0
            precision += np.outer(difference, difference) / settings.pair_sigma**2
    return precision + 1e-3 * np.eye(len(names))  # expressions without effect stay determined


def _partner(name: str) -> str:
    if name.startswith(("eyeLookIn", "eyeLookOut")):
        name = name.replace("In", "#").replace("Out", "In").replace("#", "Out")
    if name.endswith("Left"):
        return name[: -len("Left")] + "Right"
    return name[: -len("Right")] + "Left" if name.endswith("Right") else name


def solve_box(matrix: np.ndarray, vector: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimise ½ xᵀMx − vᵀx over 0 ≤ x ≤ 1 for positive definite M (K,K): projected Newton (Bertsekas 1982)."""
    x = np.clip(start, 0.0, 1.0)

    def cost(point: np.ndarray) -> float:
        return float(0.5 * point @ matrix @ point - vector @ point)

    for _ in range(50):
        gradient = matrix @ x - vector
        free = ~(((x <= 0) & (gradient > 0)) | ((x >= 1) & (gradient < 0)))
        if np.abs(gradient[free]).max(initial=0.0) < 1e-9 * (1 + np.abs(vector).max(initial=0.0)):
            break
        direction = np.zeros_like(x)
        direction[free] = -np.linalg.solve(matrix[np.ix_(free, free)], gradient[free])
        for step in 0.5 ** np.arange(12):
            trial = np.clip(x + step * direction, 0.0, 1.0)
            if cost(trial) < cost(x):
                break
        else:
            break
        x = trial
    return x
