"""Gloss is told from skin by its colour and its place; hair and pale spots away from it stay."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.gloss import REFLECTANCE, find_gloss, gloss_transport
from semblance.core_models.render.transport import sphere_directions
from semblance.core_models.texture.atlas import build_atlas

SIZE = 256
DARK, PALE = np.float32([0.12, 0.055, 0.03]), np.float32([0.45, 0.28, 0.20])
ATLAS = build_atlas(np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [0, 2, 3]]), SIZE)


def _bump(x: float, y: float, radius: float = 0.12) -> np.ndarray:
    """(M,)"""
    row, column = np.divmod(ATLAS.texels, SIZE)
    squared = (column / SIZE - x) ** 2 + (row / SIZE - y) ** 2
    return np.exp(-0.5 * squared / radius**2).astype(np.float32)


def _find(delit: np.ndarray, expected: np.ndarray, ordinary: np.ndarray, light: float = 0.8) -> np.ndarray:
    everywhere, shading = np.tile(expected, (len(delit), 1)), np.full((len(delit), 3), light)
    appearance = np.minimum(delit * shading, 1)
    return find_gloss(ATLAS, appearance, shading, everywhere, ordinary, np.ones(len(delit), np.float32))


def test_a_shining_forehead_loses_its_shine():
    for skin in (DARK, PALE):
        ordinary = 0.04 * _bump(0.5, 0.5)
        delit = skin + 1.7 * ordinary[:, None]
        factor = _find(delit, skin, ordinary)
        before, after = (np.abs(np.log(colour / skin)).max() for colour in (delit, delit / factor))
        assert after < 0.35 * before
        assert factor.min() >= 1


def test_a_pale_patch_where_nothing_shines_stays():
    ordinary = 0.05 * _bump(0.25, 0.5, 0.06)
    patch = 0.08 * _bump(0.8, 0.5, 0.06)
    factor = _find(DARK + patch[:, None], DARK, ordinary)
    assert factor[patch > 0.04].max() < 1.1


def test_grey_hair_and_freckles_under_gloss_stay():
    ordinary = np.full(len(ATLAS.texels), 0.02, np.float32)
    hair = np.full((len(ordinary), 3), 0.05, np.float32)
    assert _find(hair, PALE, ordinary).max() < 1.05
    row, column = np.divmod(ATLAS.texels, SIZE)
    freckles = np.where((row % 6 < 3) & (column % 6 < 3), 0.7, 1.0)[:, None] * PALE
    factor = _find((freckles + 0.02).astype(np.float32), PALE, ordinary)
    inside = (row > 12) & (row < SIZE - 12) & (column > 12) & (column < SIZE - 12)
    assert factor[inside].std(0).max() < 0.02


def test_gloss_of_another_colour_than_the_light_leaves_no_stain():
    ordinary = 0.04 * _bump(0.5, 0.5)
    delit = DARK + 1.5 * ordinary[:, None] * np.float32([0.75, 0.95, 1.3])
    after = np.log(delit / _find(delit, DARK, ordinary) / DARK)
    stain, before = (np.ptp(change, axis=1).max() for change in (after, np.log(delit / DARK)))
    assert stain < 0.3 * before


def test_burnt_out_skin_comes_back_in_its_colour():
    ordinary = 0.04 * _bump(0.5, 0.5)
    delit = PALE + 4 * ordinary[:, None]
    factor = _find(delit, PALE, ordinary, light=2.5)
    shown = np.minimum(2.5 * delit, 1) / 2.5
    burnt = delit[:, 0] > 0.41
    assert np.ptp(np.log(shown / factor / PALE)[burnt], axis=1).max() < 0.1


def test_gloss_lies_where_the_lamp_is_mirrored():
    directions = sphere_directions(128)
    angle = np.radians(np.arange(-80, 81, 2.0))
    normals = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], axis=1).astype(np.float32)
    vertices = normals + np.float32([0, 0, -1000])
    lamp = int(np.argmax(directions.towards @ [0.87, 0.0, 0.5]))
    table = gloss_transport(vertices, normals, np.ones((len(normals), 128), np.float32), directions)
    half = directions.towards[lamp] + [0, 0, 1]
    brightest = normals[int(table[:, lamp].argmax())]
    assert brightest @ (half / np.linalg.norm(half)) > 0.93
    # Facing the camera, all-round light of radiance 1 comes back about as from a mirror of the same reflectance.
    assert 0.6 * REFLECTANCE < table[len(table) // 2].sum() < 1.2 * REFLECTANCE
    hidden = gloss_transport(vertices, normals, np.zeros((len(normals), 128), np.float32), directions)
    assert hidden.max() == 0


def test_black_beside_the_face_is_left_alone():
    """A dark background with a trace of blue must not become gloss."""
    dark = np.tile(np.float32([0, 0, 0.002]), (len(ATLAS.texels), 1))
    nowhere = np.zeros(len(dark), np.float32)
    factor = find_gloss(
        ATLAS, dark, np.ones_like(dark), np.tile(PALE, (len(dark), 1)), 0.04 * _bump(0.5, 0.5), nowhere
    )
    np.testing.assert_allclose(factor, 1, atol=1e-6)
