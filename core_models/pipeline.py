"""From a photo to a `Reconstruction`: the stages in order, with progress, timing and cancel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import cv2
import numpy as np
import torch

from .faces.find import Face, FaceFinder
from .faces.mask import face_mask
from .faces.person import PersonMap
from .faces.relief import Relief
from .fitting.fit import Fit, Sighting, fit_person
from .fitting.photometric import refine
from .fitting.same_person import odd_photos
from .fitting.samples import SurfaceSamples, sample_surface
from .morphable.blinks import closing_expressions
from .morphable.default import load_default_model
from .morphable.model import MorphableModel
from .photo.load import Photo, load_photo
from .reconstruction import Reconstruction, SemblanceError
from .texture.atlas import build_atlas
from .texture.bake import TextureResult, bake_texture
from .texture.group import GroupLight
from .texture.light import N_DIRECTIONS
from .texture.merge import merge_textures

METRES_PER_DECIMETRE = 0.1
STORED_SIDE = 2048
"""Pixels; the long side of the photo kept in the result."""
DRAFT_SIZE = 512
"""Pixels; the largest texture of a draft."""
DRAFT_DIRECTIONS = 48
"""That light may come from in a draft."""
GREY_WARNING = "The photo is black and white: the colour of the skin is a guess."

Progress = Callable[[str, float], None]
"""Called with a stage's name and the fraction done before it, 0…1. It may raise `CancelledError`."""

_STAGES = {
    "photo": 0.0, "faces": 0.05, "shape": 0.2, "mask": 0.25, "shading": 0.35, "texture": 0.45, "result": 0.95,
}  # fmt: skip
"""Fraction of a photo's time before each stage."""


class NoSuchFaceError(SemblanceError):
    """The N-th face was asked for of a photo with fewer."""

    code = "no_such_face"


@dataclass(frozen=True)
class Options:
    """What may differ from photo to photo."""

    size: int = 1024
    """UV texture size, pixels; a draft has at most `DRAFT_SIZE`."""
    quality: str = "standard"
    """draft, standard or best."""
    face: int | None = None
    """The n-th largest face, from 1; the largest when None."""
    all_faces: bool = False
    more_photos: Sequence[str] = ()
    """Paths of further photos of the person; the first gives camera, pose, expression and light of the result."""


@dataclass(frozen=True)
class Shot:
    """A photo and the face in it that is to be reconstructed."""

    photo: Photo
    face: Face
    person: PersonMap

    @property
    def sighting(self) -> Sighting:
        """What the fit is told."""
        return Sighting(self.face.landmarks, (self.photo.width, self.photo.height), self.photo.focal_px)


@dataclass
class Clock:
    """Reports each stage as it starts and remembers how long it took."""

    progress: Progress
    first: float = 0.0
    """Fraction of the photo's time before this face."""
    share: float = 1.0
    """Fraction that this face takes."""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """One of `_STAGES`, around the work."""
        self.tell(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)

    def tell(self, name: str, done: float = 0.0) -> None:
        """Report that the stage `name` is `done`, 0…1."""
        later = [start for start in _STAGES.values() if start > _STAGES[name]]
        length = min(later, default=1.0) - _STAGES[name]
        self.progress(name, self.first + self.share * (_STAGES[name] + done * length))


class Pipeline:
    """The model and the face finder, kept warm between photos."""

    def __init__(self) -> None:
        """Load what every photo needs; takes about two seconds."""
        self.model = load_default_model()
        self._finder = FaceFinder()
        self._samples: SurfaceSamples | None = None

    def close(self) -> None:
        """Free the networks."""
        self._finder.close()

    def run(
        self, path: str | os.PathLike[str], options: Options = Options(), progress: Progress = lambda *_: None
    ) -> list[Reconstruction]:
        """Reconstruct the faces of a photo that `options` asks for; usually one.

        Raises:
            PhotoError: the photo, or a further one of the person, cannot be read, or shows no face.
            NoSuchFaceError: it shows fewer faces than asked for.
            FitError: the landmarks are no face's.
            CancelledError: raised by `progress`.
        """
        clock = Clock(progress)
        with clock.stage("photo"):
            photo = load_photo(path)
        with clock.stage("faces"):
            found = self._finder.find(photo)
            more = [self.largest_face(other) for other in options.more_photos]
        faces = choose_faces(found, options, photo.path)
        results, group = [], GroupLight()
        for done, face in enumerate(faces):
            one = Clock(progress, done / len(faces), 1 / len(faces), dict(clock.seconds))
            shots = [self._shot(photo, face), *more]
            result = reconstruct(shots, self.model, options, one, self._surface_samples(options), group)
            result.report["faces"] = [each.place(photo) for each in found]
            results.append(result)
        return results

    def _surface_samples(self, options: Options) -> SurfaceSamples | None:
        """What the shading is compared at; None where the landmarks have to do."""
        if options.quality == "best" and self._samples is None:
            self._samples = sample_surface(self.model)
        return self._samples if options.quality == "best" else None

    def largest_face(self, path: str | os.PathLike[str]) -> Shot:
        """A photo and the largest face in it. Raises PhotoError."""
        photo = load_photo(path)
        return self._shot(photo, self._finder.find(photo)[0])

    def _shot(self, photo: Photo, face: Face) -> Shot:
        return Shot(photo, face, self._finder.person(photo, face))


