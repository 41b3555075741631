"""Pictures of a finished `Reconstruction`, made from its arrays alone, through the photo's camera or another.

A `Surface` is traced once per view and shaded as often as needed. Pictures are linear Rec.709, anti-aliased
by averaging `supersample`² samples a pixel in linear light. Arrays are numpy at the border, torch inside.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from .colour import srgb_to_linear
from .geometry.camera import crop_intrinsics, to_camera
from .geometry.mesh import vertex_normals
from .reconstruction import Reconstruction
from .render.interpolate import barycentrics
from .render.lighting import sh_basis
from .render.rasterize import rasterize
from .render.shade import sample_texture

FRAME_MARGIN = 1.25
"""Side of the face's frame in units of the longer side of the landmarks' box.

The face is then as large as in the crops of Deng et al. 2019, through which Lin et al. 2020 report their
numbers.
"""
_DECIMETRES = 10.0
_PORTRAIT_DISTANCE = 1.5  # metres: no visible perspective distortion, as in portrait photography

Texture = Literal["uv", "vertex", "clay"]
Light = Literal["image", "sh"] | np.ndarray | None
CLAY_LINEAR = 0.4


@dataclass(frozen=True)
class Frame:
    """A square of the oriented photo, in its pixels from the top-left corner; it may reach outside."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class View:
    """A camera: head → camera frame (metres) and pinhole, conventions of `Reconstruction`."""

    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray
    width: int
    height: int


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


def face_frame(reconstruction: Reconstruction, margin: float = FRAME_MARGIN) -> Frame:
    """The square around the box of the detected landmarks, centred on it."""
    low, high = reconstruction.landmarks.min(axis=0), reconstruction.landmarks.max(axis=0)
    side = margin * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return Frame(float(left), float(top), side)


def frame_view(reconstruction: Reconstruction, frame: Frame, size: int) -> View:
    """The photo's own camera, looking through a frame of it, size × size pixels."""
    K = torch.from_numpy(reconstruction.K).to(torch.float64)[None]
    cropped = crop_intrinsics(K, frame.left, frame.top, size / frame.side)[0].numpy()
    return View(reconstruction.rotation, reconstruction.translation, cropped, size, size)


