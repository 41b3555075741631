"""From scene-linear light to a JPEG: exposure, white balance, tone curve, blur, noise, compression.

Exposure is what photographers and cameras do, blind to how light or dark the skin is. *Incident*: a meter at the face
gives a grey card its right value. *Matrix*: the camera brings the whole picture, the face a little favoured, to middle
grey, so that a pale wall darkens the face and dark clothes burn it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from ....core_models.colour import LUMINANCE, linear_to_srgb
from ....core_models.render.lighting import shade

_BRIGHTEST_FACE = 1.15
"""No photographer leaves more than this of the face's light above clipping: 95th percentile of its luminance."""


@dataclass(frozen=True)
class Settings:
    """How a photo is taken. Gains multiply scene-linear RGB; noise is the standard deviation at white, linear."""

    gains: np.ndarray
    """(3,) exposure × white balance"""
    contrast: float
    """0: plain sRGB; up to 1: an S-shaped curve"""
    noise: float
    quality: int
    blur_px: float
    grey: bool


def incident_light(sh: np.ndarray) -> np.ndarray:
    """(3,) irradiance/π on a dome turned to the camera, as an incident meter averages it."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    tilt = np.radians((0.0, 30.0, 60.0))
    normals = np.stack([np.outer(np.sin(tilt), np.cos(turn)), np.outer(np.sin(tilt), np.sin(turn)),
                        np.outer(np.cos(tilt), np.ones(24))], -1)  # fmt: skip
    light = shade(torch.tensor(normals), torch.tensor(sh)).numpy()
    weights = (np.array((1.0, 2.0, 2.0)) * (1 + np.cos(tilt)))[:, None, None]
    return (light * weights).sum((0, 1)) / (24 * weights.sum())


def expose(
    linear: np.ndarray, face: np.ndarray, sh: np.ndarray, hardship: str, generator: np.random.Generator
) -> Settings:
    """Settings for a scene (H, W, 3) with the face at `face` (H, W) 0…1, lit by `sh` (3, 9)."""
    light = np.maximum(incident_light(sh), 1e-4)
    level = float(light @ LUMINANCE)
    balance = _balance(light / level, hardship, generator)
    if generator.random() < 0.5:
        exposure = 2.0 ** generator.normal(0, 0.15) / level
    else:
        weights = 1 + 1.5 * face
        mean = float((np.minimum(linear @ LUMINANCE, 3 * level) * weights).sum() / weights.sum())
        exposure = 2.0 ** generator.normal(0, 0.2) * 0.17 / max(mean, 1e-4)
    if generator.random() < 0.15:
        exposure *= 2.0 ** generator.choice((-0.7, 0.7))
    if hardship in ("overexposed", "noisy"):
        exposure *= 2.0 ** (1.4 if hardship == "overexposed" else -1.8)
    elif (brightest := exposure * float(np.quantile(linear[face > 0.5] @ LUMINANCE, 0.95))) > _BRIGHTEST_FACE:
        exposure *= _BRIGHTEST_FACE / brightest
    return Settings(
        gains=exposure * balance,
        contrast=float(generator.uniform(0.2, 0.7)) if generator.random() < 0.3 else 0.0,
        noise=0.06 if hardship == "noisy" else float(np.exp(generator.uniform(np.log(0.004), np.log(0.02)))),
        quality=22 if hardship == "blocky" else int(generator.integers(75, 96)),
        blur_px=float(generator.uniform(3.0, 4.5))
        if hardship == "blurred"
        else float(generator.uniform(0.3, 0.6)),
        grey=hardship == "grey",
    )


def _balance(colour: np.ndarray, hardship: str, generator: np.random.Generator) -> np.ndarray:
    """White-balance gains (3,) for a light of this colour: nearly right, sometimes left as it is."""
    if hardship == "cast":
        strength, error = 0.0, np.array(((0.5, 0.0, -0.6), (-0.45, 0.0, 0.4))[int(generator.integers(2))])
    else:
        strength = generator.uniform(0.1, 0.4) if generator.random() < 0.2 else generator.uniform(0.75, 1.0)
        error = generator.normal(0, 0.04, 3)
    gains = colour**-strength * np.exp(error)
    return gains / (gains @ LUMINANCE)


def develop(linear: np.ndarray, settings: Settings, generator: np.random.Generator) -> np.ndarray:
    """The JPEG's pixels (H, W, 3) uint8 of a scene (H, W, 3)."""
    light = cv2.GaussianBlur((linear * settings.gains).astype(np.float32), (0, 0), settings.blur_px)
    grain = generator.normal(size=light.shape) * settings.noise * np.sqrt(np.maximum(light, 0) + 0.02)
    light = np.clip(light + cv2.GaussianBlur(grain, (0, 0), 0.55) * 1.6, 0, 1)
    if settings.grey:
        light = np.repeat((light @ LUMINANCE)[..., None], 3, axis=2)
    encoded = linear_to_srgb(light)
    encoded = encoded + settings.contrast * 0.5 * (encoded**2 * (3 - 2 * encoded) - encoded)
    data = io.BytesIO()
    Image.fromarray(np.uint8(np.round(255 * encoded))).save(data, "JPEG", quality=settings.quality)
    return np.asarray(Image.open(data).convert("RGB"))
