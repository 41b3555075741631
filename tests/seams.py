"""How visible the border of what the photo shows is, in pictures of a result from any side under any light."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from semblance.core_models.images import smoothstep
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.lamps import Lamp, Rig
from semblance.core_models.render.trace import Trace
from semblance.core_models.view.framing import portrait_view
from semblance.core_models.view.traced_head import Light, TracedHead

OTHER_THAN_SKIN = ("eyes", "mouth", "lips", "brows")
REACH_MM, STEP_MM = 18.0, 1.5
_LEAST_PIXELS = 150
_NOISE = 0.01
"""Of log luminance, a pixel: no eye sees less."""


def seam_strength(result: Reconstruction, rng: np.random.Generator, n_views: int, side: int) -> float:
    """Strongest mean contrast at any distance from the border, within `REACH_MM` of it, in units of the usual one
    there; over random views and lights of pictures of `side` pixels. 1 is no seam.
    """
    sums, counts = (np.zeros(2 * round(REACH_MM / STEP_MM)) for _ in range(2))
    for number in range(n_views):
        distance, contrast = _picture_of_border(result, rng, number % 2 == 0, side)
        index = np.floor((distance + REACH_MM) / STEP_MM).astype(int)
        sums += np.bincount(index, contrast, len(sums))
        counts += np.bincount(index, minlength=len(counts))
    profile = (sums / np.maximum(counts, 1))[counts > _LEAST_PIXELS]
    assert len(profile) > len(sums) // 2, "the border is not seen"
    return float((profile + _NOISE).max() / np.median(profile + _NOISE))


def _picture_of_border(
    result: Reconstruction, rng: np.random.Generator, own_light: bool, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Skin pixels around the border: distances (P,) in mm, positive where seen, and contrasts (P,)."""
    view = portrait_view(result, float(rng.uniform(-70, 70)), side, side)
    head = TracedHead.of(result, view, supersample=2)
    light: Light = "image" if own_light else _random_light(rng)
    picture = head.picture("uv", light)
    seen_image = np.repeat(result.confidence[..., None], 3, axis=2)
    seen = (
        TracedHead.of(replace(result, albedo_srgb=seen_image), view, 2).picture("uv", None).linear[..., 0]
        > 0.2
    )
    level = cv2.GaussianBlur(np.log(picture.linear.mean(-1) + 0.02), (0, 0), 1.0)
    contrast = np.hypot(*np.gradient(level))
    skin = (picture.coverage > 0.999) & (head.region_share(OTHER_THAN_SKIN) < 0.001)
    inner = cv2.erode((skin & ~_outlines(head.trace)).astype(np.uint8), np.ones((7, 7))) > 0
    mm = 1000 * abs(view.translation[2]) / view.K[0, 0]
    distance = mm * (_distance(seen & skin) - _distance(~seen & skin))
    chosen = inner & (np.abs(distance) < REACH_MM * 0.999)
    return distance[chosen], contrast[chosen]


def _distance(where: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform(where.astype(np.uint8), cv2.DIST_L2, 5)


def _outlines(trace: Trace) -> np.ndarray:
    """(H, W) bool: pixels that see the surface at a grazing angle, beside which depth may jump."""
    facing = trace.sums(trace.normals[:, 2:])[..., 0]
    return smoothstep(facing, 0.2, 0.4) < 0.5


def _random_light(rng: np.random.Generator) -> Light:
    """A lamp before the face and some light from everywhere."""
    x, y, z = (rng.normal(size=3) + np.array([0.0, 0.0, 1.5])).tolist()
    red, green, blue = rng.uniform(0.5, 1.0, 3).tolist()
    return Rig("random", (Lamp((x, y, z), (red, green, blue)),), float(rng.uniform(0.2, 0.6))).light
