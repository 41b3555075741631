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
from .render.lighting import shade
from .render.rasterize import rasterize

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


@dataclass(frozen=True)
class Surface:
    """What each sample of a view sees of the head. P samples hit it; the sample grid is (H·s, W·s)."""

    reconstruction: Reconstruction
    view: View
    supersample: int
    hit: torch.Tensor
    """(H·s, W·s) bool."""
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
        weights = barycentrics(vertices, faces, K, ids)
        hit = ids[0] >= 0
        return cls(reconstruction, view, supersample, hit, ids[0][hit].to(torch.int64), weights[0][hit])

    def region_share(self, names: Collection[str]) -> np.ndarray:
        """(H, W): share of each pixel's samples that see one of the named face regions."""
        wanted = torch.from_numpy(np.isin(self.reconstruction.region_names, list(names)))
        regions = torch.from_numpy(self.reconstruction.face_region.astype(np.int64))
        return self._pixels(wanted[regions[self.triangle]].to(torch.float32)[:, None])[..., 0]

    @torch.no_grad()
    def picture(self, texture: Texture = "uv", light: Light = "image") -> Picture:
        """Shade the surface.

        Args:
            texture: the UV images, the vertex colours, or grey clay.
            light: the stored shading ("image"), the stored spherical harmonics alone ("sh"), other ones (3,
            9) in this
                view's camera frame, or None for the bare albedo. Clay has no stored shading of its own.
        """
        stored = light == "image" if isinstance(light, str) else False
        colour = self._colour(texture, stored)
        if isinstance(light, np.ndarray) or light == "sh":
            sh = self.reconstruction.sh if isinstance(light, str) else light
            colour = colour * shade(self.normals, torch.as_tensor(sh, dtype=torch.float32))
        return Picture(self._pixels(colour), self._pixels(torch.ones(len(colour), 1))[..., 0])

    @cached_property
    def normals(self) -> torch.Tensor:
        """(P, 3) unit normals in the camera frame."""
        vertices = _camera_vertices(self.reconstruction, self.view)
        normals = _welded_normals(self.reconstruction, vertices[0])
        return functional.normalize(self._at_samples(normals), dim=-1)

    def _colour(self, texture: Texture, with_shading: bool) -> torch.Tensor:
        source = self.reconstruction
        if texture == "uv":
            image = srgb_to_linear(torch.from_numpy(source.albedo_srgb))
            if with_shading:
                image = image * torch.from_numpy(source.shading_linear.astype(np.float32))
            return self._sample_texture(image)
        if texture == "vertex":
            colours = source.vertex_albedo_linear
            return self._at_samples(
                torch.from_numpy(colours * source.vertex_shading_linear if with_shading else colours)
            )
        if with_shading:
            raise ValueError("clay has no stored shading: give it a light")
        return torch.full((len(self.triangle), 3), CLAY_LINEAR)

    def _at_samples(self, attributes: torch.Tensor) -> torch.Tensor:
        corners = attributes[_faces(self.reconstruction)[self.triangle]]
        return (corners * self.weights[..., None]).sum(dim=1)

    def _sample_texture(self, image: torch.Tensor) -> torch.Tensor:
        """(S, S, C) → (P, C), bilinear, the image first shrunk until a sample spans fewer than two texels."""
        size = image.shape[0]
        planes = image.permute(2, 0, 1)[None]
        factor = min(self._texels_per_sample(size), size)
        if factor > 1:
            planes = functional.avg_pool2d(planes, factor)
            size = planes.shape[-1]
        uv = self._at_samples(torch.from_numpy(self.reconstruction.uv))
        grid = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], dim=-1)
        # Clamped to the outer texel centres: border padding is missing on some devices.
        grid = grid.clamp(-1 + 1 / size, 1 - 1 / size)
        sampled = functional.grid_sample(planes, grid[None, None], mode="bilinear", align_corners=False)
        return sampled[0, :, 0].T

    def _texels_per_sample(self, size: int) -> int:
        """The power of two below the mean number of texels along one sample of the visible triangles."""
        if not len(self.triangle):
            return 1
        corners = torch.from_numpy(self.reconstruction.uv)[
            _faces(self.reconstruction)[self.triangle.unique()]
        ]
        edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        area = float((edge_a[:, 0] * edge_b[:, 1] - edge_a[:, 1] * edge_b[:, 0]).abs().sum()) / 2 * size**2
        return 2 ** max(0, int(np.floor(np.log2(max(area, 1.0) / len(self.triangle)) / 2)))

    def _pixels(self, samples: torch.Tensor) -> np.ndarray:
        """(P, C) → (H, W, C): the mean over each pixel's samples."""
        grid = torch.zeros(*self.hit.shape, samples.shape[1])
        grid[self.hit] = samples
        pooled = functional.avg_pool2d(grid.permute(2, 0, 1)[None], self.supersample)
        return pooled[0].permute(1, 2, 0).numpy()


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
