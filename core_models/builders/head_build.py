"""The head behind the face: cranium, neck and ears as a mesh that is sewn to the rim's end (builder only).

It is built from the finished dense face, so that rebuilding the face carries it along. Everything is made for the
subject's left half and reflected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import LinearNDInterpolator, RBFInterpolator
from scipy.spatial import cKDTree

from ..geometry.subdivision import edge_table
from ..morphable.head import HalfHead
from ..units import MM_PER_DM
from . import ear
from .graded import triangulate
from .head_shape import NECK_END_RADIUS, NECK_END_Y, HeadSurface, fit_surface, local_scale, to_plane
from .head_uv import cranium_uv, ear_uv

_FINEST_MM, _COARSEST_MM, _GROWTH = 2.3, 9.0, 0.25
# The ear: place of its frame's origin (height, depth); its turns away from the head, backwards, and of its top out.
_EAR_Y, _EAR_Z = 14.5, -93.5
_EAR_FLARE_DEGREES, _EAR_TILT_DEGREES, _EAR_LEAN_DEGREES = 22.0, 8.0, 7.0
_EAR_RAISED_MM = 0.8
_FRONT_SHARES = np.array([0.12, 0.25, 0.37, 0.48, 0.58, 0.67, 0.75, 0.82, 0.88, 0.93, 0.97, 1.0])
_BACK_SHARES = np.array([0.0, 0.3, 0.62])
# Identity: how far from the rim its own motion has given way to the smooth one, as an RBF smoothing (mm³).
_MOTION_SMOOTHING = 3e3
_FACE_HEIGHTS_MM = (-92.0, 98.0)
_TURN = np.linspace(0, np.pi, 400)


@dataclass(frozen=True)
class DenseFace:
    """What the head grows from, mm: vertices (N, 3), faces (F, 3), is_rim (F,), modes (K, N, 3), fields (L, N)."""

    vertices: np.ndarray
    faces: np.ndarray
    is_rim: np.ndarray
    modes: np.ndarray
    fields: np.ndarray


def build_half_head(face: DenseFace) -> HalfHead:
    """The left half of everything behind the rim of `face`."""
    loop = rim_half_loop(face)
    rim = face.vertices[loop]
    surface = fit_surface(_both(rim), face.vertices[_before_rim(face, 5, 9)][::3])
    ears, feet_plane = _ear(surface)
    cranium, cranium_faces, n_outer = _cranium(surface, rim, feet_plane, ears[-1])
    ear_points = np.vstack([[ear_middle(surface)], ears.reshape(-1, 3)])
    n, m = len(cranium), ear.N_AROUND
    ear_faces = _ring_faces(len(ears)) + n
    vertices = np.concatenate([cranium, ear_points])
    first = np.arange(len(vertices))
    first[-m:] = n_outer + np.arange(m)
    rim_of = np.full(len(vertices), -1)
    rim_of[: len(loop)] = loop
    share = np.zeros(len(vertices))
    share[n : len(vertices) - m] = 1.0
    share[len(vertices) - 2 * m : len(vertices) - m] = 0.6
    modes, fields = _carried(face, vertices)
    return HalfHead(
        vertices=vertices / MM_PER_DM,
        faces=np.concatenate([cranium_faces, ear_faces]),
        is_ear=np.repeat([False, True], [len(cranium_faces), len(ear_faces)]),
        ear_share=share,
        uv=np.concatenate([cranium_uv(cranium, cranium_faces, n_outer, len(loop)), ear_uv(len(ears))]),
        rim=rim_of,
        first=first,
        identity=modes / MM_PER_DM,
        albedo_fields=fields,
    )


def rim_half_loop(face: DenseFace) -> np.ndarray:
    """Dense vertices (n,) of the rim's end on the left half, from the top to the bottom."""
    table = edge_table(face.faces, len(face.vertices))
    pairs = table.pairs[table.is_boundary]
    neighbours: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    x, y = face.vertices[:, 0], face.vertices[:, 1]
    middle = sorted((v for v in neighbours if abs(x[v]) < 1e-9), key=lambda v: y[v])
    chain = [middle[-1], max(neighbours[middle[-1]], key=lambda v: x[v])]
    while chain[-1] != middle[0]:
        chain.append(next(v for v in neighbours[chain[-1]] if v != chain[-2]))
    return np.array(chain)


