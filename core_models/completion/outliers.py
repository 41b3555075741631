"""What of the seen may speak for the unseen: skin of the usual tone, and no mark that is there only once."""

from __future__ import annotations

import cv2
import numpy as np

from ..images import smoothstep

_USUAL = (0.35, 0.8)
"""Log departure from the median tone at which the say of a darker and of a brighter texel in the membranes has
halved: hair is dark, a glossy forehead still is skin."""
_USUAL_CHROMA = 0.3
"""The same for the departure of log red − green and green − blue: grey hair and a blue background are no skin."""
_SPOT_SIGMAS = (0.004, 0.008)
"""Of the texture's side, about 1 and 2 mm: moles, pimples and the marks of a pen."""
_SPOT = (0.07, 0.12)
"""Curvature of log albedo times σ² between which a spot is told from pores and freckles: a quarter of its depth."""
_ALIEN = (0.2, 0.5)
"""Likeness between which what is seen on plain skin is hair or a frame, which the other side need not have."""
_AROUND = 0.008
"""Of the texture's side: a mark's surroundings, which go with it."""
_FEATURE = 0.25
"""Log departure of the model's albedo from its skin's: brows, lips, nostrils, which are dark on either side."""
_NEAR_FEATURE, _BESIDE_FEATURE = 0.03, 0.022
"""Of the texture's side, about 7 and 6 mm: as far as brows and lashes may end from the model's, for marks and for what
is unlike skin."""
_HOLES = ((0.008, 0.012, 0.03), (0.03, 0.05, 0.07))
"""Of the texture's side: the radius of what is not seen, the width over which what is seen beside it gives way, and how
far from it what is unlike skin gives way too, being strands of hair or the rest of a frame. The first are frames of
glasses, 2, 3 and 8 mm, the others all that a side view hides, 8, 13 and 18 mm. The wings of the nose hide less and stay
sharp."""
_LID = (0.25, 0.4)
"""Of the largest motion in a blink: from where on skin is lid."""
_LASH_LINE = (0.004, 0.008)
"""Of the texture's side, from the lid's edge: 1 and 2 mm, where lashes grow."""
_EYE = 0.06
"""Of the texture's side, from the upper lid: 15 mm, as far as the corners and the lower lid are."""
_BRIGHT = 0.5
"""Log departure of one channel from skin that neither lashes nor their paint have: the eye's white, glass."""
_LID_TOLERANCE = 0.5
"""Of what skin may differ elsewhere from its usual tone."""
_COARSE = 0.004
"""Of the texture's side, 1 mm: over which likeness is judged; pores and creases are skin."""


def like_expected(
    difference: np.ndarray, share: np.ndarray, skin: np.ndarray, tolerance: float = 1.0
) -> np.ndarray:
    """0…1 (S, S): is a log difference (S, S, 3) between seen and model albedo usual for this face's skin; off the
    skin, for the model?
    """
    departure = _departure(difference, share, skin) / tolerance
    level = departure.mean(-1)
    unusual = level / np.where(level < 0, *_USUAL)
    return (1 / (1 + unusual**4 + (_chroma(departure) / _USUAL_CHROMA) ** 4)).astype(np.float32)


