"""Which pixels are this face: skin, lips, brows and eyes, against hair, hats, glasses, hands and background.

The outline comes from the landmarks, the background from a network that knows people, the line between skin and what
covers it from the photo's own colours in the light that the fitted normals explain. In doubt a pixel belongs to
the face; where the photo is burnt out, it is believed less.
"""

from __future__ import annotations

import numpy as np

from .. import landmarks as points
from ..images import smoothstep
from ..photo.load import Photo
from .glasses import UNIT_PX, glasses_share
from .guided_filter import guided_fit
from .patch import Box, Patch, pieces_touching
from .person import PersonMap
from .relief import Relief
from .skin import weigh_skin

# All lengths are shares of the inter-ocular distance, unless they are said to be pixels.
_WORKING_PX = 56.0
"""Inter-ocular distance at which colours are judged, pixels."""
_FINEST_PX = 512.0
"""Largest inter-ocular distance at which the mask is drawn, pixels; beyond, it is enlarged to spare memory."""
_MARGIN = 0.5
"""Of the photo around the landmarks that is looked at."""
_EROSION, _SOFTNESS = 0.015, 0.012
"""The outline is drawn in by the first, because it errs by about that much, and blurred by the second (σ)."""
_BAND = (0.08, 0.45)
"""Distance from the outline of the pixels taken for hair."""
_CORE = 0.2
"""Distance inside the outline of the pixels taken for skin."""
_SURE, _EDGE_PRIOR, _DEEP_PRIOR = 6.0, 0.3, 1.5
"""Log odds of face before its colour is known: on the cheeks, nose, mouth and chin; where hair may lie, at the outline
and deep inside."""
_MAX_COLOUR = 4.0
"""The most, in log odds, that colour says."""
_SMOOTHING, _REFINEMENT = (0.06, 4e-4), (0.04, 1e-4)
"""Radius and epsilon (for a guide in CIELAB / 255) of the guided filters that rid the verdict of speckle and that carry
it over to the full resolution."""
_HAIR_GROWN = 0.03
"""Skin this near to hair shows its tips and its shadow."""
_CONTRAST = (0.25, 0.75)
"""Smoothed probabilities that become 0 and 1."""
_PERSON = (0.2, 0.6)
"""Shares of person below and above which a pixel surely is background or person."""
_NO_BACKGROUND = (0.15, 0.35)
"""Distances inside the outline from which and beyond which nothing is background."""
_BURNT, _BURNT_BELIEF, _BURNT_SOFTNESS = (240.0, 254.0), 0.4, 0.02
"""Smallest channel (8 bit) where a highlight begins to clip and where nothing is left; how far that is believed; blur
(σ)."""

_NOSTRILS = np.array([98, 327, 2, 94, 1, 4, 97, 326])
_FEATURES = ((points.RIGHT_EYE, 0.06), (points.LEFT_EYE, 0.06), (points.LIPS, 0.06), (_NOSTRILS, 0.05))
"""Landmarks of what is no skin and always face, and by how much its hull is grown."""
_BROWS, _BROW_GROWN = (points.RIGHT_BROW, points.LEFT_BROW), 0.04
_BROW_LINE = np.array([70, 63, 105, 9, 334, 293, 300])
_BROW_MIDDLES, _JAW_CORNERS = np.array([105, 334]), np.array([132, 361])
_FRINGE_REACH = 0.3
"""A brow with no skin above it within this distance lies under a fringe."""


def face_mask(photo: Photo, landmarks: np.ndarray, relief: Relief, person: PersonMap) -> np.ndarray:
    """Soft mask (H, W) float32 in [0, 1] of the face with `landmarks` (478, 2), in pixels of the photo.

    1 is this face's own surface; clipped highlights on it are lower.
    """
    import cv2

    mask = np.zeros((photo.height, photo.width), np.float32)
    box = Box.around(landmarks, _MARGIN, photo.width, photo.height)
    if box.is_empty:
        return mask
    judged = Patch.cut(photo.srgb, landmarks, box, _WORKING_PX)
    fine = Patch.cut(photo.srgb, landmarks, box, _FINEST_PX)
    probability = _face_probability(judged, relief.normals(judged), person.over(judged))
    radius, epsilon = _REFINEMENT
    fit = guided_fit(judged.lab, probability, max(1, round(radius * judged.unit)), epsilon)
    drawn = np.clip(fit.apply(fine.lab), 0, 1) * _soft_outline(fine) * _exposed(fine)
    glasses = glasses_share(Patch.cut(photo.srgb, landmarks, box, UNIT_PX))
    drawn *= 1 - cv2.resize(glasses, drawn.shape[::-1])
    part = box.cut(mask)
    part[:] = cv2.resize(drawn, part.shape[::-1])
    return mask


