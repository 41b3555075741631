"""Where each texel lies in the photo, and how far the photo can be believed there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..images import sample_bilinear, smoothstep
from ..render.visibility import DepthView, outline_weight, project_points, unoccluded
from .atlas import Atlas

GRAZING_COSINES = (0.08, 0.30)
"""Between these cosines to the line of sight confidence rises from 0 to 1: beyond 72° a pixel covers 3 texels or
more."""
SLIVER = 0.014
"""Of the texture's side, about 4 mm."""
_PHOTO_BORDER = 2.0
"""Pixels at the photo's own edge over which confidence fades."""


@dataclass(frozen=True)
class SurfacePoints:
    """Geometry of M surface points (an atlas's texels), camera frame."""

    positions: np.ndarray
    """(M, 3) decimetres."""
    normals: np.ndarray
    """(M, 3) unit."""
    pixels: np.ndarray
    """(M, 2) photo pixels from the top-left corner."""
    footprint: np.ndarray
    """(M,) side in photo pixels of the square that one texel covers there."""
    cosine: np.ndarray
    """(M,) between the normal and the direction to the camera; negative when turned away."""
    region: np.ndarray
    """(M,) uint8 index into the model's region names."""


def place_texels(
    atlas: Atlas,
    vertices: np.ndarray,
    normals: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    face_region: np.ndarray,
    K: np.ndarray,
) -> SurfacePoints:
    """Interpolate the mesh at the texels and project it.

    vertices (N, 3) in decimetres and unit normals (N, 3) in the camera frame, faces (F, 3), uv (N, 2), face_region
    (F,), K (3, 3).
    """
    positions = atlas.weights @ vertices.astype(np.float32)
    smooth = atlas.weights @ normals.astype(np.float32)
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-9)
    to_camera = -positions / np.maximum(np.linalg.norm(positions, axis=1, keepdims=True), 1e-9)
    return SurfacePoints(
        positions=positions,
        normals=smooth,
        pixels=project_points(positions, K),
        footprint=texel_footprint(atlas, project_points(vertices, K), faces, uv),
        cosine=(smooth * to_camera).sum(1),
        region=np.asarray(face_region)[atlas.triangles],
    )


def texel_footprint(atlas: Atlas, vertex_pixels: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Side (M,) in photo pixels of a texel: √(photo area ÷ texture area), averaged around each vertex, interpolated."""
    photo_area = _double_areas(vertex_pixels[faces])
    texture_area = _double_areas(np.asarray(uv)[faces] * atlas.size)
    count = len(vertex_pixels)
    around = [
        np.bincount(faces.ravel(), np.repeat(area, 3), minlength=count) for area in (photo_area, texture_area)
    ]
    side = np.sqrt(around[0] / np.maximum(around[1], 1e-12)).astype(np.float32)
    return atlas.weights @ side


def see_texels(
    surface: SurfacePoints, view: DepthView, face_mask: np.ndarray, eye_regions: tuple[int, ...]
) -> np.ndarray:
    """Confidence (M,) 0…1 that the photo shows each texel: unoccluded, facing the camera, inside the face mask (H,
    W), and away from outlines, where a small misfit would paint what lies behind.
    """
    x, y = surface.pixels.T
    height, width = face_mask.shape
    inside = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y))
    return (
        unoccluded(view, surface.positions, surface.cosine)
        * outline_weight(view, surface.positions, np.isin(surface.region, eye_regions))
        * smoothstep(surface.cosine, *GRAZING_COSINES)
        * smoothstep(inside, 0.0, _PHOTO_BORDER)
        * np.clip(sample_bilinear(face_mask, x, y), 0.0, 1.0)
    ).astype(np.float32)


def drop_slivers(atlas: Atlas, confidence: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Confidence (M,) without strips narrower than `SLIVER` (grey-scale opening), but where `keep` (M,) bool.

    Such strips lie between two occluders, like the skin below a jaw before the neck: they show little, and that little
    is what stands beside them.
    """
    width = max(1, round(SLIVER * atlas.size))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    opened = cv2.morphologyEx(atlas.image(confidence), cv2.MORPH_OPEN, disc)
    return np.where(keep, confidence, np.minimum(confidence, atlas.gather(opened)))


def _double_areas(triangles: np.ndarray) -> np.ndarray:
    """Twice the area (F,) of plane triangles (F, 3, 2)."""
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
