"""The control cage's connectivity: FaceMesh's triangles, eye pockets, mouth bag and the rim around the face.

Vertices 0–467 are FaceMesh's landmarks. Behind every opening follow rings that repeat the opening's loop point by
point, so that mirror map and UVs stay simple.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ..landmarks import FACE_OVAL, INNER_LIPS, MESH_COUNT, RIGHT_EYE

EYE_RINGS = 3
MOUTH_RINGS = 2
RIM_RINGS = 4

# Three-cycles of the edge list that are holes between triangles, not triangles.
_FALSE_TRIANGLES = {(49, 64, 129), (279, 294, 358)}


@dataclass(frozen=True)
class Cage:
    """Connectivity of the control cage.

    faces (F, 3) counter-clockwise seen from outside; mirror (N,); the loops and rings of each opening as vertex
    numbers: *_rings (R, loop length), *_loop (loop length,); eye_centre: the last vertex behind each eye. Index 0 of
    the eyes is the subject's right.
    """

    faces: np.ndarray
    mirror: np.ndarray
    eye_loops: np.ndarray
    eye_rings: np.ndarray
    eye_centres: np.ndarray
    mouth_loop: np.ndarray
    mouth_rings: np.ndarray
    oval: np.ndarray
    rim_rings: np.ndarray

    @property
    def n_vertices(self) -> int:
        """Number of control vertices."""
        return len(self.mirror)


def landmark_triangles(edges: np.ndarray, points: np.ndarray) -> np.ndarray:
    """FaceMesh's (852, 3) triangles from its edge list (E, 2), oriented by any frontal `points` (468, 3)."""
    neighbours = collections.defaultdict(set)
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    cycles = {tuple(sorted((a, b, c))) for a, b in edges for c in neighbours[a] & neighbours[b]}
    faces = _orient(np.array(sorted(cycles - _FALSE_TRIANGLES)))
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    return faces if np.cross(b - a, c - a)[:, 2].sum() > 0 else faces[:, ::-1].copy()


def _orient(faces: np.ndarray) -> np.ndarray:
    """Give all triangles of a connected surface one orientation."""
    by_edge = collections.defaultdict(list)
    for i, face in enumerate(faces):
        for j in range(3):
            by_edge[tuple(sorted((face[j], face[(j + 1) % 3])))].append(i)
    oriented = [list(face) for face in faces]
    done, queue = {0}, [0]
    while queue:
        face = oriented[queue.pop()]
        for j in range(3):
            a, b = face[j], face[(j + 1) % 3]
            for k in by_edge[tuple(sorted((a, b)))]:
                if k in done:
                    continue
                if (a, b) in _half_edges([oriented[k]]):
                    oriented[k].reverse()
                done.add(k)
                queue.append(k)
    if len(done) != len(faces):
        raise ValueError("the landmark triangles are not connected")
    return np.array(oriented)


def _half_edges(faces: np.ndarray | list) -> set[tuple[int, int]]:
    return {(int(face[j]), int(face[(j + 1) % 3])) for face in faces for j in range(3)}


def landmark_mirror(points: np.ndarray, iterations: int = 60) -> np.ndarray:
    """(468,) mirror map: Hungarian matching of `points` (468, 3) with their reflection, plane refined in turn."""
    centred = points - points.mean(0)
    normal, offset = np.array([1.0, 0.0, 0.0]), 0.0
    for _ in range(iterations):
        reflected = centred - 2 * (centred @ normal - offset)[:, None] * normal
        cost = cdist(reflected, centred)
        match = linear_sum_assignment(cost**2)[1]
        gap = centred - centred[match]
        normal = np.linalg.eigh(gap.T @ gap)[1][:, -1]
        normal = normal * np.sign(normal[0])
        offset = float(((centred + centred[match]) / 2 @ normal).mean())
    mirror = linear_sum_assignment(cost + cost.T)[1]
    if not np.array_equal(mirror[mirror], np.arange(len(points))):
        raise ValueError("the landmark matching is not an involution")
    return mirror


