"""Basel Face Models as their files hold them: read, told apart by content, brought to decimetres and model axes.

The user brings the files (their licence forbids to pass them on); nothing of them is shipped or logged. Layouts:
2009 (Paysan et al.), its crop with FaceWarehouse expressions (Guo et al., Deng et al. 2019), 2017 and 2019 (Gerig et
al., statismo's HDF5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SemblanceError
from ..units import MICROMETRES_PER_DM, MM_PER_DM

N_IDENTITY, N_EXPRESSION, N_ALBEDO = 80, 64, 80
"""Modes that Deng et al. 2019 keep of the model of 2009."""
RAW_PARTS = ("Exp_Pca.bin", "std_exp.txt", "BFM_front_idx.mat", "BFM_exp_idx.mat")
"""What the model of 2009 needs beside it."""
_FRONT_KEYS = ("meanshape", "meantex", "idBase", "exBase", "texBase", "tri")
_RAW_KEYS = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl")
_HDF5_PARTS = ("shape", "color", "expression")

WHERE = (
    "Choose BFM_model_front.mat, 01_MorphableModel.mat (2009) or a BFM 2017 or 2019 .h5 file; "
    "the University of Basel gives them out at faces.dmi.unibas.ch/bfm."
)
_WHERE_PARTS = (
    "Exp_Pca.bin and std_exp.txt come with Guo et al.'s 3DFace (github.com/Juyong/3DFace), the two index files with "
    "Deng et al.'s Deep3DFaceReconstruction; put them into the model's folder."
)


class ModelFileError(SemblanceError):
    """A face model's file that is missing, damaged, incomplete or something else."""

    code = "model_file"


@dataclass(frozen=True)
class BaselData:
    """A Basel Face Model; decimetres about the mean of its vertices, colours sRGB-encoded 0…1, all modes per σ."""

    variant: str
    """bfm-2009 or bfm-hdf5"""
    mean: np.ndarray
    """(N, 3)"""
    identity: np.ndarray
    """(Ki, N, 3)"""
    expression: np.ndarray
    """(Ke, N, 3)"""
    albedo_mean: np.ndarray
    """(N, 3)"""
    albedo: np.ndarray
    """(Ka, N, 3)"""
    faces: np.ndarray
    """(F, 3) int64, counter-clockwise outside"""


def needed_files(path: Path) -> list[Path]:
    """The model's files: `path`, and for the raw set of 2009 those beside it.

    Raises:
        ModelFileError: one is missing, or `path` is no Basel Face Model.
    """
    if _kind(path) is not _read_raw:
        return [path]
    parts = [path.parent / name for name in RAW_PARTS]
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise ModelFileError(f"'{path.name}' needs {', '.join(missing)} beside it.", _WHERE_PARTS)
    return [path, *parts]


def read_basel(path: Path) -> BaselData:
    """Read any of the files named in `WHERE`.

    Raises:
        ModelFileError: it is missing, damaged, incomplete or no Basel Face Model.
    """
    files = needed_files(path)
    read = _kind(path)
    try:
        data = read(path)
        return _settled(data)
    except MemoryError:
        raise
    except Exception as error:  # damaged files make the parsers raise anything
        names = " or ".join(f"'{each.name}'" for each in files)
        raise ModelFileError(
            f"{names} is damaged or incomplete.", f"Copy or download it again. {WHERE}"
        ) from error


def _kind(path: Path) -> Callable[[Path], BaselData]:
    """Which reader the content of `path` calls for. Raises ModelFileError."""
    import h5py
    from scipy.io import whosmat

    if not path.is_file():
        raise ModelFileError(f"There is no face model '{path}'.", WHERE)
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                names = set(file)
        else:
            names = {name for name, _, _ in whosmat(path)}
    except MemoryError:
        raise
    except Exception as error:  # not of the format, or damaged: the parsers raise anything
        raise ModelFileError(f"'{path.name}' is damaged, or no face model.", WHERE) from error
    for keys, read in ((_FRONT_KEYS, _read_front), (_RAW_KEYS, _read_raw), (_HDF5_PARTS, _read_hdf5)):
        if set(keys) <= names:
            return read
    raise ModelFileError(f"'{path.name}' is not a Basel Face Model with expressions.", WHERE)


def _read_front(path: Path) -> BaselData:
    """The crop of Deng et al.: interleaved xyz, modes in columns and per σ, indices from 1, colours 0…255."""
    arrays = _matlab(path, _FRONT_KEYS)
    return BaselData(
        variant="bfm-2009",
        mean=_points(arrays["meanshape"]),
        identity=_modes(arrays["idBase"]),
        expression=_modes(arrays["exBase"]),
        albedo_mean=_points(arrays["meantex"]) / 255,
        albedo=_modes(arrays["texBase"]) / 255,
        faces=arrays["tri"].astype(np.int64) - 1,
    )


