"""Textures that several photos give of one person → one: tone from all of them, detail from where it is seen best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from .bake import TextureResult
from .colour import linear_to_srgb_uint8, srgb_to_linear
from .images import smoothstep
from .skin_colour import ALBEDO_RANGE
from .texture.atlas import Atlas
from .texture.vertex_colours import average_to_vertices

TONE_SIGMA = 0.03
"""Of the texture's side, about 8 mm on the face: wider differences between the photos are tone, which is averaged;
finer ones are detail, which comes from one photo at each place."""
_CHOICE = 6.0
"""Power of the confidence with which photos compete for the detail."""
_FEATHER = 0.006
"""Of the texture's side: the width over which the detail passes from one photo to another."""
_INVENTED = 0.03
"""Confidence of what the first photo's completion made up, beside what any photo shows."""
_SEEN = (0.15, 0.65)
"""Confidence over which the photos' mean takes over from that completion."""
_TONE_SAMPLES = 20_000


def merge_textures(
    textures: Sequence[TextureResult], sharpness: Sequence[float], atlas: Atlas, uv: np.ndarray
) -> TextureResult:
    """One texture, in the first photo's light.

    Args:
        textures: one a photo, of one size.
        sharpness: how large the face is in each photo; only ratios matter.
        atlas: the layout at that size.
        uv: (N, 2).
    """
    first = textures[0]
    confidences = [texture.confidence.astype(np.float32) / 255 for texture in textures]
    logs = [_log_albedo(texture) for texture in textures]
    merged = _merged(logs, confidences, np.asarray(sharpness, np.float32) / max(sharpness))
    change = np.exp(merged - _log_albedo(first))
    # What the merged tone takes from the first photo's albedo goes into its light: their product is still the photo.
    tone = np.exp(_blurred(merged - _log_albedo(first), np.ones_like(confidences[0]), atlas.size))
    vertex_change, vertex_tone = (
        average_to_vertices(atlas, atlas.gather(image.astype(np.float32)), uv) for image in (change, tone)
    )
    return replace(
        first,
        albedo_srgb=linear_to_srgb_uint8(np.clip(np.exp(merged), *ALBEDO_RANGE)),
        shading_linear=(first.shading_linear / tone).astype(np.float16),
        confidence=np.round(np.max(confidences, 0) * 255).astype(np.uint8),
        vertex_albedo_linear=np.clip(first.vertex_albedo_linear * vertex_change, *ALBEDO_RANGE).astype(
            np.float32
        ),
        vertex_shading_linear=(first.vertex_shading_linear / np.maximum(vertex_tone, 0.1)).astype(np.float32),
        vertex_confidence=np.max([texture.vertex_confidence for texture in textures], 0),
    )


def _log_albedo(texture: TextureResult) -> np.ndarray:
    return np.log(np.clip(srgb_to_linear(texture.albedo_srgb.astype(np.float32) / 255), *ALBEDO_RANGE))


def _merged(
    logs: Sequence[np.ndarray], confidences: Sequence[np.ndarray], sharpness: np.ndarray
) -> np.ndarray:
    """(S, S, 3) log albedo."""
    size = logs[0].shape[0]
    lows = [_blurred(log, seen + 1e-3, size) for log, seen in zip(logs, confidences, strict=True)]
    best = [
        cv2.GaussianBlur((seen * sharp) ** _CHOICE, (0, 0), _FEATHER * size) + 1e-9
        for seen, sharp in zip(confidences, sharpness, strict=True)
    ]
    detail = sum((log - low) * w[..., None] for log, low, w in zip(logs, lows, best, strict=True))
    seen = smoothstep(np.max(confidences, 0), *_SEEN)[..., None]
    invented = logs[0] - lows[0]
    return _tone(lows, confidences) + seen * detail / sum(best)[..., None] + (1 - seen) * invented


def _tone(lows: Sequence[np.ndarray], confidences: Sequence[np.ndarray]) -> np.ndarray:
    """Mean (S, S, 3) of smooth log albedos, moved before, each by one factor a channel, to the mean of their tones."""
    shifts = np.zeros((len(lows), 3), np.float32)
    for photo in range(1, len(lows)):
        both = np.flatnonzero(np.minimum(confidences[0], confidences[photo]).ravel() > 0.6)
        if both.size:
            chosen = both[:: 1 + both.size // _TONE_SAMPLES]
            shifts[photo] = np.median((lows[photo] - lows[0]).reshape(-1, 3)[chosen], axis=0)
    shifts -= shifts.mean(0)
    weights = [seen + (_INVENTED if photo == 0 else 0.0) for photo, seen in enumerate(confidences)]
    total = sum(
        (low - shift) * weight[..., None] for low, shift, weight in zip(lows, shifts, weights, strict=True)
    )
    return total / np.sum(weights, 0)[..., None]


def _blurred(values: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Weighted Gaussian average (S, S, C) over `TONE_SIGMA` of the texture."""
    small = max(64, size // 8)
    sums = [
        cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        for image in (values * weights[..., None], weights)
    ]
    total, weight = (cv2.GaussianBlur(image, (0, 0), TONE_SIGMA * small) for image in sums)
    return cv2.resize(
        total / np.maximum(weight, 1e-6)[..., None], (size, size), interpolation=cv2.INTER_LINEAR
    )