def symmetrise_triangles(faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Flip the few diagonals whose mirror image is missing (3 of FaceMesh's)."""
    triangles = [tuple(int(v) for v in face) for face in faces]
    settled: set[tuple[int, int]] = set()
    for edge in sorted(_asymmetric_edges(faces, mirror)):
        if edge in settled:
            continue
        a, b = edge
        pair = [t for t in triangles if a in t and b in t]
        ahead = next(t for t in pair if (a, b) in _half_edges([t]))
        behind = next(t for t in pair if t != ahead)
        c, d = next(v for v in ahead if v not in edge), next(v for v in behind if v not in edge)
        triangles = [t for t in triangles if t not in pair] + [(c, d, b), (d, c, a)]
        settled |= {edge, tuple(sorted((int(mirror[c]), int(mirror[d]))))}  # type: ignore[arg-type]
    result = np.array(triangles)
    if _asymmetric_edges(result, mirror):
        raise ValueError("the landmark triangulation could not be made symmetric")
    return result


def _asymmetric_edges(faces: np.ndarray, mirror: np.ndarray) -> list[tuple[int, int]]:
    edges = {(min(a, b), max(a, b)) for a, b in _half_edges(faces)}
    return [e for e in edges if tuple(sorted((int(mirror[e[0]]), int(mirror[e[1]])))) not in edges]


class _CageBuilder:
    """Collects faces and mirror pairs while rings are added behind the openings."""

    def __init__(self, faces: np.ndarray, mirror: np.ndarray, x: np.ndarray) -> None:
        self.faces = [tuple(int(v) for v in face) for face in faces]
        self.half_edges = _half_edges(faces)
        self.mirror = {i: int(m) for i, m in enumerate(mirror)}
        self.x = x
        self.n = MESH_COUNT

    def _add(self, faces: list[tuple[int, int, int]], forward: bool) -> None:
        self.faces += faces if forward else [(a, c, b) for a, b, c in faces]

    def rings(self, loop: tuple[int, ...], count: int, mirrored_split: bool) -> tuple[np.ndarray, bool]:
        """Append `count` rings behind the boundary `loop`; the quads' diagonals mirror when `mirrored_split`."""
        forward = (loop[0], loop[1]) in self.half_edges
        m, previous, rings = len(loop), list(loop), []
        for _ in range(count):
            current = list(range(self.n, self.n + m))
            self.n += m
            strip: list[tuple[int, int, int]] = []
            for i in range(m):
                a, b, c, d = previous[i], previous[(i + 1) % m], current[i], current[(i + 1) % m]
                other = mirrored_split and self.x[loop[i]] + self.x[loop[(i + 1) % m]] > 0
                strip += [(b, a, d), (a, c, d)] if other else [(b, a, c), (b, c, d)]
            self._add(strip, forward)
            rings.append(current)
            previous = current
        return np.array(rings), forward

    def mirror_rings(self, rings: np.ndarray, loop: tuple[int, ...]) -> None:
        place = {v: i for i, v in enumerate(loop)}
        for ring in rings:
            for i, v in enumerate(loop):
                self.mirror[int(ring[i])] = int(ring[place[self.mirror[v]]])

    def eye(self, loop: tuple[int, ...]) -> tuple[np.ndarray, int]:
        rings, forward = self.rings(loop, EYE_RINGS, mirrored_split=False)
        centre, self.n = self.n, self.n + 1
        last = rings[-1]
        self._add([(last[(i + 1) % len(loop)], last[i], centre) for i in range(len(loop))], forward)
        return rings, centre

    def close_mouth_bag(self, ring: np.ndarray, forward: bool) -> None:
        """Join the lower half (1–9) of the last mouth ring to its upper half (19–11)."""
        lower = [int(ring[i]) for i in range(11)]
        upper = [int(ring[0])] + [int(ring[i]) for i in range(19, 9, -1)]
        strip: list[tuple[int, int, int]] = []
        for i in range(10):
            a, b, c, d = lower[i], lower[i + 1], upper[i], upper[i + 1]
            if a == c:
                strip.append((b, a, d))
            elif b == d:
                strip.append((b, a, c))
            else:
                strip += [(b, a, c), (b, c, d)] if i < 5 else [(b, a, d), (a, c, d)]
        self._add(strip, forward)


def build_cage(edges: np.ndarray, points: np.ndarray) -> Cage:
    """The whole cage from FaceMesh's edge list (E, 2) and any frontal `points` (468, 3) of the network."""
    mirror = landmark_mirror(points)
    faces = symmetrise_triangles(landmark_triangles(edges, points), mirror)
    builder = _CageBuilder(faces, mirror, points[:, 0] - points[mirror, 0])
    loops = (RIGHT_EYE, mirror[RIGHT_EYE], INNER_LIPS, FACE_OVAL)
    right_eye, left_eye, inner_lips, oval = (tuple(loop.tolist()) for loop in loops)
    (right_rings, right_centre), (left_rings, left_centre) = builder.eye(right_eye), builder.eye(left_eye)
    for a, b in zip([*right_rings.ravel(), right_centre], [*left_rings.ravel(), left_centre], strict=True):
        builder.mirror[int(a)], builder.mirror[int(b)] = int(b), int(a)
    mouth_rings, forward = builder.rings(inner_lips, MOUTH_RINGS, mirrored_split=True)
    builder.mirror_rings(mouth_rings, inner_lips)
    builder.close_mouth_bag(mouth_rings[-1], forward)
    rim_rings, _ = builder.rings(oval, RIM_RINGS, mirrored_split=True)
    builder.mirror_rings(rim_rings, oval)
    return Cage(
        faces=np.array(builder.faces),
        mirror=np.array([builder.mirror[i] for i in range(builder.n)]),
        eye_loops=np.array([right_eye, left_eye]),
        eye_rings=np.array([right_rings, left_rings]),
        eye_centres=np.array([right_centre, left_centre]),
        mouth_loop=INNER_LIPS,
        mouth_rings=mouth_rings,
        oval=FACE_OVAL,
        rim_rings=rim_rings,
    )
