"""A morphable model's mesh as the photo's camera sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.mesh import vertex_normals
from ..morphable.model import MorphableModel

_TONE_MODES = 3
_LEAST_ALBEDO = 0.01
"""Linear; below the darkest skin in blue, where linear modes would reach 0."""


@dataclass(frozen=True)
class PosedMesh:
    """A morphable model's mesh where the photo's camera sees it, as numpy arrays."""

    vertices: np.ndarray
    """(N, 3) float32 decimetres, camera frame."""
    normals: np.ndarray
    """(N, 3) float32 unit."""
    faces: np.ndarray
    """(F, 3) int64."""
    twin: np.ndarray
    """(N,) int64, the first vertex at the same place."""
    uv: np.ndarray
    """(N, 2) float32, symmetric about u = ½."""
    face_region: np.ndarray
    """(F,) uint8."""
    region_names: tuple[str, ...]
    albedo_mean: np.ndarray
    """(N, 3) float32 linear."""
    albedo_basis: np.ndarray
    """(Ka, N, 3) float32 linear per σ."""

    def toned_albedo(self, factor: np.ndarray) -> np.ndarray:
        """The mean albedo (N, 3) when typical skin has `factor` (3,) of its colour: lips and brows change less.

        Absorption multiplies (Beer–Lambert), so the strongest modes, which are the skin's tone, work on logarithms.
        """
        size = (self.albedo_basis**2).sum((1, 2))
        slopes = log_slopes(self.albedo_mean, self.albedo_basis[np.sort(np.argsort(-size)[:_TONE_MODES])])
        typical = np.median(slopes, axis=1)
        beta = np.linalg.lstsq(typical.T, np.log(factor), rcond=1e-3)[0]
        return np.minimum(self.albedo_mean * np.exp(np.tensordot(beta, slopes, 1)), 1.0)

    def regions(self, *names: str) -> tuple[int, ...]:
        """Indices of the named regions that this model has."""
        return tuple(index for index, name in enumerate(self.region_names) if name in names)


def pose_mesh(model: MorphableModel, vertices_camera: np.ndarray) -> PosedMesh:
    """The model's arrays beside its posed vertices (N, 3) in decimetres, camera frame."""
    vertices = torch.as_tensor(vertices_camera, dtype=torch.float32)
    albedo_mean, albedo_basis = model.linear_albedo()
    return PosedMesh(
        vertices=vertices.numpy(),
        normals=vertex_normals(vertices[None], model.twin[model.faces])[0, model.twin].numpy(),
        faces=model.faces.numpy(),
        twin=model.twin.numpy(),
        uv=model.uv.float().numpy(),
        face_region=model.face_region.numpy(),
        region_names=tuple(model.region_names),
        albedo_mean=albedo_mean,
        albedo_basis=albedo_basis,
    )


def log_slopes(albedo_mean: np.ndarray, albedo_basis: np.ndarray) -> np.ndarray:
    """d log(albedo) per σ (K, n, 3), as a difference over ±½ σ, of modes (K, n, 3) about a mean (n, 3)."""
    upper, lower = (np.maximum(albedo_mean + side * albedo_basis, _LEAST_ALBEDO) for side in (0.5, -0.5))
    return np.log(upper / lower)
