"""The 52 ARKit-named expressions: their names, which belong together, and how they turn the eyeballs."""

from __future__ import annotations

import numpy as np

from ..geometry.rotation import rotation_x, rotation_y

GAZE_RADIANS = np.radians(25)
SIDED = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp",
    "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile",
    "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
CENTRAL = (
    "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel",
    "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower",
    "mouthShrugUpper", "tongueOut",
)  # fmt: skip
NAMES = tuple(sorted([name + side for name in SIDED for side in ("Left", "Right")] + list(CENTRAL)))
# Index of the mirror image of each expression.
PARTNER = [
    NAMES.index(name.replace("Left", "*").replace("Right", "Left").replace("*", "Right")) for name in NAMES
]
COMPANIONS = {"mouthClose": "jawOpen"}
"""Expressions that are defined as added to another one: closing the lips of an open jaw."""


def gaze_rotations() -> np.ndarray:
    """Rotations (52, 2, 3, 3) of the right and left eyeball at weight 1."""
    turns = {
        "Up": rotation_x(-GAZE_RADIANS),
        "Down": rotation_x(GAZE_RADIANS),
        "In": rotation_y(GAZE_RADIANS),
        "Out": rotation_y(-GAZE_RADIANS),
    }
    rotations = np.tile(np.eye(3), (len(NAMES), 2, 1, 1))
    for i, name in enumerate(NAMES):
        for motion, turn in turns.items():
            if name == f"eyeLook{motion}Right":
                rotations[i, 0] = turn
            if name == f"eyeLook{motion}Left":
                rotations[i, 1] = turn if motion in ("Up", "Down") else turn.T
    return rotations