def _both(points: np.ndarray) -> np.ndarray:
    """`points` (n, 3) of the left half and their reflections, those of the middle once."""
    return np.concatenate([points, points[points[:, 0] > 1e-9] * [-1, 1, 1]])


def _before_rim(face: DenseFace, near: float, far: float) -> np.ndarray:
    """Dense vertices of the rim between `near` and `far` mm from its end."""
    vertices = np.unique(face.faces[face.is_rim])
    end = _both(face.vertices[rim_half_loop(face)])
    gap = cKDTree(end).query(face.vertices[vertices])[0]
    return vertices[(gap > near) & (gap < far)]


def _wish(points: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Wished edge length (N,) mm at `points` (N, 3): growing away from `fine` (M, 3)."""
    return np.minimum(_FINEST_MM + _GROWTH * cKDTree(fine).query(points)[0], _COARSEST_MM)


def _cranium(
    surface: HeadSurface, rim: np.ndarray, hole_plane: np.ndarray, hole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Vertices (n, 3) and faces (f, 3) of the half without ear; length of the outer boundary.

    The outer boundary comes first: rim (R, 3), throat, neck's end, middle of the back; then the ear's `hole`.
    """
    fine = np.concatenate([rim, hole])
    bottom = NECK_END_RADIUS * np.stack([np.sin(_TURN), -np.cos(_TURN)], axis=1)
    edge = _thinned(surface(bottom[::-1]) * [1, 0, 1] + [0, NECK_END_Y, 0], fine)
    edge[[0, -1], 0] = 0.0
    throat = _thinned(_middle(surface, to_plane(rim[-1:])[0, 1], NECK_END_RADIUS), fine)[1:-1]
    back = _thinned(_middle(surface, -NECK_END_RADIUS, to_plane(rim[:1])[0, 1]), fine)
    back[0], back[-1] = edge[-1], rim[0]
    outer = np.concatenate([rim, throat, edge, back[1:-1]])
    outer[:, 0] = np.where(outer[:, 0] < 1e-6, 0.0, outer[:, 0])
    outer_plane = to_plane(outer)

    def size(plane: np.ndarray) -> np.ndarray:
        return _wish(surface(plane), fine) / local_scale(plane)

    plane, faces = triangulate(outer_plane, [hole_plane], size)
    vertices = surface(plane)
    vertices[: len(outer)], vertices[len(outer) : len(outer) + len(hole)] = outer, hole
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    if np.cross(b - a, c - a)[:, 0].mean() < 0:
        faces = faces[:, ::-1]
    return vertices, faces, len(outer)


def _middle(surface: HeadSurface, start: float, end: float) -> np.ndarray:
    """Points (n, 3) of the head's middle line between two places of the plane's second axis."""
    ahead = np.linspace(start, end, 2000)
    return surface(np.stack([0 * ahead, ahead], axis=1)) * [0, 1, 1]


def _thinned(curve: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Points (m, 3) along a dense `curve` (n, 3), both ends kept, as far apart as wished."""
    step = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    wish = _wish((curve[1:] + curve[:-1]) / 2, fine)
    count = np.concatenate([[0], np.cumsum(step / wish)])
    places = np.linspace(0, count[-1], max(2, round(count[-1]) + 1))
    return np.stack([np.interp(places, count, curve[:, k]) for k in range(3)], axis=1)


def _ear_frame(surface: HeadSurface) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and axes (3, 3), rows u, v, w, of the left ear."""
    plane = to_plane(np.array([[70.0, _EAR_Y, _EAR_Z]]))
    for _ in range(5):
        point = surface(plane)
        point[0, 1:] = _EAR_Y, _EAR_Z
        plane = to_plane(point)
    flare, tilt, lean = np.radians([_EAR_FLARE_DEGREES, _EAR_TILT_DEGREES, _EAR_LEAN_DEGREES])
    back, up = np.array([np.sin(flare), 0, -np.cos(flare)]), np.array([0.0, 1.0, 0.0])
    u = np.cos(tilt) * back - np.sin(tilt) * up
    v, w = np.cos(tilt) * up + np.sin(tilt) * back, np.array([np.cos(flare), 0, np.sin(flare)])
    v, w = np.cos(lean) * v + np.sin(lean) * w, np.cos(lean) * w - np.sin(lean) * v
    return surface(plane)[0] + _EAR_RAISED_MM * w, np.stack([u, v, w])


def _ear(surface: HeadSurface) -> tuple[np.ndarray, np.ndarray]:
    """Rings (R, N_AROUND, 3) of the ear, the last on the head, and that ring's plane coordinates (N_AROUND, 2)."""
    origin, axes = _ear_frame(surface)
    grid = np.meshgrid(np.linspace(_EAR_Y - 60, _EAR_Y + 60, 121), np.linspace(_EAR_Z - 45, _EAR_Z + 25, 71))
    plane = to_plane(np.stack([np.full(grid[0].size, 70.0), grid[0].ravel(), grid[1].ravel()], axis=1))
    places = (surface(plane) - origin) @ axes[:2].T
    feet_plane = LinearNDInterpolator(places, plane)(ear.root())
    feet = surface(feet_plane)
    back = ear.back_rings((feet - origin) @ axes.T, _BACK_SHARES)
    rings = np.concatenate([ear.front_rings(_FRONT_SHARES), back])
    return np.concatenate([origin + rings @ axes, feet[None]]), feet_plane


def ear_middle(surface: HeadSurface) -> np.ndarray:
    """The ear's first vertex (3,), in the concha."""
    origin, axes = _ear_frame(surface)
    return origin + ear.concha() @ axes


def _ring_faces(n_rings: int) -> np.ndarray:
    """Triangles of a middle vertex 0 and rings of N_AROUND around it, turning as seen from outside."""
    ring = 1 + np.arange(n_rings * ear.N_AROUND).reshape(n_rings, -1)
    beside = np.roll(ring, -1, axis=1)
    a, b, c, d = (part.ravel() for part in (ring[:-1], beside[:-1], ring[1:], beside[1:]))
    fan = np.stack([0 * ring[0], beside[0], ring[0]], axis=1)
    return np.concatenate([fan, np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])


def _carried(face: DenseFace, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Modes (K, n, 3) and fields (L, n) of the rim carried on to `points` (n, 3).

    At the rim's end they are its own, in value and slope; away from it modes become what width and height of the head
    tell of them there, and fields fade.
    """
    end = rim_half_loop(face)
    all_end = _boundary(face)
    near = np.concatenate([all_end, _before_rim(face, 3, 7)[::3]])
    far = points[cKDTree(face.vertices[end]).query(points)[0] > 20][::4]
    far = _both(far)
    n_modes = len(face.modes)
    flat = np.moveaxis(face.modes, 0, -1).reshape(len(face.vertices), -1)
    fit = np.linalg.lstsq(_design(face.vertices[all_end]), flat[all_end], rcond=None)[0]
    given = np.concatenate([flat[near], _design(far) @ fit])
    field = np.concatenate([face.fields.T[near], np.zeros((len(far), len(face.fields)))])
    smoothing = np.repeat([0.0, _MOTION_SMOOTHING], [len(near), len(far)])
    spread = RBFInterpolator(
        np.concatenate([face.vertices[near], far]),
        np.concatenate([given, field], axis=1),
        smoothing=smoothing,
        kernel="cubic",
        degree=1,
    )(points)
    modes = np.moveaxis(spread[:, : 3 * n_modes].reshape(len(points), 3, n_modes), -1, 0)
    return modes, spread[:, 3 * n_modes :].T


def _boundary(face: DenseFace) -> np.ndarray:
    """Dense vertices of the whole rim's end."""
    table = edge_table(face.faces, len(face.vertices))
    return np.unique(table.pairs[table.is_boundary])


def _design(points: np.ndarray) -> np.ndarray:
    """(n, 3): what of a place a mode may depend on, far from the face: 1, x, height within the face's."""
    return np.stack([np.ones(len(points)), points[:, 0], np.clip(points[:, 1], *_FACE_HEIGHTS_MM)], axis=1)
