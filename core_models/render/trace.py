"""A posed mesh before a camera, traced once: what the samples of a picture see of it.

Pictures are anti-aliased by averaging `supersample`² samples a pixel in linear light. A `Trace` is made once per view
and asked as often as needed. Arrays are numpy at the border, torch inside.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..geometry.camera import crop_intrinsics
from ..geometry.mesh import twins, vertex_normals
from .interpolate import barycentrics
from .rasterize import rasterize
from .shade import sample_texture


@dataclass(frozen=True, eq=False)
class CameraMesh:
    """A mesh in the frame of a camera, and that camera."""

    vertices: np.ndarray
    """(N, 3) float32, decimetres, camera frame."""
    faces: np.ndarray
    """(F, 3) int."""
    uv: np.ndarray
    """(N, 2) float32, v up."""
    face_region: np.ndarray
    """(F,) index into `region_names`."""
    region_names: tuple[str, ...]
    K: np.ndarray
    """(3, 3), pixels of the photo."""
    twin: np.ndarray | None = None
    """(N,) the first vertex at the same place; where it is not known, equal vertices are looked for."""

    @cached_property
    def normals(self) -> np.ndarray:
        """(N, 3) float32 unit, twins taken as one."""
        twin = torch.as_tensor(twins(self.vertices) if self.twin is None else self.twin)
        points = torch.as_tensor(self.vertices, dtype=torch.float32)
        faces = torch.as_tensor(np.asarray(self.faces, np.int64))
        return vertex_normals(points[None], twin[faces])[0, twin].numpy()

    def in_regions(self, names: Collection[str]) -> np.ndarray:
        """(F,) bool: triangles of the named regions; names that the mesh lacks are no error."""
        wanted = [index for index, name in enumerate(self.region_names) if name in names]
        return np.isin(self.face_region, wanted)


@dataclass(frozen=True, eq=False)
class Trace:
    """What the samples of a picture of height × width pixels see of a mesh; P of them hit it."""

    mesh: CameraMesh
    height: int
    width: int
    supersample: int
    """Samples a pixel and axis."""
    K: np.ndarray
    """(3, 3) float32 of the picture of samples."""
    vertices: Tensor
    """(N, 3), `mesh.vertices` on the device of the trace."""
    faces: Tensor
    """(F, 3) int64."""
    ids: Tensor
    """(s·H, s·W) int32 triangles, −1 where nothing is."""
    pixel: Tensor
    """(P,) int64, index of each sample's pixel in the picture's H·W."""
    triangle: Tensor
    """(P,) int64."""
    weights: Tensor
    """(P, 3) perspective-correct barycentrics."""

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        mesh: CameraMesh,
        height: int,
        width: int,
        supersample: int = 2,
        crop: tuple[float, float, float] = (0.0, 0.0, 1.0),
        device: torch.device | str = "cpu",
    ) -> Trace:
        """Rasterise the mesh. crop: the picture begins at this column and row of the photo and is so often enlarged."""
        left, top, scale = crop
        K = crop_intrinsics(torch.as_tensor(mesh.K)[None], left, top, scale * supersample).float()
        camera = K.to(device)
        vertices = torch.as_tensor(mesh.vertices, dtype=torch.float32, device=device)
        faces = torch.as_tensor(np.asarray(mesh.faces, np.int64), device=device)
        ids = rasterize(vertices[None], faces, camera, height * supersample, width * supersample)
        weights = barycentrics(vertices[None], faces, camera, ids)[0]
        row, column = torch.nonzero(ids[0] >= 0, as_tuple=True)
        pixel = row // supersample * width + column // supersample
        return cls(
            mesh, height, width, supersample, K[0].numpy(), vertices, faces, ids[0],
            pixel, ids[0, row, column].long(), weights[row, column],
        )  # fmt: skip

    @cached_property
    def vertex_normals(self) -> Tensor:
        """(N, 3) unit normals in the camera frame."""
        return self._tensor(self.mesh.normals)

    @cached_property
    def normals(self) -> Tensor:
        """(P, 3) unit normals in the camera frame."""
        return functional.normalize(self.interpolate(self.vertex_normals), dim=-1)

    @cached_property
    def uv(self) -> Tensor:
        """(P, 2)."""
        return self.interpolate(self.mesh.uv)

    @cached_property
    def _corners(self) -> Tensor:
        """(P, 3): the vertices of each sample's triangle."""
        return self.faces[self.triangle]

    def interpolate(self, at_vertices: np.ndarray | Tensor) -> Tensor:
        """(N, C) → (P, C): a weighted sum of three rows, which is what embedding_bag is fast at."""
        values = self._tensor(at_vertices)
        return functional.embedding_bag(self._corners, values, per_sample_weights=self.weights, mode="sum")

    def texture(self, image_linear: np.ndarray | Tensor) -> Tensor:
        """(S, S, C) in the mesh's layout → (P, C), bilinear, the image first shrunk until a sample spans fewer than two
        texels.
        """
        image = self._tensor(image_linear)
        factor = min(self._texels_per_sample(len(image)), len(image))
        if factor > 1:
            image = functional.avg_pool2d(image.permute(2, 0, 1)[None], factor)[0].permute(1, 2, 0)
        return sample_texture(image, self.uv)

    def in_regions(self, names: Collection[str]) -> Tensor:
        """(P, 1): 1 where a sample sees one of the named regions, else 0."""
        return self._tensor(self.mesh.in_regions(names))[self.triangle][:, None]

    def share(self, names: Collection[str]) -> np.ndarray:
        """(H, W): share of each pixel's samples that see one of the named regions."""
        return self.sums(self.in_regions(names))[..., 0]

    def sums(self, samples: Tensor) -> np.ndarray:
        """(P, C) → (H, W, C) float32: mean over each pixel's samples, empty ones counting as zero."""
        total = samples.new_zeros(self.height * self.width, samples.shape[1], dtype=torch.float32)
        total.index_add_(0, self.pixel, samples.float())
        return (total / self.supersample**2).view(self.height, self.width, -1).cpu().numpy()

    @cached_property
    def coverage(self) -> np.ndarray:
        """(H, W): share of each pixel that the mesh covers."""
        return self.sums(torch.ones_like(self.weights[:, :1]))[..., 0]

    def picture(self, samples: Tensor) -> np.ndarray:
        """(P, C) → (H, W, C): mean over the samples that hit, 0 where none does."""
        return self.sums(samples) / np.maximum(self.coverage, 1e-6)[..., None]

    @cached_property
    def depth(self) -> np.ndarray:
        """(s·H, s·W) float32 decimetres along the axis of view, infinite where nothing is."""
        depth = torch.full_like(self.ids, torch.inf, dtype=torch.float32)
        depth[self.ids >= 0] = self.interpolate(-self.vertices[:, 2:])[:, 0]
        return depth.cpu().numpy()

    def _tensor(self, values: np.ndarray | Tensor) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.weights.device)

    def _texels_per_sample(self, size: int) -> int:
        """The power of two below the mean number of texels along one sample of the visible triangles."""
        if not len(self.triangle):
            return 1
        return 2 ** max(
            0, int(np.floor(np.log2(max(self._seen_layout * size**2, 1.0) / len(self.triangle)) / 2))
        )

    @cached_property
    def _seen_layout(self) -> float:
        """Area of the visible triangles in the layout, of 1."""
        seen = torch.bincount(self.triangle, minlength=len(self.faces)) > 0
        corners = self._tensor(self.mesh.uv)[self.faces[seen]]
        edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        return float((edge_a[:, 0] * edge_b[:, 1] - edge_a[:, 1] * edge_b[:, 0]).abs().sum()) / 2
