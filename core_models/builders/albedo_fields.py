"""Smooth random fields over the face, along which melanin and blood vary (builder only; millimetres)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from .identity_modes import parity_basis, with_fixed_sign

_FIELD_LENGTHS_MM = (60.0, 25.0, 12.0)
_FIELD_ASYMMETRY = 0.4


def random_fields(targets: np.ndarray, mirror: np.ndarray, count: int) -> np.ndarray:
    """The `count` strongest modes (count, N), each symmetric or antisymmetric, of a smooth unit-variance field."""
    squared = cdist(targets, targets, "sqeuclidean")
    kernel = sum(np.exp(-squared / (2 * length**2)) for length in _FIELD_LENGTHS_MM) / len(_FIELD_LENGTHS_MM)
    found = []
    for parity, amplitude in ((1, 1.0), (-1, _FIELD_ASYMMETRY)):
        # The y component of a vector field has the parity of a scalar.
        basis = parity_basis(mirror, parity)[1::3]
        basis = basis[:, np.abs(basis).sum(0) > 0]
        values, vectors = eigh(amplitude**2 * basis.T @ kernel @ basis)
        fields = with_fixed_sign(basis @ vectors).T * np.sqrt(np.maximum(values, 0))[:, None]
        found += list(zip(values, fields, strict=True))
    found.sort(key=lambda item: -item[0])
    return np.array([field for _, field in found[:count]])
