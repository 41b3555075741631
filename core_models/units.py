"""Lengths: models are in decimetres, the result and Blender in metres, anatomy in millimetres."""

from __future__ import annotations

MICROMETRES_PER_DM = 1e5
MM_PER_DM = 100.0
METRES_PER_DM = 0.1
DM_PER_METRE = 10.0
