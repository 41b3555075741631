"""From a photo to a `Reconstruction`: the stages in order, with progress, timing and cancel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .assembly import Shot, assemble, describe
from .bake import TextureResult, bake_texture
from .errors import SemblanceError
from .faces.find import Face, face_at
from .faces.found import FoundFace, show_face
from .faces.mask import face_mask
from .faces.relief import Relief
from .fitting.fit import Fit, Sighting, fit_person, regressed_person
from .fitting.head_shape import HeadShape, head_shape
from .fitting.photometric import refine
from .fitting.regressed import regress_face
from .fitting.stored import read_fit
from .intrinsic.group_light import GroupLight
from .merge_textures import merge_textures
from .models import COMPLETIONS, SEPARATIONS, Models
from .morphable.model import MorphableModel
from .networks.regressor import Regressor
from .photo.load import Photo, load_photo
from .progress import Clock, Progress
from .protocol import Options
from .reconstruction import Reconstruction
from .texture.observation import observe

DRAFT_SIZE = 512
"""Pixels; the largest texture of a draft."""


class NoSuchFaceError(SemblanceError):
    """The N-th face was asked for of a photo with fewer."""

    code = "no_such_face"


class Pipeline:
    """From photos to results, with models that stay warm between them."""

    def __init__(self) -> None:
        """Load what every photo needs; takes about two seconds."""
        self.models = Models()

    def close(self) -> None:
        """Free the networks."""
        self.models.close()

    def run(
        self,
        path: str | os.PathLike[str],
        options: Options = Options(),  # noqa: B008 (frozen)
        progress: Progress = lambda *_: None,
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
        model = self.models.face_model(options.model, clock)
        network = self.models.regressor(options.regressor, model, clock)
        with clock.stage("photo"):
            photo = load_photo(path)
        with clock.stage("faces"):
            found = self.models.finder.find(photo)
            more = self._more_shots(options, clock, network)
        faces = choose_faces(found, options, photo.path)
        results, group = [], GroupLight()
        for done, face in enumerate(faces):
            one = Clock(progress, done / len(faces), 1 / len(faces), dict(clock.seconds))
            result = self.reconstruct([self._shot(photo, face, network), *more], model, options, one, group)
            result.report["faces"] = [each.place(photo) for each in found]
            results.append(result)
        return results

    def find(self, path: str | os.PathLike[str], progress: Progress = lambda *_: None) -> list[FoundFace]:
        """The faces of a photo, the largest first. Raises PhotoError, and CancelledError by `progress`."""
        progress("photo", 0.0)
        photo = load_photo(path)
        progress("faces", 0.3)
        return [show_face(photo, face) for face in self.models.finder.find(photo)]

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
        embedded = stored.get("model") == self.models.default.model_id
        model = self.models.face_model(None if embedded else options.model, clock)
        with clock.stage("photo"):
            photo = load_photo(path)
            fit, sighting = read_fit(stored, model, photo)
        with clock.stage("faces"):
            shots = [self._shot(photo, face_at(sighting.landmarks)), *self._more_shots(options, clock)]
        with clock.stage("shape"):
            others = fit_person(model, [shot.sighting for shot in shots])[1:] if shots[1:] else []
            fits = [fit, *(replace(other, identity=fit.identity) for other in others)]
            heads = [head_shape(model, each) for each in fits]
        with clock.stage("mask"):
            masks = mask_faces(shots, heads, model)
        return self._finish(shots, heads, masks, model, options, clock)

    def reconstruct(
        self,
        shots: Sequence[Shot],
        model: MorphableModel,
        options: Options,
        clock: Clock,
        group: GroupLight | None = None,
    ) -> Reconstruction:
        """One person's face, in one photo or several → its reconstruction, as the first photo shows it.

        With `group`, the first photo's earlier faces help to find its light.
        """
        regressed = shots[0].regressed is not None
        alone = regressed and (options.regressed_only or options.quality == "draft")
        with clock.stage("shape"):
            heads = fit_heads(model, shots, regressed_person if alone else fit_person)
        with clock.stage("mask"):
            masks = mask_faces(shots, heads, model)
        if options.quality == "best" and not options.regressed_only:
            with clock.stage("shading"):
                heads = self._refined(shots, heads, masks, model, clock)
        result = self._finish(shots, heads, masks, model, options, clock, group)
        if regressed:
            result.report["regressor"] = "alone" if alone else "fitted"
        return result

    def _refined(
        self,
        shots: Sequence[Shot],
        heads: Sequence[HeadShape],
        masks: Sequence[np.ndarray],
        model: MorphableModel,
        clock: Clock,
    ) -> list[HeadShape]:
        """The heads, their shape refined by the photos' shading."""
        fits = refine(
            model,
            self.models.surface_samples(model),
            [(shot.photo.srgb, mask) for shot, mask in zip(shots, masks, strict=True)],
            [shot.sighting for shot in shots],
            [head.fit for head in heads],
            tick=lambda done: clock.tell("shading", done),
        )
        return [head_shape(model, fit) for fit in fits]

    def _finish(
        self,
        shots: Sequence[Shot],
        heads: Sequence[HeadShape],
        masks: Sequence[np.ndarray],
        model: MorphableModel,
        options: Options,
        clock: Clock,
        group: GroupLight | None = None,
    ) -> Reconstruction:
        """Heads and masks (H, W) of the photos → the result."""
        with clock.stage("texture"):
            texture = self._texture(shots, heads, masks, model, options, clock, group)
        with clock.stage("result"):
            made_by = {
                "device": self.models.device,
                "separation": options.separation,
                "completion": options.completion,
            }
            report = describe(shots, heads, texture, model, options.quality, made_by)
            result = assemble(shots[0], masks[0], model, heads[0], texture, report)
        result.report["stage_seconds"] = clock.seconds
        return result

    def _texture(
        self,
        shots: Sequence[Shot],
        heads: Sequence[HeadShape],
        masks: Sequence[np.ndarray],
        model: MorphableModel,
        options: Options,
        clock: Clock,
        group: GroupLight | None,
    ) -> TextureResult:
        """The texture, in the first photo's light, of everything that the photos show."""
        layout = self.models.layout(model, texture_size(options), options.quality == "draft")
        separate, complete = SEPARATIONS[options.separation], COMPLETIONS[options.completion]
        textures = []
        for index, (shot, mask, head) in enumerate(zip(shots, masks, heads, strict=True)):
            tick = clock.part("texture", index, len(shots))
            observation = observe(shot.photo.srgb, mask, model, layout, head.in_camera, head.fit.K)
            tick(0.15)
            others = group if index == 0 else None
            textures.append(bake_texture(observation, separate, complete, others, tick))
        if len(textures) == 1:
            return textures[0]
        sharpness = [shot.face.inter_ocular_px for shot in shots]
        return merge_textures(textures, sharpness, layout.full, model.uv.numpy())

    def largest_face(self, path: str | os.PathLike[str], network: Regressor | None = None) -> Shot:
        """A photo and the largest face in it. Raises PhotoError."""
        photo = load_photo(path)
        return self._shot(photo, self.models.finder.find(photo)[0], network)

    def _more_shots(self, options: Options, clock: Clock, network: Regressor | None = None) -> list[Shot]:
        shots = []
        for index, other in enumerate(options.more_photos, start=1):
            clock.tell("faces", index / (len(options.more_photos) + 1))
            shots.append(self.largest_face(other, network))
        return shots

    def _shot(self, photo: Photo, face: Face, network: Regressor | None = None) -> Shot:
        regressed = regress_face(network, photo, face) if network is not None else None
        return Shot(photo, face, self.models.finder.person(photo, face), regressed)


def fit_heads(
    model: MorphableModel,
    shots: Sequence[Shot],
    find_shape: Callable[[MorphableModel, Sequence[Sighting]], list[Fit]] = fit_person,
) -> list[HeadShape]:
    """One person's head in each photo, from the landmarks."""
    return [head_shape(model, fit) for fit in find_shape(model, [shot.sighting for shot in shots])]


def mask_faces(shots: Sequence[Shot], heads: Sequence[HeadShape], model: MorphableModel) -> list[np.ndarray]:
    """Each photo's mask (H, W) of the face, 0…1."""
    faces = model.faces.numpy()
    return [
        face_mask(shot.photo, shot.face.landmarks, Relief(head.in_camera, faces, head.fit.K), shot.person)
        for shot, head in zip(shots, heads, strict=True)
    ]


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
