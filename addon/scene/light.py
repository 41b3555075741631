"""The photo's light as a World, in a scene only when the user asks for it."""

from __future__ import annotations

import bpy
import numpy as np

from ...core_models.reconstruction import Reconstruction
from .axes import HEAD_TO_BLENDER, to_blender
from .drivers import copy_value
from .images import linear_image
from .sun_fit import Suns, sphere_directions

SH = "semblance_sh"
"""Custom property of the World: `sh`, channel-major, in Blender's axes instead of the camera's (27 numbers)."""
PHOTO_LAMPS = "semblance_photo_lamps"
"""Custom property of the World: each sharp lamp of the photo's as direction, in Blender's axes, irradiance and angle
(7 numbers each), as in `Reconstruction`; part of `SH`."""
TURN = "semblance_turn"
"""Custom property of the World: radians by which it, and all lamps made for its face, turn around the vertical."""
CLAMPED = "semblance_clamped_share"
"""Custom property of the World: how much of the light would have to be negative, 0 = none."""
_IRRADIANCE_TO_RADIANCE = np.array([1.0] + [1.5] * 3 + [4.0] * 5)
"""Per SH coefficient: `sh` is irradiance / π; the clamped cosine scales the bands by 1, 2/3 and 1/4
(Ramamoorthi and Hanrahan 2001, equation 8, over π)."""
_WORLD_SIZE = (128, 64)


def photo_world(name: str, reconstruction: Reconstruction) -> bpy.types.World:
    """World that sheds the photo's spherical-harmonic light; kept in the file, assigned to no scene.

    Order-2 radiance can be negative and Blender's cannot: it is clamped, and `CLAMPED` says how much.
    """
    sh = sh_in_blender(reconstruction)
    radiance = sh_radiance(sh)
    world = bpy.data.worlds.new(name)
    world.use_fake_user = True
    world[SH] = sh.ravel().tolist()
    world[PHOTO_LAMPS] = _lamps_in_blender(reconstruction).ravel().tolist()
    world[CLAMPED] = float(np.maximum(-radiance, 0).sum() / max(np.abs(radiance).sum(), 1e-12))
    world[TURN] = 0.0
    world.id_properties_ui(TURN).update(
        subtype="ANGLE", soft_min=-np.pi, soft_max=np.pi, description="Turn the light around the face"
    )
    world.use_nodes = True
    _show_panorama(world, linear_image(name, np.maximum(radiance, 0.0)))
    return world


def world_shading(world: bpy.types.World, normals: np.ndarray) -> np.ndarray:
    """(P, 3) unit normals in Blender's axes → (P, 3) linear, what the photo's light gives on white, unturned."""
    return np.maximum(sh_basis(normals) @ np.reshape(world[SH], (3, 9)).T, 0.0)


def photo_lamps(world: bpy.types.World) -> Suns:
    """The photo's sharp lamps, unturned; none in a World of an older version."""
    rows = np.reshape(world.get(PHOTO_LAMPS, []), (-1, 7))
    return Suns(rows[:, :3], rows[:, 3:6], rows[:, 6])


def _lamps_in_blender(reconstruction: Reconstruction) -> np.ndarray:
    """(L, 7), see `PHOTO_LAMPS`."""
    in_head = reconstruction.lamp_directions @ reconstruction.rotation
    return np.hstack(
        [to_blender(in_head), reconstruction.lamp_irradiance, reconstruction.lamp_angle[:, None]]
    )


def sh_in_blender(reconstruction: Reconstruction) -> np.ndarray:
    """(3, 9): the light, turned from the camera's axes to Blender's."""
    directions = sphere_directions(100)
    in_camera = directions @ HEAD_TO_BLENDER @ reconstruction.rotation.astype(np.float64).T
    values = sh_basis(in_camera) @ reconstruction.sh.astype(np.float64).T
    # Exact: a rotation mixes harmonics within their bands only.
    return np.linalg.lstsq(sh_basis(directions), values, rcond=None)[0].T


def sh_radiance(sh: np.ndarray) -> np.ndarray:
    """(3, 9) in Blender's axes → (64, 128, 3) linear radiance, equirectangular, row 0 at the zenith."""
    width, height = _WORLD_SIZE
    azimuth = (0.5 - (np.arange(width) + 0.5) / width) * 2 * np.pi
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    azimuth, elevation = np.meshgrid(azimuth, elevation)
    direction = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    )
    return sh_basis(direction) @ (sh * _IRRADIANCE_TO_RADIANCE).T


def sh_basis(directions: np.ndarray) -> np.ndarray:
    """(…, 3) unit → (…, 9) order-2 real orthonormal spherical harmonics, in the order of `sh`."""
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )


def _show_panorama(world: bpy.types.World, panorama: bpy.types.Image) -> None:
    tree = world.node_tree
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    coordinates.location = (-780, 300)
    turn = tree.nodes.new("ShaderNodeMapping")
    # Texture: the panorama turns by the angle, not the direction in which it is looked up.
    turn.vector_type = "TEXTURE"
    turn.location = (-560, 300)
    copy_value(turn.inputs["Rotation"].driver_add("default_value", 2), world, f'["{TURN}"]')
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = panorama
    environment.location = (-320, 300)
    background = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    tree.links.new(coordinates.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], environment.inputs["Vector"])
    tree.links.new(environment.outputs["Color"], background.inputs["Color"])
