"""Panoramas of radiance: the order-2 light that they shed.

A panorama (H, 2H, 3) is in the world of the scenes, which is the camera frame (x right, y up, z towards the camera), in
the layout that Blender's environment texture has there: the top row looks to +z, the middle column to +x. Everything is
far away, so one panorama lights the whole face, and its projection is the light without occlusion.
"""

from __future__ import annotations

import numpy as np
import torch

from ....core_models.render.lighting import panorama_directions, sh_basis, sh_to_radiance


def irradiance_sh(panorama: np.ndarray) -> np.ndarray:
    """Order-2 coefficients (3, 9) of the panorama's irradiance/π, by quadrature."""
    height = len(panorama)
    basis = sh_basis(panorama_directions(height)).numpy()
    ring = np.sin((np.arange(height) + 0.5) * np.pi / height)
    solid_angle = ring[:, None] * (np.pi / height) ** 2
    radiance = np.einsum("hwc,hwk,hw->ck", panorama, basis, np.broadcast_to(solid_angle, basis.shape[:2]))
    return radiance / sh_to_radiance(torch.ones(9)).numpy()
