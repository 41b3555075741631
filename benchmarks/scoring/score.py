"""One photo: a reconstruction against its specimen, for the program and the baselines, UV image and vertex colours.

Colour is compared in three places: in the picture (pixels of the face's own skin, lips and brows that the photo shows
and both heads cover), in the texture where the photo shows nothing, and in the relit picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...core_models.morphable.model import MorphableModel
from ...core_models.reconstruction import Reconstruction
from ...core_models.render.lighting import sh_basis
from ...core_models.render.trace import Trace
from ...train.evaluation.colour_difference import (
    angle_difference,
    best_scale,
    ciede2000,
    psnr_srgb,
    rms,
    skin_ita,
)
from .frame import Frame, face_frame, frame_image
from .geometry import FaceMesh, Relief, posed_mean_relief, relief_errors
from .held_out_lights import HELD_OUT
from .looks import EYES, KINDS, SKIN, Paint, layout_atlas, result_paints, result_shape, true_shape
from .texels import TEXELS, Texels

if TYPE_CHECKING:
    from ..specimens.specimen import Specimen

SIZE = 360
"""Pixels of the side of the scored pictures."""
_ITA_LANDMARKS = (50, 280, 205, 425, 151, 108, 337, 9)
"""FaceMesh points in the cheeks and on the forehead."""
_ITA_RADIUS = 0.16
"""Decimetres around them, on the model's mean, that count as cheeks and forehead."""
_ENOUGH = 200
"""Pixels or texels below which nothing is measured."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What does not depend on the method: truth and result before the photo's camera, and which pixels count."""

    specimen: Specimen
    model: MorphableModel
    frame: Frame
    truth: Trace
    found: Trace
    mask: np.ndarray
    """(size, size): share of the pixel that shows the face's own surface."""

    @classmethod
    def of(
        cls, specimen: Specimen, result: Reconstruction, model: MorphableModel, size: int = SIZE
    ) -> Setting:
        """Trace both heads in the frame of the true face."""
        shape = true_shape(specimen)
        frame = face_frame(shape, SKIN, size)
        mask = frame_image(specimen.face_mask, frame) / 255
        return cls(specimen, model, frame, frame.trace(shape), frame.trace(result_shape(result)), mask)

    @cached_property
    def skin(self) -> np.ndarray:
        """(size, size) bool: seen skin, lips and brows that the result covers too."""
        return self._common(SKIN)

    @cached_property
    def eyes(self) -> np.ndarray:
        """(size, size) bool."""
        return self._common(EYES)

    def _common(self, names: tuple[str, ...]) -> np.ndarray:
        theirs, mine = self.truth.share(names), self.found.share((*SKIN, *EYES))
        return (self.mask > 0.5) & (theirs > 0.99) & (mine > 0.99)

    @cached_property
    def complexion(self) -> np.ndarray:
        """(size, size) bool: the cheeks and the forehead among `skin`."""
        atlas = layout_atlas(self.model.uv.numpy(), self.model.faces.numpy(), TEXELS)
        chosen = atlas.image((atlas.weights @ complexion_vertices(self.model))[:, None])
        share = self.truth.picture(self.truth.texture(chosen))
        return self.skin & (share[..., 0] > 0.5)

    @cached_property
    def true_samples(self) -> torch.Tensor:
        """(P, 3): true albedo."""
        return self.truth.texture(self.specimen.albedo_linear)

    @cached_property
    def true_picture(self) -> np.ndarray:
        """(size, size, 3)."""
        return self.truth.picture(self.true_samples)

    @cached_property
    def lights(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """By held-out light: what white surfaces of the true head and of the result show, (P, 3) each."""
        return {rig.name: (rig.light(self.truth), rig.light(self.found)) for rig in HELD_OUT}

    @cached_property
    def texels(self) -> Texels:
        """The layout's skin, and which of it the photo shows."""
        return Texels.of(self.truth, self.specimen)


def complexion_vertices(model: MorphableModel) -> np.ndarray:
    """(N,) float32, 1 on cheeks and forehead."""
    ids = model.landmark_ids.tolist()
    mean = model.mean.numpy()
    points = model.landmarks(model.mean[None])[0].numpy()
    chosen = points[[ids.index(number) for number in _ITA_LANDMARKS]]
    distance = np.linalg.norm(mean[:, None] - chosen, axis=-1).min(1)
    return (distance < _ITA_RADIUS).astype(np.float32)


@dataclass(frozen=True)
class PhotoScore:
    """Numbers of one photo, and what the spread over lights needs."""

    numbers: dict[str, object]
    albedo: dict[str, np.ndarray]
    """By "method/kind": (M, 3) float16, the albedo at the layout's skin texels."""
    seen: np.ndarray
    """(M,) bool."""


def score_photo(setting: Setting, result: Reconstruction, facemesh: FaceMesh | None = None) -> PhotoScore:
    """Everything that is measured on one photo."""
    paints = result_paints(result, setting.found.mesh, setting.model)
    methods: dict[str, dict[str, dict[str, object]]] = {}
    albedo = {}
    for method, paint in paints.items():
        methods[method] = {kind: score_paint(setting, paint, kind) for kind in KINDS}
        for kind in KINDS:
            at_texels = setting.texels.paint(setting.found.mesh, paint, kind)
            methods[method][kind]["unseen_de"] = unseen_difference(setting.texels, at_texels)
            albedo[f"{method}/{kind}"] = at_texels.astype(np.float16)
    numbers: dict[str, object] = {
        "pixels": int(setting.skin.sum()),
        "methods": methods,
        "agreement": agreement(setting, paints["program"]),
        "light": light_errors(result.sh, setting.specimen.sh),
        "shape": shape_errors(setting, result, facemesh),
    }
    return PhotoScore(numbers, albedo, setting.texels.seen)


def score_paint(setting: Setting, paint: Paint, kind: str) -> dict[str, object]:
    """Albedo and relit pictures of one method; colour differences are means over pixels."""
    samples = paint.samples(setting.found, kind)
    picture = setting.found.picture(samples)
    where = setting.skin
    if where.sum() < _ENOUGH:
        return {}
    mine, truth = picture[where], setting.true_picture[where]
    scale = best_scale(mine, truth)
    scores: dict[str, object] = {
        "de": float(ciede2000(mine, truth).mean()),
        "de_scaled": float(ciede2000(scale * mine, truth).mean()),
        "rmse": rms(mine - truth),
        "rmse_scaled": rms(scale * mine - truth),
        "scale": scale,
        "relit": {name: relit_psnr(setting, samples, name) for name in setting.lights},
    }
    if setting.complexion.sum() >= _ENOUGH:
        angles = (skin_ita(image[setting.complexion]) for image in (picture, setting.true_picture))
        scores["ita"] = angle_difference(*angles)
    if setting.eyes.sum() >= _ENOUGH / 4:
        scores["eyes_de"] = float(ciede2000(picture[setting.eyes], setting.true_picture[setting.eyes]).mean())
    return scores


def relit_psnr(setting: Setting, samples: torch.Tensor, light: str) -> float:
    """dB of the relit result against the relit truth, skin, lips and brows."""
    theirs, mine = setting.lights[light]
    pictures = (
        trace.picture((albedo * white).clamp(0, 1))[setting.skin]
        for trace, albedo, white in (
            (setting.found, samples, mine),
            (setting.truth, setting.true_samples, theirs),
        )
    )
    return psnr_srgb(*pictures)


def unseen_difference(texels: Texels, at_texels: np.ndarray) -> float | None:
    """Mean colour difference over the texels that the photo does not show."""
    if texels.unseen.sum() < _ENOUGH:
        return None
    return float(ciede2000(at_texels[texels.unseen], texels.truth[texels.unseen]).mean())


def agreement(setting: Setting, paint: Paint) -> float | None:
    """Mean colour difference of vertex colours and UV image in the picture."""
    if setting.skin.sum() < _ENOUGH:
        return None
    pictures = (setting.found.picture(paint.samples(setting.found, kind))[setting.skin] for kind in KINDS)
    return float(ciede2000(*pictures).mean())


def light_errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Relative RMS over the sphere of what white surfaces show under sh (3, 9), as found and at the best level."""
    step = np.arange(1000) + 0.5  # a Fibonacci sphere: even, and no direction favoured
    z, turn = 1 - 2 * step / len(step), step * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - z * z)
    basis = sh_basis(torch.as_tensor(np.stack([ring * np.cos(turn), ring * np.sin(turn), z], 1))).numpy()
    mine, theirs = (np.maximum(basis @ np.asarray(sh, np.float64).T, 0) for sh in (found, truth))
    scale = (mine * theirs).sum() / max((mine * mine).sum(), 1e-12)
    return {
        "relative_rms": rms(mine - theirs) / rms(theirs),
        "relative_rms_scaled": rms(scale * mine - theirs) / rms(theirs),
        "scale": float(scale),
    }


def shape_errors(
    setting: Setting, result: Reconstruction, facemesh: FaceMesh | None
) -> dict[str, dict[str, float]]:
    """Depth and normals of the result, the posed mean and FaceMesh's own mesh over the pixels that all cover."""
    truth = Relief.of_mesh(setting.truth)
    reliefs = {
        "program": Relief.of_mesh(setting.found),
        "mean": posed_mean_relief(setting.model, result, setting.found.mesh, setting.frame),
    }
    own = facemesh.relief(setting.specimen.photo_srgb, setting.frame) if facemesh else None
    if own is not None:
        reliefs["facemesh"] = own
    where = setting.skin.copy()
    for relief in reliefs.values():
        where &= relief.coverage > 0.99
    return {name: relief_errors(relief, truth, where) for name, relief in reliefs.items()}


def spread_over_lights(scores: list[PhotoScore]) -> dict[str, float]:
    """By "method/kind": how far the albedos of one head, one a light, lie from their mean (CIEDE2000).

    Over the texels that at least half of the photos show, and of each those that it shows.
    """
    seen = np.stack([score.seen for score in scores])
    common = seen.sum(0) >= max(2, (len(scores) + 1) // 2)
    seen = seen[:, common]
    if len(scores) < 2 or common.sum() < _ENOUGH:
        return {}
    found = {}
    for name in scores[0].albedo:
        albedo = np.stack([score.albedo[name][common] for score in scores]).astype(np.float64)
        mean = (albedo * seen[..., None]).sum(0) / seen.sum(0)[:, None]
        differences = [ciede2000(one[shown], mean[shown]) for one, shown in zip(albedo, seen, strict=True)]
        found[name] = float(np.concatenate(differences).mean())
    return found
