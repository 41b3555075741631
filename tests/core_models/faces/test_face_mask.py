"""The mask: this face and not its surroundings, soft, in every light and tone, the same for the mirrored photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import skimage.data

from semblance.core_models.colour import linear_to_srgb_uint8
from semblance.core_models.faces.find import Face, FaceFinder
from semblance.core_models.faces.glasses import UNIT_PX, glasses_share
from semblance.core_models.faces.guided_filter import guided_fit
from semblance.core_models.faces.mask import face_mask
from semblance.core_models.faces.patch import Box, Patch
from semblance.core_models.faces.person import PersonMap
from semblance.core_models.faces.relief import Relief
from semblance.core_models.faces.skin import weigh_skin
from semblance.core_models.fitting.fit import fit_landmarks
from semblance.core_models.fitting.head_shape import head_shape
from semblance.core_models.landmarks import (
    FACE_OVAL,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    MIRROR,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.photo.load import Photo

ASTRONAUT = skimage.data.astronaut()
CHEEK = (200, 125)
"""(x, y)"""


def photo(srgb: np.ndarray) -> Photo:
    return Photo(np.ascontiguousarray(srgb), None, "photo.png")


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as found:
        yield found


@pytest.fixture(scope="module")
def face(finder: FaceFinder) -> Face:
    return finder.find(photo(ASTRONAUT))[0]


Masked = Callable[[np.ndarray, np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def masked(finder: FaceFinder) -> Masked:
    """The mask stage of the pipeline: (srgb, landmarks) → mask."""
    model = load_default_model()

    def mask_stage(srgb: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        shown = photo(srgb)
        fit = fit_landmarks(model, landmarks, (shown.width, shown.height))
        relief = Relief(head_shape(model, fit).in_camera, model.faces.numpy(), fit.K)
        person = finder.person(shown, Face(landmarks, (0.0, 0.0, 0.0, 0.0), 0))
        return face_mask(shown, landmarks, relief, person)

    return mask_stage


@pytest.fixture(scope="module")
def mask(face: Face, masked: Masked) -> np.ndarray:
    return masked(ASTRONAUT, face.landmarks)


def oval(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    filled = np.zeros(shape[:2], np.uint8)
    return cv2.fillPoly(filled, [np.round(landmarks[FACE_OVAL]).astype(np.int32)], (1,)) > 0


def test_shape_range_and_softness(mask: np.ndarray) -> None:
    assert mask.shape == ASTRONAUT.shape[:2] and mask.dtype == np.float32
    assert mask.min() == 0 and 0.99 < mask.max() <= 1
    soft = (mask > 0.05) & (mask < 0.95)
    assert 0.01 < soft.sum() / (mask > 0.5).sum() < 0.25
    assert np.abs(np.diff(mask, axis=0)).max() < 0.9


def test_features_and_cheeks_are_in_the_rest_is_out(face: Face, mask: np.ndarray) -> None:
    for ids in (RIGHT_EYE, LEFT_EYE, LIPS):
        x, y = face.landmarks[ids].mean(0).astype(int)
        assert mask[y, x] > 0.95
    assert mask[CHEEK[1], CHEEK[0]] > 0.95
    outside = ~cv2.dilate(oval(face.landmarks, mask.shape).astype(np.uint8), np.ones((9, 9))).astype(bool)
    assert mask[outside].max() < 0.05


def test_hair_over_the_forehead_is_left_out(face: Face, mask: np.ndarray) -> None:
    """Rows 72 to 78 of the oval are fringe, of much the same hue as skin in shadow; 84 to 88 are skin."""
    inside = oval(face.landmarks, mask.shape)
    assert inside[72:78, 205:250].all()
    assert mask[72:78, 205:250].mean() < 0.5
    assert mask[84:88, 200:240].mean() > 0.97


def test_most_of_the_oval_is_face(face: Face, mask: np.ndarray) -> None:
    """The fringe covers about 15 % of it."""
    assert mask[oval(face.landmarks, mask.shape)].mean() > 0.75


@pytest.mark.parametrize("gain", [(0.12, 0.12, 0.12), (0.3, 0.22, 0.18), (1.0, 0.7, 0.45), (0.6, 0.8, 1.0)])
def test_dark_and_tinted_faces_are_not_lost(
    masked: Masked, face: Face, mask: np.ndarray, gain: tuple[float, ...]
) -> None:
    """The same picture with `gain` times the light in each channel."""
    linear = (ASTRONAUT / 255.0) ** 2.2 * gain
    dark = np.round(255 * linear ** (1 / 2.2)).astype(np.uint8)
    other = masked(dark, face.landmarks)
    skin = mask > 0.9
    assert (other[skin] > 0.5).mean() > 0.97


def test_a_shadowed_side_is_kept(masked: Masked, face: Face, mask: np.ndarray) -> None:
    """A soft-edged shadow, a fifth of the light, on the left third of the face."""
    x = np.arange(ASTRONAUT.shape[1])
    light = 0.2 + 0.8 / (1 + np.exp(-(x - 212) / 3.0))
    shadowed = np.round(255 * ((ASTRONAUT / 255.0) ** 2.2 * light[None, :, None]) ** (1 / 2.2)).astype(
        np.uint8
    )
    other = masked(shadowed, face.landmarks)
    skin = (mask > 0.9) & (x < 205)[None]
    assert skin.sum() > 1000 and (other[skin] > 0.5).mean() > 0.95


def test_a_mirrored_photo_gives_the_mirrored_mask(masked: Masked, face: Face, mask: np.ndarray) -> None:
    mirrored = face.landmarks[MIRROR] * [-1, 1] + [ASTRONAUT.shape[1], 0]
    other = masked(ASTRONAUT[:, ::-1], mirrored)[:, ::-1]
    assert np.abs(other - mask).mean() < 0.002
    assert np.abs(other - mask)[mask > 0.9].mean() < 0.01


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_size_hardly_matters(masked: Masked, face: Face, mask: np.ndarray, scale: float) -> None:
    size = round(512 * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    other = masked(cv2.resize(ASTRONAUT, (size, size), interpolation=method), face.landmarks * size / 512)
    assert other.shape == (size, size)
    back = cv2.resize(other, (512, 512), interpolation=cv2.INTER_AREA)
    inside = oval(face.landmarks, mask.shape)
    assert np.abs(back - mask)[inside].mean() < 0.06


def test_a_face_cut_by_the_frame(masked: Masked, face: Face) -> None:
    cut = 225
    mask = masked(ASTRONAUT[:, cut:], face.landmarks - [cut, 0])
    assert mask.shape == (512, 512 - cut)
    assert mask[125, 10] > 0.9
    far = masked(ASTRONAUT, face.landmarks + np.array([2000, 0]))
    assert far.max() == 0


def test_nothing_to_compare_with_keeps_the_outline(masked: Masked, face: Face) -> None:
    """A photo of one colour: no model can be learnt, and the outline alone decides."""
    mask = masked(np.full_like(ASTRONAUT, 128), face.landmarks)
    assert mask[oval(face.landmarks, mask.shape)].mean() > 0.9


def test_a_fringe_painted_over_the_forehead_is_cut(masked: Masked, face: Face, mask: np.ndarray) -> None:
    """In the colour of her hair, with strands, over the half of the forehead at the picture's left."""
    rng = np.random.default_rng(0)
    fringed = ASTRONAUT.copy()
    hair = ASTRONAUT[66:72, 205:245].mean((0, 1))
    strands = hair * (1 + 0.25 * rng.standard_normal((1, 45, 1)))
    fringed[70:97, 180:225] = np.clip(strands + rng.normal(0, 4, (27, 45, 3)), 0, 255)
    other = masked(fringed, face.landmarks)
    assert mask[86:94, 200:222].mean() > 0.95
    assert other[80:90, 200:222].mean() < 0.15
    assert other[86:94, 228:245].mean() > 0.9


