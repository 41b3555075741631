"""Light: the photo's, as a World; and a small rig of lamps for files of our own."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ...core_models.reconstruction import Reconstruction
from .axes import HEAD_TO_BLENDER
from .images import linear_image

_IRRADIANCE_TO_RADIANCE = np.array([1.0] + [1.5] * 3 + [4.0] * 5)
"""Per SH coefficient: `sh` is irradiance / π; the clamped cosine scales the bands by 1, 2/3 and 1/4
(Ramamoorthi and Hanrahan 2001, equation 8, over π)."""
_WORLD_SIZE = (128, 64)

# Watts, size in metres, place in metres (Blender's axes, the face at the origin looks along −Y), RGB.
_RIG = {
    "key": (20.0, 0.5, (0.55, -0.75, 0.50), (1.0, 0.96, 0.90)),
    "fill": (9.0, 0.9, (-0.80, -0.65, 0.05), (0.90, 0.95, 1.0)),
    "rim": (4.0, 0.4, (-0.45, 0.60, 0.55), (1.0, 1.0, 1.0)),
}


def photo_world(name: str, reconstruction: Reconstruction) -> bpy.types.World:
    """World that sheds the photo's spherical-harmonic light; kept in the file, assigned to no scene.

    Order-2 radiance can be negative and Blender's cannot: it is clamped. The custom property
    `semblance_clamped_share` says how much of the light that changes (0 = exact).
    """
    radiance = sh_radiance(reconstruction)
    world = bpy.data.worlds.new(name)
    world.use_fake_user = True
    world["semblance_clamped_share"] = float(
        np.maximum(-radiance, 0).sum() / max(np.abs(radiance).sum(), 1e-12)
    )
    world.use_nodes = True
    tree = world.node_tree
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = linear_image(name, np.maximum(radiance, 0.0))
    environment.location = (-320, 300)
    background = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBackground")
    tree.links.new(environment.outputs["Color"], background.inputs["Color"])
    return world


def sh_radiance(reconstruction: Reconstruction) -> np.ndarray:
    """(64, 128, 3) linear radiance around the head, equirectangular, Blender's axes, row 0 at the zenith."""
    width, height = _WORLD_SIZE
    azimuth = (0.5 - (np.arange(width) + 0.5) / width) * 2 * np.pi
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    azimuth, elevation = np.meshgrid(azimuth, elevation)
    direction = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    )
    in_camera = direction @ HEAD_TO_BLENDER @ reconstruction.rotation.astype(np.float64).T
    coefficients = reconstruction.sh.astype(np.float64) * _IRRADIANCE_TO_RADIANCE
    return sh_basis(in_camera) @ coefficients.T


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


def light_rig(name: str) -> list[bpy.types.Object]:
    """Key, fill and rim area lamps around the face, for the artist's first render in scene light."""
    return [_area_lamp(f"{name} {part}", *values) for part, values in _RIG.items()]


def _area_lamp(
    name: str, watts: float, size: float, place: tuple[float, ...], colour: tuple[float, ...]
) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "AREA")
    data.energy, data.size, data.color = watts, size, colour
    # Only drawn: the lamp's line, by default 40 m long, through the face. The light is not cut off.
    data.cutoff_distance = size / 2
    lamp = bpy.data.objects.new(name, data)
    lamp.location = place
    lamp.rotation_euler = (-Vector(place)).to_track_quat("-Z", "Y").to_euler()
    return lamp
