"""The texture's texels on skin, and which of them a photo shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...core_models.render.shade import sample_texture
from ...core_models.render.trace import CameraMesh, Trace
from .frame import project
from .looks import SKIN, Paint, layout_atlas, spread

if TYPE_CHECKING:
    from ..specimens.specimen import Specimen

TEXELS = 256
"""Side of the texture in which unseen places and the spread over lights are scored."""
_DEPTH_BIAS = 0.02
"""Decimetres behind the visible surface at which a texel is hidden."""
_FACING = 0.1
"""Cosine to the line of sight above which a texel is seen at all."""


@dataclass(frozen=True, eq=False)
class Texels:
    """M texels of the specimen's layout on skin, lips and brows."""

    uv: np.ndarray
    """(M, 2) float32."""
    truth: np.ndarray
    """(M, 3) linear albedo."""
    seen: np.ndarray
    """(M,) bool: the photo shows it, unhidden by the head itself or by anything before it."""
    unseen: np.ndarray
    """(M,) bool: the head itself hides it, whatever stands before it."""

    @classmethod
    def of(cls, truth: Trace, specimen: Specimen) -> Texels:
        """Look every texel of the true head up in the photo's depth map and mask."""
        shape = truth.mesh
        atlas = layout_atlas(shape.uv, shape.faces, TEXELS)
        skin = shape.in_regions(SKIN)[atlas.triangles]
        weights = atlas.weights[skin]
        points, normals = weights @ shape.vertices, weights @ shape.normals
        facing = -(points * normals).sum(1) / np.linalg.norm(points, axis=1)
        nearest = _look_up(truth.depth, project(points, truth.K))
        visible = (facing > _FACING) & (-points[:, 2] < nearest + _DEPTH_BIAS)
        masked = _look_up(specimen.face_mask, project(points, shape.K)) > 127
        uv = (weights @ shape.uv).astype(np.float32)
        texture = torch.as_tensor(specimen.albedo_linear.astype(np.float32))
        albedo = sample_texture(texture, torch.as_tensor(uv)).numpy()
        return cls(uv, albedo, visible & masked, ~visible)

    def paint(self, shape: CameraMesh, paint: Paint, kind: str) -> np.ndarray:
        """(M, 3): a paint of the result's mesh, which has the truth's layout, at these texels."""
        texture = paint.texture
        if kind == "vertex":
            atlas = layout_atlas(shape.uv, shape.faces, TEXELS)
            texture = spread(atlas, (atlas.weights @ paint.at_vertices).astype(np.float32))
        return sample_texture(torch.as_tensor(texture), torch.as_tensor(self.uv)).numpy()


def _look_up(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(M,) values of an image (H, W) at pixels (M, 2), 0 outside."""
    column, row = np.floor(pixels).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < image.shape[1]) & (row < image.shape[0])
    return np.where(inside, image[np.where(inside, row, 0), np.where(inside, column, 0)], 0)
