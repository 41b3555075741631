"""Grain: as strong and as coarse as that of the skin it is measured on, with its colours; none where none is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from semblance.core_models.completion.skin_grain import (
    RestSurface,
    band_covariances,
    grained,
    measure_grain,
)
from semblance.core_models.texture.atlas import Atlas, build_atlas
from semblance.core_models.texture.layout import rest_surface

SKIN = np.float32([0.45, 0.28, 0.2])
SIDE_MM = 100.0


def _sheet(size: int, tilt: float = 0.0) -> tuple[Atlas, RestSurface]:
    """A square of skin, 100 mm wide, turned about its lower edge by `tilt`."""
    uv = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    x, y = SIDE_MM * uv.T
    points = np.stack([x, y * np.cos(tilt), y * np.sin(tilt)], axis=1)
    normals = np.tile([0.0, -np.sin(tilt), np.cos(tilt)], (4, 1))
    return build_atlas(uv, faces, size), rest_surface(points, normals, faces, uv)


def _noise(size: int, slope: float, colours: np.ndarray) -> np.ndarray:
    """Log albedo (S, S, 3) whose amplitudes fall with frequency to the power `slope`."""
    frequency = np.fft.fftfreq(size)
    wave = np.hypot(frequency[:, None], frequency)
    shape = np.where(wave > 0.01, np.maximum(wave, 0.01) ** slope, 0.0)
    white = np.random.default_rng(5).standard_normal((size, size, len(colours)))
    layers = np.fft.ifft2(np.fft.fft2(white, axes=(0, 1)) * shape[..., None], axes=(0, 1)).real
    return (layers / layers.std() @ colours).astype(np.float32)


@pytest.mark.parametrize("slope", [-0.5, -1.5])
@pytest.mark.parametrize("tilt", [0.0, 0.6])
def test_grain_has_the_strength_and_size_of_the_skins(slope, tilt):
    size = 512
    colours = 0.04 * np.array([[0.5, 1.0, 1.2], [0.3, 0.0, -0.3]])
    pattern = _noise(size, slope, colours)
    atlas, surface = _sheet(size, tilt)
    grain = measure_grain(atlas, atlas.gather(SKIN * np.exp(pattern)), np.ones((64, 64), bool), surface)
    smooth = np.tile(SKIN, (len(atlas.texels), 1))
    laid = np.log(atlas.image(grained(smooth, grain, surface, atlas)) / SKIN)
    everywhere = np.ones((size, size), np.float32)
    theirs, ours = (band_covariances(each.astype(np.float32), everywhere, 5) for each in (pattern, laid))
    strength = np.sqrt(np.trace(ours, axis1=1, axis2=2) / np.trace(theirs, axis1=1, axis2=2))
    assert strength[:4].min() > 0.55
    assert strength[:4].max() < 1.35
    theirs, ours = theirs.sum(0), ours.sum(0)
    assert np.abs(ours / np.trace(ours) - theirs / np.trace(theirs)).max() < 0.05


def test_what_is_not_bare_skin_is_not_measured():
    size = 256
    atlas, surface = _sheet(size)
    bare = np.ones((64, 64), bool)
    bare[:, 32:] = False
    seen = np.tile(SKIN, (size, size, 1))
    seen[:, size // 2 :] *= np.exp(_noise(size, -1.0, 0.3 * np.ones((1, 3))))[:, size // 2 :]
    grain = measure_grain(atlas, atlas.gather(seen.astype(np.float32)), bare, surface)
    assert grain is not None
    assert np.abs(grain.tiles).max() < 0.005


def test_no_grain_without_skin():
    atlas, surface = _sheet(128)
    seen = np.tile(SKIN, (len(atlas.texels), 1))
    assert measure_grain(atlas, seen, np.zeros((64, 64), bool), surface) is None
    assert np.array_equal(grained(seen, None, surface, atlas), seen)


def test_a_band_of_waves_is_found_in_its_own_octave():
    size = 256
    x = np.arange(size)
    everywhere = np.ones((size, size), np.float32)
    for octave, length in enumerate([3.5, 7.0, 14.0]):
        wave = np.broadcast_to(np.sin(2 * np.pi * x / length)[None, :, None], (size, size, 3))
        energies = band_covariances(wave.astype(np.float32), everywhere, 4)[:, 0, 0]
        assert energies.argmax() == octave
        assert cv2.norm(energies) < 0.6
