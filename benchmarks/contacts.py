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

from semblance.core_models.geometry.subdivision import subdivide
from semblance.core_models.landmarks import RIGHT_LOWER_LID, RIGHT_UPPER_LID
from semblance.core_models.morphable import eyeballs
from semblance.core_models.morphable.blinks import blink_share
from semblance.core_models.morphable.default import LEVELS, DefaultCage, dense_data
from semblance.core_models.morphable.parts import Opening, mouth_opening, right_eye_opening
from semblance.core_models.units import MM_PER_DM

_NEAR_MM = 2.5
"""Triangles further apart than this, centre to centre, are not tested against each other."""
_ENCLOSED = 0.3
"""Winding number from which a point counts as inside a sheet; half a turn is lost to the opening at its back."""
_FLESH_MM = 4.0
"""What is further from a sheet is not in its flesh."""
_SUBNASALE, _NOSE_MM = 2, 20.0
"""The landmark between nostrils and lip, and the radius about it in which both nostrils lie."""


@dataclass(frozen=True)
class Depths:
    """How deep parts are inside each other, mm; negative: apart."""

    lids_in_eyeballs: float
    upper_in_lower_lid: float
    upper_in_lower_lip: float
    nose_in_itself: float
    """Longest edge about the nostrils that pierces the nose; 0 where none does."""

    @property
    def worst(self) -> float:
        """The largest of them."""
        return max(
            self.lids_in_eyeballs, self.upper_in_lower_lid, self.upper_in_lower_lip, self.nose_in_itself
        )


class ContactModel:
    """The vertices of the default model about eyes and mouth, in mm, with their modes and what may touch there."""

    def __init__(self, cage: DefaultCage) -> None:
        data = dense_data(cage)
        fine = subdivide(cage.faces, len(cage.mean), LEVELS)
        right = right_eye_opening(fine, cage.faces, cage.eye_rings[0])
        eyelids = (right, right.mirrored(fine.mirror(cage.mirror)))
        mouth = mouth_opening(fine, cage.faces, cage.mouth_rings)
        half = len(eyeballs.build_eyeballs().offsets) // 2
        balls = [fine.matrix.shape[0] + side * half + np.arange(half) for side in range(2)]
        around = [_about(opening) for opening in (*eyelids, mouth)]
        centres = data.mean[fine.faces].mean(1) - data.mean[_SUBNASALE]
        nose = fine.faces[np.linalg.norm(centres, axis=1) * MM_PER_DM < _NOSE_MM]
        kept = np.unique(np.concatenate([*around, *balls, nose.ravel()]))
        place = np.full(len(data.mean), -1)
        place[kept] = np.arange(len(kept))

        def sheets(opening: Opening) -> tuple[np.ndarray, np.ndarray]:
            return tuple(place[_within(fine.faces, part)] for part in (opening.upper, opening.lower))

        self.names = data.expression_names
        self.mean, self.identity, self.expression = (
            values[..., kept, :] * MM_PER_DM
            for values in (data.mean, data.identity_basis, data.expression_basis)
        )
        margins = np.concatenate([RIGHT_UPPER_LID, RIGHT_LOWER_LID])
        self.lid_landmarks = [place[margins], place[cage.mirror[margins]]]
        self.faces = place[_within(fine.faces, kept)]
        self.nose = place[nose]
        self.lids, self.lips = [sheets(eye) for eye in eyelids], sheets(mouth)
        self.around, self.balls = [place[one] for one in around[:2]], [place[ball] for ball in balls]
        self.edges = [(place[eye.upper_edge], place[eye.lower_edge]) for eye in eyelids]

    def points(self, weights: dict[str, float], identity: np.ndarray | None = None) -> np.ndarray:
        """Positions (n, 3) mm with expressions by name (without a side: both) and identity coefficients (80,)."""
        neutral = self.mean
        if identity is not None:
            neutral = neutral + np.tensordot(identity, self.identity, 1)
        result = neutral.copy()
        for name, weight in weights.items():
            for k, each in enumerate(self.names):
                if each in (name, name + "Left", name + "Right"):
                    result += weight * self._share(each, neutral) * self.expression[k]
        return result

    def _share(self, name: str, neutral: np.ndarray) -> np.ndarray | float:
        if not name.startswith("eyeBlink"):
            return 1.0
        lids = self.lid_landmarks[name.endswith("Left")]
        return blink_share(self.mean[:, 0], self.mean[lids], neutral[lids])[:, None]

    def depths(self, points: np.ndarray) -> Depths:
        """Of the shape with `points` (n, 3)."""
        normals = _vertex_normals(points, self.faces)
        clearance = [
            ball_clearance(points, around, ball).min()
            for around, ball in zip(self.around, self.balls, strict=True)
        ]
        lids = [crossing_depth(points, normals, lid) for lid in self.lids]
        piercing, _ = crossings(points, self.nose, self.nose)
        length = np.linalg.norm(points[piercing[:, 0]] - points[piercing[:, 1]], axis=1).max(initial=0.0)
        return Depths(-min(clearance), max(lids), crossing_depth(points, normals, self.lips), float(length))


