"""Pose, identity and expression of one face from its 2-D landmarks: robust, regularised Gauss–Newton.

The most probable face under three statements: landmark errors are correlated over the face
(`noise`); faces and expressions are as likely as the model and `priors` say; and the focal
length, where the photo does not tell it, is that of an ordinary portrait. MediaPipe's z is never used.
Where a regressor has seen the photo, its face takes the mean's place: the fit starts there, and leaves it only as
far as the landmarks ask. Not so its camera, which is the same for every photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import SemblanceError
from ..landmarks import COUNT, FACE_OVAL, MESH_COUNT, inter_ocular_distance
from ..morphable.model import MorphableModel
from .noise import LandmarkNoise, NoiseSettings
from .priors import (
    CameraPrior,
    PriorSettings,
    expression_prior,
    identity_precision,
)
from .solver import Basis, Evidence, Observation, State, gauss_newton, project

_HINT = "Choose a sharper photo, or one that shows more of the face."


class FitError(SemblanceError):
    """Landmarks to which no face can be fitted."""

    code = "fit_failed"


@dataclass(frozen=True)
class FitSettings:
    """Every constant of the fit: tuned on rendered heads (benchmarks/shape.py) and development portraits."""

    noise: NoiseSettings = field(default_factory=NoiseSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    camera: CameraPrior = field(default_factory=CameraPrior)
    iterations: int = 20
    tolerance: float = 1e-3
    max_rms_percent: float = 25.0
    """Landmarks that the model cannot follow better are no face's."""


@dataclass(frozen=True)
class PosedFace:
    """A face in front of a camera: `Xc = X·rotationᵀ + translation` (dm), then K (see DESIGN conventions)."""

    identity: np.ndarray
    """(Ki,)"""
    expression: np.ndarray
    """(Ke,) in the model's range"""
    rotation: np.ndarray
    """(3,3) model space → camera frame"""
    translation: np.ndarray
    """(3,) dm"""
    K: np.ndarray
    """(3,3) pixels"""


@dataclass(frozen=True)
class Sighting:
    """What a photo shows of a face."""

    landmarks: np.ndarray
    """(478,2) pixels, detected"""
    image_size: tuple[int, int]
    """width, height"""
    focal_px: float | None = None
    """where the photo tells it"""
    regressed: PosedFace | None = None
    """what a regressor saw; of one person's photos in all or in none"""


@dataclass(frozen=True)
class Fit(PosedFace):
    """A face in front of a camera, and how well it meets the landmarks."""

    model_landmarks: np.ndarray
    """(478,2) pixels: the fitted face's own landmarks, projected; the detected ones where the model has none"""
    landmark_rms_percent: float
    """2-D RMS distance to the detected points 0–467, in % of the distance between the iris centres"""


def fit_landmarks(
    model: MorphableModel,
    landmarks: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None = None,
    settings: FitSettings | None = None,
) -> Fit:
    """Fit the model to detected landmarks (478,2), pixels of a photo of `image_size` (width, height).

    `focal_px` is the focal length, where the photo tells it. Raises FitError when the landmarks are not
    finite, coincide, or are no face.
    """
    return fit_person(model, [Sighting(landmarks, image_size, focal_px)], settings)[0]


def fit_person(
    model: MorphableModel, sightings: Sequence[Sighting], settings: FitSettings | None = None
) -> list[Fit]:
    """Fit photos of one person together: one identity, and a pose, focal length and expression for each photo.

    Raises FitError when the landmarks of one are not finite, coincide, or are no face.
    """
    settings = settings or FitSettings()
    return _fit(model, _basis(model, settings.prior), sightings, settings)


