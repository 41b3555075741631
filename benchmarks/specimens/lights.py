"""Seven kinds of light as panoramas of radiance: procedural, endless in variety, none of them order-2 harmonics.

These kinds are the benchmarks' own: training sees none of them. What a panorama (HEIGHT, 2·HEIGHT, 3) is:
train/data/synthetic/panorama.py.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...core_models.render.lighting import panorama_directions
from .skin_optics import WAVELENGTHS_NM, rgb_of_light

HEIGHT = 512
LIGHTS = ("soft", "hard_side", "top", "rim", "two_colour", "overcast", "hdri")


def make_light(kind: str, generator: np.random.Generator) -> np.ndarray:
    """A panorama of one of LIGHTS; its level is arbitrary (the camera exposes)."""
    return np.maximum(_KINDS[kind](panorama_directions(HEIGHT).numpy(), generator), 0.0).astype(np.float32)


def _kelvin(temperature: float) -> np.ndarray:
    """Linear Rec.709 (3,) of a black body, luminance about 1."""
    nm = WAVELENGTHS_NM
    return np.maximum(rgb_of_light(nm**-5.0 / np.expm1(1.4388e7 / (nm * temperature))), 0.01)


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """Direction of a lamp: azimuth in degrees from the camera's side (0) to image right (90), elevation upwards."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array((np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)))


def _lamp(look: np.ndarray, towards: np.ndarray, radius_degrees: float, softness: float = 0.2) -> np.ndarray:
    """A disc (HEIGHT, 2·HEIGHT, 1) that gives a facing surface irradiance/π of 1."""
    angle = np.degrees(np.arccos(np.clip(look @ towards, -1, 1)))
    disc = np.clip((1 + softness - angle / radius_degrees) / (2 * softness), 0, 1)
    ring = np.sin((np.arange(HEIGHT) + 0.5) * np.pi / HEIGHT)[:, None] * (np.pi / HEIGHT) ** 2
    return (disc / max(float((disc * ring * np.clip(look @ towards, 0, 1)).sum()) / np.pi, 1e-9))[..., None]


def _room(look: np.ndarray, generator: np.random.Generator, level: float) -> np.ndarray:
    """Walls, ceiling and floor of different lightness, with soft blotches of things in the room."""
    tint = np.exp(generator.normal(0, 0.06, 3))
    slope = (
        1 + 0.4 * look @ _towards(generator.uniform(-180, 180), 0) + generator.uniform(0, 0.5) * look[..., 1]
    )
    blotches = cv2.resize(generator.normal(size=(6, 12)).astype(np.float32), (2 * HEIGHT, HEIGHT))
    return level * (slope * np.exp(0.35 * blotches))[..., None] * tint


def _side(generator: np.random.Generator) -> float:
    return 1.0 if generator.random() < 0.5 else -1.0


