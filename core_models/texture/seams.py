"""The head behind the face has islands of its own in the layout; here its texels meet the face's where they are sewn.

No photo is believed there (hair hides it, and ears sit where the model puts them), so all that its colours have to do
is to continue the face's.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from .atlas import Atlas
from .posed_mesh import PosedMesh

HEAD_REGIONS = ("cranium", "ears")
_LEAST_WEIGHT = 0.05
"""Texels; a seam's vertex around which less lies on either side tells nothing."""
_LARGEST_STEP = 1.0
"""|log| of the step at the seam that is believed."""
_EASE = 1e-5
"""Weight of 'no step' beside a vertex's neighbours: nothing beside the seam's, all where the seam tells nothing."""


def head_texels(atlas: Atlas, mesh: PosedMesh) -> np.ndarray:
    """(m,) which of the atlas's texels show the head behind the face."""
    return np.flatnonzero(_on_head(mesh)[atlas.triangles])


def close_head_seam(atlas: Atlas, mesh: PosedMesh, values: np.ndarray) -> np.ndarray:
    """Positive texel values (M, C), those of the head times a smooth factor that closes the step to the rim.

    On the head the values must not step from island to island; its own seams are left as they are.
    """
    on_head = _on_head(mesh)
    if not on_head.any():
        return values
    ahead, behind = (_seam_means(atlas, mesh.faces, mesh.twin, values, side) for side in (~on_head, on_head))
    known = np.isfinite(ahead[:, 0]) & np.isfinite(behind[:, 0])
    step = np.log(np.maximum(ahead[known], 1e-4)) - np.log(np.maximum(behind[known], 1e-4))
    factor = _spread(mesh.twin[mesh.faces[on_head]], known, np.clip(step, -_LARGEST_STEP, _LARGEST_STEP))
    texels = head_texels(atlas, mesh)
    result = values.copy()
    result[texels] *= np.exp(atlas.weights[texels] @ factor[mesh.twin])
    return result


def _on_head(mesh: PosedMesh) -> np.ndarray:
    return np.isin(mesh.face_region, mesh.regions(*HEAD_REGIONS))


def _seam_means(
    atlas: Atlas, faces: np.ndarray, twin: np.ndarray, values: np.ndarray, side: np.ndarray
) -> np.ndarray:
    """Mean value (N, C) around each of the seam's first vertices on one `side` (F,) of it; NaN for all others."""
    sewn = np.zeros(len(twin), bool)
    sewn[np.unique(twin[twin != np.arange(len(twin))])] = True
    rows = np.flatnonzero((side & sewn[twin[faces]].any(1))[atlas.triangles])
    around = atlas.weights[rows]
    count, sums = around.T @ np.ones(len(rows), np.float32), around.T @ values[rows]
    first_count = np.bincount(twin, count, minlength=len(twin))
    first_sums = np.stack([np.bincount(twin, channel, minlength=len(twin)) for channel in sums.T], axis=1)
    told = sewn & (first_count > _LEAST_WEIGHT)
    return np.where(told[:, None], first_sums / np.maximum(first_count, _LEAST_WEIGHT)[:, None], np.nan)


def _spread(faces: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Smooth field (N, C) over the welded `faces` (F, 3) with `values` (K, C) where `known` (N,)."""
    n = len(known)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    graph = sp.csr_matrix((np.ones(len(ends)), ends.T), shape=(n, n))
    graph = graph + graph.T
    field = np.zeros((n, values.shape[1]))
    field[known] = values
    free = np.setdiff1d(np.unique(faces), np.flatnonzero(known))
    rows = graph[free]
    degree = np.asarray(rows.sum(1)).ravel()
    system = sp.diags(degree * (1 + _EASE)) - rows[:, free]
    field[free] = spsolve(system.tocsc(), rows @ field).reshape(len(free), -1)
    return field.astype(np.float32)
