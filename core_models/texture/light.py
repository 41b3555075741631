"""Appearance taken apart into light and skin: transport, environment, tone, shading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .albedo import smooth_residual, smooth_shading
from .atlas import Atlas
from .environment import Environment, SkinSamples, fit_environment, weighted_quantile
from .posed import PosedMesh
from .sew import head_texels, sew_head
from .tone import Sclera, Tone, settle_tone
from .transport import Directions, diffuse_transport, sphere_directions, visibility
from .unwrap import Surface

N_DIRECTIONS = 128
"""Directions that light may come from, 18° apart."""
_CELL = 4
"""Texels at plan size, a side, of the patches that the light is estimated from: about 2 mm."""
_LEAST_SEEN = 0.5
_SCLERA_LUMINANCE = 0.3
"""Linear; the model's eyes are brighter than that on the sclera only."""
_GREY_SATURATION = 0.02
"""(max − min) ÷ mean of the channels below which nearly all skin of a black-and-white photo stays."""
_ALBEDO_NOISE = 0.02


@dataclass(frozen=True)
class FaceLight:
    """The light on a face, and the skin's tone that it was told apart from."""

    environment: Environment
    """Radiance, so that albedo · shading is the photo's appearance."""
    tone: Tone
    prior: np.ndarray
    """(M, 3) linear: the model's albedo in this tone."""
    vertex_prior: np.ndarray
    """(N, 3): the same at the vertices."""
    shading: np.ndarray
    """(M, 3)."""
    albedo_coefficients: np.ndarray
    """(Ka,) standard deviations: the model's albedo nearest to the skin's."""
    is_grey: bool
    """The photo is black and white."""


def take_light_off(
    mesh: PosedMesh,
    atlas: Atlas,
    surface: Surface,
    appearance: np.ndarray,
    seen: np.ndarray,
    n_directions: int,
) -> FaceLight:
    """Tell light from skin; appearance (M, 3) linear and confidence seen (M,) at the atlas's texels."""
    directions = sphere_directions(n_directions)
    lit = visibility(mesh.vertices, mesh.normals, mesh.faces, directions.towards)
    transport = diffuse_transport(mesh.normals, lit, directions)
    skin = seen * np.isin(surface.region, mesh.regions("skin"))
    cells = _Cells.of(mesh, atlas, appearance, skin, transport)
    is_grey = _is_grey(appearance, skin)

    environment, tone, toned = _settle(
        mesh, atlas, surface, cells, appearance, seen, transport, directions, is_grey
    )
    prior = (atlas.weights @ toned).astype(np.float32)
    outside = np.isin(surface.region, mesh.regions("skin", "lips", "brows", "rim"))
    shading = smooth_shading(atlas, atlas.weights @ environment.shading(transport), outside)
    lips = seen * np.isin(surface.region, mesh.regions("skin", "lips"))
    residual = smooth_residual(atlas, appearance, prior * shading, lips, skin)
    residual[head_texels(atlas, mesh)] = 1.0
    shading = sew_head(atlas, mesh, shading * residual)
    return FaceLight(environment, tone, prior, toned, shading, cells.coefficients(mesh, environment), is_grey)


