"""The one place where encoded sRGB becomes scene-linear Rec.709 and back (two-piece curve of IEC 61966-2-1), and linear
Rec.709 CIELAB.

The functions of sRGB take numpy arrays or torch tensors of any shape and return the same kind. Outside 0…1 the curve
is continued as an odd function, so nothing turns into NaN; clip where a range matters.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch

_LINEAR_END_ENCODED = 0.04045
_LINEAR_END = 0.0031308
_SLOPE = 12.92
_OFFSET = 0.055
_EXPONENT = 2.4

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Of linear Rec.709."""
XYZ_FROM_RGB = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
)
_WHITE_D65 = XYZ_FROM_RGB.sum(1)
_LAB_KNEE = 6 / 29

Values = TypeVar("Values", np.ndarray, torch.Tensor)


def srgb_to_linear(srgb: Values) -> Values:
    """Decode sRGB values in 0…1 (uint8: 0…255) to linear ones, float32 unless the input is float64.

    Differentiable for tensors, with finite gradients everywhere.
    """
    if srgb.dtype in (np.uint8, torch.uint8):
        return _decode_bytes(srgb)
    encoded = _as_float(srgb)
    size = abs(encoded)
    # Clipped into its own branch first: `where` alone would still send an infinite gradient back from 0.
    curve = ((_clip_below(size, _LINEAR_END_ENCODED) + _OFFSET) / (1 + _OFFSET)) ** _EXPONENT
    return _choose(size <= _LINEAR_END_ENCODED, encoded / _SLOPE, curve, encoded)


def linear_to_srgb(linear: Values) -> Values:
    """Encode linear values in 0…1 (floats) as sRGB in 0…1, float32 unless the input is float64.

    Differentiable for tensors, with finite gradients everywhere.
    """
    values = _as_float(linear)
    size = abs(values)
    curve = (1 + _OFFSET) * _clip_below(size, _LINEAR_END) ** (1 / _EXPONENT) - _OFFSET
    return _choose(size <= _LINEAR_END, values * _SLOPE, curve, values)


def linear_to_srgb_uint8(linear: Values) -> np.ndarray:
    """Encode linear values as 8-bit sRGB, clipped to 0…1 and rounded to nearest."""
    encoded = linear_to_srgb(linear)
    array = encoded.detach().cpu().numpy() if isinstance(encoded, torch.Tensor) else encoded
    return np.round(np.clip(array, 0.0, 1.0) * 255.0).astype(np.uint8)


def linear_from_lab(lab: np.ndarray) -> np.ndarray:
    """CIELAB (…, 3), D65 → linear Rec.709 (…, 3)."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _LAB_KNEE, f**3, 3 * _LAB_KNEE**2 * (f - 4 / 29)) * _WHITE_D65
    return xyz @ np.linalg.inv(XYZ_FROM_RGB).T


def lab_from_linear(rgb: np.ndarray) -> np.ndarray:
    """Linear Rec.709 (…, 3) → CIELAB (…, 3), D65."""
    t = rgb @ XYZ_FROM_RGB.T / _WHITE_D65
    f = np.where(t > _LAB_KNEE**3, np.cbrt(t), t / (3 * _LAB_KNEE**2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


@cache
def _byte_table() -> np.ndarray:
    """(256,) float32: every byte, decoded. A look-up takes a tenth of the time of the power."""
    return srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


def _decode_bytes(values: Any) -> Any:
    if isinstance(values, torch.Tensor):
        return torch.from_numpy(_byte_table()).to(values.device)[values.to(torch.int64)]
    return _byte_table()[values]


def _as_float(values: Any) -> Any:
    if isinstance(values, torch.Tensor):
        return values if values.dtype == torch.float64 else values.to(torch.float32)
    return values if values.dtype == np.float64 else values.astype(np.float32)


def _clip_below(values: Any, lowest: float) -> Any:
    return values.clamp(min=lowest) if isinstance(values, torch.Tensor) else np.maximum(values, lowest)


def _choose(is_low: Any, low: Any, high: Any, signed: Any) -> Any:
    if isinstance(signed, torch.Tensor):
        return torch.where(is_low, low, torch.copysign(high, signed))
    return np.where(is_low, low, np.copysign(high, signed))
