"""The largest piece of a triangle mesh that is a surface, and its borders."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


def largest_patch(faces: np.ndarray) -> np.ndarray:
    """(F,) bool: the triangles of `faces` (F, 3) that hang together by edges, most of them.

    Left out: other pieces, triangles on an edge that has two already on that side, and the smaller parts of what
    touches at a single point. What is left has simple borders.
    """
    kept = np.ones(len(faces), bool)
    ends = _half_edges(faces)
    first_of = np.unique(ends, axis=0, return_index=True)[1]
    kept[np.setdiff1d(np.arange(len(ends)), first_of) // 3] = False
    while True:
        rows = np.flatnonzero(kept)
        rows = rows[_largest(_across_edges(faces[rows]))]
        kept = np.isin(np.arange(len(faces)), rows)
        pinched = _pinched(faces[rows])
        if not len(pinched):
            return kept
        for vertex in pinched:
            around = rows[(faces[rows] == vertex).any(1)]
            kept[around[~_largest(_across_edges(faces[around]))]] = False


def border_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Vertices of each border of a patch, the surface on the left, the longest border first."""
    following = dict(_border(faces).tolist())
    loops = []
    while following:
        start, current = following.popitem()
        loop = [start]
        while current != start:
            loop.append(current)
            current = following.pop(current)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def _half_edges(faces: np.ndarray) -> np.ndarray:
    """(3F, 2), in the order of the faces."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


def _border(faces: np.ndarray) -> np.ndarray:
    """Half-edges (E, 2) without a triangle on the other side."""
    ends = _half_edges(faces)
    n = int(faces.max()) + 1
    return ends[~np.isin(ends[:, 0] * n + ends[:, 1], ends[:, 1] * n + ends[:, 0])]


def _pinched(faces: np.ndarray) -> np.ndarray:
    """Vertices at which borders meet."""
    starts, counts = np.unique(_border(faces)[:, 0], return_counts=True)
    return starts[counts > 1]


def _across_edges(faces: np.ndarray) -> np.ndarray:
    """(F,) number of the piece that each triangle belongs to."""
    ends = np.sort(_half_edges(faces), axis=1)
    edges, owner = np.unique(ends, axis=0, return_inverse=True)
    rows = np.repeat(np.arange(len(faces)), 3)
    shares = sp.csr_matrix((np.ones(len(rows)), (rows, owner.ravel())), (len(faces), len(edges)))
    return connected_components(shares @ shares.T, directed=False)[1]


def _largest(labels: np.ndarray) -> np.ndarray:
    return labels == np.bincount(labels).argmax()
