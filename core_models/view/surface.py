"""Pictures of a finished `Reconstruction`, made from its arrays alone, through the photo's camera or another.

A `Surface` is traced once per view and shaded as often as needed. Pictures are linear Rec.709, anti-aliased by
averaging `supersample`² samples a pixel in linear light. Arrays are numpy at the border, torch inside.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ..colour import srgb_to_linear
from ..geometry.camera import crop_intrinsics, to_camera
from ..geometry.mesh import vertex_normals
from ..reconstruction import Reconstruction
from ..render.interpolate import barycentrics
from ..render.lighting import shade
from ..render.rasterize import rasterize
from ..render.shade import sample_texture
from .framing import View

CLAY_LINEAR = 0.4
_DECIMETRES = 10.0

Texture = Literal["uv", "vertex", "clay"]
LightFunction = Callable[["Surface"], torch.Tensor]
"""Surface → (P, 3): the RGB that each sample of a white surface would show."""
Light = Literal["image", "sh"] | LightFunction | None


@dataclass(frozen=True)
class Picture:
    """A render, premultiplied: the mean over each pixel's samples, empty ones counting as black."""

    linear: np.ndarray
    """(H, W, 3) float32."""
    coverage: np.ndarray
    """(H, W) float32, share of the samples that hit the head."""

    def over(self, background_linear: np.ndarray) -> np.ndarray:
        """(H, W, 3): this picture laid over a linear background, (H, W, 3) or one colour (3,)."""
        return self.linear + (1.0 - self.coverage[..., None]) * background_linear


