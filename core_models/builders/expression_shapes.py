"""The 52 ARKit-named expressions as offsets of the 468 landmarks (builder only; millimetres at weight 1).

Lids move by biharmonic fields, the jaw by a hinge, everything else by Gaussian bumps shared out between skull and jaw.
Sided shapes are made for the subject's right and mirrored. tongueOut is empty: the model has no tongue.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..landmarks import (
    LIPS,
    LOWER_INNER_LIP,
    LOWER_LIP_RED,
    RIGHT_EYE_CORNERS,
    RIGHT_LOWER_FOLD,
    RIGHT_LOWER_LID,
    RIGHT_MOUTH_CORNER,
    RIGHT_UPPER_FOLD,
    RIGHT_UPPER_LID,
    UPPER_INNER_LIP,
    UPPER_LIP_RED,
)
from ..morphable.expressions import NAMES
from .deform import interpolate_handles, mirrored
from .neutral import jaw_weight, open_jaw

JAW_OPEN_RADIANS = np.radians(22)
_LID_FADE_MM = 12.0
_LID_FLATTENS = 0.4
"""Share of the difference in depth between both lids that a sliding lid takes on."""

_LIPS = np.concatenate([LIPS, LOWER_INNER_LIP, UPPER_INNER_LIP])
# Motions of (upper lid, lower lid, upper fold, lower fold) as shares of the lid gap, positive opens.
_LID_MOTIONS = {
    "eyeBlink": (-0.93, 0.1, -0.45, 0.05),
    "eyeLookDown": (-0.27, -0.23, -0.14, -0.08),
    "eyeLookUp": (0.12, 0.06, 0.08, 0.0),
    "eyeSquint": (0.0, 0.08, 0.0, 0.30),
    "eyeWide": (0.22, -0.05, 0.18, 0.0),
}
# Mouth curves that a person's neutral face must not contain: identity is made orthogonal to them.
NEVER_IDENTITY = tuple(
    name + side
    for name in ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch")
    for side in ("Left", "Right")
)
# Thinning lips must not run through each other: facing points of these move alike.
SEALED = ("mouthSmile", "mouthPress", "mouthShrugLower", "cheekPuff")


class _Sculptor:
    """Fields over the neutral landmarks (468, 3) from which the shapes are put together."""

    def __init__(self, points: np.ndarray, faces: np.ndarray, mirror: np.ndarray, centre: np.ndarray) -> None:
        self.points, self.faces, self.mirror = points, faces, mirror
        self.eye_centre = centre
        self.jaw = jaw_weight(points, faces, mirror)
        self.mouth = (points[13] + points[14]) / 2

    def bump(
        self, around: Sequence[int] | np.ndarray, radius: float, squash: tuple[float, ...] = (1, 1, 1)
    ) -> np.ndarray:
        """(468,) largest of the Gaussians of `radius` mm around landmarks."""
        arm = (self.points[:, None] - self.points[None, list(around)]) / np.array(squash)
        return np.exp(-(arm**2).sum(2).min(1) / (2 * radius**2))

    def off_lids(self) -> np.ndarray:
        """(468,) 0 on the right eye's lid margins, 1 from `_LID_FADE_MM` on: what belongs to the eye's own shapes."""
        margin = [*RIGHT_UPPER_LID, *RIGHT_LOWER_LID, *RIGHT_EYE_CORNERS]
        margin += [int(self.mirror[v]) for v in margin]
        arm = self.points[:, None] - self.points[None, margin]
        share = np.clip(np.sqrt((arm**2).sum(2).min(1)) / _LID_FADE_MM, 0, 1)
        return share * share * (3 - 2 * share)

    def push(self, weight: np.ndarray, direction: tuple[float, float, float]) -> np.ndarray:
        return weight[:, None] * np.array(direction)

    def corner(self, direction: tuple[float, float, float], radius: float) -> np.ndarray:
        return self.push(self.bump(RIGHT_MOUTH_CORNER, radius), direction)

    def lids(self, motion: tuple[float, float, float, float]) -> np.ndarray:
        """Lid motion of the right eye, spread by a biharmonic field that vanishes 34 mm away."""
        upper, lower = RIGHT_UPPER_LID, RIGHT_LOWER_LID
        folds = [*RIGHT_UPPER_FOLD, *RIGHT_LOWER_FOLD]
        gap = self.points[upper] - self.points[lower]
        share_upper, share_lower, fold_upper, fold_lower = motion
        moves = [
            self._slid(upper, lower, -share_upper),
            self._slid(lower, upper, share_lower),
            fold_upper * gap,
            fold_lower * gap,
            np.zeros((2, 3)),
        ]
        far = np.where(np.linalg.norm(self.points - self.eye_centre, axis=1) > 34)[0]
        handles = np.array([*upper, *lower, *folds, *RIGHT_EYE_CORNERS, *far])
        values = np.concatenate([*moves, np.zeros((len(far), 3))])
        return interpolate_handles(self.points, self.faces, handles, values)

    def _slid(self, lid: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        """Offsets (7, 3) of a lid margin that slides round the eyeball by `share` of the way to the other's."""
        start, end = (self.points[points] - self.eye_centre for points in (lid, other))
        angles = [np.arctan2(arm[:, 1], arm[:, 2]) for arm in (start, end)]
        depths = [np.hypot(arm[:, 1], arm[:, 2]) for arm in (start, end)]
        angle = angles[0] + share * (angles[1] - angles[0])
        # A lid keeps most of its thickness while it slides.
        depth = depths[0] + _LID_FLATTENS * share * (depths[1] - depths[0])
        across = start[:, 0] + share * (end[:, 0] - start[:, 0])
        return np.stack([across, depth * np.sin(angle), depth * np.cos(angle)], axis=1) - start


