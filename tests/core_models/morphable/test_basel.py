"""The Basel Face Model as a morphable model: landmarks, regions, UVs and cache; fit, texture and result on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from semblance.core_models.colour import linear_to_srgb
from semblance.core_models.faces.find import FaceFinder
from semblance.core_models.fitting.fit import fit_landmarks, pose_mean
from semblance.core_models.geometry.closest import closest_places
from semblance.core_models.geometry.patch import border_loops, largest_patch
from semblance.core_models.geometry.tutte import signed_areas
from semblance.core_models.landmarks import LOWER_INNER_LIP, RIGHT_LIPS, UPPER_INNER_LIP
from semblance.core_models.morphable.basel import lay_out, load_basel
from semblance.core_models.morphable.basel_files import BaselData, ModelFileError
from semblance.core_models.morphable.cache import cache_folder
from semblance.core_models.morphable.correspondence import REGIONS
from semblance.core_models.morphable.default import load_default_cage, load_default_model
from semblance.core_models.morphable.flatten import flatten
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.units import MM_PER_DM
from semblance.tests.basel_files import front_of, specimen, write_front, write_hdf5, write_raw


def blind(_: np.ndarray) -> None:
    """Sees no face."""


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("basel")
    write_hdf5(folder / "model.h5", specimen(1).with_modes(60, 40, 60))
    return folder / "model.h5"


@pytest.fixture(scope="module")
def model(path: Path, finder: FaceFinder) -> Iterator[MorphableModel]:
    """Loaded with an empty cache, which stays for the other tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "WIN_PD_OVERRIDE_LOCAL_APPDATA", "HOME"):
            patch.setenv(name, str(path.parent))
        yield load_basel(path, finder.largest)


def landmarks_of(model: MorphableModel) -> np.ndarray:
    """(468, 3); NaN beyond the model's border."""
    points = np.full((468, 3), np.nan)
    points[model.landmark_ids] = model.landmarks(model.mean[None])[0].numpy()
    return points


# Meshes


def test_closest_places() -> None:
    rng = np.random.default_rng(0)
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    points = rng.uniform(-1, 2, (200, 3))
    chosen, weights = closest_places(points, vertices, faces)
    found = np.einsum("pv,pvc->pc", weights, vertices[faces[chosen]])
    np.testing.assert_allclose(found, np.clip(points, 0, 1) * [1, 1, 0], atol=1e-9)


def test_largest_patch_leaves_out_what_hangs_by_a_point() -> None:
    square = [(0, 1, 2), (0, 2, 3), (2, 1, 4)]
    by_a_point, apart, third_on_edge = (3, 5, 6), (7, 8, 9), (1, 2, 10)
    faces = np.array([*square, by_a_point, apart, third_on_edge])
    assert largest_patch(faces).tolist() == [True] * 3 + [False] * 3
    (loop,) = border_loops(faces[:3])
    assert np.roll(loop, -loop.argmin()).tolist() == [0, 1, 4, 2, 3]


def test_jagged_border_is_flattened_without_flips() -> None:
    face = specimen(1)
    face = face.part(front_of(face, 2000))
    faces = face.faces[largest_patch(face.faces)]
    uv = flatten(face.mean, faces, np.ones(len(faces)))
    assert (signed_areas(uv, faces) > 0).all()
    assert uv.min() >= 0 and uv.max() <= 1


# What the file does not say


def asymmetry(uv: np.ndarray, mean: np.ndarray, faces: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """How far the UVs of `chosen` vertices lie from the reflection of those across the face, share of the side."""
    across, weights = closest_places(mean[chosen] * [-1.0, 1, 1], mean, faces)
    other = np.einsum("pv,pvc->pc", weights, uv[faces[across]])
    return np.linalg.norm(other * [-1, 1] + [1, 0] - uv[chosen], axis=1)


def test_uv_is_symmetric_and_without_flips(model: MorphableModel) -> None:
    uv, mean, faces = model.uv.double().numpy(), model.mean.numpy(), model.faces.numpy()
    areas = signed_areas(uv, faces)
    assert (areas > -1e-9).all() and (areas <= 0).sum() <= 2
    skin = np.unique(model.faces[model.region_faces("skin", "lips", "brows", "eyes")].numpy())
    off = asymmetry(uv, mean, faces, skin)
    assert np.median(off) < 1e-3 and np.quantile(off, 0.98) < 8e-3
    face_area = areas[model.region_faces("skin", "lips", "brows", "eyes", "mouth").numpy()].sum()
    assert 0.3 < face_area < 0.9


def test_landmarks_are_found(model: MorphableModel) -> None:
    """The specimen is the embedded face: its landmarks are known. Where cheeks are smooth nobody sees one exactly."""
    cage = load_default_cage().mean[:468]
    off = np.linalg.norm(landmarks_of(model) - (cage - specimen(1).mean.mean(0)), axis=1) * MM_PER_DM
    assert len(model.landmark_ids) > 460 and np.nanmedian(off) < 4 and np.nanmax(off) < 15
    eyes = [33, 133, 362, 263, 159, 145, 386, 374]
    assert off[eyes].max() < 5 and off[[61, 291, 0, 17]].max() < 8


def test_each_lip_has_its_own_landmarks(model: MorphableModel) -> None:
    jaw = specimen(1).expression[24]
    opening = np.full(468, np.nan)
    opening[model.landmark_ids] = -jaw[model.landmark_vertices[:, 0], 1] * MM_PER_DM
    assert opening[LOWER_INNER_LIP[2:-2]].min() > opening[UPPER_INNER_LIP].max() + 5


def test_regions_lie_where_they_should(model: MorphableModel) -> None:
    cage = load_default_cage()
    middles = model.mean[model.faces].mean(1).numpy() + specimen(1).mean.mean(0)
    eyes = middles[model.region_faces("eyes").numpy()]
    centres = cage.eye_centres[(eyes[:, 0] > 0).astype(int)]
    assert (np.abs(eyes - centres)[:, :2].max(0) * MM_PER_DM < [22, 14]).all()
    lips = middles[model.region_faces("lips").numpy()]
    assert np.abs(lips - cage.mean[RIGHT_LIPS].mean(0))[:, 1].max() * MM_PER_DM < 22
    shares = np.bincount(model.face_region, minlength=len(model.region_names)) / len(model.faces)
    assert shares.min() > 0.002 and 0.3 < shares[model.region_names.index("skin")] < 0.8


def test_encoded_albedo_is_told_in_linear_light(model: MorphableModel) -> None:
    mean, modes = model.linear_albedo()
    np.testing.assert_allclose(linear_to_srgb(mean), model.albedo_mean.numpy(), atol=1e-5)
    stepped = linear_to_srgb(np.clip(mean + 0.1 * modes[0], 0, 1)) - model.albedo_mean.numpy()
    assert np.abs(stepped - 0.1 * model.albedo_basis[0].numpy()).max() < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["crop of 35 709", "53 149 vertices", "head with ears and neck"])