def portrait_view(reconstruction: Reconstruction, yaw_degrees: float, width: int, height: int) -> View:
    """A camera before the head, which is turned by `yaw_degrees` about its vertical axis and fills it.

    Positive yaw turns the face to the picture's right, so that the subject's right side is seen.
    """
    angle = np.radians(yaw_degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    low, high = reconstruction.vertices.min(axis=0), reconstruction.vertices.max(axis=0)
    turned = (reconstruction.vertices - (low + high) / 2) @ rotation.T
    # Turning never moves the head out of a frame that holds its widest horizontal half extent.
    half_width = float(np.hypot(turned[:, 0], turned[:, 2]).max())
    half_height = float(high[1] - low[1]) / 2
    focal = 0.92 * _PORTRAIT_DISTANCE * min(width / 2 / half_width, height / 2 / half_height)
    centre = (turned.min(axis=0) + turned.max(axis=0)) / 2 + rotation @ ((low + high) / 2)
    K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return View(
        rotation, np.array([-centre[0], -centre[1], -_PORTRAIT_DISTANCE - centre[2]]), K, width, height
    )


def frame_photo(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """The stored photo inside a frame → (size, size, 3) float32 linear; its edge is repeated outside.

    Area-averaged in linear light; where the frame has fewer pixels than `size`, interpolated bilinearly.
    """
    height, width = reconstruction.photo_srgb.shape[:2]
    left, top, side_x, side_y = _stored_box(reconstruction, frame)
    x0, y0 = int(np.floor(left)), int(np.floor(top))
    columns = np.clip(np.arange(x0, int(np.ceil(left + side_x)) + 1), 0, width - 1)
    rows = np.clip(np.arange(y0, int(np.ceil(top + side_y)) + 1), 0, height - 1)
    part = srgb_to_linear(reconstruction.photo_srgb[np.ix_(rows, columns)])
    box = (left - x0, top - y0, left - x0 + side_x, top - y0 + side_y)
    method = Image.Resampling.BOX if min(side_x, side_y) >= size else Image.Resampling.BILINEAR
    channels = [Image.fromarray(part[..., c]).resize((size, size), method, box=box) for c in range(3)]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def inside_photo(reconstruction: Reconstruction, frame: Frame, size: int) -> np.ndarray:
    """(size, size) bool: pixels of the frame whose centre lies on the photo."""
    centre = (np.arange(size) + 0.5) * (frame.side / size)
    width, height = reconstruction.image_size
    columns = (frame.left + centre >= 0) & (frame.left + centre < width)
    rows = (frame.top + centre >= 0) & (frame.top + centre < height)
    return rows[:, None] & columns


@dataclass(frozen=True, eq=False)
class Surface:
    """What the samples of a view see of the head; P of them hit it."""

    reconstruction: Reconstruction
    view: View
    supersample: int
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
        vertices, faces = _camera_vertices(reconstruction, view), _faces(reconstruction)
        K = crop_intrinsics(torch.from_numpy(view.K).to(torch.float32)[None], 0.0, 0.0, float(supersample))
        ids = rasterize(vertices, faces, K, view.height * supersample, view.width * supersample)
        weights = barycentrics(vertices, faces, K, ids)[0]
        row, column = torch.nonzero(ids[0] >= 0, as_tuple=True)
        pixel = row // supersample * view.width + column // supersample
        triangle = ids[0, row, column].to(torch.int64)
        return cls(reconstruction, view, supersample, pixel, triangle, weights[row, column])

    @torch.no_grad()
    def picture(
        self, texture: Texture = "uv", light: Light = "image", without: Collection[str] = ()
    ) -> Picture:
        """Shade the surface.

        Args:
            texture: the UV images, the vertex colours, or grey clay.
            light: the stored shading ("image"), the stored spherical harmonics alone ("sh"), other ones (3, 9) in
                this view's camera frame, or None for the bare albedo. Clay has no stored shading of its own.
            without: names of face regions to leave empty.
        """
        stored = isinstance(light, str) and light == "image"
        colour = self._colour(texture, stored)
        if light is not None and not stored:
            sh = self.reconstruction.sh if isinstance(light, str) else light
            colour = colour * torch.clamp(self._harmonics @ torch.as_tensor(sh, dtype=torch.float32).T, min=0)
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
        return _faces(self.reconstruction)[self.triangle]

    @cached_property
    def _uv(self) -> torch.Tensor:
        return self._at_samples(torch.from_numpy(self.reconstruction.uv))

    @cached_property
    def _harmonics(self) -> torch.Tensor:
        """(P, 9): the SH basis at each sample's unit normal in the camera frame."""
        normals = _welded_normals(self.reconstruction, _camera_vertices(self.reconstruction, self.view)[0])
        return sh_basis(functional.normalize(self._at_samples(normals), dim=-1))

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
            return self._at_samples(torch.from_numpy(colours))
        if with_shading:
            raise ValueError("clay has no stored shading: give it a light")
        return torch.full((len(self.triangle), 3), CLAY_LINEAR)

    def _at_samples(self, attributes: torch.Tensor) -> torch.Tensor:
        """(N, C) at the vertices → (P, C): a weighted sum of three rows, which is what embedding_bag is fast at."""
        return functional.embedding_bag(
            self._corners, attributes, per_sample_weights=self.weights, mode="sum"
        )

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
        corners = torch.from_numpy(self.reconstruction.uv)[_faces(self.reconstruction)[seen]]
        edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = float((edge_a[:, 0] * edge_b[:, 1] - edge_a[:, 1] * edge_b[:, 0]).abs().sum()) / 2 * size**2
        return 2 ** max(0, int(np.floor(np.log2(max(area, 1.0) / len(self.triangle)) / 2)))

    def _pixels(self, samples: torch.Tensor) -> np.ndarray:
        """(P, C) → (H, W, C): the mean over each pixel's samples, empty ones counting as zero."""
        height, width, channels = self.view.height, self.view.width, samples.shape[1]
        total = torch.zeros(height * width, channels).index_add_(0, self.pixel, samples)
        return (total / self.supersample**2).view(height, width, channels).numpy()


def _stored_box(reconstruction: Reconstruction, frame: Frame) -> tuple[float, float, float, float]:
    """Left, top, width and height in pixels of the stored photo, which may be smaller than the original."""
    height, width = reconstruction.photo_srgb.shape[:2]
    scale_x, scale_y = width / reconstruction.image_size[0], height / reconstruction.image_size[1]
    return frame.left * scale_x, frame.top * scale_y, frame.side * scale_x, frame.side * scale_y


def _faces(reconstruction: Reconstruction) -> torch.Tensor:
    return torch.from_numpy(reconstruction.faces).to(torch.int64)


def _camera_vertices(reconstruction: Reconstruction, view: View) -> torch.Tensor:
    """(1, N, 3), decimetres, camera frame."""
    vertices = torch.from_numpy(reconstruction.vertices)[None] * _DECIMETRES
    rotation = torch.from_numpy(view.rotation).to(torch.float32)[None]
    return to_camera(
        vertices, rotation, torch.from_numpy(view.translation).to(torch.float32)[None] * _DECIMETRES
    )


def _welded_normals(reconstruction: Reconstruction, vertices: torch.Tensor) -> torch.Tensor:
    """(N, 3) vertex normals, with the copies that UV seams make of a vertex taken as one."""
    _, first, copy = np.unique(reconstruction.vertices, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(copy):
        return vertex_normals(vertices[None], _faces(reconstruction))[0]
    welded_faces = torch.from_numpy(copy.reshape(-1)[reconstruction.faces])
    return vertex_normals(vertices[None, torch.from_numpy(first)], welded_faces)[0][
        torch.from_numpy(copy.reshape(-1))
    ]
