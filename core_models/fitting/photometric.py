"""Shape from shading and painted features: the landmark fit goes on through the photo's brightness.

At about 800 places on the skin the photo's log luminance is compared with albedo × order-2 light, where both the place
and its normal move with pose, identity and expression (Gauss–Newton on the surface, as in Romdhani and Vetter,
CVPR 2005). What light and albedo modes cannot explain (cast shadows, gloss, beards, make-up) is noise that agrees
over centimetres, so that it is not taken for shape; where it does not agree, it is an outlier. Landmarks count beside
it, but less than in the landmark fit: a network has only a vague idea of where on a cheek its points belong, and draws
noses and jaws towards the average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.linalg import cho_solve, cholesky, solve_triangular

from ..images import smoothstep
from ..landmarks import INNER_LIPS, LEFT_EYE, LIPS, RIGHT_EYE, inter_ocular_distance
from ..morphable.model import MorphableModel
from ..render.visibility import unoccluded, view_depth
from .brightness import Brightness, look_at
from .fit import Fit, FitError, FitSettings, Sighting, refine_person, state_of
from .noise import NoiseSettings
from .samples import SurfaceSamples
from .shading import SkinModel
from .solver import N_CAMERA, State, pixel_jacobian, project

_OUTLINES = np.concatenate([LEFT_EYE, RIGHT_EYE, LIPS, INNER_LIPS])


@dataclass(frozen=True)
class PhotometricSettings:
    """Every constant of the refinement: tuned on rendered heads, looked at on development portraits."""

    fit: FitSettings = field(
        default_factory=lambda: FitSettings(
            noise=NoiseSettings(independent=0.00375, correlated=((0.10, 0.00225),)), iterations=6
        )
    )
    usual_rms: float = 0.75
    """% of the distance between the eyes; where the landmark fit stays further from its landmarks, their errors are
    taken to be larger in proportion, …"""
    most_doubt: float = 2.0
    """… at most by this factor."""
    blurs: tuple[float, ...] = (0.04, 0.02)
    """Gaussian σ (dm at the face) of the photo: coarse first."""
    grain: float = 0.06
    """Standard deviation of log luminance from place to place that nothing explains."""
    patches: tuple[tuple[float, float], ...] = ((0.12, 0.1), (0.5, 0.2))
    """Pairs (length in dm over which such errors agree, standard deviation)."""
    outlier_sigmas: float = 3.0
    worst_outlines: float = 2.5
    """Landmarks of eyes and lips may get this much worse, as a factor, and …"""
    tolerated_outlines: float = 1.5
    """… this much in any case, in % of the distance between the eyes; else the landmark fit stands."""
    worst_misfit: float = 1.05
    """The same for what of the brightness is not explained, as a factor."""


def refine(
    model: MorphableModel,
    samples: SurfaceSamples,
    photos: Sequence[tuple[np.ndarray, np.ndarray]],
    sightings: Sequence[Sighting],
    fits: Sequence[Fit],
    settings: PhotometricSettings | None = None,
    tick: Callable[[float], None] = lambda fraction: None,
) -> list[Fit]:
    """Improve landmark fits of one person's photos by what the photos (H, W, 3) uint8 and face masks (H, W) show.

    `tick` is called with the fraction done, and may raise. Where the result is worse than the fits, by eyes and lips
    or by the photo's own brightness, the fits come back.
    """
    settings = settings or PhotometricSettings()
    evidence = []
    for (srgb, mask), sighting, fit in zip(photos, sightings, fits, strict=True):
        scale = float(fit.K[0, 0] / -fit.translation[2])
        image = look_at(srgb, mask, sighting.landmarks, scale, settings.blurs)
        evidence.append(ShadingEvidence(model, samples, image, fit.K[:2, 2], settings))
    evidence[0].tick = lambda done: tick(done / settings.fit.iterations)
    misfit = float(np.mean([fit.landmark_rms_percent for fit in fits]))
    doubt = min(max(misfit / settings.usual_rms, 1.0), settings.most_doubt)
    doubtful = replace(settings.fit, noise=settings.fit.noise.scaled(doubt))
    try:
        refined = refine_person(model, sightings, fits, evidence, doubtful)
    except FitError:
        return list(fits)
    return refined if _is_better(sightings, evidence, fits, refined, settings) else list(fits)


def _is_better(
    sightings: Sequence[Sighting],
    evidence: Sequence[ShadingEvidence],
    before: Sequence[Fit],
    after: Sequence[Fit],
    settings: PhotometricSettings,
) -> bool:
    for sighting, seen, old, new in zip(sightings, evidence, before, after, strict=True):
        was, now = (_outline_error(sighting, fit) for fit in (old, new))
        if now > max(settings.tolerated_outlines, settings.worst_outlines * was):
            return False
        if seen.misfit(state_of(new)) > settings.worst_misfit * seen.misfit(state_of(old)):
            return False
    return True


def _outline_error(sighting: Sighting, fit: Fit) -> float:
    """RMS distance of the landmarks on eyes and lips, in % of the distance between the eyes."""
    errors = (fit.model_landmarks - sighting.landmarks)[_OUTLINES]
    return float(100 * np.sqrt(np.nanmean((errors**2).sum(1))) / inter_ocular_distance(sighting.landmarks))


class ShadingEvidence:
    """What one photo's brightness says of a face's pose and shape (`solver.Evidence`).

    Light and albedo follow the geometry: at each call they are fitted to it, then eliminated from the equations.
    """

    def __init__(
        self,
        model: MorphableModel,
        samples: SurfaceSamples,
        image: Brightness,
        centre: np.ndarray,
        settings: PhotometricSettings,
    ) -> None:
        self.tick: Callable[[int], None] = lambda done: None
        self._model, self._samples, self._image = model, samples, image
        self._centre, self._settings = np.asarray(centre, np.float64), settings
        self._skin = SkinModel(samples.log_albedo, samples.albedo_slopes, image.floor)
        mean = samples.positions.mean
        squared = ((mean[:, None] - mean[None]) ** 2).sum(-1)
        self._patches = sum(s**2 * np.exp(-squared / (2 * length**2)) for length, s in settings.patches)
        self._visible = np.zeros(len(mean))
        self._outliers = np.ones(len(mean))
        self._calls = 0

    def equations(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """See `solver.Evidence`."""
        self.tick(self._calls)
        settings = self._settings
        level = min(self._calls * len(settings.blurs) // settings.fit.iterations, len(settings.blurs) - 1)
        pixels, moved = pixel_jacobian(self._samples.positions, state, self._centre)
        normals, turned = self._samples.normals(state)
        if self._calls % 3 == 0:
            self._visible = self._see(state, normals)
        self._calls += 1
        seen, gradient, used, trust = self._read(level, pixels)
        if not len(used):
            size = moved.shape[2]
            return np.zeros((size, size)), np.zeros(size)
        factor = self._settle_light(seen, normals, used, trust)
        residuals, by_normal, nuisance = self._skin.compare(seen, normals, used)
        geometry = -np.einsum("mc,mcp->mp", gradient, moved[used])
        turning = np.einsum("mc,mcp->mp", by_normal, turned[used])
        geometry[:, :3] += turning[:, :3]
        geometry[:, N_CAMERA:] += turning[:, 3:]
        return self._eliminate(factor, geometry, nuisance, residuals)

    def misfit(self, state: State) -> float:
        """Median size, in σ, of what the finest picture shows from place to place and the face does not explain."""
        pixels, _, _ = project(self._samples.positions, state, self._centre)
        normals, _ = self._samples.normals(state)
        self._visible = self._see(state, normals)
        seen, _, used, trust = self._read(len(self._settings.blurs) - 1, pixels)
        if not len(used):
            return 0.0
        self._outliers[:] = 1.0
        for _ in range(2):
            factor = self._settle_light(seen, normals, used, trust)
        residuals, _, _ = self._skin.compare(seen, normals, used)
        return float(np.median(np.abs(cho_solve((factor, True), residuals) * self._settings.grain / trust)))

    def _see(self, state: State, normals: np.ndarray) -> np.ndarray:
        """Share (M,) to which the camera sees the samples, apart from hair and hands."""
        model = self._model
        identity, expression = (
            torch.as_tensor(values, dtype=torch.float32)[None]
            for values in (state.identity, state.expression)
        )
        with torch.no_grad():
            vertices = model.shape(identity, expression)[0].numpy() @ state.rotation.T + state.translation
        focal = np.exp(state.log_focal)
        K = np.array([[focal, 0, self._centre[0]], [0, focal, self._centre[1]], [0, 0, 1]])
        eyes = model.region_faces("eyes").numpy()
        view = view_depth(vertices.astype(np.float32), model.faces.numpy(), K, eyes)
        places = self._samples.positions.at(state) @ state.rotation.T + state.translation
        cosine = (normals * -places).sum(1) / np.linalg.norm(places, axis=1)
        return unoccluded(view, places.astype(np.float32), cosine) * smoothstep(cosine, 0.15, 0.35)

    def _read(self, level: int, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of the u samples that are seen: log luminance (u,), gradient (u,2), indices (u,), trust (u,) 0…1."""
        seen, gradient, share = self._image.at(level, pixels)
        trust = self._visible * smoothstep(share, 0.5, 0.9)
        used = np.flatnonzero(trust > 0.05)
        return seen[used], gradient[used], used, trust[used]

    def _settle_light(
        self, seen: np.ndarray, normals: np.ndarray, used: np.ndarray, trust: np.ndarray
    ) -> np.ndarray:
        """Fit light and albedo to the present shape; returns the Cholesky factor (u,u) of the errors' covariance."""
        settings, patches = self._settings, self._patches[np.ix_(used, used)]
        variance = settings.grain**2 / trust
        factor = cholesky(patches + np.diag(variance / self._outliers[used]), lower=True)
        if not self._skin.lit:
            self._skin.start(seen, used)
        residuals, _, nuisance = self._skin.compare(seen, normals, used)
        white = _whitened(factor, np.column_stack([nuisance, residuals]))
        normal = white[:, :-1].T @ white[:, :-1] + np.diag(self._skin.precision)
        gradient = white[:, :-1].T @ white[:, -1] - self._skin.precision * self._skin.values
        self._skin.values = self._skin.values + np.linalg.solve(normal, gradient)
        residuals, _, _ = self._skin.compare(seen, normals, used)
        alone = variance / self._outliers[used] * cho_solve((factor, True), residuals)
        sizes = np.abs(alone) / np.sqrt(variance)
        spread = max(1.0, 1.4826 * float(np.median(sizes)))
        self._outliers[:] = 1.0
        self._outliers[used] = 1.0 / (1.0 + (sizes / (settings.outlier_sigmas * spread)) ** 2)
        return cholesky(patches + np.diag(variance / self._outliers[used]), lower=True)

    def _eliminate(
        self, factor: np.ndarray, geometry: np.ndarray, nuisance: np.ndarray, residuals: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Equations for the geometry's unknowns alone, light and albedo free within their priors."""
        white = _whitened(factor, np.column_stack([geometry, nuisance, residuals]))
        n = geometry.shape[1]
        shape, light, error = white[:, :n], white[:, n:-1], white[:, -1]
        cross = shape.T @ light
        inner = light.T @ light + np.diag(self._skin.precision)
        pull = light.T @ error - self._skin.precision * self._skin.values
        response = np.linalg.solve(inner, np.column_stack([cross.T, pull]))
        return shape.T @ shape - cross @ response[:, :-1], shape.T @ error - cross @ response[:, -1]


def _whitened(factor: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return solve_triangular(factor, columns, lower=True, check_finite=False)
