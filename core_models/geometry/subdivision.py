"""Loop subdivision of a triangle mesh as sparse matrices (Loop 1987; boundary rules of Hoppe et al. 1994).

Vertex numbering: the vertices of the coarser mesh come first and keep their numbers, then one vertex per edge.
Triangle numbering: the four children of triangle i are 4i … 4i+3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class EdgeTable:
    """Undirected edges of a triangle mesh.

    pairs (E, 2) sorted vertex pairs; of_face (F, 3) edges between the corners (0,1), (1,2), (2,0);
    is_boundary (E,) bool.
    """

    pairs: np.ndarray
    of_face: np.ndarray
    is_boundary: np.ndarray


def edge_table(faces: np.ndarray, n_vertices: int) -> EdgeTable:
    """Edges of `faces` (F, 3), in the lexicographic order of their sorted vertex pairs."""
    corners = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    low, high = corners.min(1).astype(np.int64), corners.max(1).astype(np.int64)
    keys, inverse, counts = np.unique(low * n_vertices + high, return_inverse=True, return_counts=True)
    pairs = np.stack([keys // n_vertices, keys % n_vertices], axis=1)
    return EdgeTable(pairs, inverse.reshape(-1, 3), counts == 1)


def _edge_rows(faces: np.ndarray, table: EdgeTable, n_vertices: int) -> sp.csr_matrix:
    """(E, N) weights of the new edge vertices: 3/8, 3/8, 1/8, 1/8, or 1/2, 1/2 on the boundary."""
    n_edges = len(table.pairs)
    weight = np.where(table.is_boundary, 0.5, 0.375)
    rows = [np.arange(n_edges), np.arange(n_edges)]
    cols = [table.pairs[:, 0], table.pairs[:, 1]]
    values = [weight, weight]
    for corner in range(3):
        edge = table.of_face[:, corner]
        rows.append(edge)
        cols.append(faces[:, (corner + 2) % 3])
        values.append(np.where(table.is_boundary[edge], 0.0, 0.125))
    triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols)))
    return sp.csr_matrix(triple, shape=(n_edges, n_vertices))


def _vertex_rows(table: EdgeTable, n_vertices: int) -> sp.csr_matrix:
    """(N, N) weights of the moved old vertices: Loop's β inside, 3/4 and 1/8, 1/8 along the boundary."""
    boundary_pairs = table.pairs[table.is_boundary]
    on_boundary = np.zeros(n_vertices, bool)
    on_boundary[boundary_pairs] = True
    valence = np.bincount(table.pairs.ravel(), minlength=n_vertices)
    beta = (0.625 - (0.375 + 0.25 * np.cos(2 * np.pi / np.maximum(valence, 1))) ** 2) / np.maximum(valence, 1)
    neighbour = np.where(on_boundary, 0.0, beta)
    centre = np.where(on_boundary, 0.75, 1 - valence * beta)
    first, second = table.pairs[:, 0], table.pairs[:, 1]
    rows = np.concatenate([np.arange(n_vertices), first, second, boundary_pairs[:, 0], boundary_pairs[:, 1]])
    cols = np.concatenate([np.arange(n_vertices), second, first, boundary_pairs[:, 1], boundary_pairs[:, 0]])
    rim = np.full(len(boundary_pairs), 0.125)
    values = np.concatenate([centre, neighbour[first], neighbour[second], rim, rim])
    return sp.csr_matrix((values, (rows, cols)), shape=(n_vertices, n_vertices))


def subdivide_once(faces: np.ndarray, n_vertices: int) -> tuple[sp.csr_matrix, np.ndarray, EdgeTable]:
    """One Loop step of `faces` (F, 3): matrix (N + E, N), finer faces (4F, 3), the edges that became vertices."""
    table = edge_table(faces, n_vertices)
    matrix = sp.vstack([_vertex_rows(table, n_vertices), _edge_rows(faces, table, n_vertices)], format="csr")
    a, b, c = faces.T
    ab, bc, ca = (n_vertices + table.of_face).T
    children = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1)
    return matrix, children.reshape(-1, 3), table


@dataclass(frozen=True)
class Subdivision:
    """`levels` Loop steps: matrix (Nd, N) float64 sparse, faces (Fd, 3), parent (Fd,) coarse triangle of each."""

    matrix: sp.csr_matrix
    faces: np.ndarray
    parent: np.ndarray
    tables: tuple[EdgeTable, ...]

    def mirror(self, coarse_mirror: np.ndarray) -> np.ndarray:
        """Mirror map (Nd,) of the fine vertices from that of the coarse ones (N,), exact and combinatorial.

        Raises ValueError when the triangulation is not itself mirror-symmetric.
        """
        mirror = np.asarray(coarse_mirror, np.int64)
        for table in self.tables:
            n = len(mirror)
            image = np.sort(mirror[table.pairs], axis=1)
            keys = table.pairs[:, 0] * n + table.pairs[:, 1]
            image_keys = image[:, 0] * n + image[:, 1]
            found = np.minimum(np.searchsorted(keys, image_keys), len(keys) - 1)
            if not np.array_equal(keys[found], image_keys):
                raise ValueError("the triangulation is not mirror-symmetric")
            mirror = np.concatenate([mirror, n + found])
        return mirror


def subdivide(faces: np.ndarray, n_vertices: int, levels: int) -> Subdivision:
    """Loop-subdivide `faces` (F, 3) over `n_vertices` vertices `levels` times."""
    matrix = sp.identity(n_vertices, format="csr")
    tables = []
    fine = np.asarray(faces, np.int64)
    for _ in range(levels):
        step, fine, table = subdivide_once(fine, matrix.shape[0])
        matrix = step @ matrix
        tables.append(table)
    parent = np.repeat(np.arange(len(faces)), 4**levels)
    return Subdivision(matrix.tocsr(), fine, parent, tuple(tables))
