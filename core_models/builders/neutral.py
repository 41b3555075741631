"""Metric frame and neutral pose of the 468 landmarks: close the mouth, open the eyes (builder only; millimetres)."""

from __future__ import annotations

import numpy as np

from ..geometry.rotation import rotation_x
from ..landmarks import (
    CHIN,
    LOWER_INNER_LIP,
    LOWER_LIP_RED,
    NASION,
    POGONION,
    RIGHT_EYE_CORNERS,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
    UPPER_INNER_LIP,
    UPPER_LIP_RED,
)
from .deform import interpolate_handles, mirrored

# Outer-canthus distance (biocular breadth): Farkas 1994 gives 91.2 ± 3.0 mm (men) and 87.8 ± 3.2 mm (women).
BIOCULAR_MM = 89.0
# Nasion–gnathion: Farkas 1994, 124.7 ± 5.7 mm (men), 111.4 ± 4.8 mm (women).
FACE_HEIGHT_MM = 118.0
EYE_APERTURE_MM = 10.0
"""Palpebral fissure height; Farkas 1994: 10.8 ± 0.9 mm (men), 11.1 ± 1.2 mm (women); FaceMesh's points lie inside."""
LIP_GAP_MM = 0.35
"""Gap between the inner lip lines of a closed mouth, so that the lips do not intersect."""

# Landmarks of the upper face, cheeks and temples, which do not follow the jaw.
_SKULL = (
    0, 37, 267, 39, 269, 11, 12, 72, 302, 38, 268, 164, 2, 97, 326, 98, 327, 167, 393, 165, 391, 92, 322,
    13, 82, 312, 81, 311, 80, 310, 1, 4, 5, 195, 197, 6, 168, 116, 345, 117, 346, 118, 347, 119, 348,
    36, 266, 205, 425, 50, 280, 123, 352, 234, 454, 93, 323, 227, 447, 127, 356, 33, 133, 362, 263,
    10, 151, 9, 8, 107, 336, 70, 300, 206, 426, 203, 423, 129, 358,
)  # fmt: skip
_CHIN = (
    18, 83, 313, 200, 201, 421, 199, 208, 428, 175, 171, 396, 152, 148, 377, 176, 400, 32, 262, 140, 369,
    149, 378, 182, 406, 194, 418, 211, 431, 170, 395, 169, 394, 204, 424, 106, 335, 150, 379,
)  # fmt: skip
_CORNER_AREA = (61, 291, 78, 308, 62, 292, 76, 306, 57, 287, 185, 409, 184, 408, 183, 407, 191, 415)
_CORNER_WEIGHT = 0.45
_JAW_EDGE = {132: 0.15, 361: 0.15, 58: 0.35, 288: 0.35}
# The hinge lies above and behind the tragus points 234 and 454.
_HINGE = (234, 454)
_HINGE_OFFSET = np.array([0.0, 4.0, -8.0])
_PITCH_DROP_MM = 6.0


def symmetrised(points: np.ndarray, mirror: np.ndarray, iterations: int = 5) -> np.ndarray:
    """`points` (N, 3) turned until their mirror plane is x = 0, then averaged with their mirror image."""
    points = points - points.mean(0)
    for _ in range(iterations):
        gap = points - points[mirror]
        normal = np.linalg.eigh(gap.T @ gap)[1][:, -1]
        normal = normal * np.sign(normal[0])
        points = points - normal * float(((points + points[mirror]) / 2 @ normal).mean())
        axis = np.cross(normal, [1.0, 0.0, 0.0])
        skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        points = points @ (np.eye(3) + skew + skew @ skew / (1 + normal[0])).T
    return (points + mirrored(points, mirror)) / 2


def metric_frame(points: np.ndarray, face_height: float | None = None) -> np.ndarray:
    """Symmetric `points` (468, 3) in millimetres with the nasion on the origin of y and z.

    The outer eye corners get their measured distance, the chin lies 6 mm behind the nasion (Frankfurt-like pitch),
    and y is stretched until nasion–gnathion is `face_height` when that is given.
    """
    points = points * BIOCULAR_MM / abs(points[33, 0] - points[263, 0])
    down = points[POGONION] - points[NASION]
    turn = np.arctan2(down[2], -down[1]) + np.arcsin(_PITCH_DROP_MM / np.hypot(down[1], down[2]))
    points = points @ rotation_x(turn).T
    if face_height is not None:
        points[:, 1] *= face_height / (points[NASION, 1] - points[CHIN, 1])
    points[:, 1:] -= points[NASION, 1:]
    return points