def _departure(difference: np.ndarray, share: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """The difference (S, S, 3), on skin from its median there."""
    strong = (share > 0.7) & skin
    usual = np.median(difference[strong], axis=0) if strong.any() else 0.0
    return difference - np.where(skin[..., None], usual, 0.0)


def _chroma(departure: np.ndarray) -> np.ndarray:
    return np.hypot(departure[..., 0] - departure[..., 1], departure[..., 1] - departure[..., 2])


def coarse(image: np.ndarray, share: np.ndarray) -> np.ndarray:
    """An image (S, S, C) averaged over `_COARSE` where it is seen, by its share (S, S)."""
    sigma = _COARSE * len(share)
    sums = cv2.GaussianBlur(image * share[..., None], (0, 0), sigma)
    total = cv2.GaussianBlur(share, (0, 0), sigma)[..., None]
    return np.where(total > 1e-3, sums / np.maximum(total, 1e-3), image)


def marks(log_albedo: np.ndarray, log_model: np.ndarray, alien: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """0…1 (S, S): moles, hair and frames on plain skin, not to be mirrored.

    log_albedo, log_model (S, S, 3), alien (S, S) 0…1: what is seen and is not like skin, skin (S, S) bool.
    """
    size = skin.shape[0]
    level = log_albedo.mean(-1).astype(np.float32)
    spotted = np.max([smoothstep(np.abs(_spot(level, s * size)), *_SPOT) for s in _SPOT_SIGMAS], axis=0)
    spotted = spotted * plain(log_model, skin, _NEAR_FEATURE)
    return _with_surroundings(np.maximum(spotted, alien * plain(log_model, skin, _BESIDE_FEATURE)))


def alien(likeness: np.ndarray, share: np.ndarray) -> np.ndarray:
    """0…1: seen, and not like skin."""
    return (share * (1 - smoothstep(likeness, *_ALIEN))).astype(np.float32)


def feather(share: np.ndarray, alien: np.ndarray, log_model: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """0…1 (S, S): how much is left of the photo's share towards skin that is not seen and towards the face's end, and
    of what is unlike skin there.
    """
    unseen = ((share < 0.5) & skin) | _outside(skin)
    strange = alien * plain(log_model, skin, _BESIDE_FEATURE)
    sure, doubt = np.ones(share.shape), np.zeros(share.shape)
    for radius, width, reach in _HOLES:
        distance = _distance_to_holes(unseen, radius)
        sure = np.minimum(sure, smoothstep(distance, 0.0, width))
        doubt = np.maximum(doubt, strange * (1 - smoothstep(distance, reach / 2, reach)))
    return np.where(skin, np.minimum(sure, 1 - _with_surroundings(doubt)), 1.0).astype(np.float32)


def lashes(
    smooth_difference: np.ndarray, share: np.ndarray, skin: np.ndarray, blink: np.ndarray
) -> np.ndarray:
    """0…1 (S, S): lashes, their shadows and the eye's white, where they lie on the skin of a lid.

    smooth_difference (S, S, 3) as for `like_expected`, blink (S, S) 0…1: the part of the lid's edge's motion. The
    lash line itself stays at the edge.
    """
    strange = alien(like_expected(smooth_difference, share, skin, _LID_TOLERANCE), share)
    lid, size = smoothstep(blink, *_LID), len(share)
    from_edge = np.minimum(cv2.distanceTransform(skin.astype(np.uint8), cv2.DIST_L2, 5) / size, 1.0)
    at_edge = 1 - smoothstep(from_edge, *_LASH_LINE)
    around_eye = at_edge * cv2.dilate((lid > 0).astype(np.uint8), _disc(_EYE, size))
    found = _with_surroundings((strange * np.maximum(lid, around_eye)).astype(np.float32))
    departure = _departure(smooth_difference, share, skin)
    like_hair = (departure.mean(-1) < 0) & (departure.max(-1) < _BRIGHT)
    return found * (1 - at_edge * like_hair)


def _outside(skin: np.ndarray) -> np.ndarray:
    """(S, S) bool: what lies around the face's skin; not the holes in it."""
    background = np.pad((~skin).astype(np.uint8), 1, constant_values=1)
    _, label = cv2.connectedComponents(background, connectivity=4)
    return label[1:-1, 1:-1] == label[0, 0]


def _distance_to_holes(unseen: np.ndarray, radius: float) -> np.ndarray:
    """(S, S), of the texture's side, to the places of unseen (S, S) bool that hold a disc; all around is unseen."""
    size = len(unseen)
    margin = 2 * round(radius * size) + 1
    padded = np.pad(unseen.astype(np.uint8), margin, constant_values=1)
    holes = cv2.morphologyEx(padded, cv2.MORPH_OPEN, _disc(radius, size))
    return cv2.distanceTransform(1 - holes, cv2.DIST_L2, 5)[margin:-margin, margin:-margin] / size


def _with_surroundings(found: np.ndarray) -> np.ndarray:
    size = len(found)
    grown = cv2.dilate(found.astype(np.float32), _disc(_AROUND, size))
    return cv2.GaussianBlur(grown, (0, 0), _AROUND * size / 2)


def _disc(radius: float, size: int) -> np.ndarray:
    """Structuring element; radius in parts of the side of `size` texels."""
    width = 2 * round(radius * size) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))


def _spot(level: np.ndarray, sigma: float) -> np.ndarray:
    """The weaker of the two curvatures of a blurred image (S, S), times σ²; 0 on saddles: a wrinkle has only one."""
    blurred = cv2.GaussianBlur(level, (0, 0), sigma)
    y, x = np.gradient(blurred)
    yy, xy = np.gradient(y)
    xx = np.gradient(x, axis=1)
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sign(mean) * np.maximum(np.abs(mean) - half, 0) * sigma**2


def plain(log_model: np.ndarray, skin: np.ndarray, margin: float) -> np.ndarray:
    """1 (S, S) where the model knows no feature within `margin` of the side."""
    level = log_model.mean(-1)
    usual = np.median(level[skin]) if skin.any() else 0.0
    feature = (np.abs(level - usual) > _FEATURE) | ~skin
    return (1 - cv2.dilate(feature.astype(np.uint8), _disc(margin, len(skin)))).astype(np.float32)
