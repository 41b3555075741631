"""Which of the 478 FaceMesh landmarks is what. Right and left are the subject's; outlines go round.

The numbers are those of mediapipe's `face_mesh_connections` (Apache-2.0), whose import loads mediapipe.
"""

from __future__ import annotations

import numpy as np

COUNT, MESH_COUNT = 478, 468
"""The points of the mesh come first, then five of each iris (centre first)."""
RIGHT_IRIS, LEFT_IRIS = 468, 473
"""Iris centres; their distance is the inter-ocular distance."""

NOSE_TIP, NASION, POGONION, CHIN = 1, 168, 199, 152
RIGHT_CHEEK = 50
"""Its middle."""

FACE_OVAL = np.array(
    [
        *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    ]
)
"""From the middle of the forehead over the subject's left cheek to the chin and back."""
RIGHT_EYE = np.array([33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246])
RIGHT_EYE_CORNERS = RIGHT_EYE[[0, 8]]
"""Outer, inner."""
# Lid margins and the folds beyond them, from the outer to the inner corner, without these. Reversed tables are copied,
# for torch takes no views that run backwards.
RIGHT_UPPER_LID, RIGHT_LOWER_LID = RIGHT_EYE[:8:-1].copy(), RIGHT_EYE[1:8]
RIGHT_UPPER_FOLD = np.array([247, 30, 29, 27, 28, 56, 190])
RIGHT_LOWER_FOLD = np.array([25, 110, 24, 23, 22, 26, 112])
LEFT_EYE = np.array([263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466])
RIGHT_BROW = np.array([46, 53, 52, 65, 55, 107, 66, 105, 63, 70])
# Both edges from the outer to the inner end.
RIGHT_BROW_LOWER, RIGHT_BROW_UPPER = RIGHT_BROW[:5], RIGHT_BROW[:4:-1].copy()
LEFT_BROW = np.array([276, 283, 282, 295, 285, 336, 296, 334, 293, 300])
LIPS = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185])
"""Outer edge of both lips."""
INNER_LIPS = np.array(
    [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]
)
# From the subject's right to left, without the corners.
UPPER_INNER_LIP, LOWER_INNER_LIP = INNER_LIPS[:10:-1].copy(), INNER_LIPS[1:10]
UPPER_LIP_RED = np.array(
    [
        *(0, 37, 267, 39, 269, 40, 270, 11, 72, 302, 73, 303, 74, 304, 12, 38, 268, 41, 271, 42, 272),
        *(13, 82, 312, 81, 311, 80, 310, 191, 415),
    ]
)
LOWER_LIP_RED = np.array(
    [
        *(146, 91, 181, 84, 17, 314, 405, 321, 375, 77, 90, 180, 85, 16, 315, 404, 320, 307),
        *(96, 89, 179, 86, 15, 316, 403, 319, 325, *LOWER_INNER_LIP),
    ]
)
RIGHT_LIPS = np.array(
    [
        *(0, 11, 12, 13, 14, 15, 16, 17, 37, 72, 38, 82, 39, 73, 41, 81, 40, 74, 42, 80, 185, 184, 183, 191),
        *(61, 76, 62, 78, 146, 77, 96, 95, 91, 90, 89, 88, 181, 180, 179, 178, 84, 85, 86, 87),
    ]
)
RIGHT_MOUTH_CORNER = np.array([61, 76, 62, 78])

_MIDLINE = [0, 1, 2, 4, 5, 6, *range(8, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200]
_FIRST_LEFT = 248
"""Beside the midline, points below it are the right side; their mirror images follow in the same order."""
_IRIS_MIRROR = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]


def _mirror_map() -> np.ndarray:
    right = np.setdiff1d(np.arange(_FIRST_LEFT), _MIDLINE)
    left = np.arange(_FIRST_LEFT, MESH_COUNT)
    mirror = np.arange(COUNT)
    mirror[right], mirror[left] = left, right
    mirror[MESH_COUNT:] = _IRIS_MIRROR
    return mirror


MIRROR = _mirror_map()
"""(478,): landmark i of a mirrored photo is the mirror image of landmark MIRROR[i]."""


def inter_ocular_distance(landmarks: np.ndarray) -> float:
    """Distance of the iris centres, in the unit of `landmarks` (478, 2)."""
    return float(np.linalg.norm(landmarks[LEFT_IRIS] - landmarks[RIGHT_IRIS]))
