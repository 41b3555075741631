"""Lamps around a face: well-known portrait lighting, or the photo's light; made by us, and removed only as made."""

from __future__ import annotations

import json
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from .drivers import copy_value
from .face_links import FACE, LAMPS, home_of, lamps_of, needed_world, world_of
from .light import TURN, photo_lamps, world_shading
from .sun_fit import sphere_directions, suns_for

KIND = "semblance_lamps_kind"
RESIDUAL = "semblance_residual"
"""Custom property of the photo's light as lamps: its RMS difference from the photo's light, as a share."""
_MADE = "semblance_made"
"""Custom property of each of our objects: its settings as we left them."""
_MOST_SUNS = 8
_SUN_DISTANCE = 1.0
"""Metres from the face, of the drawing only: a sun's light has a direction and no place."""


@dataclass(frozen=True)
class AreaLamp:
    """A square lamp that looks at the face, which is at the origin, looking along −Y. Metres, linear RGB."""

    name: str
    watts: float
    size: float
    place: tuple[float, float, float]
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


ESTIMATED = "ESTIMATED"
RIGS: dict[str, tuple[AreaLamp, ...]] = {
    "REMBRANDT": (
        AreaLamp("key", 26.0, 0.35, (0.76, -0.62, 0.72), (1.0, 0.96, 0.90)),
        AreaLamp("fill", 1.5, 0.9, (-0.70, -0.95, 0.05), (0.90, 0.95, 1.0)),
        AreaLamp("rim", 6.0, 0.4, (-0.45, 0.60, 0.55)),
    ),
    "BUTTERFLY": (
        AreaLamp("key", 22.0, 0.4, (0.0, -0.80, 0.85), (1.0, 0.97, 0.93)),
        AreaLamp("reflector", 3.0, 0.7, (0.0, -0.70, -0.60), (1.0, 0.96, 0.90)),
        AreaLamp("hair", 5.0, 0.4, (0.0, 0.60, 0.80)),
    ),
    "RIM": (
        AreaLamp("left rim", 26.0, 0.35, (0.70, 0.70, 0.30), (1.0, 0.95, 0.88)),
        AreaLamp("right rim", 26.0, 0.35, (-0.70, 0.70, 0.30), (0.85, 0.93, 1.0)),
        AreaLamp("fill", 5.0, 0.9, (0.0, -1.10, 0.35)),
    ),
}


def place_rig(face: bpy.types.Object, kind: str, scene: bpy.types.Scene) -> bpy.types.Collection:
    """Put the rig `kind` of `RIGS` around the face, in a collection beside it, instead of the lamps there were.

    It is not turned; the photo's light no longer is, either.
    """
    world = world_of(face)
    if world is not None:
        world[TURN] = 0.0
        # What follows it does not notice otherwise.
        world.update_tag()
    scale = sum(face.matrix_world.to_scale()) / 3
    lamps = _new_lamps(face, kind, scene)
    pivot = _pivot(face, lamps, face.matrix_world.to_euler())
    for lamp in RIGS[kind]:
        _add(lamps, pivot, _area_lamp(face.name, lamp, scale))
    return lamps


