"""Distant lamps: where shadows fall, that lamps add up, that a batch of them is one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semblance.core_models.render.lamps import CRISP, SOFT, Lamp, Rig, Shadows, unshadowed
from semblance.core_models.render.trace import CameraMesh, Trace

TOWARDS = torch.tensor([0.6, 0.0, 0.8])


def square(half: float, z: float, cells: int) -> tuple[np.ndarray, np.ndarray]:
    side, row = np.linspace(-half, half, cells + 1), cells + 1
    x, y = np.meshgrid(side, side)
    corner = (np.arange(cells)[:, None] * row + np.arange(cells)).ravel()
    lower = np.stack([corner, corner + 1, corner + row + 1], -1)
    upper = np.stack([corner, corner + row + 1, corner + row], -1)
    return np.stack([x, y, np.full_like(x, z)], -1).reshape(-1, 3), np.concatenate([lower, upper])


def floor_and_lid() -> tuple[Tensor, Tensor, int]:
    """A floor and a lid half a unit above its middle: vertices (N, 3), faces (F, 3), how many are the floor's."""
    (floor, floor_faces), (lid, lid_faces) = square(1.0, 0.0, 80), square(0.3, 0.5, 40)
    faces = np.concatenate([floor_faces, lid_faces + len(floor)])
    return (
        torch.as_tensor(np.concatenate([floor, lid]), dtype=torch.float32),
        torch.as_tensor(faces),
        len(floor),
    )


@pytest.mark.parametrize("shadows", [SOFT, CRISP])
def test_a_lamp_throws_the_shadow_of_a_square(shadows: Shadows) -> None:
    vertices, faces, n_floor = floor_and_lid()
    normals = torch.tensor([0.0, 0, 1]).expand_as(vertices)
    lit = unshadowed(vertices, normals, faces, TOWARDS[None], shadows)[0].numpy()
    # 0.5 high, thrown 3/4 of that to the left
    shadow = np.abs(vertices[:n_floor, :2].numpy() - [-0.375, 0.0]).max(1)
    assert lit[:n_floor][shadow < 0.24].max() < 0.05
    assert lit[:n_floor][shadow > 0.36].min() > 0.95
    assert lit[n_floor:].min() > 0.95


def test_crisp_shadows_have_the_narrower_edge() -> None:
    vertices, faces, n_floor = floor_and_lid()
    normals = torch.tensor([0.0, 0, 1]).expand_as(vertices)
    half_lit = []
    for shadows in (SOFT, CRISP):
        lit = unshadowed(vertices, normals, faces, TOWARDS[None], shadows)[0, :n_floor]
        half_lit.append(int(((lit > 0.05) & (lit < 0.95)).sum()))
    assert half_lit[0] > 2 * half_lit[1]


def test_a_batch_of_lamps_is_one_by_one() -> None:
    vertices, faces, _ = floor_and_lid()
    normals = torch.tensor([0.0, 0, 1]).expand_as(vertices)
    towards = torch.nn.functional.normalize(torch.tensor([[0.6, 0, 0.8], [0, 0.5, 1], [-1, 0.2, 0.3]]), dim=1)
    together = unshadowed(vertices, normals, faces, towards, CRISP)
    for index, direction in enumerate(towards):
        assert torch.equal(together[index], unshadowed(vertices, normals, faces, direction[None], CRISP)[0])
    assert unshadowed(vertices, normals, faces, towards[:0], CRISP).shape == (0, len(vertices))


def test_lamps_add_up_to_their_rig() -> None:
    points, faces = square(1.0, -6.0, 12)
    K = np.array([[60.0, 0, 16], [0, 60, 16], [0, 0, 1]])
    region = np.zeros(len(faces), np.uint8)
    trace = Trace.of(CameraMesh(points.astype(np.float32), faces, points[:, :2], region, ("all",), K), 32, 32)
    lamps = (Lamp((3.0, 0, 4), (1.0, 0.5, 0.2)), Lamp((0, 0, 2.0), (0.1, 0.2, 0.3)))
    both = Rig("both", lamps, 0.25).light(trace)
    alone = [Rig("one", (lamp,)).light(trace) for lamp in lamps]
    torch.testing.assert_close(both, alone[0] + alone[1] + 0.25)
    expected = 0.8 * torch.tensor([1.0, 0.5, 0.2]) + torch.tensor([0.1, 0.2, 0.3]) + 0.25
    torch.testing.assert_close(both, expected.expand_as(both))
    assert (Rig("even", (), 0.3).light(trace) == 0.3).all()