def reconstruct(
    shots: Sequence[Shot],
    model: MorphableModel,
    options: Options,
    clock: Clock,
    samples: SurfaceSamples | None = None,
    group: GroupLight | None = None,
) -> Reconstruction:
    """One person's face, in one photo or several → its reconstruction, as the first photo shows it.

    With `samples`, shading refines the shape that the landmarks gave. With `group`, the first photo's earlier faces
    help to find its light.
    """
    first = shots[0]
    fits, masks = fit_shots(shots, model, clock, samples)
    in_camera = [posed_vertices(model, fit) for fit in fits]
    vertices, neutral = model_vertices(model, fits[0])
    with clock.stage("texture"):
        texture = bake_shots(shots, masks, model, fits, in_camera, options, group)
    with clock.stage("result"):
        report = describe(shots, fits, texture, model, options)
        result = assemble(
            first.photo, first.face, masks[0], model, fits[0], vertices, neutral, texture, report
        )
    result.report["stage_seconds"] = clock.seconds
    return result


def fit_shots(
    shots: Sequence[Shot], model: MorphableModel, clock: Clock, samples: SurfaceSamples | None = None
) -> tuple[list[Fit], list[np.ndarray]]:
    """Each photo's fit, and its mask (H, W) of the face, 0…1. Arguments as in `reconstruct`."""
    sightings = [shot.sighting for shot in shots]
    with clock.stage("shape"):
        fits = fit_person(model, sightings)
        reliefs = [Relief(posed_vertices(model, fit), model.faces.numpy(), fit.K) for fit in fits]
    with clock.stage("mask"):
        masks = [
            face_mask(shot.photo, shot.face.landmarks, relief, shot.person)
            for shot, relief in zip(shots, reliefs, strict=True)
        ]
    if samples is not None:
        with clock.stage("shading"):
            photos = [(shot.photo.srgb, mask) for shot, mask in zip(shots, masks, strict=True)]
            fits = refine(
                model, samples, photos, sightings, fits, tick=lambda done: clock.tell("shading", done)
            )
    return fits, masks


def bake_shots(
    shots: Sequence[Shot],
    masks: Sequence[np.ndarray],
    model: MorphableModel,
    fits: Sequence[Fit],
    in_camera: Sequence[np.ndarray],
    options: Options,
    group: GroupLight | None = None,
) -> TextureResult:
    """The texture, in the first photo's light, of everything that the photos show."""
    size = texture_size(options)
    n_directions = DRAFT_DIRECTIONS if options.quality == "draft" else N_DIRECTIONS
    textures = [
        bake_texture(
            shot.photo.srgb,
            mask,
            model,
            posed,
            fit.K,
            size,
            n_directions,
            group if shot is shots[0] else None,
        )
        for shot, mask, fit, posed in zip(shots, masks, fits, in_camera, strict=True)
    ]
    if len(textures) == 1:
        return textures[0]
    uv = model.uv.numpy()
    sharpness = [shot.face.inter_ocular_px for shot in shots]
    return merge_textures(textures, sharpness, build_atlas(uv, model.faces.numpy(), size), uv)


def texture_size(options: Options) -> int:
    """Pixels; a draft's texture is small."""
    return min(options.size, DRAFT_SIZE) if options.quality == "draft" else options.size


def choose_faces(faces: list[Face], options: Options, path: str) -> list[Face]:
    """The faces, largest first, that `options` asks for.

    Raises:
        NoSuchFaceError: there are fewer.
    """
    if options.all_faces:
        return faces
    number = 1 if options.face is None else options.face
    if not 1 <= number <= len(faces):
        count = "one face" if len(faces) == 1 else f"{len(faces)} faces"
        raise NoSuchFaceError(
            f"'{path}' shows {count}; there is no face {number}.", f"Choose 1 to {len(faces)}."
        )
    return [faces[number - 1]]


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
    options: Options,
) -> dict[str, Any]:
    """The report of a reconstruction: what made it and how well it fits the first photo, and the others."""
    first = shots[0]
    return {
        "semblance": _version(),
        "torch": torch.__version__,
        "device": "cpu",
        "model": model.model_id,
        "texture_size": texture_size(options),
        "quality": options.quality,
        "face": first.face.index + 1,
        "landmark_rms_percent": round(fits[0].landmark_rms_percent, 4),
        "inter_ocular_px": round(first.face.inter_ocular_px, 2),
        "light_residual": round(texture.light_residual, 4),
        "seen_share": round(float(np.mean(texture.vertex_confidence > 0.5)), 4),
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


def _version() -> str:
    try:
        return version("semblance")
    except PackageNotFoundError:  # run from an extension's folder, which is no installed package
        return "unknown"