def _right_shapes(s: _Sculptor) -> dict[str, np.ndarray]:
    x = s.points[:, 0]
    inward = np.clip(np.abs(x) / abs(x[61]), 0, 1) * (x < 0)
    lip_side = s.bump((61, 40, 39, 91, 181, 37, 84), 8) * inward
    side = np.clip(0.5 - x / 16, 0, 1)
    near_right = x < 2
    shapes = {name: s.lids(motion) for name, motion in _LID_MOTIONS.items()}
    shapes["eyeSquint"] = shapes["eyeSquint"] + s.push(s.bump((117, 118, 119), 9), (0, 1.2, 0.5))
    shapes["eyeLookIn"] = shapes["eyeLookOut"] = np.zeros_like(s.points)
    shapes["browDown"] = s.push(s.bump((55, 107, 65), 11, (1.2, 1, 1.3)), (1.2, -5.5, 0.5))
    shapes["browDown"] += s.push(s.bump((52, 105), 10), (0, -2.2, 0))
    shapes["browOuterUp"] = s.push(s.bump((53, 63, 46, 70), 11), (0, 5.5, -0.5))
    shapes["cheekSquint"] = s.push(s.bump((117, 118, 50, 101, 36), 13), (0.3, 3.2, 1.2))
    for name in ("browDown", "browOuterUp", "cheekSquint"):
        shapes[name] = shapes[name] * s.off_lids()[:, None]
    shapes["noseSneer"] = s.push(s.bump((49, 129, 102, 198, 131), 7), (0, 3.2, 0.5))
    shapes["noseSneer"] += s.push(s.bump((40, 39, 92), 7) * (1 - s.jaw), (0, 1.6, 0))
    shapes["mouthSmile"] = s.corner((-6, 6.0, -3.5), 10) + s.push(0.35 * lip_side, (-3, 1.5, -1.5))
    shapes["mouthSmile"] += s.push(s.bump((205, 50), 13), (-1.2, 2.5, 1.6))
    # Stretched lips are thinner: both red borders move towards the line between the lips.
    shapes["mouthSmile"] += s.push(s.bump((37, 0), 5) * (1 - s.jaw) * side, (0, -1.8, -0.8))
    shapes["mouthSmile"] += s.push(s.bump((84, 181, 91, 17), 5) * s.jaw * side, (0, 1.9, -0.8))
    shapes["mouthFrown"] = s.corner((-1.5, -5.5, -1.5), 10) + s.push(s.bump((204, 202), 10), (0, -1.5, 0))
    shapes["mouthDimple"] = s.corner((-4.5, 0.8, -3.0), 8)
    shapes["mouthStretch"] = s.corner((-7, -2.5, -4), 11)
    shapes["mouthStretch"] += s.push(s.bump((202, 210, 211), 14), (-2.5, -2, -1))
    shapes["mouthPress"] = s.corner((-1, 0.6, -0.5), 9)
    shapes["mouthPress"] += s.push(s.bump((84, 181, 91), 6) * s.jaw * near_right, (0, 1.2, -0.6))
    shapes["mouthPress"] += s.push(s.bump((37, 39, 40), 6) * (1 - s.jaw) * near_right, (0, -1.0, -0.6))
    lower_lip = s.bump((84, 181, 91, 17, 178, 88, 87), 8) * np.clip(1.2 * s.jaw, 0, 1)
    shapes["mouthLowerDown"] = s.push(lower_lip * side, (-0.5, -6.5, 0))
    upper_lip = s.bump((37, 39, 40, 0, 82, 81, 80), 8) * (1 - s.jaw)
    shapes["mouthUpperUp"] = s.push(upper_lip * side, (-0.3, 5.0, 0.8))
    return shapes


