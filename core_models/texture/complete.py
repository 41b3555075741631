"""The albedo where the photo shows nothing: the other half of the face where that was seen, else the model's.

Both are joined to what is seen by smooth membranes in log albedo, where joining changes tone and keeps contrast, so
that no seam shows. The plan is made at a modest size and resampled: tone is smooth, detail comes from the full-size
textures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .albedo import ALBEDO_RANGE
from .atlas import Atlas
from .images import extend, resize_map, smoothstep
from .membrane import membrane

FEATHER = (0.15, 0.65)
"""Confidence over which the seen albedo takes over from the completed one."""
_MEMBRANE_SIZE = 256
"""Or the largest power of two below the plan's size: membranes are halved down to a few cells."""
_PULL = 2e-4
"""Weight of the face's median tone against the seam's: takes over about 1/√p = 70 membrane cells from the last seen
one."""
_USUAL = (0.35, 0.8)
"""Log departure from the median tone at which the say of a darker and of a brighter texel in the membranes has
halved: hair is dark, a glossy forehead still is skin."""
_TRUST = 0.05
"""Membrane weight of a fully seen cell against its neighbours: follows tone over 1/√w = 4 cells, not pores."""


@dataclass(frozen=True)
class Completion:
    """How to fill an albedo texture; square maps of any size, resampled where they are used."""

    seen_share: np.ndarray
    """(S', S') share of the photo's own albedo."""
    mirror_share: np.ndarray
    """(S', S') share of the mirrored albedo in what the photo does not give."""
    mirror_tone: np.ndarray
    """(S", S", 3) log factor from the mirrored albedo to this side's."""
    model_fill: np.ndarray
    """(S', S', 3) linear: the model's albedo in the tone of what is seen."""


def plan_completion(
    seen: np.ndarray, confidence: np.ndarray, model_albedo: np.ndarray, covered: np.ndarray
) -> Completion:
    """Decide from small maps what fills the albedo.

    seen (S', S', 3) linear albedo from the photo, confidence (S', S') 0…1, model_albedo (S', S', 3) linear, covered
    (S', S') bool. The layout must be mirror-symmetric: column j shows what column S' − 1 − j shows on the other side.
    """
    share = smoothstep(confidence, *FEATHER)
    mirror_share = np.where(covered, share[:, ::-1], 0.0)
    log_seen, log_model = (np.log(np.clip(image, *ALBEDO_RANGE)) for image in (seen, model_albedo))
    model_tone = _tone(log_seen - log_model, share**2, covered)
    mirror_tone = _tone(log_seen - log_seen[:, ::-1], (share * mirror_share) ** 2, covered)
    fill = np.clip(np.exp(log_model + resize_map(model_tone, covered.shape[0])), *ALBEDO_RANGE)
    return Completion(share, mirror_share, mirror_tone, extend(fill, covered))


def complete_albedo(plan: Completion, atlas: Atlas, seen: np.ndarray) -> np.ndarray:
    """Fill the texels' albedo (M, 3) linear, of which `seen` holds what the photo gives (arbitrary where unseen)."""
    flat = atlas.image(seen.astype(np.float32), background=ALBEDO_RANGE[0]).reshape(-1, 3)
    covered = atlas.covered().ravel()
    result = np.empty((len(atlas.texels), 3), np.float32)
    start = 0
    for band in atlas.bands():
        piece = slice(start, start + len(band.texels))
        across = band.mirrored()
        here, there = band.gather(plan.seen_share)[:, None], band.gather(plan.mirror_share)[:, None]
        there = there * covered[across, None]
        mirrored = np.log(flat[across]) + band.gather(plan.mirror_tone)
        unseen = there * mirrored + (1 - there) * np.log(band.gather(plan.model_fill))
        result[piece] = np.exp(here * np.log(seen[piece]) + (1 - here) * unseen)
        start = piece.stop
    return np.clip(result, *ALBEDO_RANGE)


def _tone(difference: np.ndarray, weights: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Membrane (S", S", 3) through a log difference (S', S', 3), pulled to its median far from every value.

    Values far from the median (hair, nostrils, a shadow's core) count little: they must not spread over what is
    unseen.
    """
    strong = weights > 0.5
    median = np.median(difference[strong], axis=0) if strong.any() else np.zeros(3, np.float32)
    departure = (difference - median).mean(-1)
    unusual = departure / np.where(departure < 0, *_USUAL)
    weights = (weights / (1 + unusual**4)).astype(np.float32)
    size = 1 << (min(covered.shape[0], _MEMBRANE_SIZE).bit_length() - 1)
    pooled, sums, inside = (
        cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
        for image in (weights, difference * weights[..., None], covered)
    )
    values = sums / np.maximum(pooled, 1e-6)[..., None]
    return membrane(values, _TRUST * pooled, inside > 0, median, _PULL)
