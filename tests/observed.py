"""Faces before a camera, observed and baked."""

from __future__ import annotations

import numpy as np

from semblance.core_models.bake import TextureResult, bake_texture
from semblance.core_models.models import COMPLETIONS, SEPARATIONS
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.texture.layout import build_layout
from semblance.core_models.texture.observation import TexelObservation, observe


def mean_face(size: int) -> TexelObservation:
    """The default model's, from the front, in an all white photo of 2000² pixels; textures of size² texels."""
    model = load_default_model()
    vertices = (model.mean.numpy() - [0, 0, 18.0]).astype(np.float32)
    K = np.array([[4000.0, 0, 1000], [0, 4000, 1000], [0, 0, 1]])
    white = np.full((2000, 2000, 3), 255, np.uint8)
    return observe(white, np.ones(white.shape[:2]), model, build_layout(model, size), vertices, K)


def baked(
    photo_srgb: np.ndarray,
    face_mask: np.ndarray,
    model: MorphableModel,
    vertices_camera: np.ndarray,
    K: np.ndarray,
    size: int,
    separation: str = "analytic",
    completion: str = "analytic",
) -> TextureResult:
    """Observe, separate and complete by name, as the pipeline does; arguments as of `observe`."""
    observation = observe(photo_srgb, face_mask, model, build_layout(model, size), vertices_camera, K)
    return bake_texture(observation, SEPARATIONS[separation], COMPLETIONS[completion])