def test_full_size(kind: str, finder: FaceFinder) -> None:
    data = full_size(kind)
    layout = lay_out(data, finder.largest, "a model")
    skin = layout["face_region"] != REGIONS.index("rim")
    areas = signed_areas(layout["uv"], layout["faces"])
    assert (areas > 0).all() and areas[skin].sum() > 0.3
    off = asymmetry(layout["uv"], data.mean, layout["faces"], np.unique(layout["faces"][skin]))
    assert np.median(off) < 3e-4 and np.quantile(off, 0.98) < 4e-3
    assert len(layout["faces"]) > 0.99 * len(data.faces) and len(layout["landmark_ids"]) > 400


def full_size(kind: str) -> BaselData:
    """About its own centre, with few modes."""
    if kind.startswith("head"):
        model = load_default_model()
        lids = model.twin[model.faces[~model.region_faces("eyes")]].numpy()
        colours = linear_to_srgb(model.albedo_mean.numpy())
        none = np.zeros((0, model.n_vertices, 3), np.float32)
        mean = model.mean.numpy() - model.mean.numpy().mean(0)
        return BaselData("bfm-hdf5", mean, none, none, colours, none, lids)
    face = specimen(3, 53149) if kind.startswith("53") else specimen(3, 53490)
    face = face.part(front_of(face, 35709)) if kind.startswith("crop") else face
    face = face.with_modes(1, 1, 1)
    mean = (face.mean - face.mean.mean(0)).astype(np.float32)
    return BaselData(
        "bfm-2009", mean, face.identity, face.expression, face.albedo_mean, face.albedo, face.faces
    )


# Cache


def test_second_load_looks_at_no_picture(path: Path, model: MorphableModel) -> None:
    again = load_basel(path, blind)
    assert again.model_id == model.model_id and again.model_id.startswith("bfm-hdf5-")
    for name, values in model.state_dict().items():
        assert torch.equal(values, again.state_dict()[name]), name
    assert cache_folder().is_relative_to(path.parent)
    assert [file.name.split("-", 1)[1] for file in cache_folder().iterdir()] == ["layout-1.npz"]


def test_damaged_cache_is_made_again(path: Path, model: MorphableModel, finder: FaceFinder) -> None:
    (file,) = cache_folder().iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="no face was found in it"):
        load_basel(path, blind)
    file.write_bytes(content)


def test_raw_set_and_front_crop(tmp_path: Path, finder: FaceFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    face = specimen(1).with_modes(80, 64, 80)
    front = front_of(face, 2300)
    raw = load_basel(write_raw(tmp_path, face, np.arange(len(face.mean)), front), finder.largest)
    write_front(tmp_path / "front.mat", face.part(front))
    same = load_basel(tmp_path / "front.mat", finder.largest)
    assert raw.n_vertices == 2300 and (raw.n_identity, raw.n_expression, raw.n_albedo) == (80, 64, 80)
    assert raw.model_id != same.model_id
    torch.testing.assert_close(raw.identity_basis, same.identity_basis, atol=1e-5, rtol=0)
    assert 300 < len(raw.landmark_ids) < 468 and {13, 14, 33, 263} <= set(raw.landmark_ids.tolist())
    torch.testing.assert_close(raw.uv, same.uv, atol=1e-3, rtol=0)


# In use


def test_fit_uses_negative_expressions(model: MorphableModel) -> None:
    rng = np.random.default_rng(3)
    identity, expression = rng.normal(0, 0.7, model.n_identity), rng.normal(0, 0.3, model.n_expression)
    shape = model.shape(torch.tensor(identity).float()[None], torch.tensor(expression).float()[None])
    points = model.landmarks(shape)[0].double().numpy() - [0.0, 0.0, 12.0]
    pixels = np.full((478, 2), 500.0)
    pixels[model.landmark_ids] = [500, 500] + 1800 * points[:, :2] * [1, -1] / -points[:, 2:]
    pixels[468:473], pixels[473:] = pixels[[33, 133]].mean(0), pixels[[362, 263]].mean(0)
    fit = fit_landmarks(model, pixels, (1000, 1000), 1800.0)
    assert fit.landmark_rms_percent < 0.5
    assert (
        fit.landmark_rms_percent < 0.2 * pose_mean(model, pixels, (1000, 1000), 1800.0).landmark_rms_percent
    )
    assert fit.expression.min() < -0.05 and np.abs(fit.expression).max() <= 3
    assert np.isfinite(fit.model_landmarks).all()
