"""Where FaceMesh's landmarks and the face's regions lie on a model that knows neither: its mean is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from skimage.measure import points_in_poly

from ..geometry.closest import closest_places
from ..geometry.mesh import vertex_normals
from ..geometry.patch import border_loops
from ..geometry.rotation import rotation_y
from ..landmarks import (
    FACE_OVAL,
    INNER_LIPS,
    LIPS,
    LOWER_INNER_LIP,
    MESH_COUNT,
    RIGHT_BROW,
    RIGHT_EYE,
    UPPER_INNER_LIP,
)
from ..render.interpolate import barycentrics
from ..render.rasterize import rasterize
from .default import load_default_cage
from .portrait import Studio, portrait

FindLandmarks = Callable[[np.ndarray], "np.ndarray | None"]
"""(H, W, 3) uint8 sRGB → (478, 2) pixels of the largest face; None where there is none."""
REGIONS = ("skin", "lips", "brows", "eyes", "mouth", "rim")
_YAWS_DEGREES = (0.0, -30.0, 30.0)
_SIZE = 768
_MARGIN = 1.2
_LEAST_COSINE = 0.1
_MOST_UNLIKE_DM, _SCALES = 0.08, (0.75, 1.3)
"""Distance of landmarks from the embedded face's, and their size beside its: beyond (median), it is no face in dm."""
_NEIGHBOURS_DM = 0.2
_ROUNDS = 5
_BESIDE_DM, _LEAST_LANDMARKS = 0.06, 300
"""Landmarks farther from the mesh lie beyond its border; so many must lie on it."""
_SLIT_DM = 0.3
_REACH_DM = 0.4
"""From the nearest landmark; beyond it begins the back of the head."""
_AWAY = -0.3
"""Cosine to the front of the backs of ears and the insides of nostrils, which are no skin to judge the light by."""


@dataclass(frozen=True)
class Correspondence:
    """Landmarks on a mesh. The irises' are left out, for such models' eyes do not turn, and those beyond its border."""

    ids: np.ndarray
    """(L,) numbers among FaceMesh's"""
    triangles: np.ndarray
    """(L,) index"""
    weights: np.ndarray
    """(L, 3) barycentric"""
    face_region: np.ndarray
    """(F,) index into REGIONS"""


def find_correspondence(
    mean: np.ndarray, albedo_linear: np.ndarray, faces: np.ndarray, find: FindLandmarks
) -> Correspondence | None:
    """Landmarks and regions of a mean face (N, 3) dm with linear albedo (N, 3) and one patch of faces (F, 3).

    None where no face is seen, or one whose landmarks do not lie as a face's do.
    """
    points = _seen_landmarks(mean, albedo_linear, faces, find)
    if points is None:
        return None
    cage = load_default_cage()
    points = (points + points[cage.mirror[: len(points)]] * [-1.0, 1.0, 1.0]) / 2
    usual = _laid_over(cage.mean[: len(points)], points)
    if usual is None:
        return None
    points = _on_slit(_plausible(points, usual), mean, border_loops(faces)[1:])
    triangles, weights = closest_places(points, mean, faces)
    beside = np.linalg.norm(np.einsum("lv,lvc->lc", weights, mean[faces[triangles]]) - points, axis=1)
    ids = np.flatnonzero(beside < _BESIDE_DM)
    if len(ids) < _LEAST_LANDMARKS:
        return None
    region = _regions(points, cage.mirror, mean[faces])
    return Correspondence(ids, triangles[ids], weights[ids], region)


def _seen_landmarks(
    mean: np.ndarray, albedo_linear: np.ndarray, faces: np.ndarray, find: FindLandmarks
) -> np.ndarray | None:
    """Places (468, 3) under the landmarks, from views that see them more or less from the front."""
    low, high = mean.min(0), mean.max(0)
    centre = (*((low + high) / 2)[:2].tolist(), float(high[2]) - 0.8)
    studio = Studio(size=_SIZE, width=_MARGIN * float((high - low)[:2].max()), centre=centre)
    normals = vertex_normals(torch.as_tensor(mean, dtype=torch.float32)[None], torch.as_tensor(faces))[
        0
    ].numpy()
    total, places = np.zeros(MESH_COUNT), np.zeros((MESH_COUNT, 3))
    for yaw in np.radians(_YAWS_DEGREES):
        turn = rotation_y(yaw)
        picture = portrait(
            torch.as_tensor(mean), torch.as_tensor(faces), torch.as_tensor(albedo_linear), turn, studio
        )
        pixels = find(picture)
        if pixels is None:
            continue
        corners, weights, aside = _under(pixels[: len(total)], mean, faces, turn, studio)
        found = np.einsum("pv,pvc->pc", weights, mean[corners]) + aside
        facing = np.einsum("pv,pvc,c->p", weights, normals[corners], turn[2])
        trust = np.maximum(facing, _LEAST_COSINE) ** 2
        total += trust
        places += trust[:, None] * found
    return places / total[:, None] if total.all() else None


