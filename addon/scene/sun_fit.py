"""A few wide distant lamps that light a face as spherical harmonics do; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH = np.radians(60.0)
"""Angle that a lamp fills in the sky: soft shadows. Narrower and wider ones need more lamps (measured)."""
_PLACES = 300
"""Directions for lamps, about 12° apart."""
_CONE_SAMPLES = 400
_CLOSE_ENOUGH = 0.03
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Suns:
    """`directions` (K, 3) unit, towards the lamps; `irradiance` (K, 3) RGB over π, for a surface that faces the lamp;
    `angles` (K,) radians that each fills in the sky.
    """

    directions: np.ndarray
    irradiance: np.ndarray
    angles: np.ndarray

    def shading(self, normals: np.ndarray) -> np.ndarray:
        """(P, 3) linear: what white shows of them at unit `normals` (P, 3)."""
        total = np.zeros((len(normals), 3))
        for direction, irradiance, angle in zip(self.directions, self.irradiance, self.angles, strict=True):
            total += _wide_cosine(normals @ direction, angle)[:, None] * irradiance
        return total


@dataclass(frozen=True)
class _Problem:
    """`columns` (P, D): what a lamp of strength 1 in each of D directions gives; `shading` (P, 3), what they are to
    give; `whole`, the sum of squares that residuals are shares of.
    """

    columns: np.ndarray
    shading: np.ndarray
    whole: float

    def weights(self, chosen: list[int]) -> np.ndarray:
        """(K, 3) ≥ 0, the best for these lamps."""
        solved = [nonnegative_least_squares(self.columns[:, chosen], channel) for channel in self.shading.T]
        return np.stack(solved, axis=-1)

    def left(self, chosen: list[int]) -> np.ndarray:
        """(P, 3): what these lamps leave."""
        return self.shading - self.columns[:, chosen] @ self.weights(chosen) if chosen else self.shading

    def residual(self, chosen: list[int]) -> float:
        """RMS of `left`, as a share of the whole light's."""
        return float(np.sqrt((self.left(chosen) ** 2).sum() / max(self.whole, _TOLERANCE)))

    def with_best(self, chosen: list[int]) -> list[int]:
        """`chosen` and the lamp that explains most of what they leave."""
        gain = np.maximum(self.columns.T @ self.left(chosen), 0.0).sum(axis=1)
        gain /= np.linalg.norm(self.columns, axis=0)
        gain[chosen] = 0.0
        return [*chosen, int(gain.argmax())]


def suns_for(shading: np.ndarray, normals: np.ndarray, known: Suns, most: int) -> tuple[Suns, float]:
    """Few lamps, at most `most`, that sum up to `shading` (P, 3), linear, ≥ 0, at unit `normals` (P, 3): those that are
    `known` to be among them, and wide ones for the rest. And the RMS difference that is left, as a share.

    Orthogonal matching pursuit with non-negative weights (Bruckstein, Elad and Zibulevsky 2008): the lamp that explains
    most of what is left joins, all weights are solved again, and lamps move to better places as long as they find any.
    """
    places = sphere_directions(_PLACES)
    problem = _Problem(
        _wide_cosine(normals @ places.T, WIDTH), shading - known.shading(normals), (shading**2).sum()
    )
    chosen: list[int] = []
    while len(known.angles) + len(chosen) < most and problem.residual(chosen) > _CLOSE_ENOUGH:
        chosen = _moved(problem, problem.with_best(chosen))
    weights = problem.weights(chosen)
    lit = weights.sum(axis=1) > _TOLERANCE
    wide = Suns(places[chosen][lit], weights[lit], np.full(lit.sum(), WIDTH))
    return _together(known, wide), problem.residual(chosen)


def sphere_directions(count: int) -> np.ndarray:
    """(count, 3) unit vectors, spread evenly (Fibonacci's sphere)."""
    return _spiral(1 - (2 * np.arange(count) + 1) / count)


def nonnegative_least_squares(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The x ≥ 0 that minimises |matrix · x − target| (Lawson and Hanson 1974, chapter 23): (P, K), (P,) → (K,)."""
    x = np.zeros(matrix.shape[1])
    free = np.zeros(len(x), bool)
    for _ in range(3 * len(x)):
        gradient = np.where(free, -np.inf, matrix.T @ (target - matrix @ x))
        if free.all() or gradient.max() <= _TOLERANCE * len(target):
            break
        free[gradient.argmax()] = True
        best = _solve(matrix, target, free)
        while (falling := free & (best <= 0)).any():
            x = x + (x[falling] / (x[falling] - best[falling])).min() * (best - x)
            free &= x > _TOLERANCE
            x[~free] = 0.0
            best = _solve(matrix, target, free)
        x = best
    return x


def _moved(problem: _Problem, chosen: list[int]) -> list[int]:
    """Each lamp in turn is taken away and put where it now explains most, when that is better."""
    best = problem.residual(chosen)
    for lamp in tuple(chosen):
        moved = problem.with_best([other for other in chosen if other != lamp])
        residual = problem.residual(moved)
        if residual < best:
            chosen, best = moved, residual
    return chosen


def _together(*parts: Suns) -> Suns:
    return Suns(
        np.concatenate([part.directions for part in parts]),
        np.concatenate([part.irradiance for part in parts]),
        np.concatenate([part.angles for part in parts]),
    )


def _wide_cosine(cosine: np.ndarray, angle: float) -> np.ndarray:
    """Irradiance over its value face on, at this cosine to the middle of a lamp that fills an `angle` in the sky: the
    clamped cosine's mean over a cone.

    Cycles' sun is such a cone of even radiance, of unit irradiance face on (measured: within 0.005 up to 120°).
    """
    samples = np.arange(_CONE_SAMPLES) + 0.5
    cone = _spiral(1 - (1 - np.cos(angle / 2)) * samples / _CONE_SAMPLES)
    at = np.linspace(-1.0, 1.0, 181)
    normals = np.stack([np.sqrt(1 - at**2), np.zeros_like(at), at], axis=-1)
    irradiance = np.maximum(normals @ cone.T, 0.0).mean(axis=1)
    return np.interp(cosine, at, irradiance / irradiance[-1])


def _spiral(height: np.ndarray) -> np.ndarray:
    turn = np.arange(len(height)) * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=-1)


def _solve(matrix: np.ndarray, target: np.ndarray, free: np.ndarray) -> np.ndarray:
    x = np.zeros(matrix.shape[1])
    x[free] = np.linalg.lstsq(matrix[:, free], target, rcond=None)[0]
    return x
