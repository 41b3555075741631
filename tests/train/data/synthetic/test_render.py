"""The quick renderer: gloss against a scalar twin, things before one another, the mask of the head's own surface."""

from __future__ import annotations

import math

import numpy as np
import torch

from semblance.core_models.render.lamps import CRISP, Lamp, Rig
from semblance.core_models.render.trace import CameraMesh, Trace
from semblance.train.data.synthetic.render import Thing, render_scene, shade_vertices

K = np.array([[80.0, 0, 16], [0, 80, 16], [0, 0, 1]])


def sheet(half: float, z: float, name: str) -> CameraMesh:
    """A square of 8 × 8 cells that faces the camera."""
    x, y = np.meshgrid(np.linspace(-half, half, 9), np.linspace(-half, half, 9))
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 10], -1), np.stack([corner, corner + 10, corner + 9], -1)]
    )
    vertices = np.stack([x, y, np.full_like(x, z)], -1).reshape(-1, 3).astype(np.float32)
    return CameraMesh(vertices, faces, vertices[:, :2], np.zeros(len(faces), np.uint8), (name,), K)


def glossy(point: np.ndarray, direction: np.ndarray, alpha: float, f0: float) -> float:
    """What a point with the normal (0, 0, 1) reflects of a lamp of radiance π: GGX, Smith's masking, Schlick."""
    view = -point / np.linalg.norm(point)
    half = view + direction
    half /= np.linalg.norm(half)
    facing, out = direction[2], view[2]
    spread = alpha**2 / (math.pi * (half[2] ** 2 * (alpha**2 - 1) + 1) ** 2)
    masked = math.prod(2 * c / (c + math.sqrt(alpha**2 + (1 - alpha**2) * c * c)) for c in (facing, out))
    fresnel = f0 + (1 - f0) * (1 - half @ direction) ** 5
    return math.pi * spread * masked * fresnel / (4 * facing * out) * facing


def test_vertices_shine_as_the_formula_says() -> None:
    trace = Trace.of(sheet(1.0, -6.0, "skin"), 32, 32)
    count = len(trace.vertices)
    directions = ((0.6, 0.0, 0.8), (-0.2, 0.3, 0.9))
    rig = Rig("two", tuple(Lamp(towards, (1.0, 0.5, 0.25)) for towards in directions), 0.1, CRISP)
    roughness, gloss = torch.linspace(0.2, 0.6, count), torch.linspace(0.02, 0.3, count)
    diffuse, specular = shade_vertices(trace, rig, roughness, gloss)
    units = [np.array(towards) / np.linalg.norm(towards) for towards in directions]
    torch.testing.assert_close(
        diffuse[:, 0], torch.full((count,), 0.1 + sum(unit[2] for unit in units)).float()
    )
    for i in range(0, count, 5):
        point = trace.vertices[i].double().numpy()
        expected = sum(glossy(point, unit, float(roughness[i]), float(gloss[i])) for unit in units)
        np.testing.assert_allclose(specular[i].numpy(), expected * np.array([1, 0.5, 0.25]), rtol=1e-4)


def test_lamps_behind_a_surface_do_not_shine() -> None:
    trace = Trace.of(sheet(1.0, -6.0, "skin"), 32, 32)
    rig = Rig("behind", (Lamp((0.1, 0.0, -1.0), (1.0, 1.0, 1.0)),), 0.0, CRISP)
    half = torch.full((len(trace.vertices),), 0.5)
    for light in shade_vertices(trace, rig, half, half):
        assert not light.any()


def test_the_nearer_thing_hides_the_head_and_darkens_it() -> None:
    head, thing = sheet(1.0, -6.0, "skin"), sheet(0.3, -5.0, "thing")
    things = [
        Thing(head, np.full((16, 16, 3), 0.5, np.float32), 0.5, 0.0),
        Thing(thing, np.full((81, 3), 0.1, np.float32), 0.5, 0.0),
    ]
    rig = Rig("slanting", (Lamp((0.6, 0.0, 0.8), (1.0, 1.0, 1.0)),), 0.2, CRISP)
    render = render_scene(things, rig, 32, ("skin",))
    assert render.coverage[16, 16] == render.coverage[8, 8] == 1 and render.coverage[0, 0] == 0
    assert render.own[16, 16] == 0 and render.own[8, 8] == 1
    unshaded = render_scene(things[:1], rig, 32, ("skin",)).linear
    np.testing.assert_allclose(render.linear[8, 8], unshaded[8, 8], atol=0.01)
    # The thing is 1 before the head, its shadow 0.75 to the left of it there.
    assert render.linear[16, 6, 0] < 0.35 * unshaded[16, 6, 0]