def _under(
    pixels: np.ndarray, mean: np.ndarray, faces: np.ndarray, turn: np.ndarray, studio: Studio
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners (P, 3) and weights (P, 3) of what the picture shows at `pixels` (P, 2), or nearest to them; and the way
    (P, 3) from there to the pixel, across the view.
    """
    placed, K = studio.place(torch.as_tensor(mean, dtype=torch.float32), turn)
    triangles = torch.as_tensor(faces)
    ids = rasterize(placed, triangles, K, studio.size, studio.size)
    weights = barycentrics(placed, triangles, K, ids)[0].numpy()
    rows, columns = np.nonzero(ids[0].numpy() >= 0)
    nearest = cKDTree(np.stack([columns, rows], axis=1) + 0.5).query(pixels)[1]
    rows, columns = rows[nearest], columns[nearest]
    corners, chosen = faces[ids[0].numpy()[rows, columns]], weights[rows, columns]
    depth = -np.einsum("pv,pv->p", chosen, placed[0, :, 2].numpy()[corners])
    across = (pixels - np.stack([columns, rows], axis=1) - 0.5) * (depth / float(K[0, 0, 0]))[:, None]
    return corners, chosen, across * [1.0, -1.0] @ turn[:2]


def _laid_over(usual: np.ndarray, points: np.ndarray) -> np.ndarray | None:
    """The embedded face's landmarks (468, 3) laid over `points`, by a similarity; None where that needs too much."""
    trust = np.ones(len(points))
    for _ in range(_ROUNDS):
        here, there = (values - np.average(values, axis=0, weights=trust) for values in (usual, points))
        left, sizes, right = np.linalg.svd((trust[:, None] * here).T @ there)
        turn = left @ right
        scale = sizes.sum() / (trust[:, None] * here**2).sum()
        laid = scale * here @ turn + np.average(points, axis=0, weights=trust)
        unlike = np.linalg.norm(laid - points, axis=1)
        trust = 1 / (1 + (unlike / _MOST_UNLIKE_DM) ** 2)
    usable = _SCALES[0] < scale < _SCALES[1] and turn.trace() > 2.5 and np.median(unlike) < _MOST_UNLIKE_DM
    return laid if usable else None


def _plausible(points: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Landmarks (468, 3), those that leave `usual` (468, 3) otherwise than their neighbours do following these: at
    the outline a pixel decides between cheek and neck.
    """
    apart, leave = cdist(usual, usual), points - usual
    trust = 1 / (1 + (np.linalg.norm(leave, axis=1) / _MOST_UNLIKE_DM) ** 2)
    weights = np.exp(-((apart / _NEIGHBOURS_DM) ** 2) / 2) * trust**2
    around = weights @ leave / weights.sum(1, keepdims=True)
    odd = np.linalg.norm(leave - around, axis=1) > _MOST_UNLIKE_DM
    return usual + np.where(odd[:, None], around, leave)


def _on_slit(points: np.ndarray, mean: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """Landmarks of the inner lips put onto the edges of the slit between them, if there is one: each lip to its own."""
    lips = points[INNER_LIPS].mean(0)
    near = [hole for hole in holes if np.linalg.norm(mean[hole].mean(0) - lips) < _SLIT_DM]
    if not near:
        return points
    hole = max(near, key=len)
    loop = np.roll(hole, -int(mean[hole, 0].argmin()))
    half = int(mean[loop, 0].argmax())
    # With the surface on its left the border goes from the subject's right corner over the upper lip.
    edges = loop[: half + 1], np.append(loop[half:], loop[0])
    result = points.copy()
    for landmarks, edge in zip((UPPER_INNER_LIP, LOWER_INNER_LIP), edges, strict=True):
        for landmark in landmarks:
            result[landmark] = mean[edge[np.abs(mean[edge, 0] - points[landmark, 0]).argmin()]]
    result[INNER_LIPS[0]], result[INNER_LIPS[10]] = mean[loop[0]], mean[loop[half]]
    return result


def _regions(points: np.ndarray, mirror: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Region (F,) of triangles (F, 3, 3): by outlines of landmarks (468, 3) seen from the front."""
    middles = corners.mean(1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = normals[:, 2] > _AWAY * np.linalg.norm(normals, axis=1)
    in_front = cKDTree(points).query(middles)[0] < _REACH_DM

    def within(outline: np.ndarray) -> np.ndarray:
        return in_front & points_in_poly(middles[:, :2], points[outline, :2])

    def on_both_sides(outline: np.ndarray) -> np.ndarray:
        return within(outline) | within(mirror[outline])

    region = np.full(len(middles), REGIONS.index("rim"))
    for name, inside in (
        ("skin", within(FACE_OVAL) & facing),
        ("brows", on_both_sides(RIGHT_BROW)),
        ("lips", within(LIPS)),
        ("mouth", within(INNER_LIPS)),
        ("eyes", on_both_sides(RIGHT_EYE)),
    ):
        region[inside] = REGIONS.index(name)
    return region
