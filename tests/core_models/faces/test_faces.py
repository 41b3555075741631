"""Faces are found wherever and whichever way up they are, at the right place, once, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import skimage.data

from semblance.core_models.faces.find import Face, FaceFinder, NoFaceError, TooSmallFaceError
from semblance.core_models.faces.locate import Region, is_plausible, region_around
from semblance.core_models.landmarks import (
    CHIN,
    COUNT,
    FACE_OVAL,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS,
    MIRROR,
    NOSE_TIP,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
    inter_ocular_distance,
)
from semblance.core_models.photo.load import Photo

ASTRONAUT = skimage.data.astronaut()
SIDE = len(ASTRONAUT)


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="module")
def astronaut(finder: FaceFinder) -> Face:
    (face,) = finder.find(photo(ASTRONAUT))
    return face


def photo(srgb: np.ndarray) -> Photo:
    return Photo(np.ascontiguousarray(srgb), None, "photo.png")


def deviation_percent(landmarks: np.ndarray, expected: np.ndarray) -> float:
    """RMS distance in % of the inter-ocular distance."""
    squared = ((landmarks - expected) ** 2).sum(-1)
    return 100 * float(np.sqrt(squared.mean())) / inter_ocular_distance(expected)


def on_grey(image: np.ndarray, height: int, width: int, y: int, x: int) -> np.ndarray:
    scene = np.full((height, width, 3), 110, np.uint8)
    scene[y : y + image.shape[0], x : x + image.shape[1]] = image
    return scene


# ---------------------------------------------------------------- landmark tables


def test_mirror_map_is_the_symmetry_of_the_mesh() -> None:
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_FACE_OVAL, FACEMESH_TESSELATION

    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(COUNT))
    assert (np.arange(COUNT) == MIRROR).sum() == 28
    edges = {frozenset(edge) for edge in FACEMESH_TESSELATION}
    # mediapipe triangulates six quads along their other diagonal on one side.
    assert sum(frozenset(MIRROR[list(edge)].tolist()) not in edges for edge in edges) == 6
    oval = {frozenset(pair) for pair in zip(FACE_OVAL.tolist(), np.roll(FACE_OVAL, -1).tolist(), strict=True)}
    assert oval == {frozenset(edge) for edge in FACEMESH_FACE_OVAL}
    for right, left in ((RIGHT_EYE, LEFT_EYE), (RIGHT_BROW, LEFT_BROW), (LIPS, LIPS)):
        assert set(MIRROR[right]) == set(left)


# ---------------------------------------------------------------- where


def test_landmarks_lie_on_the_features(astronaut: Face) -> None:
    """Read off the enlarged picture by eye, pixels; the inter-ocular distance is 43."""
    seen = {RIGHT_IRIS: (203.3, 101), LEFT_IRIS: (246.7, 103.8), CHIN: (223, 177.5), 61: (203.5, 139.5)}
    for index, position in seen.items():
        np.testing.assert_allclose(astronaut.landmarks[index], position, atol=1.5)
    assert astronaut.landmarks.dtype == np.float32 and astronaut.landmarks.shape == (COUNT, 2)
    assert astronaut.index == 0
    assert astronaut.inter_ocular_px == pytest.approx(43, abs=1.5)
    corners = [*astronaut.landmarks.min(0), *astronaut.landmarks.max(0)]
    np.testing.assert_allclose(astronaut.box, corners, rtol=1e-6)


def test_iris_landmarks_sit_in_the_dark_iris(astronaut: Face) -> None:
    grey = cv2.GaussianBlur(ASTRONAUT.mean(-1), (0, 0), 1.0)
    for eye, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        x, y = np.floor(astronaut.landmarks[iris]).astype(int)
        corners = np.floor(astronaut.landmarks[eye[[0, 8]]]).astype(int)
        assert grey[y, x] < min(grey[corner[1], corner[0]] for corner in corners)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_quarter_turns(finder: FaceFinder, astronaut: Face, quarter_turns: int) -> None:
    """The landmarks turn with the photo: right stays right."""
    (face,) = finder.find(photo(np.rot90(ASTRONAUT, quarter_turns)))
    x, y = astronaut.landmarks.T
    expected = {1: (y, SIDE - x), 2: (SIDE - x, SIDE - y), 3: (SIDE - y, x)}[quarter_turns]
    assert deviation_percent(face.landmarks, np.stack(expected, -1)) < 0.2


@pytest.mark.parametrize("degrees", [-50, 35, 120])
def test_any_turn(finder: FaceFinder, astronaut: Face, degrees: float) -> None:
    matrix = cv2.getRotationMatrix2D((226.0, 120.0), degrees, 1.0)
    turned = cv2.warpAffine(ASTRONAUT, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    face = finder.find(photo(turned))[0]
    expected = (astronaut.landmarks - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    assert deviation_percent(face.landmarks, expected) < 1


def test_a_mirrored_photo_gives_the_mirrored_landmarks(finder: FaceFinder, astronaut: Face) -> None:
    (face,) = finder.find(photo(ASTRONAUT[:, ::-1]))
    assert deviation_percent(face.landmarks[MIRROR] * [-1, 1] + [SIDE, 0], astronaut.landmarks) < 0.3


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 1), (37, 23)])
def test_a_shifted_photo_gives_shifted_landmarks(
    finder: FaceFinder, astronaut: Face, dx: int, dy: int
) -> None:
    shifted = cv2.copyMakeBorder(ASTRONAUT, dy, 0, dx, 0, cv2.BORDER_REPLICATE)
    (face,) = finder.find(photo(shifted))
    assert deviation_percent(face.landmarks - np.array([dx, dy]), astronaut.landmarks) < 0.3


@pytest.mark.parametrize("scale", [2, 5])
def test_pixels_are_counted_from_the_corner(finder: FaceFinder, astronaut: Face, scale: int) -> None:
    """Enlarging each pixel to a block multiplies positions by the scale, with no half pixel left over."""
    (face,) = finder.find(photo(np.kron(ASTRONAUT, np.ones((scale, scale, 1), np.uint8))))
    assert deviation_percent(face.landmarks, astronaut.landmarks * scale) < 0.7
    centre = (face.landmarks - astronaut.landmarks * scale).mean(0)
    assert np.abs(centre).max() < 0.15 * scale


# ---------------------------------------------------------------- sizes and numbers


def test_a_face_that_fills_the_frame(finder: FaceFinder, astronaut: Face) -> None:
    x0, y0, x1, y1 = (int(value) for value in astronaut.box)
    tight = cv2.resize(ASTRONAUT[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4], None, fx=5, fy=5)
    (face,) = finder.find(photo(tight))
    assert deviation_percent(face.landmarks, (astronaut.landmarks - [x0 + 4, y0 + 4]) * 5) < 4


@pytest.mark.parametrize("scale", [0.4, 0.7])
def test_a_small_face_in_a_large_photo(finder: FaceFinder, astronaut: Face, scale: float) -> None:
    small = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (face,) = finder.find(photo(on_grey(small, 1500, 2200, 1100, 1700)))
    ratio = len(small) / SIDE
    assert deviation_percent(face.landmarks, astronaut.landmarks * ratio + [1700, 1100]) < 2.5


def test_a_tiny_face_is_refused_with_its_size(finder: FaceFinder) -> None:
    small = cv2.resize(ASTRONAUT, (120, 120), interpolation=cv2.INTER_AREA)
    with pytest.raises(TooSmallFaceError, match=r"only \d\d pixels tall") as caught:
        finder.find(photo(on_grey(small, 400, 600, 100, 200)))
    assert caught.value.hint and caught.value.code == "face_too_small"


def test_several_faces_largest_first_each_once(finder: FaceFinder, astronaut: Face) -> None:
    larger = cv2.resize(ASTRONAUT[:, ::-1], (700, 700))
    scene = np.full((700, SIDE + 700, 3), 110, np.uint8)
    scene[:SIDE, :SIDE], scene[:, SIDE:] = np.rot90(ASTRONAUT, 2), larger
    first, second = finder.find(photo(scene))
    assert (first.index, second.index) == (0, 1)
    assert first.inter_ocular_px > second.inter_ocular_px
    mirrored = (astronaut.landmarks[MIRROR] * [-1, 1] + [SIDE, 0]) * (700 / SIDE) + [SIDE, 0]
    assert deviation_percent(first.landmarks, mirrored) < 1
    assert deviation_percent(second.landmarks, SIDE - astronaut.landmarks) < 0.3


def test_warnings_and_places(finder: FaceFinder, astronaut: Face) -> None:
    assert astronaut.warnings == ()
    assert astronaut.place(photo(ASTRONAUT)) == "upper middle, 110 pixels tall"
    x0, y0, x1, y1 = (int(value) for value in astronaut.box)
    covered = ASTRONAUT.copy()
    covered[(y0 + y1) // 2 : y1, x0:x1] = 40
    (half,) = finder.find(photo(covered))
    assert half.disagreement > 2 * astronaut.disagreement and "uncertain" in half.warnings[0]
    small = cv2.resize(ASTRONAUT, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert "soft" in finder.find(photo(small))[0].warnings[0]


# ---------------------------------------------------------------- no face


@pytest.mark.parametrize(
    "name", ["cat", "coffee", "colorwheel", "coins", "rocket", "text", "logo", "brick", "noise", "grey"]
)
def test_things_are_no_faces(finder: FaceFinder, name: str) -> None:
    if name == "noise":
        image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    elif name == "grey":
        image = np.full((300, 400, 3), 128, np.uint8)
    else:
        image = getattr(skimage.data, name)()
        image = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, -1)
    with pytest.raises(NoFaceError, match=r"photo\.png") as caught:
        finder.find(photo(image))
    assert caught.value.hint and caught.value.code == "no_face"


def test_the_back_of_the_head_hidden_face(finder: FaceFinder, astronaut: Face) -> None:
    x0, y0, x1, y1 = (int(value) for value in astronaut.box)
    hidden = ASTRONAUT.copy()
    hidden[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10] = 60
    with pytest.raises(NoFaceError):
        finder.find(photo(hidden))


# ---------------------------------------------------------------- plausibility and regions


def test_plausibility(astronaut: Face) -> None:
    good = astronaut.landmarks.astype(float)
    middle = good.mean(0)
    assert is_plausible(good) and is_plausible(middle - (good - middle))
    assert not is_plausible(good * [-1, 1])
    assert not is_plausible(middle + (good - middle) * [1, 0.2])
    assert not is_plausible(middle + (good - middle) * [0.2, 1])
    assert not is_plausible(np.full_like(good, np.nan))
    swapped = good.copy()
    swapped[[NOSE_TIP, CHIN]] = good[[CHIN, NOSE_TIP]]
    assert not is_plausible(swapped)


def test_a_region_follows_similarities(astronaut: Face) -> None:
    good = astronaut.landmarks.astype(float)
    region = region_around(good)
    angle, scale = 0.7, 1.3
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = region_around(good @ turn.T + [5, 9])
    assert moved.side == pytest.approx(scale * region.side)
    assert moved.roll == pytest.approx(region.roll + angle)
    np.testing.assert_allclose(moved.centre, turn @ region.centre + [5, 9])
    mirrored = region_around(good[MIRROR] * [-1, 1])
    assert mirrored.side == pytest.approx(region.side) and mirrored.roll == pytest.approx(-region.roll)


def test_crop_pixels_map_to_the_photo() -> None:
    region = Region(np.array([50.0, 80.0]), 96.0, np.pi / 2)
    matrix = region.to_photo()
    np.testing.assert_allclose(matrix @ [96, 96, 1], [50, 80])
    np.testing.assert_allclose(matrix @ [192, 96, 1], [50, 128], atol=1e-9)


# ---------------------------------------------------------------- the process


def test_nothing_reaches_the_terminal() -> None:
    code = (
        "import sys, skimage.data; from semblance.core_models.photo.load import Photo;"
        "from semblance.core_models.faces.find import FaceFinder;"
        "finder = FaceFinder(); print(len(finder.find(Photo(skimage.data.astronaut(), None, 'x'))));"
        "finder.close(); print('kept', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "kept\n")
