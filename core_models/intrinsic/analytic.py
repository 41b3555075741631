"""Appearance taken apart into light and skin: transport, environment, tone, shading."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ..colour import LUMINANCE
from ..render.transport import Directions, diffuse_transport, sphere_directions, visibility
from ..texture.atlas import Atlas
from ..texture.observation import TexelObservation
from ..texture.posed_mesh import PosedMesh
from ..texture.seams import close_head_seam, head_texels
from .cast_shadows import find_shadows
from .chroma import chroma_of_light
from .environment_light import Environment, SkinSamples, fit_environment, weighted_quantile
from .eyes import clear_eyes
from .facial_hair import beard_zone, find_hair
from .gloss import find_gloss, gloss_transport
from .group_light import GroupLight
from .illuminant import estimate_illuminant
from .separated import Separated
from .shading_residual import chroma_residual, grey_residual, shadow_tint, smooth_shading
from .sharp_lamps import sharp_lamps
from .white_references import find_white_references

_N_DIRECTIONS, _N_DRAFT_DIRECTIONS = 128, 32
"""Even; that light may come from."""
_CELL = 4
"""Texels at plan size, a side, of the patches that the light is estimated from: about 2 mm."""
_PREVIEW_STEP = 5
"""One patch in so many is enough for a first look at the light and for the albedo's coefficients."""
_LEAST_SEEN = 0.5
_CLIPPED, _COOLEST_SHARE = 0.85, 0.03
"""Linear, from which on a channel may have been cut off; the part of the skin that counts as its least coloured."""
_GREY_SATURATION = 0.02
"""(max − min) ÷ mean of the channels below which nearly all skin of a black-and-white photo stays."""
_REDNESS_SPREAD = 0.12
"""Of log(red ÷ √(green · blue)) over skin."""
_INSIDE_FLOOR = 0.2
"""Of the mean shading: in the pockets behind the lids a misfit of a millimetre shows skin, which is not so dark."""
_ALBEDO_NOISE = 0.02
_MOST_UNEVEN, _LEAST_SHADING = 0.3, 1e-4
"""Logarithm of mean over median shading that is believed: beyond, gloss was taken for light."""


def separate(observation: TexelObservation, group: GroupLight) -> Separated:
    """Tell light from skin; other faces of the group stand in that light."""
    mesh, atlas, appearance = observation.mesh, observation.atlas, observation.appearance
    directions = sphere_directions(_N_DRAFT_DIRECTIONS if observation.layout.draft else _N_DIRECTIONS)
    open_to = visibility(mesh.vertices, mesh.normals, mesh.faces, directions.towards)
    transport = diffuse_transport(mesh.normals, open_to, directions)
    skin = observation.seen * observation.where("skin")
    beard = beard_zone(atlas, observation.where("lips"), observation.where("brows"))
    hair = find_hair(atlas, appearance, skin, beard)
    skin = skin * (1 - hair)
    cells = _Cells.of(mesh, atlas, appearance, skin, transport)
    is_grey = _is_grey(appearance, skin)

    environment, toned = _settle(observation, cells, transport, directions, is_grey, group)
    prior = (atlas.weights @ toned).astype(np.float32)
    shading = _shade(observation, environment, transport, appearance / prior, skin)
    mirrored = gloss_transport(mesh.vertices, mesh.normals, open_to, directions) @ environment.radiance
    ordinary = (atlas.weights @ mirrored).mean(1) / shading.mean(1)
    gloss = find_gloss(atlas, appearance, shading, prior, ordinary, skin)
    residual = gloss * _residual(observation, appearance / gloss, prior, shading, skin)
    residual *= chroma_of_light(atlas, appearance / (shading * residual), prior, skin)
    residual[head_texels(atlas, mesh)] = 1.0
    shading = close_head_seam(atlas, mesh, shading * residual)
    inside = observation.where("mouth")
    shading[inside] = np.maximum(shading[inside], _INSIDE_FLOOR * shading[~inside].mean(0))
    shading, prior = clear_eyes(observation, shading, prior)
    return Separated(
        observation=observation,
        shading=shading,
        expected=prior,
        vertex_expected=toned,
        sh=environment.sh(),
        sh_map=None,
        lamps=sharp_lamps(environment),
        albedo_coefficients=cells.coefficients(mesh, environment),
        facial_hair=hair,
        is_grey=is_grey,
        residual=environment.residual,
    )


def _shade(
    observation: TexelObservation,
    environment: Environment,
    transport: np.ndarray,
    lit: np.ndarray,
    skin: np.ndarray,
) -> np.ndarray:
    """Shading (M, 3) of the texels, shadows where the photo shows them; lit (M, 3) appearance ÷ expected albedo."""
    cosine = np.maximum(observation.mesh.normals @ environment.directions.towards.T, 0)
    unhidden = cosine @ (environment.lamps * (environment.directions.solid_angle[:, None] / np.pi))
    lamps = transport @ environment.lamps
    parts = np.hstack([environment.shading(transport) - lamps, lamps, unhidden])
    outside = observation.where("skin", "lips", "brows", "rim")
    smooth = smooth_shading(observation.atlas, observation.atlas.weights @ parts, outside)
    surround, lamps, unhidden = np.hsplit(smooth, 3)
    likely = skin_likeness(lit, surround + lamps, skin)
    arriving = find_shadows(observation.atlas, lit, surround, lamps, unhidden, skin * likely)
    return np.maximum(surround + unhidden * arriving, 1e-3)


