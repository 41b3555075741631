"""Pictures of a head for the FaceMesh network and for the contact sheets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.camera import intrinsics, to_camera
from ..render.lighting import COSINE_LOBE, sh_basis
from ..render.shade import render_mesh


@dataclass(frozen=True)
class Lamp:
    """A distant white light: direction towards it (3,), camera frame, and the shading of a surface that faces it."""

    direction: tuple[float, float, float]
    strength: float


@dataclass(frozen=True)
class Studio:
    """Camera and light. The camera looks along −z at `centre` (dm) after `rotation` (3, 3) of the head.

    size: pixels of the square picture; width: decimetres across it at the centre; distance: decimetres.
    """

    lamps: Sequence[Lamp] = (Lamp((0.5, 0.6, 0.8), 0.75), Lamp((-0.8, 0.2, 0.5), 0.25))
    ambient: float = 0.25
    background: Sequence[float] = (0.12, 0.12, 0.13)
    size: int = 320
    width: float = 2.7
    distance: float = 12.0
    centre: Sequence[float] = (0.0, 0.0, -0.3)

    def light(self) -> torch.Tensor:
        """SH coefficients (3, 9) of lamps and ambient."""
        sh = torch.zeros(9, dtype=torch.float64)
        sh[0] = self.ambient / 0.282095
        lobe = torch.tensor(math.pi * COSINE_LOBE, dtype=torch.float32)
        for lamp in self.lamps:
            direction = torch.tensor(lamp.direction, dtype=torch.float64)
            sh += lamp.strength * lobe * sh_basis(direction / direction.norm())
        return sh.expand(3, 9).float()

    def place(self, vertices: torch.Tensor, rotation: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """`vertices` (N, 3) dm in the camera's frame (1, N, 3), and its K (1, 3, 3)."""
        turn = torch.tensor(rotation, dtype=torch.float32)
        centre = torch.tensor(self.centre, dtype=torch.float32)
        shift = torch.tensor([0.0, 0.0, -self.distance]) - centre @ turn.T
        focal, middle = torch.tensor([self.size * self.distance / self.width]), torch.tensor([self.size / 2])
        K = intrinsics(focal, focal, middle, middle)
        return to_camera(vertices.float()[None], turn[None], shift[None]), K


def portrait(
    vertices: torch.Tensor,
    faces: torch.Tensor,
    albedo_linear: torch.Tensor,
    rotation: np.ndarray,
    studio: Studio,
) -> np.ndarray:
    """Picture (size, size, 3) uint8, gamma 2.2, of a head: vertices (N, 3) dm, faces (F, 3), albedo (N, 3)."""
    placed, K = studio.place(vertices, rotation)
    colours, light = albedo_linear.float()[None], studio.light()[None]
    picture = render_mesh(placed, faces, colours, light, K, studio.size, studio.size)[0].numpy()
    coverage = picture[..., 3:]
    linear = picture[..., :3] * coverage + np.asarray(studio.background) * (1 - coverage)
    return np.round(255 * np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.uint8)
