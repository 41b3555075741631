"""UV space as a list of surface points: which texel shows which place of the mesh.

Only covered texels are kept, so that every later step costs what the face covers, and can be cut into bands by plain
slicing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy import sparse

from ..render.rasterize import rasterize_uv

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
            yield self.part(slice(start, start + _BAND_TEXELS))

    def part(self, chosen: slice | np.ndarray) -> Atlas:
        """Some of the texels, in the same order."""
        return Atlas(self.size, self.texels[chosen], self.triangles[chosen], self.weights[chosen])

    def image(self, values: np.ndarray, background: float = 0.0) -> np.ndarray:
        """Spread texel values (M,) or (M, C) over an image (S, S) or (S, S, C); the rest is `background`."""
        flat = np.full((self.size * self.size, *values.shape[1:]), background, values.dtype)
        flat[self.texels] = values
        return flat.reshape(self.size, self.size, *values.shape[1:])

    def covered(self) -> np.ndarray:
        """(S, S) bool: does the texel's centre lie on the mesh?"""
        return self.image(np.ones(len(self.texels), bool))

    def blurred(self, values: np.ndarray, sigma: float) -> np.ndarray:
        """Texel values (M,) or (M, C) under a Gaussian of `sigma` texture sides; uncovered texels count as 0."""
        image = self.image(values.astype(np.float32))
        return self.gather(cv2.GaussianBlur(image, (0, 0), sigma * self.size)).reshape(values.shape)

    def gather(self, image: np.ndarray) -> np.ndarray:
        """Values (M,) or (M, C) at the texels of a square image of any size, bilinear when that is not S."""
        if image.shape[0] == self.size:
            return image.reshape(-1, *image.shape[2:])[self.texels]
        first, last = int(self.texels[0]) // self.size, int(self.texels[-1]) // self.size
        centres = ((np.arange(self.size) + 0.5) * (image.shape[0] / self.size) - 0.5).astype(np.float32)
        x, y = np.meshgrid(centres, centres[first : last + 1])
        strip = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return strip.reshape(-1, *image.shape[2:])[self.texels - first * self.size]

    def mirrored(self) -> np.ndarray:
        """(M,) int32: the texels across the layout's axis u = ½."""
        rows, columns = np.divmod(self.texels, self.size)
        return rows * self.size + (self.size - 1 - columns)


def build_atlas(uv: np.ndarray, faces: np.ndarray, size: int) -> Atlas:
    """Rasterise the UV layout uv (N, 2), faces (F, 3) at size × size texels."""
    faces = np.asarray(faces)
    ids = rasterize_uv(
        torch.as_tensor(uv, dtype=torch.float32), torch.as_tensor(faces, dtype=torch.int64), size
    )
    flat_ids = ids.reshape(-1).numpy()
    texels = np.flatnonzero(flat_ids >= 0).astype(np.int32)
    triangles = flat_ids[texels].astype(np.int32)
    weights = np.empty((len(texels), 3), np.float32)
    for start in range(0, len(texels), _BAND_TEXELS):
        piece = slice(start, start + _BAND_TEXELS)
        weights[piece] = _barycentrics(uv[faces[triangles[piece]]] * size, texels[piece], size)
    indices = faces.astype(np.int32)[triangles].ravel()
    starts = np.arange(0, 3 * len(texels) + 1, 3, dtype=np.int32)
    matrix = sparse.csr_matrix((weights.ravel(), indices, starts), shape=(len(texels), len(uv)))
    return Atlas(size, texels, triangles, matrix)


def _barycentrics(corners: np.ndarray, texels: np.ndarray, size: int) -> np.ndarray:
    """Weights (m, 3) of the texels' centres in their triangles; corners (m, 3, 2) in texels from the bottom left.

    The list form of `render.interpolate.barycentrics_uv`, whose dense images of a 4096² texture take 2 GB.
    """
    rows, columns = np.divmod(texels, size)
    centre = np.stack([columns + 0.5, size - rows - 0.5], axis=1).astype(np.float32)
    right, up, inside = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], centre - corners[:, 0]
    area = right[:, 0] * up[:, 1] - right[:, 1] * up[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    second = np.clip((inside[:, 0] * up[:, 1] - inside[:, 1] * up[:, 0]) / area, 0, 1)
    third = np.clip((right[:, 0] * inside[:, 1] - right[:, 1] * inside[:, 0]) / area, 0, 1 - second)
    return np.stack([1 - second - third, second, third], axis=1)