def spectacled(face: Face) -> tuple[np.ndarray, np.ndarray]:
    """(photo with thin dark glasses, (H, W) bool where they are)."""
    right, left = face.landmarks[RIGHT_IRIS], face.landmarks[LEFT_IRIS]
    unit = float(np.linalg.norm(left - right))
    along = (left - right) / unit
    turn = float(np.degrees(np.arctan2(along[1], along[0])))
    frame = np.zeros(ASTRONAUT.shape[:2], np.uint8)

    def pixel(point: np.ndarray) -> list[int]:
        return np.round(point).astype(int).tolist()

    for eye, outwards in ((right, -along), (left, along)):
        radii = (round(0.38 * unit), round(0.3 * unit))
        middle = eye + np.array([0, 0.08 * unit])
        cv2.ellipse(frame, pixel(middle), radii, turn, 0, 360, (1,), 2)
        cv2.line(frame, pixel(middle - 0.38 * unit * outwards), pixel((right + left) / 2), (1,), 2)
        cv2.line(frame, pixel(middle + 0.38 * unit * outwards), pixel(middle + unit * outwards), (1,), 2)
    worn = ASTRONAUT.copy()
    worn[frame > 0] = (25, 22, 24)
    return worn, frame > 0


def test_the_frame_of_glasses_is_cut_and_the_eyes_stay(masked: Masked, face: Face, mask: np.ndarray) -> None:
    worn, frame = spectacled(face)
    other = masked(worn, face.landmarks)
    below_eyes = np.arange(512)[:, None] > face.landmarks[[RIGHT_IRIS, LEFT_IRIS], 1].max() + 5
    assert other[frame & below_eyes & (mask > 0.95)].mean() < 0.1
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        x, y = face.landmarks[iris].astype(int)
        assert other[y, x] > 0.9
    assert other[mask > 0.95].mean() > 0.75


@pytest.mark.parametrize("turned", [False, True])
def test_glasses_are_seen_where_they_are_worn_only(face: Face, turned: bool) -> None:
    """At any roll of the head."""
    shares = []
    for srgb in (ASTRONAUT, spectacled(face)[0]):
        landmarks = face.landmarks
        if turned:
            srgb, landmarks = np.rot90(srgb), landmarks[:, ::-1] * [1, -1] + [0, 512]
        box = Box.around(landmarks, 0.5, 512, 512)
        shares.append(glasses_share(Patch.cut(np.ascontiguousarray(srgb), landmarks, box, UNIT_PX)))
    assert shares[0].max() == 0
    assert 0.05 < shares[1].mean() < 0.3


