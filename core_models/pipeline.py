"""From a photo to a `Reconstruction`: the stages in order, with progress, timing and cancel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .assembly import Shot, assemble, describe, model_vertices, posed_vertices
from .clock import Clock, Progress
from .faces.find import Face, FaceFinder, face_at
from .faces.found import FoundFace, show_face
from .faces.mask import face_mask
from .faces.relief import Relief
from .fitting.fit import Fit, Sighting, fit_person, regressed_person
from .fitting.photometric import refine
from .fitting.samples import SurfaceSamples, sample_surface
from .fitting.stored import read_fit
from .morphable.basel import load_basel
from .morphable.default import load_default_model
from .morphable.model import MorphableModel
from .networks.regressor import Regressor
from .photo.load import Photo, load_photo
from .reconstruction import Reconstruction, SemblanceError
from .regression import check_model, load_fast_regressor, regress_face
from .texture.atlas import build_atlas
from .texture.bake import DRAFT, STANDARD, TextureResult, bake_texture
from .texture.group import GroupLight
from .texture.merge import merge_textures

DRAFT_SIZE = 512
"""Pixels; the largest texture of a draft."""


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
    model: str | None = None
    """Path of a face model's file; the embedded one when None."""
    regressor: str | None = None
    """Path of R-Net's checkpoint: its coefficients are what the fit starts from, or a draft."""
    regressed_only: bool = False
    """No fit after the regressor, as in a draft."""


