"""Positions of the cage's vertices beyond the landmarks: eye pockets, mouth bag, rim (builder only; millimetres)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

from . import eyes
from .deform import mirrored
from .topology import Cage

POCKET_GAP_MM = 0.5
LID_CLEARANCE_MM = 0.9

# The head behind the face: an ellipsoid of head breadth 152 mm and head length 195 mm (between men and women of
# Zhuang et al. 2010: breadth 152.7 / 146.5 mm, length 197.3 / 187.4 mm), and a neck.
_SKULL_CENTRE = np.array([0.0, 12.0, -112.0])
_SKULL_AXES = np.array([75.0, 102.0, 97.0])
_NECK_CENTRE = np.array([0.0, -135.0, -68.0])
_NECK_AXES = np.array([56.0, 58.0])
# Arc from the landmark oval to each rim ring, as a share of the way to the rim's end.
_RIM_SHARES = (0.16, 0.38, 0.66, 1.0)


def cage_targets(points: np.ndarray, cage: Cage) -> tuple[np.ndarray, np.ndarray]:
    """Surface positions (N, 3) of all cage vertices for symmetric `points` (468, 3), and the eyeball centres (2, 3)."""
    targets = np.zeros((cage.n_vertices, 3))
    targets[: len(points)] = points
    centres = eyes.eyeball_centres(points, cage.eye_loops[0], LID_CLEARANCE_MM)
    for loop, rings, last, centre in zip(
        cage.eye_loops, cage.eye_rings, cage.eye_centres, centres, strict=True
    ):
        targets[rings], targets[last] = _eye_pocket(points[loop], centre)
    targets[cage.mouth_rings] = _mouth_bag(points[cage.mouth_loop])
    targets[cage.rim_rings] = _rim(points[cage.oval])
    return (targets + mirrored(targets, cage.mirror)) / 2, centres


def _eye_pocket(loop: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rings (3, 16, 3) of a bowl around the eyeball, from the lid margin (16, 3) round its back, and the last point."""
    direction = loop - centre
    distance = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = direction / distance
    polar = np.arccos(np.clip(direction[:, 2:], -1, 1))
    sideways = direction[:, :2] / np.linalg.norm(direction[:, :2], axis=1, keepdims=True)

    def ring(angle: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
        return centre + radius * np.concatenate([np.sin(angle) * sideways, np.cos(angle)], axis=1)

    bowl = eyes.RADIUS_MM + POCKET_GAP_MM
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


def _rim(oval: np.ndarray) -> np.ndarray:
    """Rings (4, 36, 3) that continue the landmark oval (36, 3) backwards as head above and neck below."""
    angle = np.arctan2(oval[:, 1] + 35, oval[:, 0])
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    skull_end = np.empty_like(oval)
    skull_end[:, :2] = _SKULL_CENTRE[:2] + around * _SKULL_AXES[:2]
    skull_end[:, 2] = _SKULL_CENTRE[2]
    neck_end = np.empty_like(oval)
    neck_end[:, 0] = _NECK_CENTRE[0] + around[:, 0] * _NECK_AXES[0]
    neck_end[:, 1] = _NECK_CENTRE[1] - 12
    neck_end[:, 2] = _NECK_CENTRE[2] - around[:, 1] * _NECK_AXES[1]
    neck = np.clip((-40 - oval[:, 1]) / 50, 0, 1)[:, None]
    neck = neck * neck * (3 - 2 * neck)
    end = (1 - neck) * skull_end + neck * neck_end
    bulge = _rim_bulge(oval, around, neck)
    rings = []
    for share in _RIM_SHARES:
        rings.append(oval + share * (end - oval) + 4 * share * (1 - share) * bulge)
    smooth = np.stack(rings)
    for _ in range(2):
        smooth = 0.5 * smooth + 0.25 * (np.roll(smooth, 1, axis=1) + np.roll(smooth, -1, axis=1))
    return smooth


def _rim_bulge(oval: np.ndarray, around: np.ndarray, neck: np.ndarray) -> np.ndarray:
    """Offset (36, 3) of each rim meridian's middle from its chord: out over the skull, in under the chin."""
    over_skull = np.concatenate([around * [3.0, 16.0], np.full((len(oval), 1), 8.0)], axis=1)
    under_chin = np.concatenate([around * 0.0, np.full((len(oval), 1), -12.0)], axis=1) + [0, 12.0, 0]
    return (1 - neck) * over_skull + neck * under_chin


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
