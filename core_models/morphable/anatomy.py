"""Landmark groups of FaceMesh and the few measured sizes that give the default model its millimetres.

Numbers are MediaPipe's landmark numbers; groups of one side are the subject's right (x < 0) unless named otherwise.
"""

from __future__ import annotations

# Lid margins and the folds beyond them, from the outer to the inner corner.
UPPER_LID = (246, 161, 160, 159, 158, 157, 173)
LOWER_LID = (7, 163, 144, 145, 153, 154, 155)
UPPER_FOLD = (247, 30, 29, 27, 28, 56, 190)
LOWER_FOLD = (25, 110, 24, 23, 22, 26, 112)
EYE_CORNERS = (33, 133)

# Inner lip line from the subject's right to left, without the corners (78, 308).
UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH_CORNER = (61, 76, 62, 78)
LIPS_RIGHT = (
    0, 11, 12, 13, 14, 15, 16, 17, 37, 72, 38, 82, 39, 73, 41, 81, 40, 74, 42, 80, 185, 184, 183, 191,
    61, 76, 62, 78, 146, 77, 96, 95, 91, 90, 89, 88, 181, 180, 179, 178, 84, 85, 86, 87,
)  # fmt: skip
UPPER_LIP_RED = (
    0, 37, 267, 39, 269, 40, 270, 11, 72, 302, 73, 303, 74, 304, 12, 38, 268, 41, 271, 42, 272,
    13, 82, 312, 81, 311, 80, 310, 191, 415,
)  # fmt: skip
LOWER_LIP_RED = (
    146, 91, 181, 84, 17, 314, 405, 321, 375, 77, 90, 180, 85, 16, 315, 404, 320, 307,
    96, 89, 179, 86, 15, 316, 403, 319, 325,
    *LOWER_INNER_LIP,
)  # fmt: skip

# The brow's lower edge from the outer to the inner end, then its upper edge back.
BROW_LOWER = (46, 53, 52, 65, 55)
BROW_UPPER = (70, 63, 105, 66, 107)

CHIN = (
    18, 83, 313, 200, 201, 421, 199, 208, 428, 175, 171, 396, 152, 148, 377, 176, 400, 32, 262, 140, 369,
    149, 378, 182, 406, 194, 418, 211, 431, 170, 395, 169, 394, 204, 424, 106, 335, 150, 379,
)  # fmt: skip

N_LANDMARKS = 468
NASION, GNATHION, POGONION = 168, 152, 199
CHEEK_CENTRE = 50

# Outer-canthus distance (biocular breadth): Farkas 1994 gives 91.2 ± 3.0 mm (men) and 87.8 ± 3.2 mm (women).
BIOCULAR_MM = 89.0
# Nasion–gnathion: Farkas 1994, 124.7 ± 5.7 mm (men), 111.4 ± 4.8 mm (women).
FACE_HEIGHT_MM = 118.0
EYE_APERTURE_MM = 10.0
"""Palpebral fissure height; Farkas 1994: 10.8 ± 0.9 mm (men), 11.1 ± 1.2 mm (women); FaceMesh's points lie inside."""
LIP_GAP_MM = 0.35
"""Gap between the inner lip lines of a closed mouth, so that the lips do not intersect."""
