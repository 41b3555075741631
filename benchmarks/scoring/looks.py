"""The truth of a specimen, the program's result, and the two baselines, as shapes with paint on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ...core_models.colour import srgb_to_linear
from ...core_models.morphable.model import MorphableModel
from ...core_models.reconstruction import Reconstruction
from ...core_models.render.trace import CameraMesh, Trace
from ...core_models.texture.atlas import Atlas, build_atlas
from ...core_models.units import DM_PER_METRE
from .frame import project

if TYPE_CHECKING:
    from ..specimens.specimen import Specimen

SKIN = ("skin", "lips", "brows")
"""Regions of the face's own outside, which are scored together."""
EYES = ("eyes",)
METHODS = ("program", "mean", "photo")
"""The result; the model's mean albedo; the unwrapped photo as it is."""
_LARGEST_TEXTURE = 1024
"""Texels; a sample of the scored pictures is not smaller than a texel of that."""
_BASELINE_TEXTURE = 512


@dataclass(frozen=True, eq=False)
class Paint:
    """Albedo on a mesh, linear."""

    texture: np.ndarray
    """(S, S, 3) float32, continued outside the layout."""
    at_vertices: np.ndarray
    """(N, 3) float32."""

    def samples(self, trace: Trace, kind: str) -> torch.Tensor:
        """(P, 3) at a trace's samples; kind is "uv" or "vertex"."""
        return trace.texture(self.texture) if kind == "uv" else trace.interpolate(self.at_vertices)


KINDS = ("uv", "vertex")


def true_shape(specimen: Specimen) -> CameraMesh:
    """The head as it was photographed."""
    vertices = specimen.vertices @ specimen.rotation.T + specimen.translation
    return CameraMesh(
        vertices.astype(np.float32),
        specimen.faces,
        np.asarray(specimen.uv, np.float32),
        specimen.face_region,
        tuple(str(name) for name in specimen.region_names),
        np.asarray(specimen.K, np.float64),
    )


def result_shape(result: Reconstruction) -> CameraMesh:
    """The head as it was reconstructed."""
    vertices = (result.vertices @ result.rotation.T + result.translation) * DM_PER_METRE
    names = tuple(str(name) for name in result.region_names)
    return CameraMesh(
        vertices, result.faces, result.uv, result.face_region, names, result.K.astype(np.float64)
    )


def result_paints(result: Reconstruction, shape: CameraMesh, model: MorphableModel) -> dict[str, Paint]:
    """By method: what each takes for the albedo of the reconstructed mesh."""
    return {
        "program": Paint(_reduced(srgb_to_linear(result.albedo_srgb)), result.vertex_albedo_linear),
        "mean": mean_paint(model),
        "photo": photo_paint(result, shape),
    }


@cache
def mean_paint(model: MorphableModel) -> Paint:
    """The model's mean albedo."""
    atlas = build_atlas(model.uv.numpy(), model.faces.numpy(), _BASELINE_TEXTURE)
    colours = model.albedo_mean.float().numpy()
    return Paint(spread(atlas, (atlas.weights @ colours).astype(np.float32)), colours)


def photo_paint(result: Reconstruction, shape: CameraMesh) -> Paint:
    """The photo itself where it shows the head, albedo × shading of the result elsewhere."""
    size = min(len(result.albedo_srgb), _LARGEST_TEXTURE)
    albedo, shading, confidence = (
        cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        for image in (
            srgb_to_linear(result.albedo_srgb),
            result.shading_linear.astype(np.float32),
            result.confidence.astype(np.float32) / 255,
        )
    )
    atlas = _atlas(shape, size)
    seen = atlas.gather(confidence)[:, None]
    filled = atlas.gather(albedo * shading)
    texels = seen * _photo_at(result, atlas.weights @ shape.vertices, shape.K) + (1 - seen) * filled
    seen = result.vertex_confidence[:, None]
    filled = result.vertex_albedo_linear * result.vertex_shading_linear
    vertices = seen * _photo_at(result, shape.vertices, shape.K) + (1 - seen) * filled
    return Paint(spread(atlas, texels.astype(np.float32)), vertices.astype(np.float32))


def _photo_at(result: Reconstruction, points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Linear colours (M, 3) of the stored photo where it shows points (M, 3)."""
    height, width = result.photo_srgb.shape[:2]
    pixels = project(points, K) * (width / result.image_size[0], height / result.image_size[1]) - 0.5
    rows = -(-len(pixels) // 4096)  # remap takes no longer rows than a picture's
    grid = np.zeros((rows * 4096, 2), np.float32)
    grid[: len(pixels)] = pixels
    x, y = grid.reshape(rows, 4096, 2).transpose(2, 0, 1)
    photo = srgb_to_linear(result.photo_srgb)
    sampled = cv2.remap(photo, x.copy(), y.copy(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled.reshape(-1, 3)[: len(pixels)]


_ATLASES: dict[tuple[bytes, int], Atlas] = {}


def _atlas(shape: CameraMesh, size: int) -> Atlas:
    """The mesh's layout at a size; it is the same for every photo."""
    return layout_atlas(shape.uv, shape.faces, size)


def layout_atlas(uv: np.ndarray, faces: np.ndarray, size: int) -> Atlas:
    """`build_atlas`, remembered."""
    key = (np.ascontiguousarray(uv, np.float32).tobytes(), size)
    if key not in _ATLASES:
        _ATLASES[key] = build_atlas(uv, faces, size)
    return _ATLASES[key]


def spread(atlas: Atlas, values: np.ndarray) -> np.ndarray:
    """An image of texel values (M, 3), a few texels continued outside the layout so that look-ups do not bleed."""
    image, covered = atlas.image(values), atlas.covered().astype(np.float32)
    sums = cv2.blur(np.concatenate([image, covered[..., None]], axis=-1), (5, 5))
    around = sums[..., :3] / np.maximum(sums[..., 3:], 1e-6)
    return np.where(covered[..., None] > 0, image, around)


def _reduced(image: np.ndarray) -> np.ndarray:
    size = min(len(image), _LARGEST_TEXTURE)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
