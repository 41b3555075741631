"""Coloured heads before a camera, and what the samples of a picture see of them.

Everything is in the camera frame of one photo: decimetres, x right, y up, z towards the camera.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch

from semblance.core_models.geometry.camera import crop_intrinsics
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.render.interpolate import barycentrics
from semblance.core_models.render.rasterize import rasterize
from semblance.core_models.render.shade import sample_texture

SUPERSAMPLE = 2
"""Samples a pixel and axis."""
_FRAME_MARGIN = 1.04
"""Side of the scored square in units of the longer side of the face's bounds."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A posed mesh and the camera that sees it."""

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
    """(3, 3) float64, pixels of the photo."""

    @cached_property
    def triangles(self) -> torch.Tensor:
        """(F, 3) int64."""
        return torch.as_tensor(np.asarray(self.faces, np.int64))

    @cached_property
    def normals(self) -> np.ndarray:
        """(N, 3) unit, the copies that UV seams make of a vertex taken as one."""
        _, first, copy = np.unique(self.vertices, axis=0, return_index=True, return_inverse=True)
        welded = torch.as_tensor(copy.reshape(-1))[self.triangles]
        points = torch.as_tensor(self.vertices[first], dtype=torch.float32)
        return vertex_normals(points[None], welded)[0].numpy()[copy.reshape(-1)]

    def in_regions(self, names: Collection[str]) -> np.ndarray:
        """(F,) bool: triangles of the named regions; names that the mesh lacks are no error."""
        wanted = [index for index, name in enumerate(self.region_names) if name in names]
        return np.isin(self.face_region, wanted)


@dataclass(frozen=True)
class Frame:
    """A square of the photo, in its pixels from the top-left corner, and how many pixels its picture has."""

    left: float
    top: float
    side: float
    size: int

    @property
    def scale(self) -> float:
        """Pixels of the picture per pixel of the photo."""
        return self.size / self.side


def face_frame(shape: Shape, names: Collection[str], size: int) -> Frame:
    """The square around the named regions of a head."""
    points = shape.vertices[np.unique(shape.faces[shape.in_regions(names)])]
    pixels = project(points, shape.K)
    low, high = pixels.min(0), pixels.max(0)
    side = _FRAME_MARGIN * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return Frame(float(left), float(top), side, size)


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(M, 3) camera frame → (M, 2) pixels."""
    x, y, depth = points[:, 0], points[:, 1], -points[:, 2]
    return np.stack([K[0, 2] + K[0, 0] * x / depth, K[1, 2] - K[1, 1] * y / depth], axis=-1)


@dataclass(frozen=True, eq=False)
class Trace:
    """What the P samples that hit a head see of it."""

    shape: Shape
    frame: Frame
    K: np.ndarray
    """(3, 3) of the supersampled picture."""
    ids: np.ndarray
    """(s·size, s·size) int32 triangles, −1 where nothing is."""
    pixel: torch.Tensor
    """(P,) int64, row · size + column of each sample's pixel."""
    triangle: torch.Tensor
    """(P,) int64."""
    weights: torch.Tensor
    """(P, 3)."""

    @classmethod
    @torch.no_grad()
    def of(cls, shape: Shape, frame: Frame) -> Trace:
        """Rasterise a head in a frame."""
        camera = torch.as_tensor(shape.K, dtype=torch.float64)[None]
        K = crop_intrinsics(camera, frame.left, frame.top, frame.scale * SUPERSAMPLE).float()
        vertices = torch.as_tensor(shape.vertices, dtype=torch.float32)[None]
        side = frame.size * SUPERSAMPLE
        ids = rasterize(vertices, shape.triangles, K, side, side)
        weights = barycentrics(vertices, shape.triangles, K, ids)[0]
        row, column = torch.nonzero(ids[0] >= 0, as_tuple=True)
        pixel = row // SUPERSAMPLE * frame.size + column // SUPERSAMPLE
        return cls(
            shape,
            frame,
            K[0].numpy(),
            ids[0].numpy(),
            pixel,
            ids[0, row, column].long(),
            weights[row, column],
        )

    @cached_property
    def uv(self) -> torch.Tensor:
        """(P, 2)."""
        return self.interpolate(self.shape.uv)

    def interpolate(self, at_vertices: np.ndarray) -> torch.Tensor:
        """(N, C) → (P, C)."""
        values = torch.as_tensor(np.asarray(at_vertices, np.float32))
        return torch.nn.functional.embedding_bag(
            self.shape.triangles[self.triangle], values, per_sample_weights=self.weights, mode="sum"
        )

    def texture(self, image_linear: np.ndarray) -> torch.Tensor:
        """A texture (S, S, C) in the mesh's layout → (P, C), bilinear."""
        return sample_texture(torch.as_tensor(np.asarray(image_linear, np.float32)), self.uv)

    def share(self, names: Collection[str]) -> np.ndarray:
        """(size, size): share of each pixel that shows the named regions."""
        by_face = torch.as_tensor(self.shape.in_regions(names).astype(np.float32))
        return self.sums(by_face[self.triangle][:, None])[..., 0]

    def sums(self, samples: torch.Tensor) -> np.ndarray:
        """(P, C) → (size, size, C): mean over each pixel's samples, empty ones counting as zero."""
        size = self.frame.size
        total = torch.zeros(size * size, samples.shape[1]).index_add_(0, self.pixel, samples.float())
        return (total / SUPERSAMPLE**2).view(size, size, -1).numpy()

    @cached_property
    def coverage(self) -> np.ndarray:
        """(size, size): share of each pixel that the head covers."""
        return self.sums(torch.ones(len(self.pixel), 1))[..., 0]

    def picture(self, samples: torch.Tensor) -> np.ndarray:
        """(P, C) → (size, size, C): mean over the samples that hit, 0 where none does."""
        return self.sums(samples) / np.maximum(self.coverage, 1e-6)[..., None]

    @cached_property
    def depth(self) -> np.ndarray:
        """(s·size, s·size) float32 decimetres along the axis of view, infinite where nothing is."""
        depth = np.full(self.ids.shape, np.inf, np.float32)
        depth[self.ids >= 0] = self.interpolate(-self.shape.vertices[:, 2:])[:, 0].numpy()
        return depth


def frame_image(image: np.ndarray, frame: Frame) -> np.ndarray:
    """A photo's picture (H, W, C) or (H, W) in a frame → (size, size, …) float32, supersampled like a render."""
    side = frame.size * SUPERSAMPLE
    step = frame.side / side
    reduce = max(1, int(step))  # an enlarged photo is interpolated, a reduced one is averaged before
    small = cv2.blur(image.astype(np.float32), (reduce, reduce)) if reduce > 1 else image.astype(np.float32)
    centres = (np.arange(side, dtype=np.float32) + 0.5) * step - 0.5
    x, y = np.meshgrid(frame.left + centres, frame.top + centres)
    sampled = cv2.remap(
        small, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return cv2.resize(sampled, (frame.size, frame.size), interpolation=cv2.INTER_AREA)
