"""Faces cut out of pictures upright and in one size, as networks were trained to see them; differentiable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample


@dataclass(frozen=True)
class Template:
    """Where a network expects which landmarks."""

    size: int
    """Side of the square chip, pixels."""
    landmarks: tuple[int, ...]
    """Numbers among the 478 FaceMesh points."""
    points: tuple[tuple[float, float], ...]
    """Their places in the chip, pixels from its top-left corner."""


def cut_chips(pictures: Tensor, landmarks: Tensor, template: Template) -> Tensor:
    """Turn, scale and shift each picture so that its landmarks fall on the template's by least squares.

    Large faces are averaged down before and after the bilinear look-up. Outside the picture is black.

    Args:
        pictures: (B, C, H, W).
        landmarks: (B, 478, 2), pixels from the picture's top-left corner.
        template: of the network.

    Returns:
        (B, C, size, size), differentiable to pictures and landmarks.
    """
    turn, shift = chip_to_picture(landmarks, template)
    scale = turn.detach()[:, :, 0].norm(dim=1)
    shrink = max(1, int(scale.min()))
    samples = max(1, math.ceil(float(scale.max()) / shrink))
    small = avg_pool2d(pictures, shrink, ceil_mode=True, count_include_pad=False) if shrink > 1 else pictures
    centres = (torch.arange(template.size * samples, device=turn.device, dtype=turn.dtype) + 0.5) / samples
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([columns, rows], dim=-1).flatten(0, 1) @ turn.mT + shift[:, None]
    size = grid.new_tensor([small.shape[3], small.shape[2]]) * shrink
    grid = (2 * grid / size - 1).unflatten(1, rows.shape).to(pictures.dtype)
    return avg_pool2d(grid_sample(small, grid, align_corners=False), samples)


def chip_to_picture(landmarks: Tensor, template: Template) -> tuple[Tensor, Tensor]:
    """The similarity that takes the template's points nearest to the landmarks (B, 478, 2).

    Returns:
        Turn and scale (B, 2, 2) and shift (B, 2): picture = turn · chip + shift, pixels.
    """
    wanted = landmarks.new_tensor(template.points)
    found = landmarks[:, list(template.landmarks)]
    wanted_mean, found_mean = wanted.mean(0), found.mean(1)
    x, y = (wanted - wanted_mean).unbind(-1)
    u, v = (found - found_mean[:, None]).unbind(-1)
    # A similarity of the plane is a complex factor: least squares has a closed form.
    spread = (x * x + y * y).sum()
    cos, sin = (x * u + y * v).sum(1) / spread, (x * v - y * u).sum(1) / spread
    turn = torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))
    return turn, found_mean - (turn @ wanted_mean)
