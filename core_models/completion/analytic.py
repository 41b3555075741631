"""The albedo where the photo shows nothing: the other half of the face where that was seen, else the model's.

Both are joined to what is seen by smooth membranes in log albedo, where joining changes tone and keeps contrast, so
that no seam shows; what the model's smooth albedo lacks of the seen skin's grain is added. The plan is made at a modest
size and resampled: tone is smooth, detail comes from the full-size textures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..images import extend, resize_map, smoothstep
from ..intrinsic.separated import Separated
from ..skin_colour import ALBEDO_RANGE
from ..texture.atlas import Atlas
from ..texture.layout import RestSurface
from ..texture.seams import HEAD_REGIONS, close_head_seam, head_texels
from .completed import Completed
from .outliers import alien, coarse, feather, lashes, like_expected, marks
from .poisson import poisson_sheet
from .skin_grain import SkinGrain, grained, measure_grain

FEATHER = (0.15, 0.65)
"""Confidence over which the seen albedo takes over from the completed one."""
_BARE = 0.6
"""Share of the photo, times likeness to skin, from which grain is measured."""
_FACING = (0.15, 0.5)
"""Cosines over which skin gains its share: grazed skin is stretched, and shines like nothing else on the face."""
_NOTICEABLE = 0.02
"""Share of the grain below which it is not worth its time."""
_MEMBRANE_SIZE = 256
"""Or the largest power of two below the plan's size: membranes are halved down to a few cells."""
_PULL = 2e-4
"""Weight of the face's median tone against the seam's: takes over about 1/√p = 70 membrane cells from the last seen
one."""
_TRUST = 0.05
"""Membrane weight of a fully seen cell against its neighbours: follows tone over 1/√w = 4 cells, not pores."""


INSIDES = ("eyes", "mouth", "teeth", "gums", "tongue")
"""Regions that are not skin."""


@dataclass(frozen=True)
class Completion:
    """How to fill an albedo texture; square maps of any size, resampled where they are used."""

    confidence: np.ndarray
    """(S', S') 1 seen … 0 invented."""
    seen_share: np.ndarray
    """(S', S') share of the photo's own albedo."""
    mirror_share: np.ndarray
    """(S', S') share of the mirrored albedo in what the photo does not give."""
    mirror_tone: np.ndarray
    """(S", S", 3) log factor from the mirrored albedo to this side's."""
    model_fill: np.ndarray
    """(S', S', 3) linear: the model's albedo in the tone of what is seen."""
    skin: np.ndarray
    """(S', S') bool: where grain belongs."""
    bare: np.ndarray
    """(S', S') bool: skin that is well seen and nothing else: grain is measured there."""


@dataclass(frozen=True)
class Places:
    """What lies where in the layout; maps (S', S')."""

    covered: np.ndarray
    """bool: the mesh."""
    skin: np.ndarray
    """bool: the face's outer skin, with lips and brows; eyes and the mouth's inside have tones of their own."""
    blink: np.ndarray
    """0…1: how far a blink moves the place, of the most it moves any."""
    facing: np.ndarray
    """Cosine between the surface's normal and the way to the camera."""
    beard: np.ndarray
    """0…1: hair that belongs to the face, up to where the photo ends."""


def complete(separated: Separated) -> Completed:
    """What the photo shows, joined to the mirrored face and the model's; grain over all that is not seen."""
    observation, layout = separated.observation, separated.observation.layout
    full = layout.full
    plan = plan_separated(separated)
    seen = separated.full_albedo()
    grain = measure_grain(full, seen, plan.bare, layout.rest)
    albedo = complete_albedo(plan, full, seen, grain, layout.rest)
    head = head_texels(full, observation.mesh)
    expected = full.weights[head] @ separated.vertex_expected
    albedo[head] = grained(expected, grain, layout.rest, full.part(head))
    return Completed(
        close_head_seam(full, observation.mesh, albedo), extend(plan.confidence, layout.plan.covered())
    )


def plan_separated(separated: Separated) -> Completion:
    """The plan for a face."""
    observation, atlas = separated.observation, separated.observation.atlas
    surface, mesh = observation.surface, observation.mesh
    places = Places(
        covered=atlas.covered(),
        skin=atlas.image(~np.isin(surface.region, mesh.regions(*INSIDES, *HEAD_REGIONS))),
        blink=atlas.image(atlas.weights @ observation.layout.blink),
        facing=atlas.image(surface.cosine),
        beard=atlas.image(separated.facial_hair),
    )
    return plan_completion(
        atlas.image(separated.albedo), atlas.image(observation.seen), atlas.image(separated.expected), places
    )


