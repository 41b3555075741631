"""The outer ear as a height field with a back, drawn with a few curves (builder only; millimetres).

Frame of the ear: u backwards, v up, w outwards from the ear's plane, origin where the tragus meets the cheek. Length 63
and breadth 35 mm lie between the means of women and men (Farkas 1994); the plan of ridges and hollows is any anatomy
book's.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

N_AROUND = 56
"""Vertices of each ring."""
_CENTRE = np.array([11.5, -2.0])
_THICKNESS = 2.6
_TRAGUS_LEAN = 0.5

# The border of the front side, from the helix' root over the top and the lobe back to the tragus.
_OUTLINE = np.array([
    (2.5, 15), (3.5, 22), (7, 29), (13, 33), (20, 34), (27.5, 31), (32.5, 24.5), (34.8, 15), (34.3, 5), (31.5, -5),
    (27.5, -14), (22.5, -22), (16.5, -27.5), (11, -29), (6.8, -26.8), (4.6, -21), (3.4, -14), (2.4, -6), (1.8, 2),
    (1.9, 9),
])  # fmt: skip
# Where the ear grows from the head, at the same places.
_ROOT = np.array([
    (-1, 16.5), (0, 22), (3.5, 26), (8, 27.5), (12, 26.5), (15.5, 23), (17.5, 18), (18.5, 11.5), (18.5, 4.5),
    (17.5, -2.5), (15.5, -9), (13.5, -15), (11.5, -19.5), (9, -22.5), (5.6, -23.8), (2.6, -20.5), (0.2, -14),
    (-2.2, -6), (-3, 2), (-2.6, 9.5),
])  # fmt: skip
# Ridges (+) and grooves (−): points (u, v, height, width) along a curve.
_CURVES = {
    "helix": [
        (14, 2.5, 0.5, 1.8), (9.5, 3.6, 4.5, 1.7), (5.5, 7.5, 4.5, 1.8), (4.6, 14, 4.2, 2.0), (6, 21.5, 4.2, 2.1),
        (9.5, 27.4, 4.2, 2.1), (14.5, 30.6, 4.2, 2.1), (20.5, 31.2, 4.2, 2.2), (26.5, 28.6, 4.0, 2.2),
        (30.6, 22.8, 4.0, 2.1), (32.3, 14.5, 3.8, 2.0), (31.8, 5.5, 3.4, 1.9), (29.2, -3.8, 2.8, 1.8),
        (25.8, -11.5, 1.6, 2.0), (22.5, -17.5, 0.3, 2.2),
    ],
    "antihelix": [
        (10.5, -15.8, 1.2, 2.2), (13.8, -14.8, 4.0, 2.5), (18, -12.6, 3.8, 2.6),
        (21.8, -8, 4.0, 2.6), (24, -1, 4.4, 2.8), (24.4, 6, 4.6, 3.0),
        (23.4, 12, 4.2, 3.0), (22, 18, 3.0, 3.0), (20, 24, 1.6, 2.8), (18.5, 27.5, 0.4, 2.5),
    ],
    "lower crus": [
        (23.4, 11, 1.0, 2.4), (19.5, 13.4, 3.0, 2.2), (14.5, 15, 2.8, 2.0), (9.5, 15.6, 1.6, 1.8), (6, 16, 0.4, 1.6),
    ],
    "tragus": [
        (3.2, -9, 1.6, 2.4), (3.8, -6.5, 4.0, 2.5), (4.2, -3.4, 5.6, 2.6), (3.6, 0, 4.0, 2.5), (3.2, 3, 1.4, 2.2),
    ],
    "scapha": [(16, 26.5, -1.0, 2), (23.5, 25.5, -2.2, 2), (27.6, 19, -2.4, 1.8), (28.4, 10, -2.2, 1.7),
               (27.8, 1, -1.8, 1.6), (25, -7, -0.8, 1.6)],
}  # fmt: skip
# Hollows and swellings: (u, v), half axes, height.
_BLOBS = (
    ((14.0, -4.0), (8.2, 8.0), -11.0),
    ((16.5, 7.0), (7.5, 5.4), -6.8),
    ((8.6, -2.4), (3.4, 4.4), -6.5),
    ((8.0, -12.5), (2.8, 3.6), -4.0),
    ((12.0, 21.5), (5.4, 4.8), -3.2),
    ((12.5, -23.0), (7.0, 5.0), 2.2),
)


def outline(points: np.ndarray = _OUTLINE) -> np.ndarray:
    """(N_AROUND, 2) places on the closed curve through `points`, as many to each of its pieces."""
    return _closed(points)(np.arange(N_AROUND) * len(points) / N_AROUND)


def root() -> np.ndarray:
    """(N_AROUND, 2): the ear's root, corner by corner beside `outline`."""
    return outline(_ROOT)


