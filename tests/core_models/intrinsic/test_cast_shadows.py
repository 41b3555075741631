"""A lamp's shadow ends where the photo shows it; moles and hair are no shadows."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.cast_shadows import find_shadows
from semblance.core_models.texture.atlas import build_atlas

SIZE = 256
ATLAS = build_atlas(np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1, 2], [0, 2, 3]]), SIZE)
ROW, COLUMN = np.divmod(ATLAS.texels, SIZE)
EVERYWHERE = np.ones(len(ROW))


def _light(level: float) -> np.ndarray:
    return np.full((len(ROW), 3), level)


def _step(at: float, width: float = 4.0) -> np.ndarray:
    """(M,) 0 left of a column, 1 right of it."""
    return 1 / (1 + np.exp((at - COLUMN) / width))


def _find(lit: np.ndarray, expected: np.ndarray, weights: np.ndarray, lamp: float = 0.8) -> np.ndarray:
    lamps = _light(lamp) * expected[:, None]
    return find_shadows(ATLAS, lit, _light(0.2), lamps, _light(lamp), weights)[:, 0]


def test_the_edge_moves_to_where_the_photo_has_it():
    true, meshes = _step(128, 1.0), _step(140)
    lit = _light(0.2) + 0.8 * true[:, None]
    found = _find(lit, meshes, EVERYWHERE)
    before, after = (np.abs(share - true).mean() for share in (meshes, found))
    assert after < 0.25 * before


def test_a_mole_is_no_shadow():
    mole = np.hypot(ROW - 128, COLUMN - 128) < 2.5
    lit = np.where(mole[:, None], 0.4, 1.0) * _light(1.0)
    assert _find(lit, EVERYWHERE, EVERYWHERE).min() > 0.97


def test_soft_light_and_what_is_no_skin_leave_the_mesh_in_charge():
    expected = _step(128)
    dark = _light(0.25)
    np.testing.assert_allclose(_find(dark, expected, 0 * EVERYWHERE), expected, atol=0.06)
    np.testing.assert_allclose(_find(dark, expected, EVERYWHERE, lamp=0.04), expected, atol=0.06)
