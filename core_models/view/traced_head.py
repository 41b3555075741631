"""Pictures of a finished `Reconstruction`, made from its arrays alone, through the photo's camera or another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..colour import srgb_to_linear
from ..geometry.camera import to_camera
from ..geometry.mesh import twins
from ..reconstruction import Reconstruction
from ..render.lighting import shade
from ..render.trace import CameraMesh, Trace
from .framing import View

CLAY_LINEAR = 0.4
_DECIMETRES = 10.0

Texture = Literal["uv", "vertex", "clay"]
LightFunction = Callable[[Trace], torch.Tensor]
"""Trace → (P, 3): the RGB that each sample of a white surface would show."""
Light = Literal["image", "sh"] | LightFunction | None


@dataclass(frozen=True)
class Picture:
    """A render, premultiplied: the mean over each pixel's samples, empty ones counting as black."""

    linear: np.ndarray
    """(H, W, 3) float32, linear Rec.709."""
    coverage: np.ndarray
    """(H, W) float32, share of the samples that hit the head."""

    def over(self, background_linear: np.ndarray) -> np.ndarray:
        """(H, W, 3): this picture laid over a linear background, (H, W, 3) or one colour (3,)."""
        return self.linear + (1.0 - self.coverage[..., None]) * background_linear


@dataclass(frozen=True, eq=False)
class TracedHead:
    """A result seen in a view: traced once, shaded as often as needed."""

    reconstruction: Reconstruction
    trace: Trace

    @classmethod
    def of(cls, reconstruction: Reconstruction, view: View, supersample: int = 2) -> TracedHead:
        """Trace the head with `supersample`² samples a pixel."""
        mesh = _camera_mesh(reconstruction, view)
        return cls(reconstruction, Trace.of(mesh, view.height, view.width, supersample))

    @torch.no_grad()
    def picture(
        self, texture: Texture = "uv", light: Light = "image", without: Collection[str] = ()
    ) -> Picture:
        """Shade the head.

        Args:
            texture: the UV images, the vertex colours, or grey clay.
            light: the stored shading ("image"), the stored spherical harmonics alone ("sh"), a function of the
                trace, or None for the bare albedo. Clay has no stored shading of its own.
            without: names of face regions to leave empty.
        """
        colour = self._colour(texture, with_shading=light == "image")
        if light == "sh":
            colour = colour * shade(self.trace.normals, torch.from_numpy(self.reconstruction.sh))
        elif callable(light):
            colour = colour * light(self.trace)
        kept = 1.0 - self.trace.in_regions(without)
        return Picture(self.trace.sums(colour * kept), self.trace.sums(kept)[..., 0])

    def region_share(self, names: Collection[str]) -> np.ndarray:
        """(H, W): share of each pixel's samples that see one of the named face regions."""
        return self.trace.share(names)

    def _colour(self, texture: Texture, with_shading: bool) -> torch.Tensor:
        source = self.reconstruction
        if texture == "uv":
            image = srgb_to_linear(torch.from_numpy(source.albedo_srgb))
            if with_shading:
                image = image * torch.from_numpy(source.shading_linear.astype(np.float32))
            return self.trace.texture(image)
        if texture == "vertex":
            colours = source.vertex_albedo_linear
            if with_shading:
                colours = colours * source.vertex_shading_linear
            return self.trace.interpolate(colours)
        if with_shading:
            raise ValueError("clay has no stored shading: give it a light")
        return torch.full((len(self.trace.triangle), 3), CLAY_LINEAR)


def _camera_mesh(reconstruction: Reconstruction, view: View) -> CameraMesh:
    vertices = torch.from_numpy(reconstruction.vertices)[None] * _DECIMETRES
    rotation = torch.from_numpy(view.rotation).to(torch.float32)[None]
    translation = torch.from_numpy(view.translation).to(torch.float32)[None] * _DECIMETRES
    return CameraMesh(
        vertices=to_camera(vertices, rotation, translation)[0].numpy(),
        faces=reconstruction.faces,
        uv=reconstruction.uv,
        face_region=reconstruction.face_region,
        region_names=tuple(str(name) for name in reconstruction.region_names),
        K=view.K.astype(np.float32),
        twin=twins(reconstruction.vertices),
    )
