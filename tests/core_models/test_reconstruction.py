"""The result file: what goes in comes out; everything else is refused by a named error with a sentence."""

import dataclasses
import errno
import io
import zipfile

import numpy as np
import pytest

from semblance.core_models.errors import SemblanceError, is_disk_full, write_hint
from semblance.core_models.reconstruction import (
    FORMAT_VERSION,
    InvalidReconstructionError,
    NewerFormatError,
    Reconstruction,
    ReconstructionFileError,
)
from semblance.tests.synthetic import synthetic_reconstruction

ARRAYS = [
    field.name for field in dataclasses.fields(Reconstruction) if field.name not in ("model_id", "report")
]
# The table of the format, written out once more.
KEYS = """format_version vertices neutral_vertices faces face_region region_names uv rotation translation K image_size
    sh lamp_directions lamp_irradiance lamp_angle
    vertex_albedo_linear vertex_shading_linear vertex_confidence albedo_srgb shading_linear sh_map confidence
    landmarks model_landmarks mask photo_srgb model_id identity expression albedo_coefficients shape_key_names
    shape_key_offsets report"""


@pytest.fixture(scope="module")
def reconstruction() -> Reconstruction:
    return synthetic_reconstruction(n=6, texture_size=8, photo_size=(40, 50))


@pytest.fixture(scope="module")
def contents(reconstruction, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("result") / "result.npz"
    reconstruction.save(path)
    return path.read_bytes()


def rewritten(contents: bytes, **changes) -> bytes:
    """The file with some arrays replaced; None leaves one out."""
    with np.load(io.BytesIO(contents)) as archive:
        arrays = {name: archive[name] for name in archive} | changes
    file = io.BytesIO()
    np.savez(file, **{name: value for name, value in arrays.items() if value is not None})
    return file.getvalue()


def refuse(contents: bytes, tmp_path, error=ReconstructionFileError) -> str:
    path = tmp_path / "file.npz"
    path.write_bytes(contents)
    with pytest.raises(error) as caught:
        Reconstruction.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint.endswith(".")
    return caught.value.message


@pytest.mark.parametrize("name", ["result.npz", "with a space.npz", "лицо 顔 é.npz", "no_suffix"])
def test_round_trip(reconstruction, tmp_path, name) -> None:
    reconstruction.save(tmp_path / name)
    loaded = Reconstruction.load(tmp_path / name)
    for array in ARRAYS:
        before, after = getattr(reconstruction, array), getattr(loaded, array)
        assert before.dtype == after.dtype, array
        np.testing.assert_array_equal(before, after, err_msg=array)
    assert (loaded.model_id, loaded.report) == (reconstruction.model_id, reconstruction.report)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_file_has_exactly_the_keys_of_the_format(contents) -> None:
    with np.load(io.BytesIO(contents), allow_pickle=False) as archive:
        assert set(archive) == set(KEYS.split())
        assert int(archive["format_version"]) == FORMAT_VERSION


def test_saving_over_an_older_result_replaces_it(reconstruction, tmp_path) -> None:
    path = tmp_path / "result.npz"
    path.write_bytes(b"old")
    reconstruction.save(path)
    assert Reconstruction.load(path).model_id == "synthetic"


def test_a_target_that_cannot_be_written_leaves_nothing(reconstruction, tmp_path) -> None:
    (tmp_path / "taken.npz").mkdir()
    for target in (tmp_path / "missing" / "result.npz", tmp_path / "taken.npz"):
        with pytest.raises(ReconstructionFileError, match="cannot be written"):
            reconstruction.save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.npz"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "Free some space or choose another folder."),
        (errno.EACCES, "Choose another folder."),
        (errno.EROFS, "Choose another folder."),
        (errno.ENOTDIR, "Rename or move what is in the way of 'here', or choose another folder."),
    ],
)
def test_the_hint_for_a_file_that_cannot_be_written(number: int, hint: str) -> None:
    assert write_hint(OSError(number, "no", "here")) == hint


@pytest.mark.parametrize("value", [object(), np.float32(1), float("nan")])
def test_a_report_that_json_cannot_hold_is_refused(reconstruction, value) -> None:
    with pytest.raises(InvalidReconstructionError, match="report"):
        dataclasses.replace(reconstruction, report={"value": value})


def test_missing_file_and_folder(tmp_path) -> None:
    with pytest.raises(ReconstructionFileError, match="no file"):
        Reconstruction.load(tmp_path / "nothing.npz")
    with pytest.raises(ReconstructionFileError):
        Reconstruction.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated(contents, tmp_path, share) -> None:
    refuse(contents[: int(share * len(contents))], tmp_path)


def test_newer_version(contents, tmp_path) -> None:
    newer = rewritten(contents, format_version=np.int32(FORMAT_VERSION + 1), vertices=None)
    assert "newer" in refuse(newer, tmp_path, NewerFormatError)


def test_a_file_of_format_1_knows_no_lamps(contents, tmp_path) -> None:
    lamps = dict.fromkeys(("lamp_directions", "lamp_irradiance", "lamp_angle"))
    (tmp_path / "old.npz").write_bytes(rewritten(contents, format_version=np.int32(1), **lamps))
    old = Reconstruction.load(tmp_path / "old.npz")
    assert old.lamp_directions.shape == old.lamp_irradiance.shape == (0, 3) and old.lamp_angle.shape == (0,)
    refuse(rewritten(contents, format_version=np.int32(1), vertices=None, **lamps), tmp_path)


