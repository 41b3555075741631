"""Pose, identity and expression of one face from its 2-D landmarks: robust, regularised Gauss–Newton.

The maximum a posteriori face under three statements: landmark errors are correlated over the face
(`landmark_noise`), faces and expressions are as probable as the model and `fitting_priors` say, and the focal length,
when the photo does not tell it, is that of an ordinary portrait. MediaPipe's z is never used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .fitting_priors import (
    PriorSettings,
    expression_precision,
    expression_rates,
    identity_precision,
    size_direction,
    solve_box,
)
from .landmark_noise import LandmarkNoise, NoiseSettings
from .morphable.model import MorphableModel
from .reconstruction import SemblanceError

N_LANDMARKS = 478
N_FACE_LANDMARKS = 468  # the rest are irises
IRIS_CENTRES = (468, 473)  # the subject's right and left
# The face oval of mediapipe's FACEMESH_FACE_OVAL: drawn along the outline, so the least certain points.
CONTOUR = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


class FitError(SemblanceError):
    """Landmarks to which no face can be fitted."""

    code = "fit_failed"


@dataclass(frozen=True)
class CameraPrior:
    """What is believed of a camera whose focal length the photo does not tell: two log-normal beliefs, multiplied.

    Focal lengths cluster about that of a phone's or a portrait lens, but portraits are cropped; people stand at
    arm's length to a few metres, but a face may be small in the frame. Each corrects the other.
    """

    focal_per_side: float = 1.8  # of the longer side of the photo
    focal_sigma: float = 0.6
    distance: float = 15.0  # dm
    distance_sigma: float = 0.5
    known_sigma: float = 0.03  # a focal length out of EXIF

    def focal(self, size: tuple[int, int], scale: float, focal_px: float | None) -> tuple[float, float]:
        """(log focal length in pixels, its standard deviation) at `scale` pixels per decimetre of face."""
        if focal_px is not None:
            return math.log(focal_px), self.known_sigma
        means = np.log([self.focal_per_side * max(size), self.distance * scale])
        weights = 1.0 / np.array([self.focal_sigma, self.distance_sigma]) ** 2
        return float(means @ weights / weights.sum()), float(weights.sum() ** -0.5)


@dataclass(frozen=True)
class FitSettings:
    """Every constant of the fit, tuned on rendered heads (benchmarks/shape.py) and development portraits."""

    noise: NoiseSettings = field(default_factory=NoiseSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    camera: CameraPrior = field(default_factory=CameraPrior)
    iterations: int = 20
    tolerance: float = 1e-3  # of identity and expression coefficients
    max_rms_percent: float = 25.0


@dataclass(frozen=True)
class Fit:
    """A face in front of a camera. `rotation`, `translation` (dm) take model space to the camera frame.

    `identity` (Ki,), `expression` (Ke,) in [0, 1], `K` (3,3), `model_landmarks` (478,2) pixels: the fitted face's
    landmarks, projected (NaN where the model has none); `landmark_rms_percent` is their 2-D RMS distance from the
    detected ones over points 0–467, in % of the distance between the iris centres.
    """

    identity: np.ndarray
    expression: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray
    model_landmarks: np.ndarray
    landmark_rms_percent: float


@dataclass(frozen=True)
class _Basis:
    """The model at its landmarks: ids (L,), mean (L,3), identity (L,3,Ki), expression (L,3,Ke), float64."""

    ids: np.ndarray
    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    expression_names: tuple[str, ...]


@dataclass(frozen=True)
class _State:
    """Unknowns of the fit: pose, log focal length, coefficients."""

    rotation: np.ndarray
    translation: np.ndarray
    log_focal: float
    identity: np.ndarray
    expression: np.ndarray


@dataclass(frozen=True)
class _Problem:
    """What the unknowns are judged by. `scale` is in pixels per decimetre, residuals are in decimetres."""

    basis: _Basis
    observed: np.ndarray  # (L,2) pixels
    centre: np.ndarray  # (2,) principal point
    scale: float
    noise: LandmarkNoise
    focal: tuple[float, float]  # log pixels, standard deviation
    identity_precision: np.ndarray
    expression_precision: np.ndarray
    expression_rates: np.ndarray


def fit_landmarks(
    model: MorphableModel,
    landmarks: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None = None,
    settings: FitSettings | None = None,
) -> Fit:
    """Fit the model to detected landmarks (478,2), pixels of a photo of `image_size` (width, height).

    `focal_px` is the focal length where the photo tells it. Raises FitError when the landmarks are not finite,
    coincide, or are no face.
    """
    return _fit(_landmark_basis(model), landmarks, image_size, focal_px, settings or FitSettings())


def pose_mean(
    model: MorphableModel,
    landmarks: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None = None,
    settings: FitSettings | None = None,
) -> Fit:
    """The mean face merely posed: the baseline that a fit has to beat. Arguments and errors of `fit_landmarks`."""
    basis = _landmark_basis(model)
    n_identity, n_expression = basis.identity.shape[2], basis.expression.shape[2]
    rigid = replace(
        basis, identity=basis.identity[..., :0], expression=basis.expression[..., :0], expression_names=()
    )
    settings = settings or FitSettings()
    # What the mean cannot follow is no landmark error: plain least squares, and no guess of the focal length from it.
    prior = settings.camera
    camera = replace(
        prior,
        focal_sigma=1e-3 * prior.focal_sigma,
        distance_sigma=1e-3 * prior.distance_sigma,
        known_sigma=1e-3,
    )
    plain = replace(settings, noise=NoiseSettings(independent=0.03, correlated=()), camera=camera)
    fit = _fit(rigid, landmarks, image_size, focal_px, plain)
    return replace(fit, identity=np.zeros(n_identity), expression=np.zeros(n_expression))


def _fit(
    basis: _Basis,
    landmarks: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None,
    settings: FitSettings,
) -> Fit:
    observed = _checked(landmarks)[basis.ids]
    rotation, translation, scale = _scaled_orthographic_pose(basis.mean, observed)
    problem = _problem(basis, observed, scale, image_size, focal_px, settings)
    # The same scale through a perspective camera: distance = focal length / scale.
    log_focal, centre = problem.focal[0], problem.centre
    offset = (translation - centre) * (1, -1) / scale
    state = _State(
        rotation,
        np.array([*offset, -math.exp(log_focal) / scale]),
        log_focal,
        np.zeros(basis.identity.shape[2]),
        np.zeros(basis.expression.shape[2]),
    )
    for _ in range(settings.iterations):
        state, change = _step(problem, state)
        if change < settings.tolerance:
            break
    return _result(problem, landmarks, state, settings)


def _landmark_basis(model: MorphableModel) -> _Basis:
    vertices, weights = model.landmark_vertices.cpu().numpy(), model.landmark_weights.cpu().numpy()

    def at_landmarks(values: np.ndarray) -> np.ndarray:  # (…,N,3) → (…,L,3)
        return np.einsum("...lvc,lv->...lc", values[..., vertices, :].astype(np.float64), weights)

    return _Basis(
        model.landmark_ids.cpu().numpy(),
        at_landmarks(model.mean.cpu().numpy()),
        np.moveaxis(at_landmarks(model.identity_basis.cpu().numpy()), 0, 2),
        np.moveaxis(at_landmarks(model.expression_basis.cpu().numpy()), 0, 2),
        tuple(model.expression_names),
    )


def _checked(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks as (478,2) float64; FitError when they cannot be a face."""
    points = np.asarray(landmarks, np.float64)
    if points.shape != (N_LANDMARKS, 2):
        raise ValueError(f"landmarks: expected ({N_LANDMARKS}, 2), got {points.shape}")
    hint = "Choose a sharper or larger photo of the face."
    if not np.isfinite(points).all():
        raise FitError("The face's landmarks are not finite numbers.", hint)
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False) / math.sqrt(len(points))
    if spread[1] < 1.0 or spread[1] < 0.05 * spread[0]:
        raise FitError("The face's landmarks coincide or lie on a line.", hint)
    return points