def _read_raw(path: Path) -> BaselData:
    """The model of 2009 (µm; shapeEV and texEV are standard deviations) and its expressions, cropped to the face."""
    arrays = _matlab(path, _RAW_KEYS)
    folder = path.parent
    on_expressions = _indices(folder / "BFM_front_idx.mat", "idx")
    on_model = _indices(folder / "BFM_exp_idx.mat", "trimIndex")[on_expressions]
    expression = _read_expressions(folder / "Exp_Pca.bin", folder / "std_exp.txt")

    def modes(kind: str, count: int) -> np.ndarray:
        return _modes(arrays[f"{kind}PC"][:, :count] * arrays[f"{kind}EV"].ravel()[:count])[:, on_model]

    return BaselData(
        variant="bfm-2009",
        mean=_points(arrays["shapeMU"])[on_model] / MICROMETRES_PER_DM,
        identity=modes("shape", N_IDENTITY) / MICROMETRES_PER_DM,
        expression=expression[:N_EXPRESSION, on_expressions] / MICROMETRES_PER_DM,
        albedo_mean=_points(arrays["texMU"])[on_model] / 255,
        albedo=modes("tex", N_ALBEDO) / 255,
        faces=_cropped(arrays["tl"].astype(np.int64) - 1, on_model),
    )


def _read_expressions(path: Path, deviations: Path) -> np.ndarray:
    """(K, n, 3) per σ in µm: `path` holds int32 K, float32 mean (unused) and components."""
    (count,) = np.fromfile(path, np.int32, 1)
    values = np.fromfile(path, np.float32, offset=4)
    sigma = np.loadtxt(deviations).ravel()
    return values.reshape(count + 1, -1, 3)[1:] * sigma[:count, None, None].astype(np.float32)


def _read_hdf5(path: Path) -> BaselData:
    """2017 and 2019: mm; modes in columns; variances; the expressions' mean adds to the shape's."""
    import h5py

    with h5py.File(path) as file:
        models = {name: file[f"{name}/model"] for name in _HDF5_PARTS}
        means = {name: _points(model["mean"][()]) for name, model in models.items()}
        modes = {name: _statismo_modes(model) for name, model in models.items()}
        cells = file["shape/representer/cells"][()].astype(np.int64)
    full = 255.0 if np.median(means["color"]) > 1 else 1.0
    return BaselData(
        variant="bfm-hdf5",
        mean=(means["shape"] + means["expression"]) / MM_PER_DM,
        identity=modes["shape"] / MM_PER_DM,
        expression=modes["expression"] / MM_PER_DM,
        albedo_mean=means["color"] / full,
        albedo=modes["color"] / full,
        faces=cells.T,
    )


def _statismo_modes(model: Any) -> np.ndarray:
    """Modes (K, N, 3) per σ of a statismo group: version 0.8 stores them so, later ones orthonormal."""
    basis, sigma = model["pcaBasis"][()], np.sqrt(model["pcaVariance"][()])
    length = np.linalg.norm(basis[:, 0])
    orthonormal = abs(np.log(length)) < abs(np.log(length / sigma[0]))
    return _modes(basis * sigma if orthonormal else basis)


def _matlab(path: Path, keys: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    from scipy.io import loadmat

    arrays = loadmat(path, variable_names=keys)
    return {key: np.asarray(arrays[key]) for key in keys}


def _indices(path: Path, key: str) -> np.ndarray:
    """Indices from 0 of a MATLAB file's, from 1."""
    return _matlab(path, (key,))[key].astype(np.int64).ravel() - 1


def _points(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(-1, 3)


def _modes(columns: np.ndarray) -> np.ndarray:
    """(3N, K) → (K, N, 3)."""
    return np.ascontiguousarray(columns.T, np.float32).reshape(columns.shape[1], -1, 3)


def _cropped(faces: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Those `faces` all of whose corners are among the vertices `kept`, in the numbers of the crop."""
    number = np.full(int(max(faces.max(), kept.max())) + 1, -1)
    number[kept] = np.arange(len(kept))
    renamed = number[faces]
    return renamed[(renamed >= 0).all(1)]


def _settled(data: BaselData) -> BaselData:
    """About the mean of the vertices, triangles turned outwards. Raises ValueError for arrays that do not agree."""
    n, faces = len(data.mean), data.faces
    arrays = (data.mean, data.albedo_mean, data.identity, data.expression, data.albedo)
    if any(each.shape[-2:] != (n, 3) or not np.isfinite(each).all() for each in arrays):
        raise ValueError("modes of different sizes, or not finite")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or faces.min() < 0 or faces.max() >= n:
        raise ValueError("triangles outside the model")
    mean = data.mean - data.mean.mean(0, dtype=np.float64).astype(np.float32)
    a, b, c = (mean[faces[:, k]].astype(np.float64) for k in range(3))
    inwards = np.einsum("fc,fc->", np.cross(b - a, c - a), a + b + c) < 0
    return replace(data, mean=mean, faces=faces[:, ::-1].copy() if inwards else faces)