def jaw_weight(points: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(468,) share of the jaw's motion that each landmark follows: 1 on chin and lower lip, 0 on the skull."""
    weights: dict[int, float] = {v: 0.0 for v in _SKULL if v not in _CORNER_AREA}
    weights |= dict.fromkeys(_CORNER_AREA, _CORNER_WEIGHT) | _JAW_EDGE
    weights |= dict.fromkeys(_CHIN, 1.0) | _lip_weights(points)
    handles = np.array(sorted(weights))
    values = np.array([[weights[int(v)]] for v in handles])
    field = np.clip(interpolate_handles(points, faces, handles, values, biharmonic=False)[:, 0], 0, 1)
    return (field + field[mirror]) / 2


def _lip_weights(points: np.ndarray) -> dict[int, float]:
    """Jaw weights of the lips: an opening mouth is an oval between the corners, which follow by `_CORNER_WEIGHT`."""
    weights: dict[int, float] = {}
    for group, middle in ((UPPER_LIP_RED, 0.0), (LOWER_LIP_RED, 1.0)):
        share = np.abs(points[group, 0]) / abs(points[_CORNER_AREA[0], 0])
        arch = np.sqrt(np.clip(1 - share**2, 0, 1))
        weights |= dict(zip(group.tolist(), _CORNER_WEIGHT + (middle - _CORNER_WEIGHT) * arch, strict=True))
    return weights


def open_jaw(points: np.ndarray, angle: float, weight: np.ndarray) -> np.ndarray:
    """Offsets (468, 3) of turning the jaw down by `angle` (radians) about the hinge near the ears."""
    arm = points - (points[list(_HINGE)].mean(0) + _HINGE_OFFSET)
    return weight[:, None] * (arm @ rotation_x(angle).T - arm)


def neutralise(points: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Close the mouth to a thin gap and open the eyes of symmetric metric `points` (468, 3)."""
    weight = jaw_weight(points, faces, mirror)
    for _ in range(6):
        gap = points[13, 1] - points[14, 1] - LIP_GAP_MM
        arm = abs(points[14, 2] - points[234, 2]) + 10
        points = points + open_jaw(points, -gap / arm, weight)
    points = _seal_lips(points, faces)
    points = points + _lid_opening(points, faces, mirror)
    return (points + mirrored(points, mirror)) / 2


def _seal_lips(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    upper, lower = UPPER_INNER_LIP, LOWER_INNER_LIP
    middle = (points[upper] + points[lower]) / 2
    profile = np.array([0.12, 0.2, 0.28, 0.33, 0.35, 0.33, 0.28, 0.2, 0.12]) / 0.35 * LIP_GAP_MM
    target_upper, target_lower = middle.copy(), middle.copy()
    target_upper[:, 1] += profile / 2
    target_lower[:, 1] -= profile / 2
    target_upper[:, 2] = (points[upper, 2] + middle[:, 2]) / 2
    target_lower[:, 2] = (points[lower, 2] + middle[:, 2]) / 2
    far = np.where(np.linalg.norm(points - (points[13] + points[14]) / 2, axis=1) > 38)[0]
    handles = np.array([*upper, *lower, *far])
    move = np.concatenate(
        [target_upper - points[upper], target_lower - points[lower], np.zeros((len(far), 3))]
    )
    return points + interpolate_handles(points, faces, handles, move)


def _lid_opening(points: np.ndarray, faces: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Offsets (468, 3) that bring both eyes to the stated aperture, three quarters by the upper lid."""
    missing = EYE_APERTURE_MM - (points[159, 1] - points[145, 1])
    profile = np.array([0.25, 0.6, 0.9, 1, 0.9, 0.6, 0.3]) * missing
    far = np.where(np.linalg.norm(points - points[159], axis=1) >= 30)[0]
    handles = np.array([*RIGHT_UPPER_LID, *RIGHT_LOWER_LID, *RIGHT_EYE_CORNERS, *far])
    move = np.zeros((len(handles), 3))
    move[:7, 1], move[7:14, 1] = 0.75 * profile, -0.25 * profile
    offsets = interpolate_handles(points, faces, handles, move)
    return offsets + mirrored(offsets, mirror)
