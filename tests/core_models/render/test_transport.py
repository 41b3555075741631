"""Transport: an unshadowed sphere agrees with spherical harmonics, shadows fall where geometry puts them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semblance.core_models.intrinsic.environment_light import Environment
from semblance.core_models.render.lighting import shade
from semblance.core_models.render.transport import (
    Directions,
    diffuse_transport,
    sphere_directions,
    visibility,
)


def _sphere(rings: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere: vertices, faces."""
    polar, around = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rings),
        np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False),
        indexing="ij",
    )
    vertices = np.stack(
        [np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], axis=-1
    ).reshape(-1, 3)
    row, column = np.divmod(np.arange((rings - 1) * 2 * rings), 2 * rings)
    a, b = row * 2 * rings + column, row * 2 * rings + (column + 1) % (2 * rings)
    c, d = a + 2 * rings, b + 2 * rings
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    return vertices.astype(np.float32), faces


def _plane_and_blocker() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A fine plane at z = 0 and a square of half side 0.3 above it at z = 1, both towards +z."""
    x, y = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81))
    plane = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    row, column = np.divmod(np.arange(80 * 80), 80)
    a = row * 81 + column
    faces = np.concatenate([np.stack([a, a + 1, a + 82], 1), np.stack([a, a + 82, a + 81], 1)])
    corners = np.array([[-0.3, -0.3, 1], [0.3, -0.3, 1], [0.3, 0.3, 1], [-0.3, 0.3, 1]])
    count = len(plane)
    faces = np.concatenate([faces, np.array([[0, 1, 2], [0, 2, 3]]) + count])
    return (
        np.concatenate([plane, corners]).astype(np.float32),
        faces,
        np.tile(np.float32([0, 0, 1]), (count + 4, 1)),
    )


def test_directions_share_the_sphere_evenly_and_mirror():
    directions = sphere_directions(96)
    towards = directions.towards
    assert directions.solid_angle.sum() == pytest.approx(4 * np.pi, rel=1e-5)
    cosines = towards @ towards.T - 2 * np.eye(96)
    assert np.degrees(np.arccos(cosines.max(1))).min() > 15
    np.testing.assert_allclose(towards[48:], towards[:48] * [-1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(towards.T @ towards / 96, np.eye(3) / 3, atol=0.01)


def test_a_lonely_sphere_shades_as_spherical_harmonics_say():
    vertices, faces = _sphere()
    directions = sphere_directions(128)
    transport = diffuse_transport(
        vertices, visibility(vertices, vertices, faces, directions.towards), directions
    )
    radiance = (1.0 + 0.6 * directions.towards @ np.float32([0.3, 0.5, 0.8]))[:, None] * np.float32(
        [1, 0.8, 0.6]
    )
    environment = Environment(directions, radiance, 0 * radiance, np.zeros(3), 0.0)
    sh = torch.as_tensor(environment.sh(), dtype=torch.float32)
    expected = shade(torch.as_tensor(vertices), sh).numpy()
    np.testing.assert_allclose(environment.shading(transport), expected, atol=0.05)
    np.testing.assert_allclose(transport.sum(1), 1.0, atol=0.04)


def test_a_shadow_lies_where_geometry_puts_it():
    vertices, faces, normals = _plane_and_blocker()
    towards = np.float32([[0.6, 0.0, 0.8]])
    lit = visibility(vertices, normals, faces, towards)[: 81 * 81, 0]
    x, y = vertices[: 81 * 81, 0], vertices[: 81 * 81, 1]
    # The blocker 1 above the plane throws its shadow 1 · 0.6/0.8 away from the light.
    inside = (np.abs(x + 0.75) < 0.25) & (np.abs(y) < 0.25)
    outside = (np.abs(x + 0.75) > 0.36) | (np.abs(y) > 0.36)
    assert lit[inside].max() < 0.1
    assert lit[outside].min() > 0.9


def test_what_lies_behind_the_surface_gives_no_light():
    vertices, faces = _sphere()
    directions = Directions(np.float32([[0, 0, 1]]), np.float32([np.pi]))
    transport = diffuse_transport(
        vertices, visibility(vertices, vertices, faces, directions.towards), directions
    )
    np.testing.assert_allclose(transport[:, 0], np.maximum(vertices[:, 2], 0), atol=0.03)


def test_a_mirrored_mesh_has_the_mirrored_transport():
    vertices, faces, normals = _plane_and_blocker()
    vertices = vertices + np.float32([0.1, 0.2, 0.0])
    directions = sphere_directions(16)
    mirror = np.float32([-1, 1, 1])
    there = visibility(
        vertices * mirror, normals * mirror, faces[:, ::-1].copy(), directions.towards * mirror
    )
    here = visibility(vertices, normals, faces, directions.towards)
    assert np.abs(here - there).mean() < 0.005
