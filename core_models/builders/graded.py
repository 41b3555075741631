"""A triangulation of a plane region, fine at given places and coarse away from them (builder only).

Springs between neighbours that push until they have their wished length (Persson & Strang 2004), starting from points
scattered by the same wish; boundary points are given and stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import Delaunay, cKDTree

_ROUNDS = 40
_PUSH = 1.1
_STEP = 0.2

Size = Callable[[np.ndarray], np.ndarray]
"""Plane points (N, 2) → wished edge length (N,) in the plane there."""


def triangulate(outer: np.ndarray, holes: list[np.ndarray], size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2), the given ones first, and counter-clockwise triangles (F, 3).

    outer (n, 2) and `holes` (m, 2) each: closed polygons whose vertices are kept and whose edges become edges.
    """
    fixed = np.concatenate([outer, *holes])
    points = np.concatenate([fixed, _scattered(fixed, outer, holes, size)])
    for _ in range(_ROUNDS):
        faces = _inner_triangles(points, outer, holes)
        pairs = np.unique(
            np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0
        )
        bar = points[pairs[:, 1]] - points[pairs[:, 0]]
        length = np.linalg.norm(bar, axis=1)
        wish = _PUSH * size((points[pairs[:, 0]] + points[pairs[:, 1]]) / 2)
        push = (np.maximum(wish - length, 0) / length)[:, None] * bar
        move = np.zeros_like(points)
        np.add.at(move, pairs[:, 1], push)
        np.add.at(move, pairs[:, 0], -push)
        move[: len(fixed)] = 0
        moved = points + _STEP * move
        outside = ~_inside(moved, outer, holes)
        points = np.where(outside[:, None], points, moved)
    return points, _checked(points, outer, holes)


def _scattered(fixed: np.ndarray, outer: np.ndarray, holes: list[np.ndarray], size: Size) -> np.ndarray:
    """Free points (N, 2): the middles of square cells, quartered until they are as large as wished."""
    low, cell = outer.min(0), float(np.ptp(outer, axis=0).max())
    cells, leaves = np.array([[0.5, 0.5]]) * cell + low, []
    while len(cells):
        small = size(cells) >= 0.93 * cell
        leaves.append(cells[small])
        cell /= 2
        quarters = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)]) * cell / 2
        cells = (cells[~small][:, None] + quarters).reshape(-1, 2)
        cells = cells[np.abs(cells - cells.clip(low, outer.max(0))).max(1) < cell]
    points = np.concatenate(leaves)
    points = points[_inside(points, outer, holes)]
    gap = cKDTree(fixed).query(points)[0]
    return points[gap > 0.7 * size(points)]


def _inner_triangles(points: np.ndarray, outer: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    faces = Delaunay(points).simplices
    a, b, c = (points[faces[:, k]] for k in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    faces = np.where(turn[:, None] > 0, faces, faces[:, ::-1])
    faces = faces[np.abs(turn) > 1e-12]
    return faces[_inside(points[faces].mean(1), outer, holes)]


def _inside(points: np.ndarray, outer: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    def within(polygon: np.ndarray) -> np.ndarray:
        (x, y), (ax, ay) = points.T[:, :, None], polygon.T[:, None]
        bx, by = np.roll(ax, -1, axis=1), np.roll(ay, -1, axis=1)
        crossing = (ay > y) != (by > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            right = x < ax + (y - ay) / (by - ay) * (bx - ax)
        return (crossing & right).sum(1) % 2 == 1

    result = within(outer)
    for hole in holes:
        result &= ~within(hole)
    return result


def _checked(points: np.ndarray, outer: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """The triangles; raises ValueError where a given edge is not one of theirs."""
    faces = _inner_triangles(points, outer, holes)
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    once, count = np.unique(pairs, axis=0, return_counts=True)
    boundary = {tuple(pair) for pair in once[count == 1].tolist()}
    given, start = set(), 0
    for loop in (outer, *holes):
        ring = start + np.arange(len(loop))
        given |= {tuple(sorted(pair)) for pair in np.stack([ring, np.roll(ring, -1)], 1).tolist()}
        start += len(loop)
    if boundary != given:
        raise ValueError(f"boundary of the triangulation: {sorted(boundary ^ given)[:8]}")
    return faces
