"""Where lips, brows, nostrils, lashes, beard … lie on the dense face: soft masks from the neutral geometry (mm).

Computed when the model is loaded: they need the resolution of the dense mesh and only a few numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from ..images import smoothstep
from ..landmarks import (
    RIGHT_BROW_LOWER,
    RIGHT_BROW_UPPER,
    RIGHT_CHEEK,
    RIGHT_EYE_CORNERS,
    RIGHT_LIPS,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
)

_NOSTRILS = ((79, 60), (309, 290))


@dataclass(frozen=True)
class Masks:
    """Soft masks (N,) in [0, 1] over the dense face without eyeballs."""

    lips: np.ndarray
    brows: np.ndarray
    nostrils: np.ndarray
    lashes: np.ndarray
    lid_margins: np.ndarray
    mouth: np.ndarray
    cheeks: np.ndarray
    nose: np.ndarray
    under_eyes: np.ndarray
    beard: np.ndarray
    moustache: np.ndarray


@dataclass(frozen=True)
class CageParts:
    """Cage vertices that masks refer to: first eye ring, second mouth ring, all mouth rings."""

    lid_ring: np.ndarray
    deep_mouth: np.ndarray
    mouth: np.ndarray


def build_masks(vertices: np.ndarray, weights: sp.csr_matrix, mirror: np.ndarray, parts: CageParts) -> Masks:
    """Masks over dense `vertices` (N, 3) mm; `weights` (N, Nc) are the subdivision's, `mirror` (Nc,) the cage's map.

    Landmark i is vertex i.
    """
    right = _Side(vertices, weights, mirror)
    lips = right.smooth_indicator(RIGHT_LIPS, extra=parts.mouth)
    mouth = right.smooth_indicator((), extra=parts.deep_mouth)
    margins = right.smooth_indicator((), extra=parts.lid_ring)
    lips = smoothstep(lips, 0.35, 0.75)
    beard = right.beard() * (1 - lips)
    return Masks(
        lips=lips,
        brows=right.brows(),
        nostrils=right.blob(_NOSTRILS[0], 2.2) + right.blob(_NOSTRILS[1], 2.2),
        lashes=np.maximum(right.lashes(RIGHT_UPPER_LID, 0.75), 0.45 * right.lashes(RIGHT_LOWER_LID, 0.55)),
        lid_margins=smoothstep(margins, 0.1, 0.6),
        mouth=smoothstep(mouth, 0.0, 0.6),
        cheeks=right.both_blobs((RIGHT_CHEEK,), 16),
        nose=right.blob((1, 4), 9),
        under_eyes=right.both_blobs((118, 229, 230), 6),
        beard=beard,
        moustache=right.both_blobs((164, 167, 165, 92), 6) * (1 - lips),
    )


class _Side:
    """Mask primitives that always treat both sides alike."""

    def __init__(self, vertices: np.ndarray, weights: sp.csr_matrix, mirror: np.ndarray) -> None:
        self.vertices, self.weights, self.mirror = vertices, weights, mirror

    def smooth_indicator(self, landmarks: Sequence[int] | np.ndarray, extra: np.ndarray) -> np.ndarray:
        chosen = np.zeros(len(self.mirror))
        chosen[list(landmarks)] = 1
        chosen[self.mirror[list(landmarks)]] = 1
        chosen[extra.ravel()] = 1
        return np.asarray(self.weights @ chosen)

    def blob(self, landmarks: tuple[int, ...], radius: float) -> np.ndarray:
        centre = self.vertices[list(landmarks)].mean(0)
        return np.exp(-((self.vertices - centre) ** 2).sum(1) / (2 * radius**2))

    def both_blobs(self, landmarks: tuple[int, ...], radius: float) -> np.ndarray:
        partners = tuple(int(self.mirror[v]) for v in landmarks)
        both = [self.blob((v,), radius) for v in landmarks + partners]
        return np.max(both, axis=0)

    def lashes(self, lid: np.ndarray, width: float) -> np.ndarray:
        """Soft line of `width` mm along a lid's margin, fading towards the corners."""
        outer, inner = RIGHT_EYE_CORNERS
        right = np.array([outer, *lid, inner])
        return np.maximum(self._line(right, width), self._line(self.mirror[right], width))

    def _line(self, landmarks: np.ndarray, width: float) -> np.ndarray:
        knots, at = np.arange(len(landmarks)), np.linspace(0, len(landmarks) - 1, 120)
        curve = np.stack([np.interp(at, knots, self.vertices[landmarks, k]) for k in range(3)], axis=1)
        distance, nearest = cKDTree(curve).query(self.vertices)
        fade = np.sin(np.pi * nearest / (len(at) - 1)) ** 0.5
        return fade * np.exp(-(distance**2) / (2 * width**2))

    def brows(self) -> np.ndarray:
        lower, upper = RIGHT_BROW_LOWER, RIGHT_BROW_UPPER
        one = self._brow(lower, upper)
        return np.maximum(one, self._brow(self.mirror[lower], self.mirror[upper]))

    def _brow(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Soft distance to the brow's spine, thinner towards its outer end."""
        spine = (self.vertices[lower] + self.vertices[upper]) / 2
        thickness = 0.42 * np.linalg.norm(self.vertices[lower] - self.vertices[upper], axis=1)
        at, knots = np.linspace(0, 4, 80), np.arange(5)
        curve = np.stack([np.interp(at, knots, spine[:, k]) for k in range(3)], axis=1)
        width = (
            np.interp(at, knots, thickness)
            * np.clip(0.45 + at / 2, 0, 1)
            * np.clip(0.75 + (4 - at) / 2, 0, 1)
        )
        distance, nearest = cKDTree(curve).query(self.vertices)
        return smoothstep(1.35 - distance / width[nearest], 0, 0.9)

    def beard(self) -> np.ndarray:
        """Chin, jaw and lower cheeks."""
        around = (
            152,
            176,
            149,
            150,
            136,
            172,
            58,
            200,
            208,
            32,
            211,
            214,
            210,
            138,
            135,
            192,
            169,
            170,
            202,
            204,
        )
        return smoothstep(self.both_blobs(around, 13), 0.15, 1.0)
