"""Basel Face Model files: every published layout gives the face that was written, whatever its units and indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from semblance.core_models.morphable.basel_files import ModelFileError, needed_files, read_basel
from semblance.tests.basel_files import Specimen, front_of, specimen, write_front, write_hdf5, write_raw


@pytest.fixture(scope="module")
def face() -> Specimen:
    return specimen(1).with_modes(90, 70, 85)


def raw_set(folder: Path, face: Specimen) -> tuple[Path, np.ndarray]:
    """The written model, and which vertices of `face` its crop keeps."""
    moved = np.sort(np.random.default_rng(1).permutation(len(face.mean))[:-40])
    front = front_of(face.part(moved), 1700)
    return write_raw(folder, face, moved, front), moved[front]


def assert_same(path: Path, face: Specimen) -> None:
    """The file at `path` holds `face`, about its own centre, all modes."""
    read = read_basel(path)
    np.testing.assert_allclose(read.mean, face.mean - face.mean.mean(0), atol=1e-5)
    np.testing.assert_allclose(read.identity, face.identity, atol=1e-5)
    np.testing.assert_allclose(read.expression, face.expression, atol=1e-5)
    np.testing.assert_allclose(read.albedo_mean, face.albedo_mean, atol=1e-5)
    np.testing.assert_allclose(read.albedo, face.albedo, atol=1e-5)
    assert {frozenset(f) for f in read.faces.tolist()} == {frozenset(f) for f in face.faces.tolist()}
    a, b, c = (read.mean[read.faces[:, k]] for k in range(3))
    towards_camera = np.cross(b - a, c - a)[:, 2] > 0
    assert towards_camera.mean() > 0.8


def test_front_crop(tmp_path: Path, face: Specimen) -> None:
    write_front(tmp_path / "any name.mat", face)
    assert_same(tmp_path / "any name.mat", face)


@pytest.mark.parametrize("minor_version", [8, 9])
def test_statismo_files(tmp_path: Path, face: Specimen, minor_version: int) -> None:
    write_hdf5(tmp_path / "model.h5", face, minor_version)
    assert_same(tmp_path / "model.h5", face)


def test_raw_set_is_cropped_as_published(tmp_path: Path, face: Specimen) -> None:
    path, kept = raw_set(tmp_path, face)
    crop = face.part(kept)
    assert_same(path, crop.with_modes(80, 64, 80))
    assert [each.name for each in needed_files(path)][:3] == [
        "01_MorphableModel.mat",
        "Exp_Pca.bin",
        "std_exp.txt",
    ]


def test_raw_set_by_the_published_formula(tmp_path: Path, face: Specimen) -> None:
    """One coefficient at a time, by the arrays in the files and nothing else."""
    path, _ = raw_set(tmp_path, face)
    model = loadmat(path)
    idx = loadmat(tmp_path / "BFM_front_idx.mat")["idx"].ravel()
    trim = loadmat(tmp_path / "BFM_exp_idx.mat")["trimIndex"].ravel()
    count = int(np.fromfile(tmp_path / "Exp_Pca.bin", np.int32, 1)[0])
    floats = np.fromfile(tmp_path / "Exp_Pca.bin", np.float32)[1:]
    components = floats.reshape(1 + count, len(trim), 3)[1:]
    sigma = np.loadtxt(tmp_path / "std_exp.txt")
    read = read_basel(path)
    rng = np.random.default_rng(2)
    for vertex, mode in zip(rng.integers(0, len(idx), 20), rng.integers(0, 64, 20), strict=True):
        row = 3 * (trim[idx[vertex] - 1] - 1) + np.arange(3)
        identity = model["shapePC"][row, mode] * model["shapeEV"][mode, 0] / 1e5
        albedo = model["texPC"][row, mode] * model["texEV"][mode, 0] / 255
        expression = components[mode, idx[vertex] - 1] * sigma[mode] / 1e5
        np.testing.assert_allclose(read.identity[mode, vertex], identity, atol=1e-6)
        np.testing.assert_allclose(read.albedo[mode, vertex], albedo, atol=1e-6)
        np.testing.assert_allclose(read.expression[mode, vertex], expression, atol=1e-6)


def test_missing_parts_are_named(tmp_path: Path, face: Specimen) -> None:
    path, _ = raw_set(tmp_path, face)
    (tmp_path / "std_exp.txt").unlink()
    (tmp_path / "BFM_exp_idx.mat").unlink()
    with pytest.raises(ModelFileError, match=r"needs std_exp.txt, BFM_exp_idx.mat beside it") as caught:
        read_basel(path)
    assert "3DFace" in caught.value.hint


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="There is no face model"):
        read_basel(tmp_path / "none.mat")
    savemat(tmp_path / "other.mat", {"meanshape": np.zeros(3)})
    with pytest.raises(ModelFileError, match="not a Basel Face Model") as caught:
        read_basel(tmp_path / "other.mat")
    assert "faces.dmi.unibas.ch" in caught.value.hint
    (tmp_path / "text.mat").write_text("no model")
    with pytest.raises(ModelFileError, match="damaged, or no face model"):
        read_basel(tmp_path / "text.mat")


@pytest.mark.parametrize("name", ["front.mat", "model.h5"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.97])
def test_truncated_files_are_refused(tmp_path: Path, face: Specimen, name: str, share: float) -> None:
    path = tmp_path / name
    (write_front if name == "front.mat" else write_hdf5)(path, face)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError):
        read_basel(path)


def test_contradicting_arrays_are_refused(tmp_path: Path, face: Specimen) -> None:
    path, _ = raw_set(tmp_path, face)
    content = (tmp_path / "Exp_Pca.bin").read_bytes()
    (tmp_path / "Exp_Pca.bin").write_bytes(content[:-400])
    with pytest.raises(ModelFileError, match=r"'Exp_Pca.bin'.* is damaged or incomplete"):
        read_basel(path)
    write_front(tmp_path / "front.mat", face)
    arrays = {key: values for key, values in loadmat(tmp_path / "front.mat").items() if key[0] != "_"}
    savemat(tmp_path / "front.mat", {**arrays, "tri": arrays["tri"] + 5000})
    with pytest.raises(ModelFileError, match="damaged"):
        read_basel(tmp_path / "front.mat")


@pytest.mark.slow
def test_full_size(tmp_path: Path) -> None:
    """53 490, 53 215 and 35 709 vertices; 79 expressions, 199 other components."""
    face = specimen(3, 53490).with_modes(199, 79, 199)
    moved = np.sort(np.random.default_rng(1).permutation(53490)[:53215])
    front = front_of(face.part(moved), 35709)
    read = read_basel(write_raw(tmp_path, face, moved, front))
    crop = face.part(moved[front])
    assert (read.mean.shape, read.expression.shape) == ((35709, 3), (64, 35709, 3))
    np.testing.assert_allclose(read.expression, crop.expression[:64], atol=1e-5)
    np.testing.assert_allclose(read.albedo, crop.albedo[:80], atol=1e-5)
