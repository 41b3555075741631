"""The numerical heart of the landmark fit: projection, its derivatives, Gauss–Newton with boxed weights.

Several photos of one person are fitted together: one identity, and a pose, a focal length and an expression for
each. Apart from `fit`, which says what is fitted to what: this part knows neither photos nor defaults.
Residuals are in decimetres at the face (pixels / scale), float64 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .noise import LandmarkNoise

N_CAMERA = 7
"""Unknowns before the coefficients: rotation 3, shift 2, log scale, log focal length."""
_SCALE, _FOCAL = 5, 6
_LONGEST_STEP = 0.6
"""Of any unknown, where more than landmarks is fitted."""


@dataclass(frozen=True)
class LinearPoints:
    """Places on a face, or directions, that follow the coefficients linearly; model space."""

    mean: np.ndarray
    """(L,3) dm"""
    identity: np.ndarray
    """(L,3,Ki)"""
    expression: np.ndarray
    """(L,3,Ke)"""

    def at(self, state: State) -> np.ndarray:
        """(L,3)."""
        return self.mean + self.identity @ state.identity + self.expression @ state.expression


@dataclass(frozen=True)
class Basis(LinearPoints):
    """A model at its landmarks, and what is known of its coefficients beforehand (`priors`)."""

    identity_precision: np.ndarray
    """(Ki,Ki)"""
    expression_precision: np.ndarray
    """(Ke,Ke)"""
    expression_rates: np.ndarray
    """(Ke,) of the exponential prior"""
    expression_range: tuple[float, float] = (0.0, 1.0)
    """Least and largest weight"""


@dataclass(frozen=True)
class State:
    """The unknowns: pose (dm), log focal length (pixels), identity (Ki,), expression (Ke,) in its range."""

    rotation: np.ndarray
    translation: np.ndarray
    log_focal: float
    identity: np.ndarray
    expression: np.ndarray


@dataclass(frozen=True)
class Observation:
    """Landmarks in a photo: `pixels` (L,2), principal point `centre` (2,), `scale` in pixels per dm."""

    pixels: np.ndarray
    centre: np.ndarray
    scale: float
    noise: LandmarkNoise
    log_focal: float
    log_focal_sigma: float
    identity: np.ndarray | float = 0.0
    """(Ki,) expected before the landmarks are seen, equal in all photos of a person"""
    expression: np.ndarray | float = 0.0
    """(Ke,) the same"""


class Evidence(Protocol):
    """What a photo says beyond its landmarks."""

    def equations(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (P,P) and negative gradient (P,) of its negative log likelihood over a photo's unknowns."""


