"""Lights that every sheet of pictures relights a face with, so that sheets can be compared."""

from __future__ import annotations

from ..render.lamps import Lamp, Rig

NEUTRAL = Rig("neutral", (Lamp((0.25, 0.45, 0.85), (0.9, 0.9, 0.9)),), 0.6)
SIDE = Rig("side", (Lamp((-0.7, 0.6, 0.5), (1.5, 1.5, 1.5)),), 0.25)
RELIGHTS = (
    Rig("key light from the left", (Lamp((-0.85, 0.35, 0.45), (2.0, 1.95, 1.8)),), 0.15),
    Rig(
        "warm left, cool right",
        (Lamp((-0.95, 0.1, 0.3), (1.8, 1.0, 0.45)), Lamp((0.95, 0.1, 0.3), (0.4, 0.8, 1.7))),
        0.08,
    ),
    Rig("light from above", (Lamp((0.0, 0.9, 0.45), (1.9, 1.9, 2.0)),), 0.15),
)
RIM = Rig(
    "rim light from behind",
    (Lamp((-0.85, 0.25, -0.35), (2.0, 2.0, 2.1)), Lamp((0.85, 0.25, -0.35), (2.0, 2.0, 2.1))),
    0.12,
)