def _residual(
    observation: TexelObservation, matt: np.ndarray, prior: np.ndarray, shading: np.ndarray, skin: np.ndarray
) -> np.ndarray:
    """The smooth factor (M, 3) on shading that brings prior · shading near to the matt appearance, all (M, 3)."""
    likely = skin * skin_likeness(matt, prior * shading, skin)
    lips = observation.seen * observation.where("lips")
    factor = grey_residual(observation.atlas, matt, prior * shading, likely + lips)
    factor = factor * shadow_tint(matt, prior * shading * factor, shading * factor, likely)
    return factor * chroma_residual(observation.atlas, matt, prior * shading * factor, likely)


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

    def coefficients(self, mesh: PosedMesh, environment: Environment) -> np.ndarray:
        """Coefficients (Ka,) with a unit normal prior whose albedo comes nearest to the de-lit samples."""
        count = len(mesh.albedo_basis)
        if not len(self.samples.weights):
            return np.zeros(count, np.float32)
        samples = self.samples.every(_PREVIEW_STEP)
        modes = self.to_vertices[::_PREVIEW_STEP] @ mesh.albedo_basis.transpose(1, 0, 2).reshape(
            mesh.vertices.shape[0], -1
        )
        scale = np.sqrt(samples.weights * 60 / samples.weights.sum())[:, None] / _ALBEDO_NOISE
        delit = samples.appearance / np.maximum(environment.shading(samples.transport), 1e-3)
        design = (modes.reshape(-1, count, 3) * scale[..., None]).transpose(0, 2, 1).reshape(-1, count)
        offset = ((delit - samples.reflectance) * scale).ravel()
        return np.linalg.solve(design.T @ design + np.eye(count), design.T @ offset).astype(np.float32)


def _settle(
    observation: TexelObservation,
    cells: _Cells,
    transport: np.ndarray,
    directions: Directions,
    is_grey: bool,
    group: GroupLight,
) -> tuple[Environment, np.ndarray]:
    """Light of the right level and colour, and the model's albedo (N, 3) in the tone it leaves."""
    samples = cells.samples
    environment = fit_environment(samples.every(_PREVIEW_STEP), directions)
    if not len(samples.weights):
        return environment, observation.mesh.albedo_mean
    explained = samples.reflectance * environment.shading(samples.transport)
    likely = skin_likeness(samples.appearance, explained, samples.weights)
    environment = group.fit(replace(samples, weights=samples.weights * likely), directions)
    shading = environment.shading(samples.transport)
    level = np.average(shading, axis=0, weights=samples.weights)
    reflectance = np.array([weighted_quantile(c, samples.weights) for c in samples.reflectance.T])
    delit = samples.appearance / np.maximum(shading, 0.05 * level) / samples.reflectance
    ratio = np.array([weighted_quantile(c, samples.weights) for c in delit.T])
    relative = environment.scaled(1 / level)
    cues = () if is_grey else find_white_references(observation, relative, transport)
    coolest = _coolest(samples, shading / level)
    expected = observation.exposure + _unevenness(samples, shading)
    tone = estimate_illuminant(reflectance * ratio * level, cues, is_grey, coolest, expected)
    return environment.scaled(tone.gain / level), observation.mesh.toned_albedo(tone.albedo / reflectance)


def _unevenness(samples: SkinSamples, shading: np.ndarray) -> float:
    """Logarithm of the shading's mean over its median: photographers judge by most of the skin, not by what a lamp from
    the side lifts the mean by.
    """
    luminance = shading @ LUMINANCE
    usual = weighted_quantile(luminance, samples.weights)
    ratio = np.average(luminance, weights=samples.weights) / max(usual, _LEAST_SHADING)
    return float(np.clip(np.log(max(ratio, _LEAST_SHADING)), -_MOST_UNEVEN, _MOST_UNEVEN))


def _coolest(samples: SkinSamples, shading: np.ndarray) -> float:
    """Log(red ÷ blue) of appearance ÷ shading where the skin shows least colour, clipped highlights apart."""
    kept = samples.appearance.max(1) < _CLIPPED
    if not kept.any():
        return np.inf
    colour = np.maximum(samples.appearance[kept], 1e-3) / np.maximum(shading[kept], 0.05)
    warmth = np.log(colour[:, 0] / colour[:, 2])
    return float(weighted_quantile(warmth, samples.weights[kept], _COOLEST_SHARE))


def skin_likeness(appearance: np.ndarray, explained: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How little (n,) 0…1 the colour is washed out against most of the skin: hair, glasses, glare and gloss are less
    red than skin in any light, shadows more.

    appearance and explained = albedo · shading as far as known (n, 3) linear; weights (n,) of what is skin.
    """
    ratio = np.log(np.maximum(appearance, 1e-4) / np.maximum(explained, 1e-4))
    redness = ratio[:, 0] - 0.5 * (ratio[:, 1] + ratio[:, 2])
    if not (weights > 0).any():
        return np.ones(len(weights))
    short = weighted_quantile(redness, weights) - _REDNESS_SPREAD - redness
    return 1 / (1 + (np.maximum(short, 0) / _REDNESS_SPREAD) ** 2)


def _is_grey(appearance: np.ndarray, skin: np.ndarray) -> bool:
    """Has nearly all of the skin no colour at all?"""
    chosen = appearance[skin > _LEAST_SEEN]
    if not len(chosen):
        return False
    saturation = np.ptp(chosen, axis=1) / np.maximum(chosen.mean(1), 1e-3)
    return bool(np.percentile(saturation, 90) < _GREY_SATURATION)