def height(places: np.ndarray) -> np.ndarray:
    """w (…) of the front side at `places` (…, 2)."""
    result = np.zeros(places.shape[:-1])
    for centre, axes, value in _BLOBS:
        distance = (((places - centre) / axes) ** 2).sum(-1)
        result += value * np.exp(-(distance**1.5))
    for points in _CURVES.values():
        result += _ridge(places, np.array(points))
    return result


def front_rings(shares: np.ndarray) -> np.ndarray:
    """(R, N_AROUND, 3): rings of the front side at `shares` (R,) of the way from the concha to the outline."""
    places = _CENTRE + shares[:, None, None] * (outline() - _CENTRE)
    points = np.concatenate([places, height(places)[..., None]], axis=-1)
    points[..., 0] += _TRAGUS_LEAN * _ridge(places, np.array(_CURVES["tragus"]))
    return points


def concha() -> np.ndarray:
    """(3,): the deepest ring's middle."""
    return np.append(_CENTRE, height(_CENTRE))


def back_rings(feet: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(R, N_AROUND, 3): rings from the outline round the edge and along the back to the `feet` (N_AROUND, 3)."""
    edge = front_rings(np.ones(1))[0]
    outward = _outward(edge[:, :2])
    behind = edge - np.concatenate([0 * outward, np.full((N_AROUND, 1), 2 * _THICKNESS)], axis=1)
    free = _free_share(feet)[:, None]
    rings = [edge + np.concatenate([0.9 * outward, np.full((N_AROUND, 1), -_THICKNESS)], axis=1) * free]
    for share in shares:
        ring = behind + share * (feet - behind)
        # Not through the front side: the concha bulges backwards.
        limit = np.minimum(height(ring[:, :2]), 1.0) - _THICKNESS
        ring[:, 2] -= np.clip((ring[:, 0] - 5) / 6, 0, 1) * np.maximum(ring[:, 2] - limit, 0)
        plain = edge + (0.25 + 0.75 * share) * (feet - edge)
        plain[:, 2] = edge[:, 2] + _eased(0.25 + 0.75 * share) * (feet - edge)[:, 2]
        rings.append(free * ring + (1 - free) * plain)
    first = edge + 0.12 * (feet - edge)
    first[:, 2] = edge[:, 2] + _eased(0.12) * (feet - edge)[:, 2]
    rings[0] = free * rings[0] + (1 - free) * first
    return np.stack(rings)


def _eased(share: float) -> float:
    return share * share * (3 - 2 * share)


def _free_share(feet: np.ndarray) -> np.ndarray:
    """(N_AROUND,): 1 where the ear stands off the head, 0 where it runs into the cheek."""
    gap = ((outline() - feet[:, :2]) * _outward(outline())).sum(1)
    return np.clip((gap + 1.0) / 4.0, 0, 1)


def _outward(loop: np.ndarray) -> np.ndarray:
    along = np.roll(loop, -1, axis=0) - np.roll(loop, 1, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return across / np.linalg.norm(across, axis=1, keepdims=True)


def _closed(points: np.ndarray) -> CubicSpline:
    return CubicSpline(np.arange(len(points) + 1), np.vstack([points, points[:1]]), bc_type="periodic")


def _ridge(places: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A swelling along a curve: the highest of its cross sections at each of `places` (…, 2)."""
    spline = CubicSpline(np.arange(len(points)), points)
    knots = spline(np.linspace(0, len(points) - 1, 12 * len(points)))
    distance = np.linalg.norm(places[..., None, :] - knots[:, :2], axis=-1)
    values = knots[:, 2] * np.exp(-((distance / knots[:, 3]) ** 2))
    best = np.abs(values).argmax(-1)
    return np.take_along_axis(values, best[..., None], axis=-1)[..., 0]
