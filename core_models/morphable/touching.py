"""Lids rest on eyeballs, closed lids and lips on each other: the dense face kept from crossing itself (millimetres).

The cage alone cannot do it: between its few vertices a lid cuts straight through the ball. Each shape is pushed out of
the ball along its radius; above and below an opening each half stays on its own side of the line where they meet.
"""

from __future__ import annotations

import numpy as np

from .expressions import GAZE_RADIANS
from .eyeballs import RADIUS_MM, surface_radius
from .parts import Opening

_INSIDE_MM, _EDGE_MM, _SKIN_MM = 0.2, 0.45, 0.8
"""Clearance from the eyeball, wherever it looks, of the pockets' lining, the lid margins and the lids' skin."""
_SOFT_MM = 0.07
"""Width over which a limit takes hold."""
_FRONT_MM = 3.0
"""What lies deeper than this before the eyeball's centre is above or below the slit in no useful sense."""
_MOVED_MM = 1e-3
"""Expressions that move eyes and mouth less are left alone."""


def settle(
    mean: np.ndarray,
    expression: np.ndarray,
    openings: tuple[Opening, Opening, Opening],
    centres: np.ndarray,
    companions: dict[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """`mean` (N, 3) and the shapes mean + `expression` (K, N, 3), settled: new mean and offsets from it.

    `openings` and the eyeballs' `centres` (2, 3): right eye, left eye, then mouth. `companions`: expressions that are
    made to be added to another one, and which.
    """
    about = np.unique(np.concatenate([part for one in openings for part in (one.upper, one.lower)]))
    *eyelids, mouth = (one.among(about) for one in openings)

    def settled(points: np.ndarray) -> np.ndarray:
        for eye, centre in zip(eyelids, centres, strict=True):
            points = settle_lids(points, eye, centre)
        return settle_lips(points, mouth)

    rest = settled(mean[about])
    offsets = expression[:, about]
    moved = np.flatnonzero(np.abs(offsets).max((1, 2)) > _MOVED_MM)
    for k in sorted(moved, key=lambda k: k in companions):
        start = rest + offsets[companions[k]] if k in companions else rest
        offsets[k] = settled(start + offsets[k]) - start
    new_mean, new_expression = mean.copy(), expression.copy()
    new_mean[about], new_expression[:, about] = rest, offsets
    return new_mean, new_expression


def settle_lids(points: np.ndarray, eye: Opening, centre: np.ndarray) -> np.ndarray:
    """`points` (N, 3) with the lids of `eye` outside its eyeball about `centre` (3,) and on their sides of the slit."""
    arm = points - centre
    height = np.arctan2(arm[:, 1], arm[:, 2])
    level = _parted(arm[:, 0], height, eye, _SOFT_MM / RADIUS_MM)
    turn = np.where(arm[:, 2] > _FRONT_MM, level - height, 0.0)
    c, s = np.cos(turn), np.sin(turn)
    arm = np.stack([arm[:, 0], c * arm[:, 1] + s * arm[:, 2], c * arm[:, 2] - s * arm[:, 1]], axis=1)
    return centre + _outside_ball(arm, eye)


def settle_lips(points: np.ndarray, mouth: Opening) -> np.ndarray:
    """`points` (N, 3) with each lip of `mouth` on its own side of the line where they meet."""
    height = _parted(points[:, 0], points[:, 1], mouth, _SOFT_MM)
    return np.stack([points[:, 0], height, points[:, 2]], axis=1)


def _parted(across: np.ndarray, height: np.ndarray, opening: Opening, soft: float) -> np.ndarray:
    """`height` (N,) limited, above and below, by the middle between both edges at the same place `across` (N,)."""
    edges = [_curve(across[edge], height[edge]) for edge in (opening.upper_edge, opening.lower_edge)]
    low, high = max(edge[0][0] for edge in edges), min(edge[0][-1] for edge in edges)
    result = height.copy()
    for part, sign in ((opening.upper, 1.0), (opening.lower, -1.0)):
        chosen = part[(across[part] > low) & (across[part] < high)]
        middle = np.mean([np.interp(across[chosen], *edge) for edge in edges], axis=0)
        result[chosen] = middle + sign * _at_least(sign * (height[chosen] - middle), 0.0, soft)
    return result


def _curve(across: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(across)
    return across[order], height[order]


def _outside_ball(arm: np.ndarray, eye: Opening) -> np.ndarray:
    """`arm` (N, 3) from the eyeball's centre, lengthened where the lids or their lining would be inside it."""
    clearance = np.full(len(arm), _SKIN_MM)
    clearance[eye.inside] = _INSIDE_MM
    clearance[np.concatenate([eye.upper_edge, eye.lower_edge])] = _EDGE_MM
    about = np.unique(np.concatenate([eye.upper, eye.lower]))
    distance = np.linalg.norm(arm[about], axis=1)
    polar = np.arccos(np.clip(arm[about, 2] / distance, -1, 1))
    least = surface_radius(np.maximum(polar - GAZE_RADIANS, 0)) + clearance[about]
    result = arm.copy()
    result[about] *= (_at_least(distance, least, _SOFT_MM) / distance)[:, None]
    return result


def _at_least(values: np.ndarray, limit: np.ndarray | float, soft: float) -> np.ndarray:
    """Smooth maximum of `values` and `limit`."""
    return limit + soft * np.logaddexp(0, (values - limit) / soft)
