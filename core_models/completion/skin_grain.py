"""Skin grain: pores and mottling of the seen skin, measured as a spectrum and continued over what is not seen.

The grain is a solid texture: a tile of Gaussian noise with the measured spectrum and covariance of the channels, laid
through space along the three axes and mixed by the surface's normal so that its variance stays. So it has one scale in
millimetres however the layout stretches, and runs on across the layout's cuts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..skin_colour import ALBEDO_RANGE
from ..texture.atlas import Atlas
from ..texture.layout import RestSurface

_LONGEST_MM = 24.0
"""Longer waves are tone, which the membranes continue."""
_CALM = 0.7
"""Share of the skin that is measured: the rest, the liveliest, holds wrinkles, hairs and shadows' edges."""
_LEAST_TEXELS = 400
"""Of bare skin in a band; fewer say nothing."""
_OVERSAMPLING = 1.5
"""Tile texels per texture texel, so that interpolating the tile does not dull it."""
_LEVELS = 3
"""Tiles, for texels that cover 1, 2 and 4 times the length that they cover where the grain was measured."""
_MIXING = 4
"""Power of the normal's components that mixes the three projections."""
_FACING = 0.02
"""Share of a projection below which it is left out."""
_BAND_WAVE = 0.26
"""Cycles per texel of a pyramid's level in the middle of what the level holds."""
_ROW = 2048
"""Points looked up in a row: OpenCV takes no list longer than 32767."""


@dataclass(frozen=True)
class SkinGrain:
    """Noise in log albedo with the spectrum of the seen skin."""

    tiles: np.ndarray
    """(L, T, T, 3) float32, periodic, zero mean; each next one without what texels twice as large cannot hold."""
    texel_mm: float
    """Of the texture's texels where the grain was measured."""

    def at(self, surface: RestSurface, atlas: Atlas) -> np.ndarray:
        """The grain (M, 3) float32 at the texels of an atlas."""
        bands = [self._at_band(surface, band) for band in atlas.bands()]
        return np.concatenate(bands) if bands else np.zeros((0, 3), np.float32)

    def _at_band(self, surface: RestSurface, atlas: Atlas) -> np.ndarray:
        positions = (atlas.weights @ surface.positions) * np.float32(_OVERSAMPLING / self.texel_mm)
        mixing = np.abs(atlas.weights @ surface.normals) ** _MIXING
        mixing /= np.maximum(np.linalg.norm(mixing, axis=1, keepdims=True), 1e-9)
        widths = (atlas.weights @ surface.width) / (atlas.size * self.texel_mm)
        level = np.clip(np.round(np.log2(np.maximum(widths, 1e-3))), 0, len(self.tiles) - 1)
        grain = np.zeros((len(positions), 3), np.float32)
        for index, tile in enumerate(self.tiles):
            for axis in range(3):
                here = np.flatnonzero((level == index) & (mixing[:, axis] > _FACING))
                across = positions[here][:, [(axis + 1) % 3, (axis + 2) % 3]] + 0.37 * axis * len(tile)
                grain[here] += mixing[here, axis, None] * _look_up(tile, across)
        return grain


def grained(albedo: np.ndarray, grain: SkinGrain | None, surface: RestSurface, atlas: Atlas) -> np.ndarray:
    """Smooth albedo (M, 3) at the atlas's texels with the grain, if there is any, laid over it."""
    return albedo if grain is None else albedo * np.exp(grain.at(surface, atlas))


def measure_grain(
    atlas: Atlas, seen: np.ndarray, bare_skin: np.ndarray, surface: RestSurface
) -> SkinGrain | None:
    """Grain of the seen skin, None where too little of it is seen to tell.

    seen (M, 3) linear albedo at the texels, bare_skin (S', S') bool: where it is skin, well seen.
    """
    bare = atlas.gather(bare_skin.astype(np.float32)) > 0.5
    if not bare.any():
        return None
    texel_mm = float(np.median((atlas.weights @ surface.width)[bare])) / atlas.size
    mask = atlas.image(bare)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = np.log(np.clip(atlas.image(seen.astype(np.float32), background=1.0)[box], *ALBEDO_RANGE))
    n_bands = max(1, int(np.log2(_LONGEST_MM / texel_mm)) - 1)
    covariances = band_covariances(image, mask[box].astype(np.float32), n_bands)
    if not len(covariances):
        return None
    octaves = 2.0 ** np.arange(len(covariances))
    spectrum = (
        covariances
        * (octaves * texel_mm)[:, None, None] ** 2
        / _band_energies(len(covariances))[:, None, None]
    )
    tile_size = 512 if atlas.size <= 2048 else 1024
    return SkinGrain(_tiles(spectrum, _BAND_WAVE / (octaves * texel_mm), texel_mm, tile_size), texel_mm)


