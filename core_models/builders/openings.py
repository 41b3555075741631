"""Positions of the cage's vertices beyond the landmarks: eye pockets, mouth bag, rim (builder only; millimetres)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

from ..morphable.eyeballs import RADIUS_MM
from .deform import mirrored
from .topology import Cage

POCKET_GAP_MM = 0.5
LID_CLEARANCE_MM = 1.05
_EYE_RAISED_MM = 0.8

# Where the rim ends behind each point of the right half of the oval, from the top of the forehead (10) to the chin
# (152), in millimetres from the nasion; |x|. Over the vertex, in front of the ears, behind the jaw, round the neck.
# Drawn to head breadth 152 and nasion–vertex 105 mm (between men and women of Zhuang & Bradtmiller 2005), neck 120 mm.
_RIM_ENDS = np.array([
    (0, 105, -82), (20, 104, -83), (38, 98, -86), (54, 86, -90), (66, 67, -94), (73, 44, -97), (75.5, 20, -99),
    (73, -3, -100), (70.5, -23, -100), (68, -41, -99), (65.5, -59, -97), (63, -79, -95), (60.5, -101, -92),
    (58, -123, -88), (53, -141, -80), (45, -152, -71), (33, -158, -63), (18, -161, -58), (0, -162, -56),
])  # fmt: skip
# Direction in which the rim arrives there: back over the skull, down along the neck.
_RIM_ARRIVALS = np.array([
    *[(0, 0.15, -1)] * 6, *[(0, 0, -1)] * 4,
    (0, -0.1, -1), (-0.1, -0.3, -1), (-0.1, -0.7, -0.8), (0, -1, -0.5), (0, -1, -0.2),
    *[(0, -1, 0)] * 4,
])  # fmt: skip
# Places of the rings along each meridian; the first stays close, so that the surface leaves the face smoothly.
_RIM_STATIONS = (0.16, 0.4, 0.7, 1.0)


def cage_targets(points: np.ndarray, cage: Cage) -> tuple[np.ndarray, np.ndarray]:
    """Surface positions (N, 3) of all cage vertices for symmetric `points` (468, 3), and the eyeball centres (2, 3)."""
    targets = np.zeros((cage.n_vertices, 3))
    targets[: len(points)] = points
    centres = eyeball_centres(points, cage.eye_loops[0], LID_CLEARANCE_MM)
    for loop, rings, last, centre in zip(
        cage.eye_loops, cage.eye_rings, cage.eye_centres, centres, strict=True
    ):
        targets[rings], targets[last] = _eye_pocket(points[loop], centre)
    targets[cage.mouth_rings] = _mouth_bag(points[cage.mouth_loop])
    targets[cage.rim_rings] = _rim(points, cage)
    return (targets + mirrored(targets, cage.mirror)) / 2, centres


def eyeball_centres(points: np.ndarray, right_loop: np.ndarray, clearance: float) -> np.ndarray:
    """Centres (2, 3) mm of the eyeballs behind the lid margins of symmetric `points` (468+, 3), right first.

    Sideways midway between the corners; in depth as far forward as the lid margin `right_loop` allows with
    `clearance` mm between it and the sphere.
    """
    loop = points[right_loop]
    inner, outer = loop[8], loop[0]
    x = (inner[0] + outer[0]) / 2
    upper, lower = loop[12], loop[4]
    # The upper lid covers more of the iris than the lower one.
    y = 0.6 * (upper[1] + lower[1]) / 2 + 0.4 * (inner[1] + outer[1]) / 2 + _EYE_RAISED_MM
    across = ((loop[:, :2] - [x, y]) ** 2).sum(1)
    reach = (RADIUS_MM + clearance) ** 2
    near = across < reach
    z = (loop[near, 2] - np.sqrt(reach - across[near])).min()
    return np.array([[x, y, z], [-x, y, z]])


def _eye_pocket(loop: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rings (3, 16, 3) of a bowl around the eyeball, from the lid margin (16, 3) round its back, and the last point."""
    direction = loop - centre
    distance = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = direction / distance
    polar = np.arccos(np.clip(direction[:, 2:], -1, 1))
    sideways = direction[:, :2] / np.linalg.norm(direction[:, :2], axis=1, keepdims=True)

    def ring(angle: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
        return centre + radius * np.concatenate([np.sin(angle) * sideways, np.cos(angle)], axis=1)

    bowl = RADIUS_MM + POCKET_GAP_MM
    margin = ring(polar + 0.02, np.minimum(distance, np.maximum(bowl, distance - 2.2)))
    under = ring(np.maximum(polar + 0.35, 1.25), bowl + 0.4)
    behind = ring(np.full_like(polar, 2.2), bowl + 0.8)
    return np.stack([margin, under, behind]), centre - [0, 0, bowl + 1.0]


def _mouth_bag(loop: np.ndarray) -> np.ndarray:
    """Rings (2, 20, 3) of the mouth's inside behind the inner lip line (20, 3): lower 1–9, corners 0 and 10."""
    share = np.abs(loop[:, 0]) / np.abs(loop[0, 0])
    arch = np.sqrt(np.clip(1 - share**2, 0, None)) * np.sign(10 - np.arange(20)) * -1
    arch[0] = 0
    height = arch[:, None] * [0.0, 1.0, 0.0]
    first = loop + 1.2 * height - [0, 0, 3.5]
    second = loop * [0.95, 1, 1] + 6.0 * height - [0, 0, 12]
    return np.stack([first, second])


def _rim(points: np.ndarray, cage: Cage) -> np.ndarray:
    """Rings (4, 36, 3) that continue the face of `points` (468, 3) backwards as head above and neck below.

    A cubic Hermite curve runs from every oval point, along the direction in which the face arrives there, to its end.
    """
    oval = points[cage.oval]
    half = len(_RIM_ENDS)
    side = np.sign(oval[1, 0])
    order = np.concatenate([np.arange(half), np.arange(half - 2, 0, -1)])
    sign = np.ones((len(oval), 1))
    sign[half:] = -1
    end = _RIM_ENDS[order] * np.where([[True, False, False]], side * sign, 1)
    arrival = _RIM_ARRIVALS[order] * np.where([[True, False, False]], side * sign, 1)
    length = np.linalg.norm(end - oval, axis=1, keepdims=True)
    leave = _leaving_directions(points, cage) * length
    arrive = arrival / np.linalg.norm(arrival, axis=1, keepdims=True) * length
    rings = []
    for s in _RIM_STATIONS:
        to_end = s * s * (3 - 2 * s)
        ring = (1 - to_end) * oval + to_end * end
        rings.append(ring + s * (1 - s) ** 2 * 1.2 * leave - s * s * (1 - s) * 1.2 * arrive)
    return np.stack(rings)


def _leaving_directions(points: np.ndarray, cage: Cage) -> np.ndarray:
    """Unit vectors (36, 3): at each oval point along the face, across the oval and outwards."""
    faces = cage.faces[(cage.faces < len(points)).all(1)]
    place = {int(v): i for i, v in enumerate(cage.oval)}
    inward = np.zeros((len(cage.oval), 3))
    count = np.zeros((len(cage.oval), 1))
    for face in faces:
        inner = [v for v in face if int(v) not in place]
        for v in face:
            if int(v) in place and inner:
                inward[place[int(v)]] += points[inner].mean(0) - points[v]
                count[place[int(v)]] += 1
    along = np.roll(points[cage.oval], -1, axis=0) - np.roll(points[cage.oval], 1, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    outward = -inward / count
    outward -= (outward * along).sum(1, keepdims=True) * along
    for _ in range(2):
        outward = 0.5 * outward + 0.25 * (np.roll(outward, 1, axis=0) + np.roll(outward, -1, axis=0))
    return outward / np.linalg.norm(outward, axis=1, keepdims=True)


def control_points(
    targets: np.ndarray, surface: sp.csr_matrix, cage: Cage, smoothness: float = 0.02
) -> np.ndarray:
    """Control points (N, 3) whose subdivided surface passes close to `targets` (N, 3).

    `surface` (N, N): rows of the subdivision matrix at the control vertices. Minimises |S X − T|² +
    smoothness·|L (X − T)|² with the umbrella Laplacian L, which keeps the cage from ringing.
    """
    n = cage.n_vertices
    pairs = np.concatenate([cage.faces[:, [0, 1]], cage.faces[:, [1, 2]], cage.faces[:, [2, 0]]])
    adjacency = sp.csr_matrix((np.ones(len(pairs)), pairs.T), shape=(n, n))
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    laplacian = sp.identity(n) - sp.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency
    system = (surface.T @ surface + smoothness * laplacian.T @ laplacian).tocsc()
    return spl.spsolve(system, surface.T @ targets + smoothness * (laplacian.T @ (laplacian @ targets)))
