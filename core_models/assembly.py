"""From what the stages found to a `Reconstruction` and its report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from .bake import TextureResult
from .faces.find import Face
from .faces.person import PersonMap
from .fitting.fit import PosedFace, Sighting
from .fitting.head_shape import HeadShape
from .fitting.same_person import odd_photos
from .morphable.model import MorphableModel
from .photo.load import Photo
from .reconstruction import Reconstruction
from .texture.seams import HEAD_REGIONS
from .units import METRES_PER_DM
from .versions import semblance_version

STORED_SIDE = 2048
"""Pixels; the long side of the photo kept in the result."""
_NOT_THE_FACE = ("mouth", "rim", *HEAD_REGIONS)
GREY_WARNING = "The photo is black and white: the colour of the skin is a guess."


@dataclass(frozen=True)
class Shot:
    """A photo and the face in it that is to be reconstructed."""

    photo: Photo
    face: Face
    person: PersonMap
    regressed: PosedFace | None = None
    """The face as the user's regressor sees it."""

    @property
    def sighting(self) -> Sighting:
        """What the fit is told."""
        size = (self.photo.width, self.photo.height)
        return Sighting(self.face.landmarks, size, self.photo.focal_px, self.regressed)


def describe(
    shots: Sequence[Shot],
    heads: Sequence[HeadShape],
    texture: TextureResult,
    model: MorphableModel,
    quality: str,
    made_by: Mapping[str, str],
) -> dict[str, Any]:
    """The report of a reconstruction: what made it and how well it fits the first photo, and the others.

    `made_by`: the device, and the name of what made each stage of the texture.
    """
    first = shots[0]
    return {
        "semblance": semblance_version(),
        "torch": torch.__version__,
        **made_by,
        "model": model.model_id,
        "expression_range": list(model.expression_range),
        "texture_size": len(texture.albedo_srgb),
        "quality": quality,
        "face": first.face.index + 1,
        "landmark_rms_percent": round(heads[0].fit.landmark_rms_percent, 4),
        "inter_ocular_px": round(first.face.inter_ocular_px, 2),
        "light_residual": round(texture.light_residual, 4),
        "seen_share": round(seen_share(texture.vertex_confidence, model), 4),
        "photos": [
            {
                "name": os.path.basename(shot.photo.path),
                "landmark_rms_percent": round(head.fit.landmark_rms_percent, 4),
                "inter_ocular_px": round(shot.face.inter_ocular_px, 2),
            }
            for shot, head in zip(shots, heads, strict=True)
        ],
        "warnings": warnings_of(shots, model) + ([GREY_WARNING] if texture.is_grey else []),
    }


def warnings_of(shots: Sequence[Shot], model: MorphableModel) -> list[str]:
    """What the user should know; each photo's name before what concerns it, where there are several."""
    names = [os.path.basename(shot.photo.path) for shot in shots]
    warnings = [
        warning if len(shots) == 1 else f"{name}: {warning}"
        for name, shot in zip(names, shots, strict=True)
        for warning in (*shot.photo.warnings, *shot.face.warnings)
    ]
    for odd in odd_photos(model, [shot.sighting for shot in shots]):
        warnings.append(f"{names[odd]}: this face is shaped unlike the others; is it another person's?")
    return warnings


def assemble(
    shot: Shot,
    mask: np.ndarray,
    model: MorphableModel,
    head: HeadShape,
    texture: TextureResult,
    report: dict[str, Any],
) -> Reconstruction:
    """Stage results (decimetres) → the result format (metres, its types)."""
    photo, fit = shot.photo, head.fit
    scale = min(1.0, STORED_SIDE / max(photo.width, photo.height))
    stored = (round(photo.width * scale), round(photo.height * scale))
    return Reconstruction(
        vertices=_f32(head.vertices * METRES_PER_DM),
        neutral_vertices=_f32(head.neutral * METRES_PER_DM),
        faces=model.faces.numpy().astype(np.int32),
        face_region=model.face_region.numpy().astype(np.uint8),
        region_names=np.array(model.region_names),
        uv=_f32(model.uv.numpy()),
        rotation=_f32(fit.rotation),
        translation=_f32(fit.translation * METRES_PER_DM),
        K=_f32(fit.K),
        image_size=np.array([photo.width, photo.height], np.int32),
        sh=_f32(texture.sh),
        lamp_directions=_f32(texture.lamps.directions),
        lamp_irradiance=_f32(texture.lamps.irradiance),
        lamp_angle=_f32(texture.lamps.angle),
        vertex_albedo_linear=_f32(texture.vertex_albedo_linear),
        vertex_shading_linear=_f32(texture.vertex_shading_linear),
        vertex_confidence=_f32(texture.vertex_confidence),
        albedo_srgb=texture.albedo_srgb,
        shading_linear=texture.shading_linear,
        sh_map=texture.sh_map,
        confidence=texture.confidence,
        landmarks=_f32(shot.face.landmarks),
        model_landmarks=_f32(fit.model_landmarks),
        mask=cv2.resize(np.round(mask * 255).astype(np.uint8), stored, interpolation=cv2.INTER_AREA),
        photo_srgb=cv2.resize(photo.srgb, stored, interpolation=cv2.INTER_AREA),
        model_id=model.model_id,
        identity=_f32(fit.identity),
        expression=_f32(fit.expression),
        albedo_coefficients=_f32(texture.albedo_coefficients),
        shape_key_names=np.array(model.expression_names),
        shape_key_offsets=_f32(head.expressions * METRES_PER_DM),
        report=report,
    )


def _f32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)


def seen_share(confidence: np.ndarray, model: MorphableModel) -> float:
    """Of the face itself, by vertices; of the head behind it no photo shows much."""
    own = model.region_faces(*(name for name in model.region_names if name not in _NOT_THE_FACE))
    return float(np.mean(confidence[np.unique(model.faces[own].numpy())] > 0.5))