def _face_probability(patch: Patch, normals: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(h, w) float32, not yet cut to the outline."""
    features = np.any([patch.hull(ids, grown) for ids, grown in _FEATURES], axis=0)
    brows = np.any([patch.hull(ids, _BROW_GROWN) for ids in _BROWS], axis=0)
    skin, around = _samples(patch, features | brows)
    face = patch.outline & ~features & ~brows
    evidence = weigh_skin(patch.srgb, normals, skin, face, around & (person > 0.5))
    log_odds = np.clip(evidence.colour, -_MAX_COLOUR, _MAX_COLOUR) + evidence.texture + _log_prior(patch)
    probability = (1 / (1 + np.exp(-np.clip(log_odds, -_MAX_COLOUR, _MAX_COLOUR)))).astype(np.float32)
    probability[features] = 1
    smooth = _smoothed(patch, probability)
    kept = features | _bare_brows(patch, brows, smooth > 0.5)
    # Hair comes in from outside; what is enclosed by skin is a mole, a shadow, a moustache.
    unlike = ((smooth < 0.5) & ~kept) | ~patch.outline
    enclosed = unlike & ~pieces_touching(unlike, ~patch.outline)
    low, high = _CONTRAST
    certain = np.clip((smooth - low) / (high - low), 0, 1)
    certain[kept | enclosed] = 1
    certain[patch.grow(unlike & patch.outline & ~enclosed, _HAIR_GROWN) & ~kept] = 0
    return (certain * _foreground(patch, person)).astype(np.float32)


def _foreground(patch: Patch, person: np.ndarray) -> np.ndarray:
    """(h, w), 0 in the background; 1 everywhere if the network takes this face for none, as in a blurred photo."""
    on_face = person[patch.outline]
    if not on_face.size or np.median(on_face) < _PERSON[1]:
        return np.ones_like(person)
    return np.maximum(smoothstep(person, *_PERSON), smoothstep(patch.depth, *_NO_BACKGROUND))


def _samples(patch: Patch, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (h, w) that mostly are skin, and those around the upper face that mostly are not."""
    middle = patch.hull(np.concatenate([_BROW_LINE, points.FACE_OVAL[6:31]]))
    outside = patch.distance(~patch.outline)
    skin = middle & (patch.depth > _CORE) & ~patch.grow(features, 0.04)
    return skin, (outside > _BAND[0]) & (outside < _BAND[1]) & (patch.above(_JAW_CORNERS) > 0)


def _log_prior(patch: Patch) -> np.ndarray:
    """(h, w): hair comes from above and from the sides; below the lips all that the outline holds is face."""
    upper = np.maximum(
        smoothstep(patch.above(_BROW_MIDDLES), -0.1, 0.1), 1 - smoothstep(patch.depth, 0.12, 0.4)
    )
    doubtful = upper * smoothstep(patch.above(points.LIPS), -0.1, 0.35)
    open_prior = _EDGE_PRIOR + (_DEEP_PRIOR - _EDGE_PRIOR) * smoothstep(patch.depth, 0.0, 0.5)
    return _SURE + (open_prior - _SURE) * doubtful


def _bare_brows(patch: Patch, brows: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """The pixels (h, w) of the brows that have skin above them: no fringe hangs over them."""
    import cv2

    reach = max(1, round(_FRINGE_REACH * patch.unit))
    upwards = np.zeros((2 * reach + 1, 1), np.uint8)
    upwards[: reach + 1] = 1
    return brows & (cv2.dilate((skin & ~brows).astype(np.uint8), upwards) > 0)


def _smoothed(patch: Patch, values: np.ndarray) -> np.ndarray:
    radius, epsilon = _SMOOTHING
    return guided_fit(patch.lab, values, max(1, round(radius * patch.unit)), epsilon).apply(patch.lab)


def _soft_outline(patch: Patch) -> np.ndarray:
    """(h, w) float32."""
    import cv2

    filled = patch.grow(patch.outline, -_EROSION).astype(np.float32)
    return cv2.GaussianBlur(filled, (0, 0), max(0.5, _SOFTNESS * patch.unit))


def _exposed(patch: Patch) -> np.ndarray:
    """(h, w): 1, less where all channels clip, unless it is the white of teeth or eyes."""
    import cv2

    smallest = cv2.GaussianBlur(patch.srgb.min(-1).astype(np.float32), (0, 0), _BURNT_SOFTNESS * patch.unit)
    burnt = smoothstep(smallest, *_BURNT)
    for ids in (points.RIGHT_EYE, points.LEFT_EYE, points.LIPS):
        burnt[patch.hull(ids)] = 0
    return 1 - (1 - _BURNT_BELIEF) * burnt
