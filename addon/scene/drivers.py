"""Drivers that copy a property, without a script: those need to be trusted."""

from __future__ import annotations

import bpy


def copy_value(curve: bpy.types.FCurve, source: bpy.types.ID, path: str) -> None:
    """Let the property that `curve` drives have the value of `source`'s property at `path`."""
    # The average of one property is a copy.
    curve.driver.type = "AVERAGE"
    variable = curve.driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id_type = source.id_type
    variable.targets[0].id = source
    variable.targets[0].data_path = path