@dataclass(frozen=True)
class _Cells:
    """Skin pooled into patches."""

    samples: SkinSamples
    to_vertices: sparse.csr_matrix
    """(n, N): averages vertex values over each patch."""

    @classmethod
    def of(
        cls, mesh: PosedMesh, atlas: Atlas, appearance: np.ndarray, skin: np.ndarray, transport: np.ndarray
    ) -> _Cells:
        """Patches of `_CELL`² texels, where skin (M,) 0…1 is seen well."""
        rows, columns = np.divmod(atlas.texels, atlas.size)
        cell = rows // _CELL * (atlas.size // _CELL + 1) + columns // _CELL
        chosen = np.flatnonzero(skin > _LEAST_SEEN)
        names, cell = np.unique(cell[chosen], return_inverse=True)
        total = np.bincount(cell, skin[chosen], len(names))
        pool = sparse.csr_matrix((skin[chosen] / total[cell], (cell, chosen)), shape=(len(names), len(skin)))
        to_vertices = (pool @ atlas.weights).tocsr()
        samples = SkinSamples(
            appearance=pool @ appearance,
            reflectance=to_vertices @ mesh.albedo_mean,
            transport=(to_vertices @ transport).astype(np.float32),
            weights=np.minimum(total / _CELL**2, 1.0),
        )
        return cls(samples, to_vertices)

    def toned(self, albedo: np.ndarray) -> SkinSamples:
        """The samples with the reflectance of vertex albedos (N, 3)."""
        samples = self.samples
        return SkinSamples(samples.appearance, self.to_vertices @ albedo, samples.transport, samples.weights)

    def coefficients(self, mesh: PosedMesh, environment: Environment) -> np.ndarray:
        """Coefficients (Ka,) with a unit normal prior whose albedo comes nearest to the de-lit samples."""
        count = len(mesh.albedo_basis)
        if not len(self.samples.weights):
            return np.zeros(count, np.float32)
        modes = self.to_vertices @ mesh.albedo_basis.transpose(1, 0, 2).reshape(mesh.vertices.shape[0], -1)
        scale = np.sqrt(self.samples.weights * 60 / self.samples.weights.sum())[:, None] / _ALBEDO_NOISE
        delit = self.samples.appearance / np.maximum(environment.shading(self.samples.transport), 1e-3)
        design = (modes.reshape(-1, count, 3) * scale[..., None]).transpose(0, 2, 1).reshape(-1, count)
        offset = ((delit - self.samples.reflectance) * scale).ravel()
        return np.linalg.solve(design.T @ design + np.eye(count), design.T @ offset).astype(np.float32)


def _settle(
    mesh: PosedMesh,
    atlas: Atlas,
    surface: Surface,
    cells: _Cells,
    appearance: np.ndarray,
    seen: np.ndarray,
    transport: np.ndarray,
    directions: Directions,
    is_grey: bool,
) -> tuple[Environment, Tone, np.ndarray]:
    """Light of the right level and colour, the tone it leaves, and the model's albedo (N, 3) in that tone."""
    samples = cells.samples
    environment = fit_environment(samples, directions)
    if not len(samples.weights):
        return environment, settle_tone(mesh.typical_skin()), mesh.albedo_mean
    shading = environment.shading(samples.transport)
    level = np.average(shading, axis=0, weights=samples.weights)
    reflectance = np.array([weighted_quantile(c, samples.weights) for c in samples.reflectance.T])
    delit = samples.appearance / np.maximum(shading, 0.05 * level) / samples.reflectance
    ratio = np.array([weighted_quantile(c, samples.weights) for c in delit.T])
    relative = environment.scaled(1 / level)
    sclera = None if is_grey else _sclera(mesh, atlas, surface, appearance, seen, relative, transport)
    tone = settle_tone(reflectance * ratio * level, sclera, is_grey)
    return environment.scaled(tone.gain / level), tone, mesh.toned_albedo(tone.albedo / reflectance)


def _sclera(
    mesh: PosedMesh,
    atlas: Atlas,
    surface: Surface,
    appearance: np.ndarray,
    seen: np.ndarray,
    environment: Environment,
    transport: np.ndarray,
) -> Sclera | None:
    eyes = np.flatnonzero((seen > _LEAST_SEEN) & np.isin(surface.region, mesh.regions("eyes")))
    here = atlas.weights[eyes]
    white = (here @ mesh.albedo_mean).mean(1) > _SCLERA_LUMINANCE
    eyes, here = eyes[white], here[white]
    if not len(eyes):
        return None
    delit = appearance[eyes] / np.maximum(environment.shading(here @ transport), 0.1)
    pixels = min(len(eyes), int((surface.footprint[eyes] ** 2).sum()))
    return Sclera(np.median(delit, axis=0), pixels)


def _is_grey(appearance: np.ndarray, skin: np.ndarray) -> bool:
    """Has nearly all of the skin no colour at all?"""
    chosen = appearance[skin > _LEAST_SEEN]
    if not len(chosen):
        return False
    saturation = np.ptp(chosen, axis=1) / np.maximum(chosen.mean(1), 1e-3)
    return bool(np.percentile(saturation, 90) < _GREY_SATURATION)
