"""A fit that was stored with its result (`reconstruction.fit_of`), for the photo as its file is now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import SemblanceError
from ..landmarks import COUNT, MESH_COUNT, inter_ocular_distance
from ..morphable.model import MorphableModel
from ..photo.load import Photo
from ..units import DM_PER_METRE
from .fit import Fit, Sighting

_ASPECT_TOLERANCE = 0.01
"""The sides of a reduced photo are rounded to pixels."""


class StoredFitError(SemblanceError):
    """A stored fit that is damaged, or of another model or photo."""

    code = "stored_fit"


def read_fit(stored: Mapping[str, Any], model: MorphableModel, photo: Photo) -> tuple[Fit, Sighting]:
    """The fit, and what it was fitted to, in pixels of `photo`, which may be smaller than it was then.

    Raises:
        StoredFitError: it is damaged, or of another model or photo.
    """
    if stored.get("model") != model.model_id:
        raise StoredFitError(
            "The face was computed with another face model than this version of Semblance has.",
            "Reconstruct it from its photo again.",
        )
    try:
        width, height = (float(side) for side in stored["image_size"])
        scale = np.array([photo.width / width, photo.height / height])
        landmarks = _array(stored, "landmarks", (COUNT, 2)) * scale
        model_landmarks = _array(stored, "model_landmarks", (COUNT, 2)) * scale
        fit = Fit(
            identity=_array(stored, "identity", (model.n_identity,)),
            expression=_array(stored, "expression", (model.n_expression,)),
            rotation=_array(stored, "rotation", (3, 3)),
            translation=_array(stored, "translation", (3,)) * DM_PER_METRE,
            K=np.diag([*scale, 1.0]) @ _array(stored, "K", (3, 3)),
            model_landmarks=model_landmarks,
            landmark_rms_percent=_rms_percent(model_landmarks, landmarks),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise StoredFitError(
            f"What the face remembers of its computation is damaged ({error}).",
            "Reconstruct it from its photo again.",
        ) from error
    if abs(math.log(scale[0] / scale[1])) > _ASPECT_TOLERANCE:
        raise StoredFitError(
            f"'{photo.path}' is not the photo that the face was computed from: it has other proportions.",
            "Choose the photo itself.",
        )
    return fit, Sighting(landmarks.astype(np.float32), (photo.width, photo.height), float(fit.K[0, 0]))


def _array(stored: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = np.array(stored[name], np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"'{name}' is not {shape} numbers")
    return values


def _rms_percent(model_landmarks: np.ndarray, landmarks: np.ndarray) -> float:
    squared = ((model_landmarks - landmarks)[:MESH_COUNT] ** 2).sum(1)
    return 100.0 * math.sqrt(squared.mean()) / max(inter_ocular_distance(landmarks), 1e-9)