def test_a_burnt_highlight_is_believed_less(masked: Masked, face: Face, mask: np.ndarray) -> None:
    x, y = np.meshgrid(np.arange(512) - CHEEK[0], np.arange(512) - CHEEK[1])
    glow = np.clip(2 * np.exp(-(x**2 + y**2) / (2 * 6.0**2)), 0, 1)[..., None]
    burnt = np.round(ASTRONAUT * (1 - glow) + 255 * glow).astype(np.uint8)
    other = masked(burnt, face.landmarks)
    assert mask[CHEEK[1], CHEEK[0]] > 0.95
    assert 0.2 < other[CHEEK[1], CHEEK[0]] < 0.6
    ring = (np.hypot(x, y) > 16) & (np.hypot(x, y) < 19) & (mask > 0.95)
    assert other[ring].min() > 0.8


def test_the_background_is_cut_where_the_outline_errs(face: Face) -> None:
    """The landmarks of the jaw moved outwards, over what the segmentation knows to be no person."""
    wide = face.landmarks.copy()
    jaw = FACE_OVAL[8:29]
    wide[jaw] += 0.25 * (wide[jaw] - wide[4])
    height, width = ASTRONAUT.shape[:2]
    person = np.ones((height, width), np.float32)
    person[:, :195] = 0
    normals = Relief(np.zeros((3, 3), np.float32) - [0, 0, 9], np.array([[0, 1, 2]]), np.eye(3))
    cut = face_mask(photo(ASTRONAUT), wide, normals, PersonMap(person, Box(0, 0, width, height)))
    whole = face_mask(photo(ASTRONAUT), wide, normals, PersonMap(person * 0 + 1, Box(0, 0, width, height)))
    assert whole[:, :190].sum() > 100
    assert cut[:, :190].sum() < 0.5 * whole[:, :190].sum()


def test_the_same_photo_gives_the_same_mask(masked: Masked, face: Face, mask: np.ndarray) -> None:
    np.testing.assert_array_equal(masked(ASTRONAUT, face.landmarks), mask)


def test_the_photo_is_left_alone(masked: Masked, face: Face) -> None:
    srgb = ASTRONAUT.copy()
    masked(srgb, face.landmarks)
    np.testing.assert_array_equal(srgb, ASTRONAUT)


@pytest.mark.parametrize(
    ("skin_linear", "hair_linear"),
    [
        ((0.5, 0.28, 0.2), (0.05, 0.035, 0.03)),
        ((0.06, 0.032, 0.02), (0.007, 0.007, 0.007)),
        ((0.5, 0.3, 0.22), (0.5, 0.42, 0.25)),
    ],
    ids=["light skin, brown hair", "dark skin, black hair", "light skin, blond hair"],
)
def test_skin_is_told_from_hair_in_light_and_shade(
    skin_linear: tuple[float, ...], hair_linear: tuple[float, ...]
) -> None:
    """A ball of skin lit from the left, hair behind it and over its lit top: darkness alone does not make hair."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:120j, -1:1:120j]
    ball = x**2 + y**2 < 0.8
    normals = np.stack([x, -y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], -1).astype(np.float32)
    normals[~ball] = 0
    light = 0.15 + 0.85 * np.clip(-0.8 * x + 0.6 * normals[..., 2], 0, None)
    picture = np.where(ball[..., None], light[..., None] * skin_linear, 0.0)
    hair = ~ball | (y < -0.6)
    picture[hair] = hair_linear
    noisy = picture * np.exp(rng.normal(0, 0.05, picture.shape))
    srgb = linear_to_srgb_uint8(noisy.astype(np.float32))
    skin = ball & (np.abs(y) < 0.5)
    odds = weigh_skin(srgb, normals, skin, ball, ~ball & (y < 0)).colour
    assert (odds[ball & ~hair] > 0).mean() > 0.98
    assert (odds[hair] < 0).mean() > 0.98
    assert not weigh_skin(srgb, normals, skin & False, ball, ~ball).colour.any()


def test_guided_filter_keeps_edges_and_smooths_the_rest() -> None:
    rng = np.random.default_rng(0)
    guide = np.zeros((64, 64, 3), np.float32)
    guide[:, 32:] = 1
    values = guide[..., 0] + rng.normal(0, 0.2, (64, 64)).astype(np.float32)
    fit = guided_fit(guide, values, 4, 1e-3)
    smooth = fit.apply(guide)
    assert np.abs(smooth - guide[..., 0]).mean() < 0.05 < np.abs(values - guide[..., 0]).mean()
    assert smooth[:, 31].mean() < 0.1 < 0.9 < smooth[:, 32].mean()
    enlarged = fit.apply(np.repeat(np.repeat(guide, 2, 0), 2, 1))
    assert enlarged.shape == (128, 128) and np.abs(enlarged[::2, ::2] - smooth).mean() < 0.05
