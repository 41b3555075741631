"""The surface of the head behind the rim: cranium and neck (builder only; millimetres, model frame).

A place on it is named by a point of a capsule inside the head, whose round end is the skull and whose shaft is the
neck. One smooth function carries capsule points to the head: it runs through the rim's end exactly, leaves it in the
rim's own direction, and elsewhere comes close to the drawn shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import RBFInterpolator

_AXIS_Z, _AXIS_TOP_Y, _RADIUS = -97.0, 45.0, 78.0
NECK_END_Y = -138.0
"""Height at which the neck is cut."""
NECK_END_RADIUS = float(np.exp((_AXIS_TOP_Y - NECK_END_Y) / _RADIUS))
"""The same as a radius in the plane."""
# The skull: centre, half axes and exponent. With the rim before it the head is 152 mm broad and 195 mm long, between
# the means of women and men (Zhuang & Bradtmiller 2005: 146 and 153, 187 and 197 mm; from memory).
_SKULL_CENTRE = np.array([0.0, 58.0, -97.0])
_SKULL_AXES = np.array([76.5, 85.5, 86.0])
_SKULL_EXPONENT = 2.25
# The neck: half breadth and half depth below the skull, and how it leans back and widens down to its end; girth
# 350–370 mm (Gordon et al. 2014: women 329, men 397; from memory).
_NECK_AXES, _NECK_Z = np.array([54.0, 51.0]), -94.0
_NECK_WIDENING, _NECK_LEAN = np.array([4.0, 7.0]), -8.0
_BLEND_MM = 22.0
_TARGET_STEP = 0.22
_KEEP_OFF_MM = 26.0
_SMOOTHING = 60.0


@dataclass(frozen=True)
class HeadSurface:
    """Carries plane coordinates to the head's surface."""

    interpolate: RBFInterpolator

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        """Surface points (N, 3) at `plane` (N, 2) coordinates."""
        return self.interpolate(capsule_point(plane))


def fit_surface(rim: np.ndarray, before: np.ndarray) -> HeadSurface:
    """The surface through `rim` (R, 3), the rim's end, in the direction in which it comes from `before` (B, 3)."""
    drawn = _drawn_points(rim)
    given = np.concatenate([rim, before, drawn])
    labels = capsule_point(to_plane(given))
    smoothing = np.concatenate([np.zeros(len(rim) + len(before)), np.full(len(drawn), _SMOOTHING)])
    return HeadSurface(RBFInterpolator(labels, given, smoothing=smoothing, kernel="cubic", degree=1))


def to_plane(points: np.ndarray) -> np.ndarray:
    """Conformal coordinates (N, 2) of the capsule under `points` (N, 3): vertex at 0, back of the head along −y."""
    offset = points - [0, _AXIS_TOP_Y, _AXIS_Z]
    across = np.hypot(offset[:, 0], offset[:, 2])
    polar = np.arctan2(across, np.maximum(offset[:, 1], 0))
    radius = np.where(offset[:, 1] > 0, np.tan(polar / 2), np.exp(np.minimum(-offset[:, 1] / _RADIUS, 10)))
    return radius[:, None] * offset[:, [0, 2]] / np.maximum(across, 1e-9)[:, None]


def capsule_point(plane: np.ndarray) -> np.ndarray:
    """Points (N, 3) of the capsule at `plane` (N, 2)."""
    radius = np.linalg.norm(plane, axis=1)
    polar = 2 * np.arctan(np.minimum(radius, 1))
    down = np.log(np.maximum(radius, 1)) * _RADIUS
    turn = plane / np.maximum(radius, 1e-9)[:, None] * np.sin(polar)[:, None] * _RADIUS
    height = _AXIS_TOP_Y + _RADIUS * np.cos(polar) - down
    return np.stack([turn[:, 0], height, _AXIS_Z + turn[:, 1]], axis=1)


def local_scale(plane: np.ndarray) -> np.ndarray:
    """(N,) mm on the capsule per unit of the plane at `plane` (N, 2)."""
    radius = np.linalg.norm(plane, axis=1)
    return np.where(radius < 1, 2 * _RADIUS / (1 + radius**2), _RADIUS / np.maximum(radius, 1e-9))


def _drawn_points(rim: np.ndarray) -> np.ndarray:
    """Points (N, 3) of the drawn head, some way behind the rim."""
    down = np.arange(0.15, np.pi / 2 + (_AXIS_TOP_Y - NECK_END_Y) / _RADIUS + 0.3, _TARGET_STEP)
    points = []
    for t in down:
        radius = np.tan(t / 2) if t < np.pi / 2 else np.exp(t - np.pi / 2)
        count = max(6, round(2 * np.pi * min(np.sin(min(t, np.pi / 2)), 1) / _TARGET_STEP))
        turn = 2 * np.pi * np.arange(count) / count
        points.append(radius * np.stack([np.sin(turn), np.cos(turn)], axis=1))
    capsule = capsule_point(np.concatenate(points))
    axis = np.stack(
        [np.zeros(len(capsule)), np.minimum(capsule[:, 1], _AXIS_TOP_Y), np.full(len(capsule), _AXIS_Z)], 1
    )
    outward = (capsule - axis) / _RADIUS
    near, far = np.full(len(axis), 20.0), np.full(len(axis), 140.0)
    for _ in range(40):
        middle = (near + far) / 2
        inside = _depth(axis + middle[:, None] * outward) > 0
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    drawn = axis + near[:, None] * outward
    gap = np.linalg.norm(drawn[:, None] - rim[None], axis=2).min(1)
    # In front of the rim's end the head is the face.
    behind = drawn[:, 2] < np.interp(
        drawn[:, 1], rim[:, 1][np.argsort(rim[:, 1])], rim[:, 2][np.argsort(rim[:, 1])]
    )
    lower = drawn[:, 1] < rim[:, 1].min()
    return drawn[((gap > _KEEP_OFF_MM) & behind) | (lower & (gap > 18))]


def _depth(points: np.ndarray) -> np.ndarray:
    """(N,) mm, about: how deep `points` (N, 3) lie inside the drawn head; smooth union of skull and neck."""
    share = np.abs((points - _SKULL_CENTRE) / _SKULL_AXES)
    skull = (1 - (share**_SKULL_EXPONENT).sum(1) ** (1 / _SKULL_EXPONENT)) * 80
    down = np.clip((_AXIS_TOP_Y - points[:, 1]) / (_AXIS_TOP_Y - NECK_END_Y), 0, 1)[:, None]
    across = (points[:, [0, 2]] - [0, _NECK_Z] - down * [0, _NECK_LEAN]) / (
        _NECK_AXES + down * _NECK_WIDENING
    )
    neck = np.minimum((1 - np.linalg.norm(across, axis=1)) * 55, (40 - points[:, 1]) * 0.5)
    blend = np.clip(0.5 + (skull - neck) / (2 * _BLEND_MM), 0, 1)
    return neck + (skull - neck) * blend + _BLEND_MM * blend * (1 - blend)
