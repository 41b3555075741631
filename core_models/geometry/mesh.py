"""Triangle meshes: normals and connectivity.

Every function takes vertices with any number of leading batch axes, ``(..., N, 3)``, and one topology ``(F,
3)`` int64 shared by the batch. Faces are counter-clockwise seen from outside.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize


def vertex_normals(vertices: Tensor, faces: Tensor, by_area: bool = True) -> Tensor:
    """Unit vertex normals (..., N, 3), each face weighing as its area or, else, all the same; zero for vertices without
    faces. Differentiable.
    """
    a, b, c = (vertices.index_select(-2, faces[:, corner]) for corner in range(3))
    cross = torch.linalg.cross(b - a, c - a)  # outward, of twice each face's area
    if not by_area:
        cross = normalize(cross, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(-2, faces[:, corner], cross)
    return normalize(total, dim=-1)


def twins(points: np.ndarray) -> np.ndarray:
    """(N,) int64: the first of the vertices at each one's place. UV seams repeat vertices; points (N, 3)."""
    _, first, place = np.unique(points, axis=0, return_index=True, return_inverse=True)
    return first[place.reshape(-1)]


def edges(faces: Tensor) -> Tensor:
    """Undirected edges, each once: (E, 2) int64, smaller index first, in lexicographic order."""
    directed = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return torch.unique(directed.sort(dim=1).values, dim=0)


def vertex_adjacency(faces: Tensor, n_vertices: int) -> tuple[Tensor, Tensor]:
    """One-ring neighbours as a padded table, for gathers that need no sparse kernels.

    Returns:
        neighbours (N, D) int64, D the largest valence, ascending; padding repeats the vertex itself.
        valence (N,) int64, how many entries of each row are neighbours.
    """
    undirected = edges(faces)
    directed = torch.cat([undirected, undirected.flip(1)])
    directed = directed[torch.argsort(directed[:, 0] * n_vertices + directed[:, 1])]
    start, end = directed.unbind(1)
    valence = torch.bincount(start, minlength=n_vertices)
    first = valence.cumsum(0) - valence
    column = torch.arange(len(start), device=faces.device) - first[start]
    width = int(valence.max()) if n_vertices else 0
    neighbours = torch.arange(n_vertices, device=faces.device)[:, None].repeat(1, width)
    neighbours[start, column] = end
    return neighbours, valence
