"""What the camera sees of the mesh: a depth map at a scale fixed to the face, compared and eroded with care."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..geometry.camera import crop_intrinsics, project
from ..images import smoothstep
from .shadow_map import depth_maps, percentage_closer

VIEW_SIDE = 640
"""Pixels of the depth map's longer side: about 0.4 mm each on a face, finer than the lids stand off the eyeballs."""
_MARGIN = 4.0
"""Empty depth-map pixels around the mesh."""
_BIAS_DM = 0.004
_MAX_SLOPE = 6.0
"""Tangent of the steepest angle for which the depth test is loosened."""
_JUMP_DM, _FAR_JUMP_DM = 0.04, 0.12
"""Steps between neighbouring depth pixels: no surface seen at less than 80° makes the first; the second is a nose
before a cheek, not the rim of a nostril."""
_BEHIND_PIXELS, _FAR_BEHIND_PIXELS = (0.0, 2.5), (1.0, 6.0)
"""Depth-map pixels behind such steps over which confidence rises from 0 to 1: the farther the surfaces, the more a
misfit of 1 % IOD moves one over the other."""
_BEFORE_PIXELS, _FAR_BEFORE_PIXELS = (0.0, 2.0), (0.5, 4.0)
"""The same on the outline's near side, which the photo shows up to a pixel or two."""
_LID_PIXELS = (0.0, 2.5)
"""The same between eyeball and lids, where there is less room."""


@dataclass(frozen=True)
class DepthView:
    """The mesh seen through the photo's camera, cropped to its bounds and scaled to `VIEW_SIDE`."""

    K: np.ndarray
    """(3, 3) of this view."""
    depth: np.ndarray
    """(h, w) float32 distance along the view axis in decimetres, inf where nothing is."""
    behind: np.ndarray
    """(h, w) float32 pixels to the nearest place where something stands in front."""
    far_behind: np.ndarray
    """The same where it stands far in front."""
    before: np.ndarray
    """(h, w) float32 pixels to the nearest place where the surface ends before something farther, or nothing."""
    far_before: np.ndarray
    """The same where that is far behind, or nothing."""
    eye_inside: np.ndarray
    """(h, w) float32 pixels that a visible eyeball pixel lies inside its opening; 0 elsewhere."""
    eye_outside: np.ndarray
    """(h, w) float32 pixels from the nearest visible eyeball pixel; 0 on it."""


def view_depth(vertices: np.ndarray, faces: np.ndarray, K: np.ndarray, eye_faces: np.ndarray) -> DepthView:
    """Draw the mesh, vertices (N, 3) camera frame in decimetres, and measure its outlines. eye_faces (F,) bool."""
    view_K, height, width = _crop_camera(vertices, K)
    points = torch.as_tensor(vertices, dtype=torch.float32)[None]
    triangles = torch.as_tensor(faces, dtype=torch.int64)
    matrix = torch.as_tensor(view_K, dtype=torch.float32)[None]
    depth, ids = (each[0].numpy() for each in depth_maps(points, triangles, matrix, height, width))
    is_eye = (ids >= 0) & np.asarray(eye_faces)[np.maximum(ids, 0)]
    hidden_by = np.where(ids >= 0, depth, 0) - _nearest(depth)
    return DepthView(
        K=view_K,
        depth=depth,
        behind=_distance(~(hidden_by > _JUMP_DM)),
        far_behind=_distance(~(hidden_by > _FAR_JUMP_DM)),
        before=_distance(depth + _JUMP_DM >= _farthest(depth)),
        far_before=_distance(depth + _FAR_JUMP_DM >= _farthest(depth)),
        eye_inside=_distance(is_eye),
        eye_outside=_distance(~is_eye),
    )


def unoccluded(view: DepthView, positions: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Share (M,) 0…1 of the four nearest depth pixels in front of which a point (M, 3) lies (percentage-closer
    filter).
    """
    x, y, distance = _to_view(view, positions)
    slope = np.clip(np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(cosine, 1e-3), 0, _MAX_SLOPE)
    limit = distance - _BIAS_DM - slope * distance / view.K[0, 0]
    arrays = (view.depth, x.astype(np.float64), y.astype(np.float64), limit)
    return percentage_closer(*(torch.as_tensor(array)[None] for array in arrays))[0].numpy()


def outline_weight(view: DepthView, positions: np.ndarray, on_eye: np.ndarray) -> np.ndarray:
    """Confidence (M,) 0…1 by distance from outlines; points on the eyeballs (`on_eye` (M,) bool) by that from the
    lids.
    """
    x, y, _ = _to_view(view, positions)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2).astype(np.int32)
    height, width = view.depth.shape
    columns, rows = np.clip(points[:, 0, 0], 0, width - 1), np.clip(points[:, 0, 1], 0, height - 1)
    skin = (
        smoothstep(view.behind[rows, columns], *_BEHIND_PIXELS)
        * smoothstep(view.far_behind[rows, columns], *_FAR_BEHIND_PIXELS)
        * smoothstep(view.before[rows, columns], *_BEFORE_PIXELS)
        * smoothstep(view.far_before[rows, columns], *_FAR_BEFORE_PIXELS)
        * smoothstep(view.eye_outside[rows, columns], *_LID_PIXELS)
    )
    return np.where(on_eye, smoothstep(view.eye_inside[rows, columns], *_LID_PIXELS), skin)


def project_points(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Camera-frame points (M, 3) → photo pixels (M, 2) float32 by K (3, 3)."""
    cast = [torch.as_tensor(np.asarray(array, np.float32))[None] for array in (points, K)]
    return project(*cast)[0].numpy()


def _crop_camera(vertices: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, int, int]:
    """A camera (3, 3) that sees just the mesh, and the height and width of its picture."""
    pixels = project_points(vertices, K)
    low, high = pixels.min(0), pixels.max(0)
    scale = VIEW_SIDE / float(max((high - low).max(), 1e-6))
    x0, y0 = (low - _MARGIN / scale).tolist()
    view_K = crop_intrinsics(torch.as_tensor(K, dtype=torch.float32), x0, y0, scale).numpy()
    width, height = np.ceil((high - low) * scale + 2 * _MARGIN).astype(int).tolist()
    return view_K, height, width


def _nearest(depth: np.ndarray) -> np.ndarray:
    """(h, w): the nearest depth in each 3 × 3 block."""
    return cv2.erode(depth, np.ones((3, 3), np.uint8))


def _farthest(depth: np.ndarray) -> np.ndarray:
    """(h, w): the farthest depth in each 3 × 3 block."""
    return cv2.dilate(depth, np.ones((3, 3), np.uint8))


def _distance(inside: np.ndarray) -> np.ndarray:
    """Pixels (h, w) to the nearest False."""
    if inside.all():
        return np.full(inside.shape, np.float32(max(inside.shape)))
    if not inside.any():
        return np.zeros(inside.shape, np.float32)
    return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)


def _to_view(view: DepthView, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column, row and distance (M,) of camera-frame points in the depth map."""
    x, y = project_points(positions, view.K).T
    return x, y, -positions[:, 2]
