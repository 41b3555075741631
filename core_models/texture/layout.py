"""A model's texture at one size: what stays the same from photo to photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.mesh import vertex_normals
from ..morphable.model import MorphableModel
from ..units import MM_PER_DM
from .atlas import Atlas, build_atlas

PLAN_SIZE, DRAFT_PLAN_SIZE = 512, 256
"""Texels a side at which what is smooth is found."""


@dataclass(frozen=True)
class RestSurface:
    """The face's surface at rest, the model's mean."""

    positions: np.ndarray
    """(N, 3) float32 millimetres."""
    normals: np.ndarray
    """(N, 3) float32 unit."""
    width: np.ndarray
    """(N,) float32 millimetres that the whole texture's side would cover at the density of the layout here."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Atlases of a model's UV layout, and its surface at rest."""

    plan: Atlas
    """For what is smooth: light, shading, confidence and tone."""
    full: Atlas
    """Of the textures; the same object when they are no larger than the plan."""
    draft: bool
    """Quick work is wanted."""
    rest: RestSurface
    blink: np.ndarray
    """(N,) float32, how far a blink moves the vertices, of the most it moves any; 0 for a model that does not blink."""

    @property
    def size(self) -> int:
        """S of the textures."""
        return self.full.size


def build_layout(model: MorphableModel, size: int, draft: bool = False) -> Layout:
    """The layout for textures of `size` texels a side (at least 64, a multiple of it best)."""
    plan_size = DRAFT_PLAN_SIZE if draft else PLAN_SIZE
    uv, faces = model.uv.float().numpy(), model.faces.numpy()
    plan = build_atlas(uv, faces, min(size, plan_size))
    full = plan if size <= plan_size else build_atlas(uv, faces, size)
    return Layout(plan, full, draft, model_at_rest(model), blink_motion(model))


def blink_motion(model: MorphableModel) -> np.ndarray:
    """(N,) float32, see `Layout.blink`."""
    blinks = [index for index, name in enumerate(model.expression_names) if "blink" in name.lower()]
    if not blinks:
        return np.zeros(len(model.uv), np.float32)
    motion = model.expression_basis[blinks].float().norm(dim=-1)
    return (motion / motion.amax(1, keepdim=True)).amax(0).numpy()


def model_at_rest(model: MorphableModel) -> RestSurface:
    """The model's mean head."""
    mean = model.mean.float().reshape(-1, 3)
    normals = vertex_normals(mean[None], model.twin[model.faces])[0, model.twin]
    return rest_surface(
        mean.numpy() * MM_PER_DM, normals.numpy(), model.faces.numpy(), model.uv.float().numpy()
    )


def rest_surface(
    positions: np.ndarray, normals: np.ndarray, faces: np.ndarray, uv: np.ndarray
) -> RestSurface:
    """positions (N, 3) mm, normals (N, 3), faces (F, 3), uv (N, 2)."""
    corners, flat = positions[faces], uv[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    flat_area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    around = [
        np.bincount(faces.ravel(), np.repeat(x, 3), minlength=len(positions)) for x in (area, flat_area)
    ]
    width = np.sqrt(around[0] / np.maximum(around[1], 1e-12))
    return RestSurface(positions.astype(np.float32), normals.astype(np.float32), width.astype(np.float32))