class Pipeline:
    """The models and the face finder, kept warm between photos."""

    def __init__(self) -> None:
        """Load what every photo needs; takes about two seconds."""
        self.model = load_default_model()
        self._finder = FaceFinder()
        self._own: tuple[str, MorphableModel] | None = None
        self._network: tuple[str, Regressor] | None = None
        self._samples: tuple[str, SurfaceSamples] | None = None

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
            ModelFileError, RegressorFileError: a file of the user's is missing, damaged or something else.
            RegressorModelError: the regressor is of another face model.
            FitError: the landmarks are no face's.
            CancelledError: raised by `progress`.
        """
        clock = Clock(progress)
        model = self._model(options, clock)
        network = self._regressor(options, model, clock)
        with clock.stage("photo"):
            photo = load_photo(path)
        with clock.stage("faces"):
            found = self._finder.find(photo)
            more = self._more_shots(options, clock, network)
        faces = choose_faces(found, options, photo.path)
        results, group = [], GroupLight()
        for done, face in enumerate(faces):
            one = Clock(progress, done / len(faces), 1 / len(faces), dict(clock.seconds))
            shots = [self._shot(photo, face, network), *more]
            result = reconstruct(shots, model, options, one, self._surface_samples(model, options), group)
            result.report["faces"] = [each.place(photo) for each in found]
            results.append(result)
        return results

    def find(self, path: str | os.PathLike[str], progress: Progress = lambda *_: None) -> list[FoundFace]:
        """The faces of a photo, the largest first. Raises PhotoError, and CancelledError by `progress`."""
        progress("photo", 0.0)
        photo = load_photo(path)
        progress("faces", 0.3)
        return [show_face(photo, face) for face in self._finder.find(photo)]

    def rebake(
        self,
        path: str | os.PathLike[str],
        stored: Mapping[str, Any],
        options: Options,
        progress: Progress = lambda *_: None,
    ) -> Reconstruction:
        """A face's texture again, on the geometry of `fit_of` its result, from the same photo or a smaller copy of it.

        Raises:
            PhotoError: the photo, or a further one of the person, cannot be read, or a further one shows no face.
            StoredFitError: `stored` is damaged, or of another model or photo.
            ModelFileError: the model's file is missing, damaged or something else.
            FitError: the landmarks in a further photo are no face's.
            CancelledError: raised by `progress`.
        """
        clock = Clock(progress)
        embedded = stored.get("model") == self.model.model_id
        model = self.model if embedded else self._model(options, clock)
        with clock.stage("photo"):
            photo = load_photo(path)
            fit, sighting = read_fit(stored, model, photo)
        with clock.stage("faces"):
            shots = [self._shot(photo, face_at(sighting.landmarks)), *self._more_shots(options, clock)]
        with clock.stage("shape"):
            others = fit_person(model, [shot.sighting for shot in shots])[1:] if shots[1:] else []
            fits = [fit, *(replace(other, identity=fit.identity) for other in others)]
        masks = mask_shots(shots, fits, model, clock)
        return finish(shots, fits, masks, model, options, clock)

    def _model(self, options: Options, clock: Clock) -> MorphableModel:
        """The model that is asked for. Raises ModelFileError."""
        if options.model is None:
            return self.model
        if self._own is None or self._own[0] != options.model:
            with clock.stage("model"):
                self._own = options.model, load_basel(Path(options.model), self._finder.largest)
        return self._own[1]

    def _regressor(self, options: Options, model: MorphableModel, clock: Clock) -> Regressor | None:
        """The network that is asked for. Raises RegressorFileError and RegressorModelError."""
        if options.regressor is None:
            return None
        check_model(model)
        if self._network is None or self._network[0] != options.regressor:
            with clock.stage("regressor"):
                self._network = options.regressor, load_fast_regressor(options.regressor)
        return self._network[1]

    def _surface_samples(self, model: MorphableModel, options: Options) -> SurfaceSamples | None:
        """What the shading is compared at; None where the landmarks have to do."""
        if options.quality != "best" or options.regressed_only:
            return None
        if self._samples is None or self._samples[0] != model.model_id:
            self._samples = model.model_id, sample_surface(model)
        return self._samples[1]

    def largest_face(self, path: str | os.PathLike[str], network: Regressor | None = None) -> Shot:
        """A photo and the largest face in it. Raises PhotoError."""
        photo = load_photo(path)
        return self._shot(photo, self._finder.find(photo)[0], network)

    def _more_shots(self, options: Options, clock: Clock, network: Regressor | None = None) -> list[Shot]:
        shots = []
        for index, other in enumerate(options.more_photos, start=1):
            clock.tell("faces", index / (len(options.more_photos) + 1))
            shots.append(self.largest_face(other, network))
        return shots

    def _shot(self, photo: Photo, face: Face, network: Regressor | None = None) -> Shot:
        regressed = regress_face(network, photo, face) if network is not None else None
        return Shot(photo, face, self._finder.person(photo, face), regressed)


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
    regressed = shots[0].regressed is not None
    alone = regressed and (options.regressed_only or options.quality == "draft")
    fits, masks = fit_shots(shots, model, clock, samples, regressed_person if alone else fit_person)
    result = finish(shots, fits, masks, model, options, clock, group)
    if regressed:
        result.report["regressor"] = "alone" if alone else "fitted"
    return result


def finish(
    shots: Sequence[Shot],
    fits: Sequence[Fit],
    masks: Sequence[np.ndarray],
    model: MorphableModel,
    options: Options,
    clock: Clock,
    group: GroupLight | None = None,
) -> Reconstruction:
    """Fits and masks of the photos → the result. Arguments as in `reconstruct` and `fit_shots`."""
    first = shots[0]
    in_camera = [posed_vertices(model, fit) for fit in fits]
    vertices, neutral = model_vertices(model, fits[0])
    with clock.stage("texture"):
        texture = bake_shots(shots, masks, model, fits, in_camera, options, clock, group)
    with clock.stage("result"):
        report = describe(shots, fits, texture, model, options.quality)
        result = assemble(
            first.photo, first.face, masks[0], model, fits[0], vertices, neutral, texture, report
        )
    result.report["stage_seconds"] = clock.seconds
    return result


def fit_shots(
    shots: Sequence[Shot],
    model: MorphableModel,
    clock: Clock,
    samples: SurfaceSamples | None = None,
    find_shape: Callable[[MorphableModel, Sequence[Sighting]], list[Fit]] = fit_person,
) -> tuple[list[Fit], list[np.ndarray]]:
    """Each photo's fit, and its mask (H, W) of the face, 0…1. Arguments as in `reconstruct`."""
    sightings = [shot.sighting for shot in shots]
    with clock.stage("shape"):
        fits = find_shape(model, sightings)
    masks = mask_shots(shots, fits, model, clock)
    if samples is not None:
        with clock.stage("shading"):
            photos = [(shot.photo.srgb, mask) for shot, mask in zip(shots, masks, strict=True)]
            fits = refine(
                model, samples, photos, sightings, fits, tick=lambda done: clock.tell("shading", done)
            )
    return fits, masks


def mask_shots(
    shots: Sequence[Shot], fits: Sequence[Fit], model: MorphableModel, clock: Clock
) -> list[np.ndarray]:
    """Each photo's mask (H, W) of the face, 0…1."""
    with clock.stage("mask"):
        reliefs = [Relief(posed_vertices(model, fit), model.faces.numpy(), fit.K) for fit in fits]
        return [
            face_mask(shot.photo, shot.face.landmarks, relief, shot.person)
            for shot, relief in zip(shots, reliefs, strict=True)
        ]


def bake_shots(
    shots: Sequence[Shot],
    masks: Sequence[np.ndarray],
    model: MorphableModel,
    fits: Sequence[Fit],
    in_camera: Sequence[np.ndarray],
    options: Options,
    clock: Clock,
    group: GroupLight | None = None,
) -> TextureResult:
    """The texture, in the first photo's light, of everything that the photos show."""
    size = texture_size(options)
    effort = DRAFT if options.quality == "draft" else STANDARD
    textures = [
        bake_texture(
            shot.photo.srgb,
            mask,
            model,
            posed,
            fit.K,
            size,
            effort,
            group if shot is shots[0] else None,
            clock.part("texture", index, len(shots)),
        )
        for index, (shot, mask, fit, posed) in enumerate(zip(shots, masks, fits, in_camera, strict=True))
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