def project(
    points: LinearPoints, state: State, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (L,2), and the points turned to the camera before (L,3) and after (L,3) the translation."""
    turned = points.at(state) @ state.rotation.T
    seen = turned + state.translation
    return centre + math.exp(state.log_focal) * seen[:, :2] * (1, -1) / -seen[:, 2:], turned, seen


def gauss_newton(
    basis: Basis,
    observations: Sequence[Observation],
    states: Sequence[State],
    iterations: int,
    tolerance: float,
    evidence: Sequence[Evidence] = (),
) -> list[State]:
    """Maximise the posterior of photos of one person, from states with one identity on.

    Ends after `iterations`, or when no unknown changes by more than `tolerance`. `evidence`: none, or one a photo.
    """
    states = list(states)
    places = _places(basis, len(states))
    for _ in range(iterations):
        linear = [_linearise(basis, seen, state) for seen, state in zip(observations, states, strict=True)]
        for seen, (residuals, _) in zip(observations, linear, strict=True):
            seen.noise.reweight(seen.noise.outlier_weights(residuals))
        normal, gradient = _joint_equations(basis, observations, states, linear)
        for more, state, place in zip(evidence, states, places, strict=False):
            own_normal, own_gradient = more.equations(state)
            normal[np.ix_(place, place)] += own_normal
            gradient[place] += own_gradient
        expressions = np.concatenate([state.expression for state in states])
        step = _boxed_step(normal, gradient, expressions, basis.expression_range)
        if evidence:  # pictures are linear over short ways only
            step *= min(1.0, _LONGEST_STEP / np.abs(step).max())
        states = [
            moved(state, step[place], basis.expression_range)
            for state, place in zip(states, places, strict=True)
        ]
        if np.abs(step).max() < tolerance:
            break
    return states


def _places(basis: Basis, n_photos: int) -> list[np.ndarray]:
    """Where each photo's unknowns (camera, identity, expression) are among all: identity, cameras, expressions."""
    n_identity, n_expression = len(basis.identity_precision), len(basis.expression_rates)
    first_expression = n_identity + n_photos * N_CAMERA
    return [
        np.concatenate(
            [
                n_identity + photo * N_CAMERA + np.arange(N_CAMERA),
                np.arange(n_identity),
                first_expression + photo * n_expression + np.arange(n_expression),
            ]
        )
        for photo in range(n_photos)
    ]


def _joint_equations(
    basis: Basis,
    observations: Sequence[Observation],
    states: Sequence[State],
    linear: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Hessian and negative gradient over all unknowns of the photos' negative log posterior; see `_places`."""
    places = _places(basis, len(states))
    size = int(places[-1].max()) + 1
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    identity = slice(len(basis.identity_precision))
    normal[identity, identity] = basis.identity_precision
    gradient[identity] = -basis.identity_precision @ (states[0].identity - observations[0].identity)
    for seen, state, place, (residuals, jacobian) in zip(observations, states, places, linear, strict=True):
        own_normal, own_gradient = _normal_equations(basis, seen, state, residuals, jacobian)
        normal[np.ix_(place, place)] += own_normal
        gradient[place] += own_gradient
    return normal, gradient


def _linearise(basis: Basis, observation: Observation, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (L,2) and Jacobian (L,2,P) of the landmarks' projection, in dm at the face."""
    pixels, jacobian = pixel_jacobian(basis, state, observation.centre)
    return (observation.pixels - pixels) / observation.scale, jacobian / observation.scale


def pixel_jacobian(points: LinearPoints, state: State, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (L,2) of points on the face, and their derivatives (L,2,P).

    Unknowns: rotation vector (applied from the left), shift in x and y, log scale at a fixed focal length,
    log focal length at a fixed scale (so: perspective alone), identity, expression.
    """
    pixels, turned, seen = project(points, state, centre)
    inverse_depth = -1.0 / seen[:, 2]
    camera = np.zeros((len(seen), 2, 3))  # d pixels / d camera point
    camera[:, 0, 0] = inverse_depth
    camera[:, 1, 1] = -inverse_depth
    camera[:, :, 2] = seen[:, :2] * (1, -1) * inverse_depth[:, None] ** 2
    camera *= math.exp(state.log_focal)
    spin = np.cross(np.eye(3)[None], turned[:, None]).transpose(0, 2, 1)  # column k: e_k × turned
    nearer = camera[:, :, 2:] * -state.translation[2]
    in_model = camera @ state.rotation
    blocks = [
        camera @ spin,
        camera[:, :, :2],
        nearer,
        (pixels - centre)[:, :, None] - nearer,
        in_model @ points.identity,
        in_model @ points.expression,
    ]
    return pixels, np.concatenate(blocks, 2)


def _normal_equations(
    basis: Basis, observation: Observation, state: State, residuals: np.ndarray, jacobian: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hessian (P,P) and negative gradient (P,) of a photo's negative log posterior, but for the identity's prior."""
    design = observation.noise.whiten(jacobian).reshape(-1, jacobian.shape[2])
    normal = design.T @ design
    gradient = design.T @ observation.noise.whiten(residuals).ravel()
    precision = observation.log_focal_sigma**-2
    normal[_FOCAL, _FOCAL] += precision
    gradient[_FOCAL] -= precision * (state.log_focal - observation.log_focal)
    expression = slice(N_CAMERA + len(state.identity), None)
    normal[expression, expression] += basis.expression_precision
    unexpected = state.expression - observation.expression
    gradient[expression] -= basis.expression_precision @ unexpected + basis.expression_rates
    return normal, gradient


def _boxed_step(
    normal: np.ndarray, gradient: np.ndarray, expression: np.ndarray, limits: tuple[float, float]
) -> np.ndarray:
    """Minimise ½ sᵀNs − gᵀs over steps s (P,) that leave the expression, their last part, within `limits`.

    The unbounded unknowns are eliminated, the expression is solved for, and the others follow it.
    """
    n_free = len(gradient) - len(expression)
    free = cho_factor(normal[:n_free, :n_free])
    response = cho_solve(free, np.column_stack([gradient[:n_free], normal[:n_free, n_free:]]))
    reduced = normal[n_free:, n_free:] - normal[n_free:, :n_free] @ response[:, 1:]
    vector = gradient[n_free:] - normal[n_free:, :n_free] @ response[:, 0] + reduced @ expression
    change = solve_box(reduced, vector, expression, limits) - expression
    return np.concatenate([response[:, 0] - response[:, 1:] @ change, change])


def moved(state: State, step: np.ndarray, limits: tuple[float, float] = (0.0, 1.0)) -> State:
    """The state after a step (P,), its unknowns in `pixel_jacobian`'s order; expressions stay within `limits`."""
    n_identity = len(state.identity)
    shift = state.translation + np.array([step[3], step[4], 0.0])
    coefficients = step[N_CAMERA:]
    return State(
        cv2.Rodrigues(step[:3])[0] @ state.rotation,
        shift * (1.0, 1.0, math.exp(step[_FOCAL] - step[_SCALE])),
        state.log_focal + float(step[_FOCAL]),
        state.identity + coefficients[:n_identity],
        np.clip(state.expression + coefficients[n_identity:], *limits),
    )


def solve_box(
    matrix: np.ndarray, vector: np.ndarray, start: np.ndarray, limits: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """Minimise ½ xᵀMx − vᵀx over x within `limits`, M (K,K) positive definite: projected Newton (Bertsekas 1982)."""
    low, high = limits
    x = np.clip(start, low, high)

    def cost(point: np.ndarray) -> float:
        return float(0.5 * point @ matrix @ point - vector @ point)

    for _ in range(50):
        gradient = matrix @ x - vector
        free = ~(((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)))
        if np.abs(gradient[free]).max(initial=0.0) < 1e-9 * (1 + np.abs(vector).max(initial=0.0)):
            break
        direction = np.zeros_like(x)
        direction[free] = -np.linalg.solve(matrix[np.ix_(free, free)], gradient[free])
        trials = (np.clip(x + step * direction, low, high) for step in 0.5 ** np.arange(12))
        better = next((trial for trial in trials if cost(trial) < cost(x)), None)
        if better is None:
            break
        x = better
    return x
