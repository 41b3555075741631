"""The same scene rendered by Blender, through the exported camera and under the exported light, and by us.

Blender runs in a process of its own: `blender_render.py`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from semblance.core_models.geometry.camera import intrinsics, to_camera
from semblance.core_models.render.lighting import equirectangular, rotate_sh, sh_to_radiance, shade
from semblance.core_models.render.shade import render_attributes

WIDTH, HEIGHT = 200, 150
CAMERAS = {  # fx, fy, cx, cy: principal points off the centre, pixels that are not square either way
    "wide pixels": (300.0, 260.0, 83.7, 88.2),
    "tall pixels": (255.0, 300.0, 121.4, 60.9),
}
ROTATION = Rotation.from_rotvec((0.25, -0.5, 0.12)).as_matrix()
TRANSLATION = (0.01, -0.015, -0.75)  # metres
BALL_RADIUS = 0.012
BALLS = [(x, y, z) for x in (-0.07, 0.0, 0.08) for y in (-0.05, 0.04) for z in (0.02 + 0.4 * x,)]
LIT_SIZE = 48


def ball(rings: int = 24) -> tuple[Tensor, Tensor]:
    """Unit sphere of quads cut in two: (N, 3) float64, faces (F, 3) counter-clockwise outside."""
    polar, around = torch.meshgrid(
        torch.linspace(0, torch.pi, rings + 1, dtype=torch.float64),
        torch.arange(2 * rings, dtype=torch.float64) * torch.pi / rings,
        indexing="ij",
    )
    vertices = torch.stack([polar.sin() * around.sin(), polar.cos(), polar.sin() * around.cos()], -1).view(
        -1, 3
    )
    index = torch.arange(len(vertices)).view(rings + 1, 2 * rings)
    a, b, c, d = index[:-1], index[:-1].roll(-1, 1), index[1:], index[1:].roll(-1, 1)
    faces = torch.cat([torch.stack([a, c, d], -1).view(-1, 3), torch.stack([a, d, b], -1).view(-1, 3)])
    return vertices, faces


LIGHT = torch.tensor(  # positive radiance everywhere, brightest from the upper left front, tinted
    [
        [4.0, 0.4, 0.5, -0.6, -0.1, 0.1, 0.1, -0.1, 0.05],
        [3.5, 0.5, 0.3, 0.2, 0.1, 0.0, 0.1, 0.1, -0.1],
        [3.0, -0.3, 0.2, 0.5, 0.0, -0.1, 0.1, 0.05, 0.1],
    ],
    dtype=torch.float64,
)


@pytest.fixture(scope="module")
def blender(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("Blender's Python module (bpy) is not installed")
    folder = tmp_path_factory.mktemp("blender")
    vertices, faces = balls()
    sphere, sphere_faces = ball()
    to_blender = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    panorama = equirectangular(sh_to_radiance(rotate_sh(LIGHT, to_blender)), 128)
    assert float(panorama.min()) > 0
    np.savez(
        folder / "request.npz",
        vertices=vertices.numpy(),
        faces=faces.numpy(),
        ball=sphere.numpy(),
        ball_faces=sphere_faces.numpy(),
        panorama=panorama.numpy(),
        rotation=ROTATION,
        translation=np.array(TRANSLATION),
        image_size=np.array([WIDTH, HEIGHT]),
        lit_size=LIT_SIZE,
        cameras=list(CAMERAS),
        **{name: matrix(name)[0].numpy() for name in CAMERAS},
    )
    script = Path(__file__).parents[1].joinpath("blender_render.py")
    command = [sys.executable, str(script), str(folder / "request.npz"), str(folder / "result.npz")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(np.load(folder / "result.npz"))


def balls() -> tuple[Tensor, Tensor]:
    vertices, faces = ball(12)
    placed = [vertices * BALL_RADIUS + torch.tensor(centre, dtype=torch.float64) for centre in BALLS]
    return torch.cat(placed), torch.cat([faces + i * len(vertices) for i in range(len(BALLS))])


def matrix(name: str) -> Tensor:
    return intrinsics(*torch.tensor(CAMERAS[name], dtype=torch.float64)[:, None])


@pytest.mark.parametrize("name", CAMERAS)
def test_camera_agrees_to_a_tenth_of_a_pixel(blender: dict[str, np.ndarray], name: str) -> None:
    vertices, faces = balls()
    seen = to_camera(
        vertices[None], torch.from_numpy(ROTATION)[None], torch.tensor([TRANSLATION], dtype=torch.float64)
    )
    which = torch.arange(len(BALLS)).repeat_interleave(len(vertices) // len(BALLS)).double()
    values, coverage = render_attributes(seen, faces, which[None, :, None], matrix(name), HEIGHT, WIDTH, 8)
    ours, theirs = coverage[0].numpy(), blender[name]
    assert theirs.shape == ours.shape
    row, column = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for i in range(len(BALLS)):
        own = (ours > 0) & (values[0, ..., 0].numpy().round() == i)
        window = (np.abs(row - row[own].mean()) < 12) & (np.abs(column - column[own].mean()) < 12)
        area = (ours * window).sum()
        assert area > 40
        assert (theirs * window).sum() == pytest.approx(area, rel=0.02)
        for axis in (row, column):
            here = (ours * window * axis).sum() / area
            there = (theirs * window * axis).sum() / (theirs * window).sum()
            assert here == pytest.approx(there, abs=0.05)
    # Along the outlines coverage differs by the shift across them: a tenth of a pixel moves it by a tenth.
    edge = (ours > 0) & (ours < 1)
    assert float(np.abs(ours - theirs)[edge].mean()) < 0.05


def test_light_agrees(blender: dict[str, np.ndarray]) -> None:
    """A white ball under the panorama of an SH light, seen from the front, is shaded as `shade` says."""
    row, column = torch.meshgrid(torch.arange(LIT_SIZE) + 0.5, torch.arange(LIT_SIZE) + 0.5, indexing="ij")
    x, y = (column / LIT_SIZE - 0.5) * 2.2, (0.5 - row / LIT_SIZE) * 2.2
    inside = x.square() + y.square() < 0.9
    normal = torch.stack([x, y, (1 - x.square() - y.square()).clamp(min=0).sqrt()], -1)[inside].double()
    expected = shade(normal, LIGHT)
    found = torch.from_numpy(blender["lit"][..., :3])[inside].double()
    relative = (found - expected).abs() / expected
    assert float(relative.mean()) < 0.02
    assert float((found.mean(0) / expected.mean(0) - 1).abs().max()) < 0.01
