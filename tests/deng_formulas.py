"""The image formation of Deng et al. (2019) in float64 numpy, from the published formulas, and a small linear model.

Independent of the program: no torch, none of its conventions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 224
_C0, _C1, _C2 = 0.8862269, 1.7724539, 2.4270324


@dataclass(frozen=True, eq=False)
class LinearModel:
    """The arrays of a face model, coordinates interleaved (x, y, z of the first vertex, …), decimetres, 0…255."""

    meanshape: np.ndarray
    """(3N,)"""
    idBase: np.ndarray
    """(3N, 80)"""
    exBase: np.ndarray
    """(3N, 64)"""
    meantex: np.ndarray
    """(3N,)"""
    texBase: np.ndarray
    """(3N, 80)"""
    tri: np.ndarray
    """(F, 3) counter-clockwise seen from outside"""


def small_model(seed: int, n: int = 22) -> LinearModel:
    """The front of an ellipsoid, n² vertices in uneven rows, with smooth random modes."""
    generator = np.random.default_rng(seed)
    rows = np.radians(75) * np.sort(generator.uniform(-1, 1, n))
    columns = np.radians(75) * np.linspace(-1, 1, n)
    longitude, latitude = (angle.ravel() for angle in np.meshgrid(columns, rows))
    x, y = np.sin(longitude) * np.cos(latitude), np.sin(latitude)
    mean = np.stack([0.7 * x, 0.95 * y, 0.8 * np.cos(longitude) * np.cos(latitude)], axis=1)
    # Off its centre, as the published mean is.
    mean += [0.01, -0.02, 0.3]

    def modes(count: int, size: float) -> np.ndarray:
        waves = generator.normal(0, 2, (3, count, 3))
        phase = generator.uniform(0, 2 * np.pi, (3, count))
        values = np.sin(np.einsum("nc,dkc->ndk", mean, waves) + phase)
        return size / np.sqrt(count) * values.reshape(-1, count)

    first = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    tri = np.concatenate(
        [np.stack([first, first + 1, first + n], 1), np.stack([first + 1, first + n + 1, first + n], 1)]
    )
    texture = np.tile([170.0, 130.0, 110.0], (n * n, 1))
    return LinearModel(mean.ravel(), modes(80, 0.05), modes(64, 0.03), texture.ravel(), modes(80, 12.0), tri)


def shape(model: LinearModel, coefficients: np.ndarray) -> np.ndarray:
    """(N, 3), the mean recentred on the mean of its vertices."""
    mean = model.meanshape.reshape(-1, 3)
    offsets = model.idBase @ coefficients[:80] + model.exBase @ coefficients[80:144]
    return mean - mean.mean(0) + offsets.reshape(-1, 3)


def texture(model: LinearModel, coefficients: np.ndarray) -> np.ndarray:
    """(N, 3) encoded, 0…1."""
    return (model.meantex + model.texBase @ coefficients[144:224]).reshape(-1, 3) / 255


def rotation(angles: np.ndarray) -> np.ndarray:
    """Rz·Ry·Rx."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def vertex_colours(model: LinearModel, coefficients: np.ndarray) -> np.ndarray:
    """(N, 3) texture times harmonics, encoded."""
    v1, v2, v3 = (shape(model, coefficients)[model.tri[:, k]] for k in range(3))
    face_normals = np.cross(v1 - v2, v2 - v3)
    face_normals /= np.linalg.norm(face_normals, axis=1, keepdims=True)
    normals = np.zeros((len(model.meanshape) // 3, 3))
    for k in range(3):
        np.add.at(normals, model.tri[:, k], face_normals)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    x, y, z = (normals @ rotation(coefficients[224:227]).T).T
    basis = [_C0 + 0 * x, -_C1 * y, _C1 * z, -_C1 * x, _C2 * x * y, -_C2 * y * z]
    basis += [0.7006239 * (3 * z**2 - 1), -_C2 * x * z, 1.2135162 * (x**2 - y**2)]
    gamma = coefficients[227:254].reshape(3, 9) + 0.8 * (np.arange(9) == 0)
    return texture(model, coefficients) * (np.stack(basis, axis=1) @ gamma.T)


def projected(model: LinearModel, coefficients: np.ndarray) -> np.ndarray:
    """(N, 3): u, v (y up) in pixels of the crop, and the distance from the camera."""
    placed = shape(model, coefficients) @ rotation(coefficients[224:227]).T + coefficients[254:257]
    distance = 10 - placed[:, 2]
    return np.column_stack([1015 * placed[:, :2] / distance[:, None] + 112, distance])


def picture(model: LinearModel, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest triangle at each pixel's centre: encoded colours (SIDE, SIDE, 3) and covered (SIDE, SIDE) bool."""
    colours, points = vertex_colours(model, coefficients), projected(model, coefficients)
    image, nearest = np.zeros((SIDE, SIDE, 3)), np.full((SIDE, SIDE), np.inf)
    for corners in model.tri:
        (ua, va, da), (ub, vb, db), (uc, vc, dc) = points[corners]
        low = np.floor([min(ua, ub, uc), SIDE - max(va, vb, vc)]).astype(int).clip(0, SIDE)
        high = np.ceil([max(ua, ub, uc), SIDE - min(va, vb, vc)]).astype(int).clip(0, SIDE)
        box = np.s_[low[1] : high[1], low[0] : high[0]]
        row, column = np.mgrid[box] + 0.5
        u, v = column, SIDE - row
        weights = np.stack(
            [
                (ub - u) * (vc - v) - (vb - v) * (uc - u),
                (uc - u) * (va - v) - (vc - v) * (ua - u),
                (ua - u) * (vb - v) - (va - v) * (ub - u),
            ],
            axis=-1,
        ) / ((ub - ua) * (vc - va) - (vb - va) * (uc - ua))
        inverse_distance = weights @ [1 / da, 1 / db, 1 / dc]
        seen = (weights >= 0).all(-1) & (inverse_distance > 1 / nearest[box])
        share = weights[seen] / [da, db, dc] / inverse_distance[seen][:, None]
        nearest[box][seen] = 1 / inverse_distance[seen]
        image[box][seen] = share @ colours[corners]
    return image, np.isfinite(nearest)


def random_coefficients(seed: int) -> np.ndarray:
    """(257,) of a face that looks roughly to the camera, in light from everywhere."""
    generator = np.random.default_rng(seed)
    deviations = np.repeat([1.0, 0.25, 0.05, 0.15], [224, 3, 27, 3])
    return deviations * generator.normal(size=257)
