"""How close a render is to its photo, measured on a `Reconstruction` alone.

The protocol, the same for every picture size:

- The frame is `core_models.framing.face_frame` of the *detected* landmarks; the photo is area-averaged into it,
  the render supersampled, both in linear light, then both encoded to sRGB in 0…1 and compared as floats.
- The region is the rendered skin, lips, brows and eyes inside the polygon of the detected face oval. It must
  cover at least `MINIMUM_COVERAGE` of the part of that polygon which lies inside the photo, else the photo
  has failed.
- L1 and PSNR are means over the region's pixels and channels; SSIM (Wang et al. 2004: Gaussian window of
  11 pixels, σ = 1.5) compares the render laid over the photo with the photo, its map averaged over the same
  pixels and channels.
- The region counts hair, hats and hands over the face too, where an honest render shows skin. So the same measures
  are taken a second time over the part of it that the mask calls this face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.draw import polygon2mask
from skimage.metrics import structural_similarity

from ...core_models.colour import linear_to_srgb
from ...core_models.landmarks import FACE_OVAL, MESH_COUNT, inter_ocular_distance
from ...core_models.reconstruction import Reconstruction
from ...core_models.view.framing import Frame, face_frame, frame_mask, frame_photo, frame_view, inside_photo
from ...core_models.view.traced_head import TracedHead

SCORED_REGIONS = ("skin", "lips", "brows", "eyes")
MINIMUM_COVERAGE = 0.85
SIZES = (224, 512)
"""Picture sizes in pixels; the published numbers are at the first."""
SUPERSAMPLE = {224: 3, 512: 2}
PSNR_CEILING = 100.0
"""dB; what equal pictures score, because JSON knows no infinity."""

_FACE = 191
"""Of 255: the mask's belief from which on a pixel shows this face."""

Texture = Literal["uv", "vertex"]
Light = Literal["image", "sh"]
MODES: tuple[tuple[Texture, Light], ...] = (
    ("uv", "image"),
    ("uv", "sh"),
    ("vertex", "image"),
    ("vertex", "sh"),
)


@dataclass(frozen=True)
class Score:
    """Render against photo, encoded values in 0…1, over the region."""

    l1: float
    psnr: float
    ssim: float


@dataclass(frozen=True)
class FrameScores:
    """All modes at one picture size, and the pictures themselves."""

    coverage: float
    """Share of the detected oval that the scored region covers, 0…1."""
    scores: dict[str, Score]
    """By `mode_name`."""
    face_scores: dict[str, Score]
    """The same over the part of the region that the mask calls this face."""
    photo_srgb: np.ndarray
    """(H, W, 3) float32, encoded."""
    renders_srgb: dict[str, np.ndarray]
    """By `mode_name`: (H, W, 3) float32, encoded, the render over the photo."""
    region: np.ndarray
    """(H, W) bool."""


def mode_name(texture: str, light: str) -> str:
    """The key of a mode in tables and JSON, e.g. `uv_image`."""
    return f"{texture}_{light}"


def landmark_rms_percent(detected: np.ndarray, projected: np.ndarray) -> float:
    """RMS of the 2-D distances over points 0–467 in % of the detected inter-ocular distance |L468 − L473|.

    Args:
        detected: (478, 2), pixels.
        projected: (478, 2), the model's, in the same pixels.
    """
    squared = ((detected[:MESH_COUNT].astype(np.float64) - projected[:MESH_COUNT]) ** 2).sum(axis=1)
    return float(100.0 * np.sqrt(squared.mean())) / inter_ocular_distance(detected)


def score_pictures(photo_srgb: np.ndarray, render_srgb: np.ndarray, region: np.ndarray) -> Score:
    """Compare two encoded pictures (H, W, 3) in 0…1 over a region (H, W) bool that is not empty."""
    difference = render_srgb[region].astype(np.float64) - photo_srgb[region]
    squared = float((difference**2).mean())
    psnr = PSNR_CEILING if squared <= 10 ** (-PSNR_CEILING / 10) else -10.0 * float(np.log10(squared))
    _, ssim_map = structural_similarity(
        photo_srgb.astype(np.float64),
        render_srgb.astype(np.float64),
        data_range=1.0,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return Score(float(np.abs(difference).mean()), psnr, float(ssim_map[region].mean()))


def oval_mask(landmarks: np.ndarray, frame: Frame, size: int) -> np.ndarray:
    """(size, size) bool: pixels whose centre lies inside the polygon of the face oval.

    Args:
        landmarks: (478, 2), pixels of the oriented photo, from its top-left corner.
        frame: the part of the photo that the picture shows.
        size: the picture's side in pixels.
    """
    oval = (landmarks[FACE_OVAL].astype(np.float64) - (frame.left, frame.top)) * (size / frame.side)
    # polygon2mask puts pixel centres at whole numbers and wants (row, column); ours are at one half.
    return polygon2mask((size, size), oval[:, ::-1] - 0.5)


def score_frame(reconstruction: Reconstruction, size: int) -> FrameScores:
    """Render every mode at one picture size and score it; with an empty region there are no scores."""
    frame = face_frame(reconstruction)
    head = TracedHead.of(reconstruction, frame_view(reconstruction, frame, size), SUPERSAMPLE[size])
    oval = oval_mask(reconstruction.landmarks, frame, size) & inside_photo(reconstruction, frame, size)
    region = oval & (head.region_share(SCORED_REGIONS) >= 0.5)
    photo_linear = frame_photo(reconstruction, frame, size)
    photo_srgb = linear_to_srgb(photo_linear)
    renders = {
        mode_name(texture, light): np.clip(
            linear_to_srgb(head.picture(texture, light).over(photo_linear)), 0.0, 1.0
        )
        for texture, light in MODES
    }
    face = region & (frame_mask(reconstruction, frame, size) > _FACE)
    scores, face_scores = (
        {name: score_pictures(photo_srgb, render, where) for name, render in renders.items()}
        if where.any()
        else {}
        for where in (region, face)
    )
    coverage = float(region.sum() / max(oval.sum(), 1))
    return FrameScores(coverage, scores, face_scores, photo_srgb, renders, region)