@pytest.mark.parametrize(
    "version", [np.int32(0), np.int32(-1), np.str_("one"), np.zeros(2), np.float32(np.nan)]
)
def test_version_that_never_was(contents, tmp_path, version) -> None:
    refuse(rewritten(contents, format_version=version), tmp_path)


def test_foreign_files(tmp_path) -> None:
    npz, npy, plain_zip = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(npz, vertices=np.zeros((4, 3)))
    np.save(npy, np.zeros(3))
    with zipfile.ZipFile(plain_zip, "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("format_version.npy", "not an array")
    for file in (npz, npy, plain_zip, io.BytesIO(b"hello"), io.BytesIO(b"PK\x03\x04" + bytes(64))):
        refuse(file.getvalue(), tmp_path)


def test_pickled_arrays_are_never_unpickled(contents, tmp_path) -> None:
    flag = tmp_path / "executed"

    class Trap:
        def __reduce__(self):
            return (flag.touch, ())

    trap = np.array([Trap()], dtype=object)
    for name in ("format_version", "vertices", "report"):
        refuse(rewritten(contents, **{name: trap}), tmp_path)
    assert not flag.exists()


@pytest.mark.parametrize("name", ARRAYS)
def test_a_missing_key(contents, tmp_path, name) -> None:
    refuse(rewritten(contents, **{name: None}), tmp_path)


@pytest.mark.parametrize("report", ["{", "[1, 2]", "", "null"])
def test_a_report_that_is_no_dictionary(contents, tmp_path, report) -> None:
    refuse(rewritten(contents, report=np.str_(report)), tmp_path)


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_shape(reconstruction, contents, tmp_path, name) -> None:
    longer = np.concatenate([getattr(reconstruction, name)[None]] * 2)
    with pytest.raises(InvalidReconstructionError, match=name):
        dataclasses.replace(reconstruction, **{name: longer})
    assert name in refuse(rewritten(contents, **{name: longer}), tmp_path)


@pytest.mark.parametrize(
    "name", ["uv", "neutral_vertices", "vertex_confidence", "confidence", "mask", "face_region"]
)
def test_sizes_that_disagree(reconstruction, name) -> None:
    with pytest.raises(InvalidReconstructionError):
        dataclasses.replace(reconstruction, **{name: getattr(reconstruction, name)[:-1]})


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_type(reconstruction, name) -> None:
    value = getattr(reconstruction, name)
    other = value.astype(np.float64) if value.dtype.kind != "U" else np.zeros(value.shape, np.int32)
    with pytest.raises(InvalidReconstructionError, match=name):
        dataclasses.replace(reconstruction, **{name: other})
    with pytest.raises(InvalidReconstructionError, match=name):
        dataclasses.replace(reconstruction, **{name: value.tolist()})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["vertices", "K", "sh", "shading_linear", "landmarks", "shape_key_offsets"])
def test_numbers_that_are_not_finite(reconstruction, contents, tmp_path, name, bad) -> None:
    spoiled = getattr(reconstruction, name).copy()
    spoiled.flat[-1] = bad
    with pytest.raises(InvalidReconstructionError, match="finite"):
        dataclasses.replace(reconstruction, **{name: spoiled})
    assert "finite" in refuse(rewritten(contents, **{name: spoiled}), tmp_path)


@pytest.mark.parametrize(("name", "index"), [("faces", -1), ("faces", 36), ("face_region", 6)])
def test_index_out_of_range(reconstruction, name, index) -> None:
    spoiled = getattr(reconstruction, name).copy()
    spoiled.flat[3] = index
    with pytest.raises(InvalidReconstructionError, match=name):
        dataclasses.replace(reconstruction, **{name: spoiled})


def test_damaged_bytes_never_escape_as_another_error(contents, tmp_path) -> None:
    random = np.random.default_rng(11)
    path = tmp_path / "damaged.npz"
    refused = 0
    for _ in range(300):
        damaged = bytearray(contents)
        for position in random.integers(0, len(contents), 3):
            damaged[position] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            Reconstruction.load(path)
        except SemblanceError:
            refused += 1
    assert refused > 200


def test_damaged_headers_never_escape_as_another_error(contents, tmp_path) -> None:
    """Zip and array headers are where parsers break: damage only those."""
    random = np.random.default_rng(12)
    headers = [
        i
        for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY")
        for i in find_all(contents, mark)
    ]
    path = tmp_path / "damaged.npz"
    for _ in range(600):
        damaged = bytearray(contents)
        damaged[int(random.choice(headers)) + int(random.integers(0, 100))] = int(random.integers(0, 256))
        path.write_bytes(damaged)
        try:
            Reconstruction.load(path)
        except SemblanceError:
            continue


def find_all(contents: bytes, mark: bytes) -> list[int]:
    return [i for i in range(len(contents) - 100) if contents.startswith(mark, i)]


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "full"), True),
        (OSError(errno.EDQUOT, "full"), True),
        (OSError(errno.EACCES, "no"), False),
        (ValueError(), False),
        (None, False),
    ],
)
def test_a_full_disk_is_recognised_behind_other_errors(error, full) -> None:
    assert is_disk_full(error) is full
    if error is not None:
        try:
            raise ReconstructionFileError("It cannot be written.") from error
        except ReconstructionFileError as outer:
            assert is_disk_full(outer) is full