def _about(opening: Opening) -> np.ndarray:
    return np.unique(np.concatenate([opening.upper, opening.lower, opening.inside]))


def _within(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    return faces[np.isin(faces, vertices).all(1)]


def _vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    normal = np.zeros_like(points)
    for k in range(3):
        np.add.at(normal, faces[:, k], np.cross(b - a, c - a))
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def crossings(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges (K, 2) of triangles `first` (F, 3) that pierce triangles (K,) of `second`, which share no vertex."""
    corners = points[second]
    centres = corners.mean(1)
    edges = np.unique(np.sort(_half_edges(first), axis=1), axis=0)
    radius = np.linalg.norm(corners - centres[:, None], axis=2).max(1)
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    reach = min(length.max() / 2 + radius.max(), _NEAR_MM)
    middles = cKDTree(points[edges].mean(1))
    near = middles.sparse_distance_matrix(cKDTree(centres), reach, output_type="ndarray")
    near = near[near["v"] <= length[near["i"]] / 2 + radius[near["j"]]]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    edge, index = edges[near["i"]], near["j"]
    sides = [((points[end] - centres[index]) * across[index]).sum(1) for end in edge.T]
    through = (sides[0] * sides[1] < 0) & (second[index][:, :, None] != edge[:, None]).all((1, 2))
    edge, index = edge[through], index[through]
    share = sides[0][through] / (sides[0] - sides[1])[through]
    at = points[edge[:, 0]] + share[:, None] * (points[edge[:, 1]] - points[edge[:, 0]])
    inside = np.ones(len(edge), bool)
    for k in range(3):
        start, end = corners[index, k], corners[index, (k + 1) % 3]
        inside &= (np.cross(end - start, at - start) * across[index]).sum(1) >= 0
    return edge[inside], index[inside]


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
    deepest_first = deep[np.argsort(-behind[deep])]
    # A crumpled sheet's normals mislead.
    for some in np.array_split(deepest_first, len(deepest_first) // 32 + 1):
        enclosed = some[winding(points[some], points[second]) > _ENCLOSED]
        if len(enclosed):
            return float(behind[enclosed[0]])
    return 0.0


def winding(at: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """How often (K,) triangles with `corners` (F, 3, 3) wind about points `at` (K, 3): 1 inside a closed surface.

    Solid angles after van Oosterom & Strackee 1983.
    """
    a, b, c = np.moveaxis(corners - at[:, None, None], 2, 0)
    la, lb, lc = (np.linalg.norm(arm, axis=-1) for arm in (a, b, c))
    volume = (a * np.cross(b, c)).sum(-1)
    scale = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return np.arctan2(volume, scale).sum(-1) / (2 * np.pi)


def _half_edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def _border(faces: np.ndarray) -> np.ndarray:
    edges, count = np.unique(np.sort(_half_edges(faces), axis=1), axis=0, return_counts=True)
    return np.unique(edges[count == 1])


def ball_clearance(points: np.ndarray, around: np.ndarray, ball: np.ndarray) -> np.ndarray:
    """Distance (K,) of vertices `around` to the surface of the eyeball `ball`, negative inside; millimetres.

    The eyeball is a sphere with a cornea where its first vertex, the pole, points to.
    """
    axis = points[ball[0]] - points[ball[-eyeballs.N_SEGMENTS :]].mean(0)
    axis = axis / np.linalg.norm(axis)
    arm = points[around] - (points[ball[0]] - axis * (eyeballs.RADIUS_MM + eyeballs.CORNEA_BULGE_MM))
    distance = np.linalg.norm(arm, axis=1)
    polar = np.arccos(np.clip(arm @ axis / distance, -1, 1))
    return distance - eyeballs.surface_radius(polar)