def place_estimated(face: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Collection:
    """Put suns around the face that light it as the photo's light does; `RESIDUAL` says how closely.

    Unlike the World, they can be changed one by one.

    Raises:
        PartMissingError: the user has deleted the photo's light.
    """
    normals = sphere_directions(600)
    world = needed_world(face)
    suns, residual = suns_for(world_shading(world, normals), normals, photo_lamps(world), _MOST_SUNS)
    lamps = _new_lamps(face, ESTIMATED, scene)
    lamps[RESIDUAL] = residual
    # The photo's light has its directions from the scene, not from the face.
    pivot = _pivot(face, lamps, None)
    each = zip(suns.directions, suns.irradiance, suns.angles, strict=True)
    for number, (direction, colour, angle) in enumerate(each, start=1):
        _add(lamps, pivot, _sun(f"{face.name} sun {number}", Vector(direction), colour, float(angle)))
    return lamps


def remove_lamps(face: bpy.types.Object) -> bool:
    """Remove the lamps made for the face. Changed ones are the user's: they stay, hidden; then the answer is False."""
    lamps = lamps_of(face)
    if lamps is None:
        return True
    del face[LAMPS]
    if not is_untouched(lamps):
        lamps.hide_viewport = lamps.hide_render = True
        return False
    for member in tuple(lamps.objects):
        data = member.data
        bpy.data.objects.remove(member)
        if data is not None and not data.users:
            bpy.data.lights.remove(data)
    bpy.data.collections.remove(lamps)
    return True


def is_untouched(lamps: bpy.types.Collection) -> bool:
    """Whether all in it is as we made it, and nothing was added."""
    return not lamps.children and all(
        member.get(_MADE) == _settings(member) and _is_only_ours(member) for member in lamps.objects
    )


def _new_lamps(face: bpy.types.Object, kind: str, scene: bpy.types.Scene) -> bpy.types.Collection:
    remove_lamps(face)
    lamps = bpy.data.collections.new(f"{face.name} lamps")
    home_of(face, scene).children.link(lamps)
    lamps[KIND], lamps[FACE] = kind, face
    face[LAMPS] = lamps
    return lamps


def _pivot(face: bpy.types.Object, lamps: bpy.types.Collection, rotation: object) -> bpy.types.Object:
    """Empty at the face that all lamps hang on, so that the light turns with its World."""
    pivot = bpy.data.objects.new(f"{face.name} pivot", None)
    pivot.empty_display_size = 0.05
    pivot.location = face.matrix_world.translation
    if rotation is not None:
        pivot.rotation_euler = rotation
    world = world_of(face)
    if world is not None:
        # Delta: around the scene's vertical, whatever the pivot's own rotation is.
        copy_value(pivot.driver_add("delta_rotation_euler", 2), world, f'["{TURN}"]')
    lamps.objects.link(pivot)
    pivot[_MADE] = _settings(pivot)
    return pivot


def _add(lamps: bpy.types.Collection, pivot: bpy.types.Object, lamp: bpy.types.Object) -> None:
    lamp.rotation_euler = lamp.location.to_track_quat("Z", "Y").to_euler()
    lamp.parent = pivot
    lamps.objects.link(lamp)
    lamp[_MADE] = _settings(lamp)


def _area_lamp(face_name: str, lamp: AreaLamp, scale: float) -> bpy.types.Object:
    name = f"{face_name} {lamp.name}"
    data = bpy.data.lights.new(name, "AREA")
    # As bright on a face of any size: power grows with the square of the distance.
    data.energy, data.size, data.color = lamp.watts * scale**2, lamp.size * scale, lamp.colour
    # Only drawn: the lamp's line, by default 40 m long, through the face. The light is not cut off.
    data.cutoff_distance = data.size / 2
    placed = bpy.data.objects.new(name, data)
    placed.location = Vector(lamp.place) * scale
    return placed


def _sun(name: str, direction: Vector, irradiance: np.ndarray, angle: float) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "SUN")
    data.energy, data.angle = np.pi * float(irradiance.max()), angle
    data.color = irradiance / irradiance.max()
    placed = bpy.data.objects.new(name, data)
    placed.location = direction * _SUN_DISTANCE
    return placed


def _settings(member: bpy.types.Object) -> str:
    """Where it is and, for a lamp, how it shines."""
    # Not its matrix: that has the driven turn in it.
    values: list[object] = [*member.location, *member.rotation_euler, *member.scale, member.rotation_mode]
    lamp = member.data
    if lamp is not None:
        values += [lamp.type, lamp.energy, *lamp.color, lamp.size if lamp.type == "AREA" else lamp.angle]
        # From Blender 5.2 on, lamps are made with nodes switched on.
        values += [
            lamp.use_nodes,
            [node.bl_idname for node in lamp.node_tree.nodes] if lamp.node_tree else [],
        ]
    return json.dumps([*values, member.hide_render, member.hide_viewport])


def _is_only_ours(member: bpy.types.Object) -> bool:
    lamp = member.data
    own_data = lamp is None or (lamp.users == 1 and lamp.animation_data is None)
    animated = member.animation_data is not None and member.animation_data.action is not None
    return own_data and not animated and not member.constraints and len(member.users_collection) == 1