def _scaled_orthographic_pose(points: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rotation (3,3), image position (2,) of the origin and pixels per decimetre of points (L,3) seen at (L,2).

    Least squares for the affine camera, reweighted against outliers, and its nearest scaled rotation (POS: DeMenthon
    and Davis, IJCV 1995).
    """
    design = np.column_stack([points, np.ones(len(points))])
    weights = np.ones(len(points))
    for _ in range(8):
        root = np.sqrt(weights)[:, None]
        affine = np.linalg.lstsq(design * root, pixels * root, rcond=None)[0].T  # (2,4)
        errors = np.linalg.norm(pixels - design @ affine.T, axis=1)
        weights = 1.0 / (1.0 + (errors / (2.0 * np.median(errors) + 1e-9)) ** 2)
    left, sizes, right = np.linalg.svd(affine[:, :3] * [[1.0], [-1.0]], full_matrices=False)
    rows = left @ right
    return np.vstack([rows, np.cross(rows[0], rows[1])]), affine[:, 3], float(sizes.mean())


def _problem(
    basis: _Basis,
    observed: np.ndarray,
    scale: float,
    image_size: tuple[int, int],
    focal_px: float | None,
    settings: FitSettings,
) -> _Problem:
    noise = np.ones(len(basis.ids))
    noise[np.isin(basis.ids, CONTOUR)] = settings.noise.contour_factor
    noise[basis.ids >= N_FACE_LANDMARKS] = settings.noise.iris_factor
    inner = ~np.isin(basis.ids, CONTOUR) & (basis.ids < N_FACE_LANDMARKS)
    return _Problem(
        basis,
        observed,
        np.array(image_size, np.float64) / 2,
        scale,
        LandmarkNoise(basis.mean, noise, settings.noise),
        settings.camera.focal(image_size, scale, focal_px),
        identity_precision(size_direction(basis.mean[inner], basis.identity[inner]), settings.prior),
        expression_precision(basis.expression_names, settings.prior),
        expression_rates(basis.expression_names, settings.prior),
    )


def _project(basis: _Basis, state: _State, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (L,2), and the landmarks before (L,3) and after (L,3) translation, turned to the camera."""
    turned = (
        basis.mean + basis.identity @ state.identity + basis.expression @ state.expression
    ) @ state.rotation.T
    seen = turned + state.translation
    return centre + math.exp(state.log_focal) * seen[:, :2] * (1, -1) / -seen[:, 2:], turned, seen


def _linearise(problem: _Problem, state: _State) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (L,2) and Jacobian (L,2,P) of the projection, decimetres.

    Unknowns: rotation vector (3, applied from the left), shift x and y, log scale at a fixed focal length, log focal
    length at a fixed scale (so: perspective alone), identity, expression.
    """
    basis = problem.basis
    pixels, turned, seen = _project(basis, state, problem.centre)
    inverse_depth = -1.0 / seen[:, 2]
    camera = np.zeros((len(seen), 2, 3))  # d pixels / d camera point
    camera[:, 0, 0] = inverse_depth
    camera[:, 1, 1] = -inverse_depth
    camera[:, :, 2] = seen[:, :2] * (1, -1) * inverse_depth[:, None] ** 2
    camera *= math.exp(state.log_focal)
    spin = np.cross(np.eye(3)[None], turned[:, None]).transpose(0, 2, 1)  # column k: e_k × turned
    nearer = camera[:, :, 2:] * -state.translation[2]
    in_model = camera @ state.rotation
    jacobian = np.concatenate(
        [
            camera @ spin,
            camera[:, :, :2],
            nearer,
            (pixels - problem.centre)[:, :, None] - nearer,
            in_model @ basis.identity,
            in_model @ basis.expression,
        ],
        axis=2,
    )
    return (problem.observed - pixels) / problem.scale, jacobian / problem.scale


def _step(problem: _Problem, state: _State) -> tuple[_State, float]:
    """One Gauss–Newton step; also the largest change of a coefficient, or of the pose in decimetres."""
    residuals, jacobian = _linearise(problem, state)
    problem.noise.reweight(problem.noise.outlier_weights(residuals))
    design = problem.noise.whiten(jacobian).reshape(-1, jacobian.shape[2])
    target = problem.noise.whiten(residuals).ravel()
    normal, gradient = design.T @ design, design.T @ target
    n_rigid, n_identity = 7, len(state.identity)
    face = n_rigid + n_identity  # expressions follow
    focal_precision = problem.focal[1] ** -2
    normal[6, 6] += focal_precision
    gradient[6] -= focal_precision * (state.log_focal - problem.focal[0])
    normal[n_rigid:face, n_rigid:face] += problem.identity_precision
    gradient[n_rigid:face] -= problem.identity_precision @ state.identity
    normal[face:, face:] += problem.expression_precision
    gradient[face:] -= problem.expression_precision @ state.expression + problem.expression_rates

    # Expressions are boxed: eliminate the free unknowns, solve for the expressions, substitute back.
    free = cho_factor(normal[:face, :face])
    to_free = cho_solve(free, np.column_stack([gradient[:face], normal[:face, face:]]))
    reduced = normal[face:, face:] - normal[face:, :face] @ to_free[:, 1:]
    vector = gradient[face:] - normal[face:, :face] @ to_free[:, 0] + reduced @ state.expression
    expression = solve_box(reduced, vector, state.expression)
    change = expression - state.expression
    step = to_free[:, 0] - to_free[:, 1:] @ change
    new = _State(
        cv2.Rodrigues(step[:3])[0] @ state.rotation,
        (state.translation + [*step[3:5], 0.0]) * [1.0, 1.0, math.exp(step[6] - step[5])],
        state.log_focal + step[6],
        state.identity + step[n_rigid:],
        expression,
    )
    return new, float(np.abs([*step[:3], *step[n_rigid:], *change]).max())


def _result(problem: _Problem, landmarks: np.ndarray, state: _State, settings: FitSettings) -> Fit:
    ids = problem.basis.ids
    pixels, _, seen = _project(problem.basis, state, problem.centre)
    model_landmarks = np.full((N_LANDMARKS, 2), np.nan)
    model_landmarks[ids] = pixels
    face = ids[ids < N_FACE_LANDMARKS]
    eyes = np.linalg.norm(landmarks[IRIS_CENTRES[0]] - landmarks[IRIS_CENTRES[1]])
    squared = ((model_landmarks[face] - landmarks[face]) ** 2).sum(1)
    rms = 100.0 * math.sqrt(squared.mean()) / float(eyes)
    if not np.isfinite(rms) or rms > settings.max_rms_percent or seen[:, 2].max() >= 0:
        raise FitError(
            "The landmarks do not look like a face.", "Choose another photo, or another face in it."
        )
    focal = math.exp(state.log_focal)
    intrinsics = np.array([[focal, 0.0, problem.centre[0]], [0.0, focal, problem.centre[1]], [0.0, 0.0, 1.0]])
    return Fit(
        state.identity, state.expression, state.rotation, state.translation, intrinsics, model_landmarks, rms
    )