def band_covariances(image: np.ndarray, mask: np.ndarray, n_bands: int) -> np.ndarray:
    """Covariances (≤ B, 3, 3) of an image (H, W, 3) where mask (H, W) is 1, in octaves of wave length from the finest
    on: in the levels of a Laplacian pyramid (Burt and Adelson 1983) that takes no notice of what is masked.
    """
    found = []
    for _ in range(n_bands):
        total = cv2.pyrDown(mask)
        coarse = cv2.pyrDown(image * mask[..., None]) / np.maximum(total, 1e-3)[..., None]
        size = mask.shape[::-1]
        band = image - cv2.pyrUp(coarse, dstsize=size)
        sound = (mask > 0.99) & (cv2.pyrUp((total > 0.99).astype(np.float32), dstsize=size) > 0.99)
        if np.count_nonzero(sound) < _LEAST_TEXELS:
            break
        energy = cv2.GaussianBlur((band**2).sum(-1) * sound, (0, 0), 2.0)
        values = band[sound & (energy <= np.quantile(energy[sound], _CALM))]
        found.append(values.T @ values / len(values))
        image, mask = coarse, (total > 0.99).astype(np.float32)
    return np.array(found)


def _binomial(frequency: np.ndarray) -> np.ndarray:
    """Response of the pyramid's five-tap filter at frequencies in cycles per texel."""
    return np.cos(np.pi * frequency) ** 4


def _band_energies(n_bands: int) -> np.ndarray:
    """Variance (B,) that white noise of unit density has in each level of the pyramid, times its texel's area."""
    frequency = np.linspace(-0.5, 0.5, 129)
    energies = []
    for level in range(n_bands):
        before = np.prod([_binomial(frequency / 2**j) for j in range(1, level + 1)], axis=0) if level else 1.0
        kept = _binomial(frequency) ** 2
        response = np.multiply.outer(before, before) * (1 - np.multiply.outer(kept, kept))
        energies.append((response**2).mean())
    return np.array(energies)


def _wave_numbers(side: int, texel_mm: float) -> np.ndarray:
    frequency = np.fft.fftfreq(side, texel_mm)
    return np.hypot(frequency[:, None], frequency)


def _tiles(spectrum: np.ndarray, waves: np.ndarray, texel_mm: float, size: int) -> np.ndarray:
    """(L, T, T, 3) noise of that spectrum."""
    pitch = texel_mm / _OVERSAMPLING
    values, vectors = np.linalg.eigh(spectrum)
    roots = (vectors * np.sqrt(np.maximum(values, 0))[:, None, :]) @ vectors.transpose(0, 2, 1)
    wave = _wave_numbers(size, pitch).astype(np.float32)
    white = np.fft.fft2(np.random.default_rng(0).standard_normal((3, size, size), np.float32))
    held = (wave >= 1 / _LONGEST_MM) & (wave <= 0.5 / texel_mm)
    log_wave = np.log(np.maximum(wave, 1e-6))
    shaped = np.zeros((3, size, size), np.complex64)
    for row in range(3):
        for column in range(3):
            root = np.interp(log_wave, np.log(waves[::-1]), roots[::-1, row, column])
            shaped[row] += root.astype(np.float32) * white[column]
    shaped *= held / pitch
    tiles = []
    for level in range(_LEVELS):
        dulled = np.exp(-0.5 * (wave * texel_mm * 2.0**level / 0.35) ** 2) if level else 1.0
        tiles.append(np.fft.ifft2(shaped * dulled).real.transpose(1, 2, 0).astype(np.float32))
    return np.ascontiguousarray(tiles)


def _look_up(tile: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values (m, 3) of a periodic tile at points (m, 2) in its texels."""
    count = len(points)
    rows = max(1, -(-count // _ROW))
    padded = np.zeros((rows * _ROW, 2), np.float32)
    padded[:count] = np.mod(points, len(tile))
    x, y = padded.reshape(rows, _ROW, 2).transpose(2, 0, 1)
    found = cv2.remap(
        tile, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP
    )
    return found.reshape(-1, 3)[:count]