def _soft(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    key = _towards(_side(generator) * generator.uniform(5, 45), generator.uniform(15, 45))
    colour = _kelvin(generator.uniform(4600, 6500))
    lamp = _lamp(look, key, generator.uniform(25, 45), 0.4)
    return _room(look, generator, generator.uniform(0.35, 0.6)) * colour + 0.8 * lamp * colour


def _hard_side(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    key = _towards(_side(generator) * generator.uniform(50, 85), generator.uniform(8, 40))
    lamp = _lamp(look, key, generator.uniform(1.8, 4)) * _kelvin(generator.uniform(4200, 6000))
    return lamp + _room(look, generator, generator.uniform(0.10, 0.25)) * _kelvin(
        generator.uniform(5000, 7500)
    )


def _top(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    key = _towards(generator.uniform(-60, 60), generator.uniform(58, 78))
    lamp = _lamp(look, key, generator.uniform(4, 14)) * _kelvin(generator.uniform(3800, 6200))
    bounce = np.clip(-look[..., 1:2], 0, 1) * generator.uniform(0.1, 0.5) * (1.0, 0.93, 0.85)
    return lamp + bounce + _room(look, generator, generator.uniform(0.15, 0.3))


def _rim(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    side = _side(generator)
    back = _towards(side * generator.uniform(115, 150), generator.uniform(5, 35))
    lamp = _lamp(look, back, generator.uniform(3, 10)) * _kelvin(generator.uniform(3500, 6500))
    fill = _lamp(look, _towards(-side * generator.uniform(10, 50), generator.uniform(0, 30)), 35, 0.4)
    colour = _kelvin(generator.uniform(5000, 7500))
    return generator.uniform(1.0, 2.0) * lamp + (0.4 * fill + _room(look, generator, 0.25)) * colour


def _two_colour(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    side = _side(generator)
    pairs = (
        (_kelvin(2800), _kelvin(9500)),
        ((1.0, 0.25, 0.6), (0.15, 0.6, 1.0)),
        ((1.0, 0.6, 0.2), (0.2, 0.8, 0.7)),
    )
    warm, cold = pairs[int(generator.choice(3, p=(0.6, 0.2, 0.2)))]
    first = _lamp(look, _towards(side * generator.uniform(35, 75), generator.uniform(5, 35)), 12)
    second = _lamp(look, _towards(-side * generator.uniform(40, 90), generator.uniform(0, 30)), 12)
    return (
        first * np.asarray(warm)
        + generator.uniform(0.5, 1.0) * second * np.asarray(cold)
        + _room(look, generator, generator.uniform(0.15, 0.3))
    )


def _overcast(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The CIE's overcast sky over a darker ground."""
    up = look[..., 1:2]
    clouds = cv2.resize(generator.normal(size=(10, 20)).astype(np.float32), (2 * HEIGHT, HEIGHT))[..., None]
    sky = (1 + 2 * np.clip(up, 0, 1)) / 3 * np.exp(0.15 * clouds) * _kelvin(generator.uniform(6000, 7500))
    ground = generator.uniform(0.08, 0.3) * np.exp(generator.normal(0, 0.12, 3)) * (1 + 0.2 * clouds)
    return np.where(up > 0.02, sky, ground)


def _hdri(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return (_windows if generator.random() < 0.5 else _sunny)(look, generator)


def _windows(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A room with windows of cool light and lamps of warm light under its ceiling."""
    image = _room(look, generator, generator.uniform(0.15, 0.35)) * _kelvin(4200)
    azimuth = np.degrees(np.arctan2(look[..., 0], look[..., 2]))
    elevation = np.degrees(np.arcsin(look[..., 1]))
    start = generator.uniform(-110, 60)
    for i in range(int(generator.integers(1, 4))):
        inside = (np.abs(azimuth - start - 38 * i - 15) < 14) & (np.abs(elevation - 14) < 24)
        bars = (np.abs(azimuth - start - 38 * i - 15) > 1) & (np.abs(elevation - 14) > 1)
        image = np.where((inside & bars)[..., None], generator.uniform(5, 9) * _kelvin(7000), image)
    for _ in range(3):
        spot = _towards(generator.uniform(-180, 180), generator.uniform(45, 80))
        image = image + generator.uniform(0.05, 0.25) * _lamp(look, spot, 5) * _kelvin(3000)
    return image


def _sunny(look: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Blue sky, sun behind thin cloud or clear, sunlit ground, foliage and house fronts on the horizon."""
    up = look[..., 1:2]
    side = _side(generator)
    sun = _towards(side * generator.uniform(20, 120), generator.uniform(20, 60))
    clear = generator.random() < 0.6
    image = np.where(
        up > 0, 0.35 * _kelvin(12000) * (1.4 - 0.7 * np.clip(up, 0, 1)), 0.35 * np.array((1, 0.93, 0.8))
    )
    leaves = cv2.resize(generator.normal(size=(40, 80)).astype(np.float32), (2 * HEIGHT, HEIGHT))[..., None]
    skyline = (
        0.12 + 0.18 * cv2.resize(generator.random((1, 24)).astype(np.float32), (2 * HEIGHT, 1))[0, :, None]
    )
    azimuth_row = np.broadcast_to(skyline[None], (*look.shape[:2], 1))
    things = np.where(look[..., 0:1] > 0, (0.09, 0.16, 0.05), (0.35, 0.30, 0.25)) * np.exp(0.5 * leaves)
    image = np.where((up > -0.05) & (up < azimuth_row), things, image)
    return image + _lamp(look, sun, 2.0 if clear else 14.0) * _kelvin(5400) * (1.3 if clear else 0.9)


_KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "soft": _soft,
    "hard_side": _hard_side,
    "top": _top,
    "rim": _rim,
    "two_colour": _two_colour,
    "overcast": _overcast,
    "hdri": _hdri,
}
