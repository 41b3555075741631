"""UV space as a list of surface points: which texel shows which place of the mesh.

Only covered texels are kept, so that every later step costs what the face covers, and can be cut into bands
by plain slicing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from ..render.interpolate import barycentrics_uv
from ..render.rasterize import rasterize_uv
from .images import resize_map

_BAND_TEXELS = 1 << 20


@dataclass(frozen=True)
class Atlas:
    """The M covered texels of an S × S texture, row by row from the top (v = 1)."""

    size: int
    """S."""
    texels: np.ndarray
    """(M,) int32, row · S + column."""
    triangles: np.ndarray
    """(M,) int32, the mesh triangle under the texel's centre."""
    weights: sparse.csr_matrix
    """(M, N) float32, barycentric: `weights @ vertex_values` interpolates, its transpose gathers."""

    def bands(self) -> Iterator[Atlas]:
        """The same texels in pieces of about a million, for work that would not fit into memory at once."""
        for start in range(0, len(self.texels), _BAND_TEXELS):
            piece = slice(start, start + _BAND_TEXELS)
            yield Atlas(self.size, self.texels[piece], self.triangles[piece], self.weights[piece])

    def image(self, values: np.ndarray, background: float = 0.0) -> np.ndarray:
        """Spread texel values (M,) or (M, C) over an image (S, S) or (S, S, C); the rest is `background`."""
        flat = np.full((self.size * self.size, *values.shape[1:]), background, values.dtype)
        flat[self.texels] = values
        return flat.reshape(self.size, self.size, *values.shape[1:])

    def covered(self) -> np.ndarray:
        """(S, S) bool: does the texel's centre lie on the mesh?"""
        return self.image(np.ones(len(self.texels), bool))

    def gather(self, image: np.ndarray) -> np.ndarray:
        """Values (M,) or (M, C) of an image (S', S') or (S', S', C) at the texels' centres, bilinear when S'
        differs.
        """
        if image.shape[0] != self.size:
            image = resize_map(image, self.size)
        return image.reshape(-1, *image.shape[2:])[self.texels]


def build_atlas(uv: np.ndarray, faces: np.ndarray, size: int) -> Atlas:
    """Rasterise the UV layout uv (N, 2), faces (F, 3) at size × size texels."""
    uv_tensor = torch.as_tensor(uv, dtype=torch.float32)
    faces_tensor = torch.as_tensor(faces, dtype=torch.int64)
    with torch.no_grad():
        ids = rasterize_uv(uv_tensor, faces_tensor, size)
        barycentric = barycentrics_uv(uv_tensor, faces_tensor, ids)[0].reshape(-1, 3).numpy()
    flat_ids = ids.reshape(-1).numpy()
    texels = np.flatnonzero(flat_ids >= 0).astype(np.int32)
    triangles = flat_ids[texels].astype(np.int32)
    weights = sparse.csr_matrix(
        (
            np.clip(barycentric[texels], 0.0, 1.0).astype(np.float32).ravel(),
            np.asarray(faces)[triangles].astype(np.int32).ravel(),
            np.arange(0, 3 * len(texels) + 1, 3, dtype=np.int32),
        ),
        shape=(len(texels), len(uv)),
    )
    return Atlas(size, texels, triangles, weights)