def regressed_person(
    model: MorphableModel, sightings: Sequence[Sighting], settings: FitSettings | None = None
) -> list[Fit]:
    """The faces that the regressor saw in photos of one person, as they are, but for one identity: their mean.

    Raises FitError when they are far from the landmarks.
    """
    settings = settings or FitSettings()
    basis, ids = _basis(model, settings.prior), model.landmark_ids.cpu().numpy()
    identity, fits = _expected_identity(basis, sightings), []
    for sighting in sightings:
        if sighting.regressed is None:
            raise ValueError("a sighting without a regressed face")
        state = replace(state_of(sighting.regressed), identity=identity)
        points, centre = _checked(sighting.landmarks), sighting.regressed.K[:2, 2]
        fits.append(_result(basis, ids, points, centre, state, settings.max_rms_percent))
    return fits


def pose_mean(
    model: MorphableModel,
    landmarks: np.ndarray,
    image_size: tuple[int, int],
    focal_px: float | None = None,
    settings: FitSettings | None = None,
) -> Fit:
    """The mean face merely posed: what a fit has to beat. Arguments and errors of `fit_landmarks`."""
    settings = settings or FitSettings()
    basis = _basis(model, settings.prior)
    rigid = replace(
        basis,
        identity=basis.identity[..., :0],
        expression=basis.expression[..., :0],
        identity_precision=np.empty((0, 0)),
        expression_precision=np.empty((0, 0)),
        expression_rates=np.empty(0),
    )
    # What the mean cannot follow is no landmark error: plain least squares, no focal length guessed from it.
    camera = replace(settings.camera, sigma_factor=1e-3)
    settings = replace(settings, noise=NoiseSettings(independent=0.03, correlated=()), camera=camera)
    fit = _fit(model, rigid, [Sighting(landmarks, image_size, focal_px)], settings)[0]
    zeros = np.zeros(basis.identity.shape[2]), np.zeros(basis.expression.shape[2])
    return replace(fit, identity=zeros[0], expression=zeros[1])


def refine_person(
    model: MorphableModel,
    sightings: Sequence[Sighting],
    fits: Sequence[Fit],
    evidence: Sequence[Evidence],
    settings: FitSettings,
) -> list[Fit]:
    """Go on from fits of one person's photos with more evidence, one a photo. Raises FitError."""
    states = [state_of(fit) for fit in fits]
    return _fit(model, _basis(model, settings.prior), sightings, settings, states, evidence)


def state_of(face: PosedFace) -> State:
    """The unknowns of a fit."""
    return State(face.rotation, face.translation, math.log(face.K[0, 0]), face.identity, face.expression)


def _fit(
    model: MorphableModel,
    basis: Basis,
    sightings: Sequence[Sighting],
    settings: FitSettings,
    states: Sequence[State] | None = None,
    evidence: Sequence[Evidence] = (),
) -> list[Fit]:
    ids = model.landmark_ids.cpu().numpy()
    points = [_checked(sighting.landmarks) for sighting in sightings]
    identity = _expected_identity(basis, sightings)
    starts = [
        _start(basis, ids, pixels[ids], sighting, identity, settings)
        for pixels, sighting in zip(points, sightings, strict=True)
    ]
    observations = [seen for seen, _ in starts]
    states = states or [state for _, state in starts]
    try:
        states = gauss_newton(basis, observations, states, settings.iterations, settings.tolerance, evidence)
    except (np.linalg.LinAlgError, OverflowError) as error:
        raise FitError("No face could be fitted to the landmarks.", _HINT) from error
    return [
        _result(basis, ids, pixels, seen.centre, state, settings.max_rms_percent)
        for pixels, seen, state in zip(points, observations, states, strict=True)
    ]


def _basis(model: MorphableModel, prior: PriorSettings) -> Basis:
    """The model and its priors at its landmarks, float64."""
    vertices, weights = model.landmark_vertices.cpu().numpy(), model.landmark_weights.cpu().numpy()

    def at_landmarks(values: np.ndarray) -> np.ndarray:  # (…,N,3) → (…,L,3)
        return np.einsum("...lvc,lv->...lc", values[..., vertices, :].astype(np.float64), weights)

    mean = at_landmarks(model.mean.cpu().numpy())
    identity = np.moveaxis(at_landmarks(model.identity_basis.cpu().numpy()), 0, 2)
    expression = np.moveaxis(at_landmarks(model.expression_basis.cpu().numpy()), 0, 2)
    inner = ~np.isin(model.landmark_ids.cpu().numpy(), FACE_OVAL)
    return Basis(
        mean,
        identity,
        expression,
        identity_precision(mean[inner], identity[inner], prior),
        *expression_prior(model.expression_names, model.expression_range, prior),
        model.expression_range,
    )