def _central_shapes(s: _Sculptor) -> dict[str, np.ndarray]:
    from_mouth = s.points - s.mouth
    lips, wide_lips = s.bump(_LIPS, 6), s.bump(_LIPS, 9)
    upper = s.bump(UPPER_LIP_RED, 6) * (1 - s.jaw)
    lower = s.bump(LOWER_LIP_RED, 6) * s.jaw
    zero = np.zeros(len(s.points))
    jaw_open = open_jaw(s.points, JAW_OPEN_RADIANS, s.jaw)
    close = -0.62 * jaw_open * (lips * s.jaw)[:, None]
    close += s.push(lips * (1 - s.jaw), (0, 0.36 * jaw_open[14, 1], 0))
    pucker = np.stack([-0.34 * from_mouth[:, 0], zero, 6.0 - 0.02 * np.abs(from_mouth[:, 0])], axis=1)
    part = (1 - 2 * s.jaw) * 3.5 * np.exp(-((from_mouth[:, 0] / 18) ** 2))
    funnel = np.stack([-0.22 * from_mouth[:, 0], part, zero + 6], axis=1)
    normals = _vertex_normals(s.points, s.faces)
    shrug = s.bump((17, 18, 200, 84, 314), 11) * s.jaw
    # The lower lip lifts the upper one that lies on it.
    shrug = np.maximum(shrug, s.bump(UPPER_INNER_LIP, 5) * (1 - s.jaw) * shrug[14])
    return {
        "jawOpen": jaw_open,
        "jawForward": s.push(s.jaw, (0, 0, 5)),
        "jawLeft": s.push(s.jaw, (6, 0, 0)),
        "jawRight": s.push(s.jaw, (-6, 0, 0)),
        "mouthClose": close,
        "mouthPucker": wide_lips[:, None] * pucker,
        "mouthFunnel": wide_lips[:, None] * funnel,
        "mouthLeft": s.push(wide_lips, (6, 0, 0)),
        "mouthRight": s.push(wide_lips, (-6, 0, 0)),
        "mouthRollLower": _rolled_in(s, lower, 3.5),
        "mouthRollUpper": _rolled_in(s, upper, 3.2),
        "mouthShrugLower": s.push(shrug, (0, 4, 1.5)),
        "mouthShrugUpper": s.push(upper, (0, 3.2, 1.2)),
        "browInnerUp": s.push(s.bump((55, 107, 285, 336, 9), 11) * s.off_lids(), (0, 6, 0.3)),
        "cheekPuff": s.bump((205, 187, 207, 425, 411, 427), 12)[:, None] * normals * 7,
        "tongueOut": np.zeros_like(s.points),
    }


def _rolled_in(s: _Sculptor, lip: np.ndarray, depth: float) -> np.ndarray:
    """A lip's red, of weights `lip` (468,), drawn to the line between the lips and `depth` mm back over the teeth."""
    height = s.points[:, 1] - s.mouth[1]
    offsets = s.push(lip, (0, 0, -depth))
    offsets[:, 1] = -0.5 * lip * height
    return offsets


def _vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    normal = np.zeros_like(points)
    for k in range(3):
        np.add.at(normal, faces[:, k], np.cross(b - a, c - a))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def build_expressions(
    points: np.ndarray, faces: np.ndarray, mirror: np.ndarray, right_eye: np.ndarray
) -> np.ndarray:
    """Offsets (52, 468, 3) in the order of NAMES, for symmetric `points` (468, 3).

    `right_eye` (3,) is the right eyeball's centre.
    """
    sculptor = _Sculptor(points, faces, mirror, right_eye)
    shapes = _central_shapes(sculptor)
    for name, offsets in _right_shapes(sculptor).items():
        shapes[name + "Right"], shapes[name + "Left"] = offsets, mirrored(offsets, mirror)
    return np.stack([shapes[name] for name in NAMES])
