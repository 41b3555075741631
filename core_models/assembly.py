"""From what the stages found to a `Reconstruction` and its report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from .faces.find import Face
from .faces.person import PersonMap
from .fitting.fit import Fit, PosedFace, Sighting
from .fitting.same_person import odd_photos
from .morphable.blinks import closing_expressions
from .morphable.model import MorphableModel
from .photo.load import Photo
from .reconstruction import Reconstruction
from .texture.bake import TextureResult
from .texture.sew import HEAD_REGIONS
from .versions import semblance_version

METRES_PER_DECIMETRE = 0.1
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


def model_vertices(model: MorphableModel, fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) in decimetres, head frame, with the photo's expression and without."""
    identity = torch.as_tensor(fit.identity, dtype=torch.float32)[None]
    expression = torch.as_tensor(fit.expression, dtype=torch.float32)
    with torch.no_grad():
        neutral = model.shape(identity, torch.zeros_like(expression)[None])[0]
        offsets = torch.tensordot(expression, closing_expressions(model, neutral), 1)
        vertices = (neutral + offsets)[model.twin]
    return vertices.numpy(), neutral.numpy()


def posed_vertices(model: MorphableModel, fit: Fit) -> np.ndarray:
    """Vertices (N, 3) in decimetres, camera frame."""
    vertices, _ = model_vertices(model, fit)
    return vertices @ fit.rotation.T.astype(np.float32) + fit.translation.astype(np.float32)


def describe(
    shots: Sequence[Shot],
    fits: Sequence[Fit],
    texture: TextureResult,
    model: MorphableModel,
    quality: str,
) -> dict[str, Any]:
    """The report of a reconstruction: what made it and how well it fits the first photo, and the others."""
    first = shots[0]
    return {
        "semblance": semblance_version(),
        "torch": torch.__version__,
        "device": "cpu",
        "model": model.model_id,
        "expression_range": list(model.expression_range),
        "texture_size": len(texture.albedo_srgb),
        "quality": quality,
        "face": first.face.index + 1,
        "landmark_rms_percent": round(fits[0].landmark_rms_percent, 4),
        "inter_ocular_px": round(first.face.inter_ocular_px, 2),
        "light_residual": round(texture.light_residual, 4),
        "seen_share": round(seen_share(texture.vertex_confidence, model), 4),
        "photos": [
            {
                "name": os.path.basename(shot.photo.path),
                "landmark_rms_percent": round(fit.landmark_rms_percent, 4),
                "inter_ocular_px": round(shot.face.inter_ocular_px, 2),
            }
            for shot, fit in zip(shots, fits, strict=True)
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
    photo: Photo,
    face: Face,
    mask: np.ndarray,
    model: MorphableModel,
    fit: Fit,
    vertices: np.ndarray,
    neutral: np.ndarray,
    texture: TextureResult,
    report: dict[str, Any],
) -> Reconstruction:
    """Stage results (decimetres) → the result format (metres, its types)."""
    scale = min(1.0, STORED_SIDE / max(photo.width, photo.height))
    stored = (round(photo.width * scale), round(photo.height * scale))
    return Reconstruction(
        vertices=_f32(vertices * METRES_PER_DECIMETRE),
        neutral_vertices=_f32(neutral * METRES_PER_DECIMETRE),
        faces=model.faces.numpy().astype(np.int32),
        face_region=model.face_region.numpy().astype(np.uint8),
        region_names=np.array(model.region_names),
        uv=_f32(model.uv.numpy()),
        rotation=_f32(fit.rotation),
        translation=_f32(fit.translation * METRES_PER_DECIMETRE),
        K=_f32(fit.K),
        image_size=np.array([photo.width, photo.height], np.int32),
        sh=_f32(texture.sh),
        vertex_albedo_linear=_f32(texture.vertex_albedo_linear),
        vertex_shading_linear=_f32(texture.vertex_shading_linear),
        vertex_confidence=_f32(texture.vertex_confidence),
        albedo_srgb=texture.albedo_srgb,
        shading_linear=texture.shading_linear,
        sh_map=np.zeros((0, 0, 27), np.float16),
        confidence=texture.confidence,
        landmarks=_f32(face.landmarks),
        model_landmarks=_f32(fit.model_landmarks),
        mask=cv2.resize(np.round(mask * 255).astype(np.uint8), stored, interpolation=cv2.INTER_AREA),
        photo_srgb=cv2.resize(photo.srgb, stored, interpolation=cv2.INTER_AREA),
        model_id=model.model_id,
        identity=_f32(fit.identity),
        expression=_f32(fit.expression),
        albedo_coefficients=_f32(texture.albedo_coefficients),
        shape_key_names=np.array(model.expression_names),
        shape_key_offsets=_f32(
            closing_expressions(model, torch.from_numpy(neutral)).numpy() * METRES_PER_DECIMETRE
        ),
        report=report,
    )


def _f32(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)


def seen_share(confidence: np.ndarray, model: MorphableModel) -> float:
    """Of the face itself, by vertices; of the head behind it no photo shows much."""
    own = model.region_faces(*(name for name in model.region_names if name not in _NOT_THE_FACE))
    return float(np.mean(confidence[np.unique(model.faces[own].numpy())] > 0.5))