def _checked(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks as (478,2) float64; FitError when they cannot be a face's."""
    points = np.asarray(landmarks, np.float64)
    if points.shape != (COUNT, 2):
        raise ValueError(f"landmarks: expected ({COUNT}, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise FitError("The face's landmarks are not finite numbers.", _HINT)
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False) / math.sqrt(COUNT)
    if spread[1] < 1.0 or spread[1] < 0.05 * spread[0]:
        raise FitError("The face's landmarks coincide or lie on a line.", _HINT)
    return points


def _expected_identity(basis: Basis, sightings: Sequence[Sighting]) -> np.ndarray:
    """(Ki,): the model's mean, or the mean of what a regressor saw."""
    regressed = [sighting.regressed.identity for sighting in sightings if sighting.regressed is not None]
    return np.mean(regressed, axis=0) if regressed else np.zeros(basis.identity.shape[2])


def _start(
    basis: Basis,
    ids: np.ndarray,
    pixels: np.ndarray,
    sighting: Sighting,
    identity: np.ndarray,
    settings: FitSettings,
) -> tuple[Observation, State]:
    """What is to be fitted, and the posed face from which the fit starts: the one that is expected."""
    seen = sighting.regressed
    expression = np.zeros(basis.expression.shape[2]) if seen is None else seen.expression
    expected = basis.mean + basis.identity @ identity + basis.expression @ expression
    rotation, position, scale = scaled_orthographic_pose(expected, pixels)
    log_focal, sigma = settings.camera.log_focal(max(sighting.image_size), scale, sighting.focal_px)
    centre = np.array(sighting.image_size, np.float64) / 2
    noise = LandmarkNoise(basis.mean, ids, settings.noise)
    # The same scale through a perspective camera: distance = focal length / scale.
    shift = (position - centre) * (1, -1) / scale
    state = State(
        rotation,
        np.array([*shift, -math.exp(log_focal) / scale]),
        log_focal,
        identity,
        expression,
    )
    return Observation(pixels, centre, scale, noise, log_focal, sigma, identity, expression), state


def scaled_orthographic_pose(points: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Rotation (3,3), image position (2,) of the origin, and pixels per unit, of points (L,3) seen at (L,2).

    Least squares for the affine camera, reweighted against outliers, and the scaled rotation nearest to it
    (POS: DeMenthon and Davis, IJCV 1995). Any roll, and any yaw short of a profile.
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


def _result(
    basis: Basis,
    ids: np.ndarray,
    landmarks: np.ndarray,
    centre: np.ndarray,
    state: State,
    max_rms_percent: float,
) -> Fit:
    pixels, _, seen = project(basis, state, centre)
    model_landmarks = landmarks.copy()
    model_landmarks[ids] = pixels
    face = ids[ids < MESH_COUNT]
    squared = ((model_landmarks[face] - landmarks[face]) ** 2).sum(1)
    rms = 100.0 * math.sqrt(squared.mean()) / max(inter_ocular_distance(landmarks), 1e-9)
    if not rms <= max_rms_percent or seen[:, 2].max() >= 0:
        raise FitError("The landmarks do not look like a face.", _HINT)
    focal, (u, v) = math.exp(state.log_focal), centre
    K = np.array([[focal, 0.0, u], [0.0, focal, v], [0.0, 0.0, 1.0]])
    return Fit(state.identity, state.expression, state.rotation, state.translation, K, model_landmarks, rms)
