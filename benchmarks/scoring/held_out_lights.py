"""The lights in which finished heads are compared."""

from __future__ import annotations

from ...core_models.render.lamps import CRISP, Lamp, Rig


def _rig(name: str, ambient: float, *lamps: Lamp) -> Rig:
    return Rig(name, lamps, ambient, CRISP)


HELD_OUT = (
    _rig("key", 0.12, Lamp((-0.85, 0.35, 0.45), (1.3, 1.25, 1.15))),
    _rig("cross", 0.08, Lamp((0.9, 0.1, 0.4), (1.2, 0.8, 0.5)), Lamp((-0.9, 0.2, 0.3), (0.3, 0.6, 1.1))),
    _rig("above", 0.12, Lamp((0.1, 0.9, 0.45), (1.3, 1.3, 1.35))),
    _rig("front", 0.35, Lamp((0.2, 0.3, 1.0), (0.7, 0.7, 0.7))),
)
"""No specimen was photographed in them; a white surface facing the lamps is about white."""
