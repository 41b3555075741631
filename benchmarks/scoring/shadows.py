"""Shadow maps, compiled: many lamps a picture are affordable with these loops only. (numba: a development tool.)"""

from __future__ import annotations

import numba
import numpy as np

SIZE = 512
"""Texels of a side of a map, which spans the scene: below half a millimetre each on a head, 1 mm with a body."""


@numba.njit(cache=True, fastmath=True)
def nearest_depths(x, y, depth, faces):  # type: ignore[no-untyped-def]
    """(SIZE, SIZE) depth of the first triangle (F, 3) behind each texel's centre; x, y (N,) in texels."""
    nearest = np.full((SIZE, SIZE), np.inf, np.float32)
    for f in range(len(faces)):
        a, b, c = faces[f]
        left = max(int(np.ceil(min(x[a], x[b], x[c]) - 0.5)), 0)
        right = min(int(np.floor(max(x[a], x[b], x[c]) - 0.5)), SIZE - 1)
        top = max(int(np.ceil(min(y[a], y[b], y[c]) - 0.5)), 0)
        bottom = min(int(np.floor(max(y[a], y[b], y[c]) - 0.5)), SIZE - 1)
        if left > right or top > bottom:
            continue
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if abs(area) < 1e-12:
            continue
        for row in range(top, bottom + 1):
            v = row + 0.5 - y[a]
            for column in range(left, right + 1):
                u = column + 0.5 - x[a]
                second = (u * (y[c] - y[a]) - (x[c] - x[a]) * v) / area
                third = ((x[b] - x[a]) * v - u * (y[b] - y[a])) / area
                if second < 0 or third < 0 or second + third > 1:
                    continue
                here = depth[a] + second * (depth[b] - depth[a]) + third * (depth[c] - depth[a])
                nearest[row, column] = min(nearest[row, column], here)
    return nearest


@numba.njit(cache=True, fastmath=True)
def share_lit(nearest, x, y, limit):  # type: ignore[no-untyped-def]
    """(N,) share of the two texels' square around points (x, y) in which the map is not nearer than `limit`."""
    share = np.zeros(len(x), np.float32)
    for i in range(len(x)):
        left, top = int(np.floor(x[i] - 1.0)), int(np.floor(y[i] - 1.0))
        fx, fy = x[i] - 1.0 - left, y[i] - 1.0 - top
        for down in range(3):
            row = min(max(top + down, 0), SIZE - 1)
            tall = 1.0 - fy if down == 0 else (1.0 if down == 1 else fy)
            for across in range(3):
                column = min(max(left + across, 0), SIZE - 1)
                wide = 1.0 - fx if across == 0 else (1.0 if across == 1 else fx)
                if nearest[row, column] >= limit[i]:
                    share[i] += 0.25 * tall * wide
    return share
