"""The result of the program: numpy only, one .npz in and out.

An outsider can re-render the face from the file alone; the conventions
(axes, camera, spherical harmonics, colour spaces) are those of `geometry.camera` and `render.lighting`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SemblanceError, write_hint

FORMAT_VERSION = 2


class ReconstructionFileError(SemblanceError):
    """A file that is not a Semblance result, is damaged, or cannot be read."""

    code = "bad_result_file"


class NewerFormatError(ReconstructionFileError):
    """A result written by a newer version of the program."""

    code = "newer_result_file"


class InvalidReconstructionError(SemblanceError):
    """Arrays that contradict the format: a wrong shape or type, or an index out of range."""

    code = "invalid_result"


# name: (numpy kind or exact type, shape). Letters are sizes that must agree wherever they appear; N vertices, F faces,
# S texture size, L lamps, Q sh_map size (0 = unused), h w the stored photo, M shape keys, R regions; "*" is any length.
_ARRAYS: dict[str, tuple[type | str, tuple[int | str, ...]]] = {
    "vertices": (np.float32, ("N", 3)),
    "neutral_vertices": (np.float32, ("N", 3)),
    "faces": (np.int32, ("F", 3)),
    "face_region": (np.uint8, ("F",)),
    "region_names": ("U", ("R",)),
    "uv": (np.float32, ("N", 2)),
    "rotation": (np.float32, (3, 3)),
    "translation": (np.float32, (3,)),
    "K": (np.float32, (3, 3)),
    "image_size": (np.int32, (2,)),
    "sh": (np.float32, (3, 9)),
    "vertex_albedo_linear": (np.float32, ("N", 3)),
    "vertex_shading_linear": (np.float32, ("N", 3)),
    "vertex_confidence": (np.float32, ("N",)),
    "albedo_srgb": (np.uint8, ("S", "S", 3)),
    "shading_linear": (np.float16, ("S", "S", 3)),
    "lamp_directions": (np.float32, ("L", 3)),
    "lamp_irradiance": (np.float32, ("L", 3)),
    "lamp_angle": (np.float32, ("L",)),
    "sh_map": (np.float16, ("Q", "Q", 27)),
    "confidence": (np.uint8, ("S", "S")),
    "landmarks": (np.float32, (478, 2)),
    "model_landmarks": (np.float32, (478, 2)),
    "mask": (np.uint8, ("h", "w")),
    "photo_srgb": (np.uint8, ("h", "w", 3)),
    "identity": (np.float32, ("*",)),
    "expression": (np.float32, ("*",)),
    "albedo_coefficients": (np.float32, ("*",)),
    "shape_key_names": ("U", ("M",)),
    "shape_key_offsets": (np.float32, ("M", "N", 3)),
}

# What a version's files hold beside those of the version before, empty when a file is older.
_SINCE = {2: ("lamp_directions", "lamp_irradiance", "lamp_angle")}

_FIT_ARRAYS = ("identity", "expression", "rotation", "translation", "K", "landmarks", "model_landmarks")


@dataclass(frozen=True)
class Reconstruction:
    """A face: geometry, camera, light, textures and how sure we are of each.

    Lengths are metres in the head frame (x the subject's left, y up, z out of the face). The camera frame is x right,
    y up, z towards the camera: `Xc = V·Rᵀ + t`, `u = cx − fx·x/z`, `v = cy + fy·y/z` in pixels of the oriented photo of
    `image_size` (width, height), the first pixel's centre at (0.5, 0.5). Names say the colour space.
    """

    vertices: np.ndarray
    """(N, 3) float32, with the photo's expression."""
    neutral_vertices: np.ndarray
    """(N, 3) float32, without it."""
    faces: np.ndarray
    """(F, 3) int32, counter-clockwise seen from outside."""
    face_region: np.ndarray
    """(F,) uint8, index into `region_names`."""
    region_names: np.ndarray
    uv: np.ndarray
    """(N, 2) float32, v up: image row 0 at v = 1."""
    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray
    image_size: np.ndarray
    sh: np.ndarray
    """(3, 9) float32, irradiance/π in the camera frame, order-2 real orthonormal SH: of all light."""
    lamp_directions: np.ndarray
    """(L, 3) float32 unit, camera frame, towards the sharp ones among the lights; the strongest first."""
    lamp_irradiance: np.ndarray
    """(L, 3) float32 linear, irradiance/π of a surface that faces the lamp; part of `sh`."""
    lamp_angle: np.ndarray
    """(L,) float32 radians that the lamp fills in the sky."""
    vertex_albedo_linear: np.ndarray
    vertex_shading_linear: np.ndarray
    """(N, 3) float32; albedo × shading is the photo's appearance where it was seen."""
    vertex_confidence: np.ndarray
    """(N,) float32, 1 seen … 0 invented."""
    albedo_srgb: np.ndarray
    shading_linear: np.ndarray
    """(S, S, 3) float16, the SH lighting image."""
    sh_map: np.ndarray
    """(Q, Q, 27) float16, per-texel SH, channel-major; Q = 0 where no system estimated it."""
    confidence: np.ndarray
    landmarks: np.ndarray
    model_landmarks: np.ndarray
    mask: np.ndarray
    """(h, w) uint8, 255 where a pixel of the whole oriented photo is this face's skin."""
    photo_srgb: np.ndarray
    """(h, w, 3) uint8, the whole oriented photo, long side at most 2048."""
    model_id: str
    identity: np.ndarray
    expression: np.ndarray
    albedo_coefficients: np.ndarray
    shape_key_names: np.ndarray
    shape_key_offsets: np.ndarray
    """(M, N, 3) float32, from neutral, metres."""
    report: dict[str, Any]
    """Versions, model, device, stage times in seconds, fit errors, warnings: anything JSON can hold."""

    def __post_init__(self) -> None:
        """Check every array against the format.

        Raises:
            InvalidReconstructionError: a wrong type or shape, sizes that disagree, a number that is not finite, an
                index out of range, or a report that JSON cannot hold.
        """
        sizes: dict[str, int] = {}
        for name, (dtype, shape) in _ARRAYS.items():
            _check_array(name, getattr(self, name), dtype, shape, sizes)
        if not isinstance(self.model_id, str) or not isinstance(self.report, dict):
            raise InvalidReconstructionError("'model_id' must be text and 'report' a dictionary.")
        try:
            json.dumps(self.report, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidReconstructionError(f"'report' holds what JSON cannot: {error}.") from error
        _check_index("faces", self.faces, sizes["N"])
        _check_index("face_region", self.face_region, sizes["R"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the .npz: to a temporary name beside `path`, then renamed, so that nothing is left half-written.

        Raises:
            ReconstructionFileError: the file cannot be written.
        """
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays["format_version"] = np.int32(FORMAT_VERSION)
        arrays["report"] = np.str_(json.dumps(self.report, sort_keys=True))
        arrays["model_id"] = np.str_(self.model_id)
        try:
            with open(temporary, "wb") as file:
                np.savez(file, **arrays)
            os.replace(temporary, target)
        except OSError as error:
            raise ReconstructionFileError(
                f"The result cannot be written to '{target}' ({error.strerror or error}).",
                write_hint(error),
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Reconstruction:
        """Read a .npz written by `save`.

        Raises:
            NewerFormatError: the file says a later format version.
            ReconstructionFileError: missing, unreadable, truncated, or not ours.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                if not isinstance(archive, np.lib.npyio.NpzFile) or "format_version" not in archive:
                    raise _not_ours(path)
                version = int(archive["format_version"])
                if version > FORMAT_VERSION:
                    raise NewerFormatError(
                        f"'{path}' was written by a newer version of Semblance (format {version}).",
                        "Update Semblance and open it again.",
                    )
                if version < 1:
                    raise _not_ours(path)
                later = {name for since, names in _SINCE.items() if since > version for name in names}
                names = [field.name for field in fields(cls) if field.name not in later]
                if any(name not in archive for name in names):
                    raise _not_ours(path)
                values: dict[str, Any] = {name: archive[name] for name in names}
                values |= {name: _empty(name) for name in later}
            values["model_id"] = str(values["model_id"])
            values["report"] = json.loads(str(values["report"]))
            return cls(**values)
        except FileNotFoundError as error:
            raise ReconstructionFileError(f"There is no file '{path}'.", "Check the path.") from error
        except InvalidReconstructionError as error:
            raise ReconstructionFileError(
                f"'{path}' is damaged: {error.message}", "Compute the face again."
            ) from error
        except ReconstructionFileError:
            raise
        except Exception as error:  # parsers of zip, array and text raise almost anything on damaged bytes
            raise _not_ours(path) from error


def fit_of(reconstruction: Reconstruction) -> dict[str, Any]:
    """Geometry and camera of a result as JSON can hold them: what it takes to make its texture again.

    Arrays are nested lists, rounded to 1e-6 of their units, those of the fields.
    """
    arrays = {
        name: np.round(getattr(reconstruction, name).astype(np.float64), 6).tolist() for name in _FIT_ARRAYS
    }
    return {"model": reconstruction.model_id, "image_size": reconstruction.image_size.tolist(), **arrays}


def _empty(name: str) -> np.ndarray:
    dtype, shape = _ARRAYS[name]
    return np.zeros([size if isinstance(size, int) else 0 for size in shape], dtype)


def _not_ours(path: str | os.PathLike[str]) -> ReconstructionFileError:
    return ReconstructionFileError(
        f"'{path}' is not a Semblance result, or it is damaged.",
        "Choose a .npz that Semblance wrote, or compute the face again.",
    )


def _check_array(
    name: str, value: Any, dtype: type | str, shape: tuple[int | str, ...], sizes: dict[str, int]
) -> None:
    if not isinstance(value, np.ndarray):
        raise InvalidReconstructionError(f"'{name}' must be an array.")
    right_type = value.dtype.kind == dtype if isinstance(dtype, str) else value.dtype == np.dtype(dtype)
    if not right_type or value.ndim != len(shape):
        raise InvalidReconstructionError(
            f"'{name}' is {value.dtype} {value.shape}; expected {dtype} {shape}."
        )
    for size, expected in zip(value.shape, shape, strict=True):
        if expected == "*":
            continue
        if isinstance(expected, str):
            expected = sizes.setdefault(expected, size)
        if size != expected:
            raise InvalidReconstructionError(f"'{name}' has shape {value.shape}; expected {shape}.")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise InvalidReconstructionError(f"'{name}' holds a number that is not finite.")


def _check_index(name: str, index: np.ndarray, limit: int) -> None:
    if index.size and (int(index.min()) < 0 or int(index.max()) >= limit):
        raise InvalidReconstructionError(f"'{name}' points outside 0 … {limit - 1}.")
