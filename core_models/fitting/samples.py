"""Points of a morphable model's skin at which a photo's brightness is compared with what shading makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.spatial import cKDTree

from ..colour import LUMINANCE
from ..geometry.mesh import vertex_normals
from ..morphable.model import MorphableModel
from ..texture.posed_mesh import log_slopes
from .solver import LinearPoints, State

SPACING = 0.05
"""Between samples, dm."""
_SLOPE_RADIUS = 0.03
"""Around a sample, dm: its tangents are those of the plane through the vertices within. Finer relief is the model's
own, not this face's."""
_LEAST_AROUND = 9
"""Vertices; coarse meshes have fewer within."""
_LANDMARK_REACH = 0.25
"""Skin farther than this from any landmark (dm) is hidden by hair or clothes too often."""
_REGIONS = ("skin", "lips", "brows")


@dataclass(frozen=True)
class SurfaceSamples:
    """M places on the skin."""

    positions: LinearPoints
    """dm"""
    tangents: tuple[LinearPoints, LinearPoints]
    """Two edges of the smoothed surface whose cross product points outwards."""
    log_albedo: np.ndarray
    """(M,) log luminance of the model's mean albedo"""
    albedo_slopes: np.ndarray
    """(M,Ka) its change per standard deviation of each albedo mode"""

    def normals(self, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals (M,3) in the camera frame, and their derivatives (M,3,3+Ki+Ke).

        The unknowns are those of `solver` that turn normals: rotation, identity, expression.
        """
        first, second = (tangent.at(state) for tangent in self.tangents)
        cross = np.cross(first, second)
        length = np.linalg.norm(cross, axis=1)[:, None]
        normals = cross / length
        slopes = np.concatenate([self._turned(part, first, second) for part in ("identity", "expression")], 2)
        slopes /= length[:, :, None]
        slopes -= normals[:, :, None] * np.einsum("mc,mck->mk", normals, slopes)[:, None]
        seen = normals @ state.rotation.T
        spin = np.cross(np.eye(3)[None], seen[:, None]).transpose(0, 2, 1)  # column k: e_k × normal
        return seen, np.concatenate([spin, state.rotation @ slopes], 2)

    def _turned(self, part: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Derivative (M,3,K) of the tangents' cross product."""
        by_first, by_second = (getattr(tangent, part) for tangent in self.tangents)
        return np.cross(by_first, second[:, :, None], axis=1) + np.cross(first[:, :, None], by_second, axis=1)


def sample_surface(model: MorphableModel) -> SurfaceSamples:
    """Samples of a model's skin, lips and brows near its landmarks; about a second's work."""
    mean = model.mean.double().cpu().numpy()
    skin = np.unique(model.faces[model.region_faces(*_REGIONS)].cpu().numpy())
    landmarks = model.landmarks(model.mean[None])[0].double().cpu().numpy()
    near = cKDTree(landmarks).query(mean[skin])[0] < _LANDMARK_REACH
    chosen = _thinned(mean, skin[near])
    weights = _slope_weights(
        mean, vertex_normals(model.mean[None], model.faces)[0].cpu().numpy(), skin, chosen
    )
    albedo, modes = (values.astype(np.float64) for values in model.linear_albedo())
    luminance = (albedo[chosen] @ LUMINANCE)[:, None]
    slopes = log_slopes(luminance, (modes[:, chosen] @ LUMINANCE)[:, :, None])
    return SurfaceSamples(
        _linear(model, sparse.eye(len(mean), format="csr")[chosen]),
        (_linear(model, weights[0]), _linear(model, weights[1])),
        np.log(luminance[:, 0]),
        np.ascontiguousarray(slopes[:, :, 0].T),
    )


def _thinned(points: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Indices out of `candidates` no two of which are nearer than `SPACING`; as many as a random order gives."""
    tree = cKDTree(points[candidates])
    free = np.ones(len(candidates), bool)
    kept = []
    for index in np.random.default_rng(0).permutation(len(candidates)):
        if free[index]:
            kept.append(index)
            free[tree.query_ball_point(points[candidates[index]], SPACING)] = False
    return candidates[np.sort(kept)]


def _slope_weights(
    points: np.ndarray, normals: np.ndarray, skin: np.ndarray, chosen: np.ndarray
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Two (M,N) matrices that give the surface's slopes along two tangents: planes fitted to the skin around."""
    tree = cKDTree(points[skin])
    matrices = [sparse.lil_matrix((len(chosen), len(points))) for _ in range(2)]
    for row, vertex in enumerate(chosen):
        around = skin[tree.query_ball_point(points[vertex], _SLOPE_RADIUS)]
        if len(around) < _LEAST_AROUND:
            around = skin[tree.query(points[vertex], _LEAST_AROUND)[1]]
        around = around[normals[around] @ normals[vertex] > 0.3]  # not the other lip or lid
        right = np.cross((0.0, 1.0, 0.0), normals[vertex])
        right /= np.linalg.norm(right)
        offsets = points[around] - points[vertex]
        up = np.cross(normals[vertex], right)
        design = np.column_stack([np.ones(len(around)), offsets @ right, offsets @ up])
        slopes = np.linalg.pinv(design)
        for matrix, weights in zip(matrices, slopes[1:], strict=True):
            matrix[row, around] = weights
    return matrices[0].tocsr(), matrices[1].tocsr()


def _linear(model: MorphableModel, weights: sparse.csr_matrix) -> LinearPoints:
    """Weighted sums of vertices, weights (M,N)."""
    used = np.unique(weights.indices)
    matrix = weights[:, used]

    def apply(values: torch.Tensor) -> np.ndarray:  # (…,N,3) → (…,M,3)
        picked = values[..., used, :].double().cpu().numpy()
        flat = np.moveaxis(picked, -2, 0).reshape(len(used), -1)
        return np.moveaxis((matrix @ flat).reshape(-1, *picked.shape[:-2], 3), 0, -2)

    identity, expression = (
        np.ascontiguousarray(np.moveaxis(apply(basis), 0, 2))
        for basis in (model.identity_basis, model.expression_basis)
    )
    return LinearPoints(apply(model.mean), identity, expression)
