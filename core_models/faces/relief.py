"""The fitted face as the mask needs it: its normals, where the photo's camera sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.camera import crop_intrinsics
from ..geometry.mesh import vertex_normals
from ..render.shade import render_attributes
from .patch import Patch


@dataclass(frozen=True, eq=False)
class Relief:
    """A posed mesh, seen by the photo's camera."""

    vertices: np.ndarray
    """(N, 3) decimetres, camera frame."""
    faces: np.ndarray
    """(F, 3) int, counter-clockwise outside."""
    K: np.ndarray
    """(3, 3), pixels of the photo."""

    @torch.no_grad()
    def normals(self, patch: Patch) -> np.ndarray:
        """(h, w, 3) float32 unit normals at the pixels of a patch, camera frame; zero beside the mesh."""
        vertices = torch.as_tensor(self.vertices, dtype=torch.float32)[None]
        faces = torch.as_tensor(self.faces, dtype=torch.int64)
        photo_K = torch.as_tensor(self.K, dtype=torch.float32)[None]
        K = crop_intrinsics(photo_K, float(patch.box.x0), float(patch.box.y0), patch.scale)
        normals = vertex_normals(vertices, faces)
        smooth, _ = render_attributes(vertices, faces, normals, K, *patch.shape)
        return torch.nn.functional.normalize(smooth[0], dim=-1).numpy()