@dataclass(frozen=True, eq=False)
class Surface:
    """What the samples of a view see of the head; P of them hit it."""

    reconstruction: Reconstruction
    view: View
    supersample: int
    vertices_camera: torch.Tensor
    """(N, 3), decimetres, camera frame."""
    faces: torch.Tensor
    """(F, 3) int64."""
    pixel: torch.Tensor
    """(P,) int64, index of each sample's pixel in the picture's H·W."""
    triangle: torch.Tensor
    """(P,) int64."""
    weights: torch.Tensor
    """(P, 3) perspective-correct barycentrics."""

    @classmethod
    @torch.no_grad()
    def trace(cls, reconstruction: Reconstruction, view: View, supersample: int = 2) -> Surface:
        """Rasterise the head with `supersample`² samples a pixel."""
        vertices = _camera_vertices(reconstruction, view)
        faces = torch.from_numpy(reconstruction.faces).to(torch.int64)
        K = crop_intrinsics(torch.from_numpy(view.K).to(torch.float32)[None], 0.0, 0.0, float(supersample))
        ids = rasterize(vertices[None], faces, K, view.height * supersample, view.width * supersample)
        weights = barycentrics(vertices[None], faces, K, ids)[0]
        row, column = torch.nonzero(ids[0] >= 0, as_tuple=True)
        pixel = row // supersample * view.width + column // supersample
        triangle = ids[0, row, column].to(torch.int64)
        return cls(reconstruction, view, supersample, vertices, faces, pixel, triangle, weights[row, column])

    @torch.no_grad()
    def picture(
        self, texture: Texture = "uv", light: Light = "image", without: Collection[str] = ()
    ) -> Picture:
        """Shade the surface.

        Args:
            texture: the UV images, the vertex colours, or grey clay.
            light: the stored shading ("image"), the stored spherical harmonics alone ("sh"), a function of this
                surface, or None for the bare albedo. Clay has no stored shading of its own.
            without: names of face regions to leave empty.
        """
        colour = self._colour(texture, with_shading=light == "image")
        if light == "sh":
            colour = colour * shade(self.normals, torch.from_numpy(self.reconstruction.sh))
        elif callable(light):
            colour = colour * light(self)
        kept = 1.0 - self._in_regions(without)
        return Picture(self._pixels(colour * kept), self._pixels(kept)[..., 0])

    def region_share(self, names: Collection[str]) -> np.ndarray:
        """(H, W): share of each pixel's samples that see one of the named face regions."""
        return self._pixels(self._in_regions(names))[..., 0]

    def _in_regions(self, names: Collection[str]) -> torch.Tensor:
        """(P, 1), 1 or 0."""
        wanted = np.isin(self.reconstruction.region_names, list(names))
        by_face = torch.from_numpy(wanted[self.reconstruction.face_region].astype(np.float32))
        return by_face[self.triangle][:, None]

    @cached_property
    def _corners(self) -> torch.Tensor:
        """(P, 3): the vertices of each sample's triangle."""
        return self.faces[self.triangle]

    @cached_property
    def _uv(self) -> torch.Tensor:
        return self.at_samples(torch.from_numpy(self.reconstruction.uv))

    @cached_property
    def normals(self) -> torch.Tensor:
        """(P, 3) unit normals in the camera frame."""
        return functional.normalize(self.at_samples(self.vertex_normals), dim=-1)

    @cached_property
    def vertex_normals(self) -> torch.Tensor:
        """(N, 3) unit normals in the camera frame."""
        return _welded_normals(self.reconstruction.vertices, self.vertices_camera, self.faces)

    def at_samples(self, attributes: torch.Tensor) -> torch.Tensor:
        """(N, C) at the vertices → (P, C): a weighted sum of three rows, which is what embedding_bag is fast at."""
        return functional.embedding_bag(
            self._corners, attributes, per_sample_weights=self.weights, mode="sum"
        )

    def _colour(self, texture: Texture, with_shading: bool) -> torch.Tensor:
        source = self.reconstruction
        if texture == "uv":
            image = srgb_to_linear(torch.from_numpy(source.albedo_srgb))
            if with_shading:
                image = image * torch.from_numpy(source.shading_linear.astype(np.float32))
            return self._sample_texture(image)
        if texture == "vertex":
            colours = source.vertex_albedo_linear
            if with_shading:
                colours = colours * source.vertex_shading_linear
            return self.at_samples(torch.from_numpy(colours))
        if with_shading:
            raise ValueError("clay has no stored shading: give it a light")
        return torch.full((len(self.triangle), 3), CLAY_LINEAR)

    def _sample_texture(self, image: torch.Tensor) -> torch.Tensor:
        """(S, S, C) → (P, C), bilinear, the image first shrunk until a sample spans fewer than two texels."""
        factor = min(self._texels_per_sample(len(image)), len(image))
        if factor > 1:
            image = functional.avg_pool2d(image.permute(2, 0, 1)[None], factor)[0].permute(1, 2, 0)
        return sample_texture(image, self._uv)

    def _texels_per_sample(self, size: int) -> int:
        """The power of two below the mean number of texels along one sample of the visible triangles."""
        if not len(self.triangle):
            return 1
        seen = torch.bincount(self.triangle, minlength=len(self.reconstruction.faces)) > 0
        corners = torch.from_numpy(self.reconstruction.uv)[self.faces[seen]]
        edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = float((edge_a[:, 0] * edge_b[:, 1] - edge_a[:, 1] * edge_b[:, 0]).abs().sum()) / 2 * size**2
        return 2 ** max(0, int(np.floor(np.log2(max(area, 1.0) / len(self.triangle)) / 2)))

    def _pixels(self, samples: torch.Tensor) -> np.ndarray:
        """(P, C) → (H, W, C): the mean over each pixel's samples, empty ones counting as zero."""
        height, width, channels = self.view.height, self.view.width, samples.shape[1]
        total = torch.zeros(height * width, channels).index_add_(0, self.pixel, samples)
        return (total / self.supersample**2).view(height, width, channels).numpy()


def _camera_vertices(reconstruction: Reconstruction, view: View) -> torch.Tensor:
    """(N, 3), decimetres, camera frame."""
    vertices = torch.from_numpy(reconstruction.vertices)[None] * _DECIMETRES
    rotation = torch.from_numpy(view.rotation).to(torch.float32)[None]
    translation = torch.from_numpy(view.translation).to(torch.float32)[None] * _DECIMETRES
    return to_camera(vertices, rotation, translation)[0]


def _welded_normals(vertices: np.ndarray, vertices_camera: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """(N, 3) normals in the camera frame, the copies that UV seams make of a vertex in `vertices` taken as one."""
    _, first, copy = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(copy):
        return vertex_normals(vertices_camera[None], faces)[0]
    first, copy = torch.from_numpy(first), torch.from_numpy(copy.reshape(-1))
    return vertex_normals(vertices_camera[None, first], copy[faces])[0][copy]
