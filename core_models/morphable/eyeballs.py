"""Eyeballs: a sphere with a cornea per eye, in rows around the optical axis (millimetres, neutral gaze +z).

Rows put edges on pupil, iris rim and limbus. The back pole is left open, so that a UV disc needs no seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Axial length 24 mm (Bekerman, Gottlieb & Vaiman 2014: 22–24.8 mm in adults).
RADIUS_MM = 12.0
# Horizontal visible iris diameter 11.7 ± 0.5 mm, nearly the same for everyone (Rüfer, Schröder & Erb 2005).
IRIS_RADIUS_MM = 5.85
PUPIL_RADIUS_MM = 1.9
# The cornea's apex stands about 1.1 mm in front of the globe's sphere; softened, since lids slide over it.
CORNEA_BULGE_MM = 0.7
N_SEGMENTS = 32
_UV_RADIUS, _UV_MARGIN = 0.08, 0.004
# How much the UV disc favours the front: the iris gets about the face's texel density.
_UV_FRONT = 6.0

# Row radii seen from the front, then polar angles (degrees) behind the equator.
_FRONT_ROWS_MM = (0.9, 1.75, 2.05, 3.0, 4.2, 5.2, 5.7, 6.0, 6.8, 7.8, 8.9, 10.0, 10.9, 11.6)
_BACK_ROWS_DEGREES = (90.0, 102.0, 116.0, 132.0, 150.0)


@dataclass(frozen=True)
class Eyeballs:
    """Both eyeballs about their own centres, subject's right first.

    offsets (M, 3) mm from the centre of rotation; side (M,) 0 right, 1 left; front_radius (M,) mm from the optical axis
    at the front, ≥ RADIUS_MM behind the equator; faces (G, 3) outward; mirror (M,); polar (M,) angle from the axis;
    azimuth (M,) about it, from +x.
    """

    offsets: np.ndarray
    side: np.ndarray
    front_radius: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    polar: np.ndarray
    azimuth: np.ndarray


def build_eyeballs() -> Eyeballs:
    """The two eyeballs, exact mirror images of each other."""
    polar_rows = np.concatenate(
        [np.arcsin(np.array(_FRONT_ROWS_MM) / RADIUS_MM), np.radians(_BACK_ROWS_DEGREES)]
    )
    turn = np.arange(N_SEGMENTS) * 2 * np.pi / N_SEGMENTS
    polar = np.concatenate([[0.0], np.repeat(polar_rows, N_SEGMENTS)])
    azimuth = np.concatenate([[0.0], np.tile(turn, len(polar_rows))])
    radius = surface_radius(polar)
    ball = radius[:, None] * np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1
    )
    faces = _row_faces(len(polar_rows))
    n = len(ball)
    front = np.where(polar < np.pi / 2, RADIUS_MM * np.sin(polar), RADIUS_MM + polar)
    return Eyeballs(
        offsets=np.concatenate([ball, ball * [-1, 1, 1]]),
        side=np.repeat([0, 1], n),
        front_radius=np.tile(front, 2),
        faces=np.concatenate([faces, faces[:, ::-1] + n]),
        mirror=np.concatenate([np.arange(n) + n, np.arange(n)]),
        polar=np.tile(polar, 2),
        azimuth=np.concatenate([azimuth, np.pi - azimuth]),
    )


def surface_radius(polar: np.ndarray) -> np.ndarray:
    """Distance in mm of the eyeball's surface from its centre at `polar` radians from the optical axis.

    A sphere; the cornea stands out most at the pole and meets it smoothly outside the limbus.
    """
    inside = np.clip(1 - (RADIUS_MM * np.sin(polar) / (1.15 * IRIS_RADIUS_MM)) ** 2, 0, None) ** 1.5
    return RADIUS_MM + CORNEA_BULGE_MM * np.where(polar < np.pi / 2, inside, 0.0)


def _row_faces(n_rows: int) -> np.ndarray:
    index = 1 + np.arange(n_rows * N_SEGMENTS).reshape(n_rows, N_SEGMENTS)
    following = np.roll(index, -1, axis=1)
    cap = np.stack([np.zeros(N_SEGMENTS, int), index[0], following[0]], axis=1)
    a, b, c, d = index[:-1].ravel(), following[:-1].ravel(), index[1:].ravel(), following[1:].ravel()
    return np.concatenate([cap, np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])


def iris_landmarks(balls: Eyeballs) -> np.ndarray:
    """Vertices (2, 5) of MediaPipe's iris points: centre, image right, top, image left, bottom; 468… then 473…"""
    half = len(balls.offsets) // 2
    row = 1 + _FRONT_ROWS_MM.index(5.7) * N_SEGMENTS
    quarter = N_SEGMENTS // 4
    right = [0, row, row + quarter, row + 2 * quarter, row + 3 * quarter]
    left = [half, half + right[3], half + right[2], half + right[1], half + right[4]]
    return np.array([right, left])


def eyeball_uv(balls: Eyeballs) -> np.ndarray:
    """UVs (M, 2): a disc per eyeball in the lower corners, optical axis at its middle, mirror-symmetric."""
    share = balls.polar / balls.polar.max()
    radius = _UV_RADIUS * np.log1p(_UV_FRONT * share) / np.log1p(_UV_FRONT)
    # Azimuth is measured in the subject's frame, so both discs keep up and outside where the face has them.
    u = radius * np.cos(balls.azimuth)
    v = radius * np.sin(balls.azimuth)
    x = np.where(balls.side == 0, _UV_MARGIN + _UV_RADIUS, 1 - _UV_MARGIN - _UV_RADIUS)
    return np.stack([x + u, _UV_MARGIN + _UV_RADIUS + v], axis=1)
