"""Identity modes of the default model: a Gaussian process over the landmarks (builder only; millimetres).

Kernels as in Lüthi et al. 2018 (Gaussian process morphable models): smooth fields at four lengths, plus a smoothly
varying local scale about a point inside the head, without which depth would not follow from a frontal view. Symmetric
and antisymmetric fields are separate processes. What is not identity is taken out: rigid motion is projected away, lips
stay together, lids slide on the eyeballs, and the process is conditioned on no share of the mouth's expressive curves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from ..landmarks import LOWER_INNER_LIP, UPPER_INNER_LIP
from .deform import interpolate_handles

N_MODES = 80
# (correlation length mm, standard deviation mm)
_KERNELS = ((100.0, 3.0), (50.0, 2.2), (25.0, 1.7), (12.0, 1.0))
_VARIANCE_SHARE = 0.6
_SCALE_LENGTH_MM, _SCALE_STD = 50.0, 0.06
_SCALE_CENTRE = np.array([0.0, -35.0, -90.0])
_LIP_REACH_MM, _LIP_STRETCH_STD = 11.0, 0.28
_ASYMMETRY = 0.3
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class IdentityModes:
    """modes (K, n, 3) mm per standard deviation, largest first; parity (K,) +1 symmetric, −1 antisymmetric."""

    modes: np.ndarray
    parity: np.ndarray


def covariance(points: np.ndarray) -> np.ndarray:
    """Covariance (3n, 3n) in mm² of the unconstrained process at `points` (n, 3)."""
    squared = cdist(points, points, "sqeuclidean")
    kernel = sum(std**2 * np.exp(-squared / (2 * length**2)) for length, std in _KERNELS)
    arm = points - _SCALE_CENTRE
    scale = _SCALE_STD**2 * np.exp(-squared / (2 * _SCALE_LENGTH_MM**2))
    blocks = _VARIANCE_SHARE * np.einsum("ij,ab->iajb", kernel, np.eye(3))
    blocks += np.einsum("ij,ia,jb->iajb", scale, arm, arm)
    lips = lip_thickness_fields(points)
    return blocks.reshape(3 * len(points), -1) + lips.T @ lips


def lip_thickness_fields(points: np.ndarray) -> np.ndarray:
    """Fields (2, 3n) mm: upper and lower lip thicker by their standard deviation, against the lip line.

    Lips vary more than any smooth field of the face around them: the height of each red border's middle has a standard
    deviation of 1.3–1.5 mm (Farkas 1994).
    """
    offset = points - (points[13] + points[14]) / 2
    height = offset[:, 1]
    fall = np.exp(-((height / _LIP_REACH_MM) ** 2) - (offset[:, 0] / 28) ** 2 - (offset[:, 2] / 30) ** 2)
    fields = np.zeros((2, len(points), 3))
    fields[0, :, 1] = _LIP_STRETCH_STD * fall * np.maximum(height, 0)
    fields[1, :, 1] = _LIP_STRETCH_STD * fall * np.minimum(height, 0)
    return fields.reshape(2, -1)


def parity_basis(mirror: np.ndarray, parity: int) -> np.ndarray:
    """Orthonormal basis (3n, m) of the vector fields that are symmetric (+1) or antisymmetric (−1) under `mirror`."""
    columns = []
    for i, partner in enumerate(mirror):
        for axis in range(3):
            sign = parity * _FLIP[axis]
            if i < partner or (i == partner and sign > 0):
                column = np.zeros((len(mirror), 3))
                column[i, axis] += 1
                column[partner, axis] += sign
                columns.append(column.ravel() / np.linalg.norm(column))
    return np.array(columns).T


def rigid_fields(points: np.ndarray) -> np.ndarray:
    """The six infinitesimal rigid motions (3n, 6) of `points` (n, 3)."""
    centred = points - points.mean(0)
    shifts = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    return np.stack([field.ravel() for field in shifts + turns], axis=1)


def seal_operator(n: int) -> np.ndarray:
    """(n, n) matrix that gives each pair of facing inner-lip landmarks their common mean."""
    matrix = np.eye(n)
    for upper, lower in zip(UPPER_INNER_LIP, LOWER_INNER_LIP, strict=True):
        matrix[np.ix_([upper, lower], [upper, lower])] = 0.5
    return matrix


def lid_operator(points: np.ndarray, faces: np.ndarray, loops: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(3n, 3n) matrix that takes from a field each lid margin's motion towards or away from its eyeball.

    The eyeball moves with its margin's mean. The correction fades out within 34 mm, so that lids slide on the
    eyeball and everything else keeps its variance. `points` (n, 3), their `faces`.
    """
    n = len(points)
    matrix = np.eye(3 * n)
    for loop, centre in zip(loops, centres, strict=True):
        outward = points[loop] - centre
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        far = np.where(np.linalg.norm(points - centre, axis=1) > 34)[0]
        handles = np.concatenate([loop, far])
        unit = np.eye(len(handles))[:, : len(loop)]
        spread = interpolate_handles(points, faces, handles, unit)
        radial = np.zeros((len(loop), n, 3))
        radial[:, loop] -= outward[:, None] / len(loop)
        radial[np.arange(len(loop)), loop] += outward
        push = np.einsum("vl,la->val", spread, outward).reshape(-1, len(loop))
        matrix -= push @ radial.reshape(len(loop), -1)
    return matrix