def plan_completion(
    seen: np.ndarray, confidence: np.ndarray, model_albedo: np.ndarray, places: Places
) -> Completion:
    """Decide from small maps what fills the albedo.

    seen (S', S', 3) linear albedo from the photo, confidence (S', S') 0…1, model_albedo (S', S', 3) linear. The layout
    must be mirror-symmetric: column j shows what column S' − 1 − j shows on the other side.
    """
    covered, skin = places.covered, places.skin & places.covered
    share = np.where(covered, smoothstep(confidence, *FEATHER), 0.0).astype(np.float32)
    log_seen, log_model = (np.log(np.clip(image, *ALBEDO_RANGE)) for image in (seen, model_albedo))
    difference = log_seen - log_model
    likeness = like_expected(difference, share, skin)
    smooth = coarse(difference, share)
    strange = alien(like_expected(smooth, share, skin), share) * (1 - places.beard)
    sure = np.maximum(feather(share, strange, log_model, skin), places.beard)
    sure = sure * (1 - lashes(smooth, share, skin, places.blink))
    sure = np.where(skin, np.minimum(sure, smoothstep(places.facing, *_FACING)), sure)
    share = share * sure
    model_tone = _tone(difference, share**2 * likeness, skin, covered & ~skin)
    fill = log_model + resize_map(model_tone, covered.shape[0])
    composed = fill + share[..., None] * (log_seen - fill)
    once = marks(composed, log_model, strange, skin)
    mirror_share = (share * (1 - once))[:, ::-1] * covered
    both = (share * likeness * mirror_share) ** 2
    mirror_tone = _tone(log_seen - log_seen[:, ::-1], both, skin, covered & ~skin)
    return Completion(
        confidence=confidence * sure,
        seen_share=share,
        mirror_share=mirror_share,
        mirror_tone=mirror_tone,
        model_fill=extend(np.clip(np.exp(fill), *ALBEDO_RANGE), covered),
        skin=skin,
        bare=skin & (share * likeness > _BARE),
    )


def complete_albedo(
    plan: Completion, atlas: Atlas, seen: np.ndarray, grain: SkinGrain | None, surface: RestSurface
) -> np.ndarray:
    """Fill the texels' albedo (M, 3) linear, of which `seen` holds what the photo gives (arbitrary where unseen)."""
    flat = atlas.image(seen.astype(np.float32), background=ALBEDO_RANGE[0]).reshape(-1, 3)
    covered = atlas.covered().ravel()
    result = np.empty((len(atlas.texels), 3), np.float32)
    start = 0
    for band in atlas.bands():
        piece = slice(start, start + len(band.texels))
        across = band.mirrored()
        here, there = band.gather(plan.seen_share)[:, None], band.gather(plan.mirror_share)[:, None]
        there = there * covered[across, None]
        mirrored = np.log(flat[across]) + band.gather(plan.mirror_tone)
        unseen = there * mirrored + (1 - there) * np.log(band.gather(plan.model_fill))
        log_albedo = here * np.log(seen[piece]) + (1 - here) * unseen
        if grain is not None:
            lack = (
                _lacking_grain(here, (1 - here) * there) * band.gather(plan.skin.astype(np.float32))[:, None]
            )
            bald = np.flatnonzero(lack > _NOTICEABLE)
            log_albedo[bald] += lack[bald] * grain.at(surface, band.part(bald))
        result[piece] = np.exp(log_albedo)
        start = piece.stop
    return np.clip(result, *ALBEDO_RANGE)


def _lacking_grain(*shares: np.ndarray) -> np.ndarray:
    """How much grain to add to a mixture with these shares of textures that have it, for its variance to be theirs."""
    return np.sqrt(np.maximum(0.0, 1.0 - sum(share**2 for share in shares)))


def _tone(difference: np.ndarray, weights: np.ndarray, skin: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Membranes (S", S", 3) through a log difference (S', S', 3): one over the skin, pulled to its median far from
    every value, one over what lies inside eyes and mouth, pulled to none.
    """
    strong = (weights > 0.5) & skin
    median = np.median(difference[strong], axis=0) if strong.any() else np.zeros(3, np.float32)
    size = 1 << (min(skin.shape[0], _MEMBRANE_SIZE).bit_length() - 1)
    sheet = _sheet(difference, weights, skin, median, size)
    if not inside.any():
        return sheet
    share_inside = cv2.resize(inside.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    other = _sheet(difference, weights, inside, np.zeros(3, np.float32), size)
    return np.where(share_inside[..., None] > 0.5, other, sheet)


def _sheet(
    difference: np.ndarray, weights: np.ndarray, where: np.ndarray, pull: np.ndarray, size: int
) -> np.ndarray:
    weights = np.where(where, weights, 0.0)
    pooled, sums, domain = (
        cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
        for image in (weights, difference * weights[..., None], where)
    )
    values = sums / np.maximum(pooled, 1e-6)[..., None]
    return poisson_sheet(values, _TRUST * pooled, domain > 0, pull, _PULL)
