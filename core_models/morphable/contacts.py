"""Sheets of the default model that touch but must not cross (lids, lips, eyeballs), and how deep they do (mm).

Two sheets cross where an edge of one pierces a triangle of the other. From there the depth is that of the vertices
behind the other sheet's surface, as far as they hang together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from . import eyes
from .default import LEVELS, DefaultCage
from .parts import Opening, mouth_opening, right_eye_opening
from .subdivision import subdivide

_NEAR_MM = 2.5
"""Triangles further apart than this, centre to centre, are not tested against each other."""
_FLESH_MM = 4.0
"""What is further from a sheet is not in its flesh."""


@dataclass(frozen=True)
class Contacts:
    """Dense triangles (F, 3) and vertex numbers of the parts that may touch; right before left, upper before lower."""

    lids: tuple[tuple[np.ndarray, np.ndarray], ...]
    lips: tuple[np.ndarray, np.ndarray]
    around_eyes: tuple[np.ndarray, ...]
    """Vertices of skin and pocket about each eyeball."""
    balls: tuple[np.ndarray, ...]
    faces: np.ndarray
    """All triangles of the face without eyeballs."""


def find_contacts(cage: DefaultCage, n_vertices: int) -> Contacts:
    """The parts of the dense model of `n_vertices` that is made from `cage`."""
    fine = subdivide(cage.faces, len(cage.mean), LEVELS)
    n_face = fine.matrix.shape[0]
    half = (n_vertices - n_face) // 2
    right = right_eye_opening(fine, cage.faces, cage.eye_rings[0])
    eyelids = (right, right.mirrored(fine.mirror(cage.mirror)))
    mouth = mouth_opening(fine, cage.faces, cage.mouth_rings)

    def sheets(opening: Opening) -> tuple[np.ndarray, np.ndarray]:
        upper, lower = (fine.faces[np.isin(fine.faces, part).all(1)] for part in (opening.upper, opening.lower))
        return upper, lower

    return Contacts(
        lids=(sheets(eyelids[0]), sheets(eyelids[1])),
        lips=sheets(mouth),
        around_eyes=tuple(np.unique(np.concatenate([eye.upper, eye.lower, eye.inside])) for eye in eyelids),
        balls=tuple(n_face + side * half + np.arange(half) for side in range(2)),
        faces=fine.faces,
    )


def crossings(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges (K, 2) of triangles `first` (F, 3) that pierce triangles (K,) of `second`, which share no vertex."""
    corners = points[second]
    centres = corners.mean(1)
    radius = np.linalg.norm(corners - centres[:, None], axis=2).max()
    edges = np.unique(np.sort(_half_edges(first), axis=1), axis=0)
    middles = points[edges].mean(1)
    reach = min(np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1).max() / 2 + radius, _NEAR_MM)
    near = cKDTree(middles).sparse_distance_matrix(cKDTree(centres), reach, output_type="ndarray")
    edge, triangle = edges[near["i"]], second[near["j"]]
    apart = ~((triangle == edge[:, :1]) | (triangle == edge[:, 1:])).any(1)
    edge, triangle, index = edge[apart], triangle[apart], near["j"][apart]
    start, along = points[edge[:, 0]], points[edge[:, 1]] - points[edge[:, 0]]
    origin = points[triangle[:, 0]]
    u, v = points[triangle[:, 1]] - origin, points[triangle[:, 2]] - origin
    # Möller & Trumbore 1997.
    across = np.cross(along, v)
    scale = (u * across).sum(1)
    scale = np.where(np.abs(scale) < 1e-12, 1e-12, scale)
    arm = start - origin
    a = (arm * across).sum(1) / scale
    turned = np.cross(arm, u)
    b = (along * turned).sum(1) / scale
    t = (v * turned).sum(1) / scale
    hit = (a >= 0) & (b >= 0) & (a + b <= 1) & (t > 0) & (t < 1)
    return edge[hit], index[hit]


def crossing_depth(points: np.ndarray, normals: np.ndarray, sheets: tuple[np.ndarray, np.ndarray]) -> float:
    """Largest depth of one of two sheets (F, 3) behind the other, 0 where they do not cross; unit of `points`."""
    depth = 0.0
    for first, second in (sheets, sheets[::-1]):
        edges, _ = crossings(points, first, second)
        if len(edges):
            depth = max(depth, _depth_behind(points, normals, first, second, edges))
    return depth


def _depth_behind(
    points: np.ndarray, normals: np.ndarray, first: np.ndarray, second: np.ndarray, piercing: np.ndarray
) -> float:
    own, other = np.unique(first), np.unique(second)
    distance, index = cKDTree(points[other]).query(points[own])
    nearest = other[index]
    behind = np.zeros(len(points))
    # Past the other sheet's border "behind" says nothing.
    known = (distance < _FLESH_MM) & ~np.isin(nearest, _border(second))
    behind[own] = -((points[own] - points[nearest]) * normals[nearest]).sum(1) * known
    inside = np.flatnonzero(behind > 0)
    pairs = _half_edges(first)
    pairs = pairs[(behind[pairs] > 0).all(1)]
    graph = sp.coo_matrix((np.ones(len(pairs)), pairs.T), (len(points), len(points)))
    _, label = connected_components(graph, directed=False)
    seeds = np.intersect1d(piercing, inside)
    deep = inside[np.isin(label[inside], label[seeds])]
    return float(behind[deep].max(initial=0.0))


def _half_edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def _border(faces: np.ndarray) -> np.ndarray:
    edges, count = np.unique(np.sort(_half_edges(faces), axis=1), axis=0, return_counts=True)
    return np.unique(edges[count == 1])


def ball_clearance(points: np.ndarray, around: np.ndarray, ball: np.ndarray) -> np.ndarray:
    """Distance (K,) of vertices `around` to the surface of the eyeball `ball`, negative inside; millimetres.

    The eyeball is a sphere with a cornea where its first vertex, the pole, points to.
    """
    axis = points[ball[0]] - points[ball[-eyes.N_SEGMENTS :]].mean(0)
    axis = axis / np.linalg.norm(axis)
    arm = points[around] - (points[ball[0]] - axis * (eyes.RADIUS_MM + eyes.CORNEA_BULGE_MM))
    distance = np.linalg.norm(arm, axis=1)
    polar = np.arccos(np.clip(arm @ axis / distance, -1, 1))
    return distance - eyes.surface_radius(polar)