def mouth_shape_rows(points: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Rows (E, 3n): how much of each expression (E, n, 3) a field holds around the mouth.

    Where the mouth sits, how wide, thick and deep it is belongs to identity; how it curves belongs to expression.
    """
    centre = (points[13] + points[14]) / 2
    weight = np.exp(-((points - centre) ** 2).sum(1) / (2 * 25**2))
    thickness = lip_thickness_fields(points).reshape(2, -1, 3)[..., 1].T
    free = np.concatenate([np.ones((len(points), 1)), points - centre, thickness], axis=1)
    fit = np.linalg.solve(free.T @ (weight[:, None] * free), free.T * weight)
    return (weight[:, None] * (shapes - free @ (fit @ shapes))).reshape(len(shapes), -1)


def identity_modes(
    points: np.ndarray, mirror: np.ndarray, operator: np.ndarray, excluded: np.ndarray
) -> IdentityModes:
    """The `N_MODES` strongest modes at the landmarks `points` (n, 3) with their `mirror` (n,).

    Fields pass through `operator` (3n, 3n) and none of them changes `excluded` (E, 3n).
    """
    full, rigid = operator @ covariance(points) @ operator.T, rigid_fields(points)
    found = []
    for parity, amplitude in ((1, 1.0), (-1, _ASYMMETRY)):
        basis = parity_basis(mirror, parity)
        kernel = _without(amplitude**2 * basis.T @ full @ basis, basis.T @ rigid)
        kernel = _conditioned(kernel, excluded @ basis)
        size = len(kernel)
        values, vectors = eigh(kernel, subset_by_index=[size - N_MODES, size - 1])
        modes = basis @ with_fixed_sign(vectors * np.sqrt(np.maximum(values, 0)))
        found += [(value, modes[:, k].reshape(-1, 3), parity) for k, value in enumerate(values)]
    found.sort(key=lambda item: -item[0])
    chosen = found[:N_MODES]
    return IdentityModes(np.array([mode for _, mode, _ in chosen]), np.array([sign for *_, sign in chosen]))


def with_fixed_sign(vectors: np.ndarray) -> np.ndarray:
    """Columns of `vectors` (m, K) with their largest entry positive: eigenvectors come with either sign."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], axis=0)
    return vectors * np.sign(largest)


def _without(kernel: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Covariance after removing the least-squares share of `fields` (m, 6) from every sample."""
    orthonormal, sizes, _ = np.linalg.svd(fields, full_matrices=False)
    orthonormal = orthonormal[:, sizes > 1e-9 * sizes.max()]
    keep = np.eye(len(kernel)) - orthonormal @ orthonormal.T
    return keep @ kernel @ keep.T


def _conditioned(kernel: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Covariance of the process given that `rows` (E, m) of it are zero (Rasmussen & Williams 2006, eq. 2.19)."""
    cross = kernel @ rows.T
    inner = rows @ cross
    return kernel - cross @ np.linalg.pinv(inner, rcond=1e-9, hermitian=True) @ cross.T
