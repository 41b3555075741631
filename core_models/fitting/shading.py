"""Log luminance of skin: albedo modes and order-2 light, with derivatives."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..render.lighting import sh_basis

_LEAST_SHADING = 0.08
"""Of the light's level: order-2 light is not believed to be darker anywhere."""
_BAND_SIGMAS = np.repeat([0.5, 0.3], [3, 5])
"""Standard deviations of bands 1 and 2 of the light, relative to band 0."""
_Y0 = 0.2820948


class SkinModel:
    """log(albedo · shading + floor) at M places; `values` are the light's 9 coefficients (luminance), then the
    albedo's Ka, which are fitted elsewhere.
    """

    def __init__(self, log_albedo: np.ndarray, albedo_slopes: np.ndarray, floor: float) -> None:
        """log_albedo (M,), albedo_slopes (M,Ka), floor in linear luminance."""
        self._log_albedo, self._slopes, self._floor = log_albedo, albedo_slopes, floor
        self._level = 0.0
        self.values = np.zeros(9 + albedo_slopes.shape[1])
        self.precision = np.ones(len(self.values))

    @property
    def lit(self) -> bool:
        """Whether `start` was called."""
        return self._level > 0

    def start(self, seen: np.ndarray, used: np.ndarray) -> None:
        """Even light of the level that makes the mean albedo of the places `used` (u,) as bright as `seen` (u,)."""
        self._level = float(np.exp(np.median(seen - self._log_albedo[used]))) / _Y0
        self.values[:] = 0.0
        self.values[0] = self._level
        self.precision[0] = 1e-9  # any level will do: skin's is not known
        self.precision[1:9] = (_BAND_SIGMAS * self._level) ** -2.0

    def compare(
        self, seen: np.ndarray, normals: np.ndarray, used: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals (u,) of log luminances `seen`, and the model's derivatives by normals (u,3) and values (u,9+Ka).

        normals (M,3) unit, camera frame; used (u,) indices.
        """
        basis = sh_basis(torch.as_tensor(normals[used])).numpy()
        light, slopes = self.values[:9], self._slopes[used]
        raw, least = basis @ light, _LEAST_SHADING * self._level * _Y0
        root = np.sqrt((raw - least) ** 2 + (0.5 * least) ** 2)
        shading, gain = 0.5 * (raw + least + root), 0.5 * (1 + (raw - least) / root)
        bright = np.exp(self._log_albedo[used] + slopes @ self.values[9:]) * shading
        share = bright / (bright + self._floor)
        by_light = (share * gain / shading)[:, None]
        by_normal = by_light * np.einsum("mkc,k->mc", sh_slopes(normals[used]), light)
        return (
            seen - np.log(bright + self._floor),
            by_normal,
            np.concatenate([by_light * basis, share[:, None] * slopes], 1),
        )


def sh_slopes(directions: np.ndarray) -> np.ndarray:
    """Derivatives (M,9,3) of `render.lighting.sh_basis` by its argument (M,3)."""
    x, y, z = directions.T
    zero = np.zeros_like(x)
    linear, product = math.sqrt(0.75 / math.pi), 0.5 * math.sqrt(15 / math.pi)
    square = 6 * 0.25 * math.sqrt(5 / math.pi)
    rows = [
        (zero, zero, zero),
        (zero, zero + linear, zero),
        (zero, zero, zero + linear),
        (zero + linear, zero, zero),
        (product * y, product * x, zero),
        (zero, product * z, product * y),
        (zero, zero, square * z),
        (product * z, zero, product * x),
        (product * x, -product * y, zero),
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)
