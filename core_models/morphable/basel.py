"""The Basel Face Model as a `MorphableModel`: its file's numbers, and what no file says of it, found at first use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..colour import srgb_to_linear
from ..geometry.patch import largest_patch
from .basel_files import WHERE, BaselData, ModelFileError, needed_files, read_basel
from .cache import cached, digest
from .correspondence import REGIONS, FindLandmarks, find_correspondence
from .flatten import flatten
from .model import ModelData, MorphableModel

EXPRESSION_RANGE = (-3.0, 3.0)
"""Standard deviations."""
_LAYOUT_VERSION = 1
"""Of what is cached: to be raised when it is computed otherwise."""
_REST_SHARE = 0.15
"""Texture for skin around the face ÷ for the face's own."""


def load_basel(path: Path, find: FindLandmarks) -> MorphableModel:
    """The model of one of the files that `basel_files` reads.

    `find` looks for a face in pictures of the model's mean. That and the UV layout take up to a minute; both are kept
    in the user's cache folder, under the file's SHA-256, and so is the crop of the model of 2009.

    Raises:
        ModelFileError: the file is missing, damaged, incomplete, or no Basel Face Model.
    """
    files = needed_files(path)
    key = digest(files)
    if len(files) == 1:
        data = read_basel(path)
    else:
        stored = cached(f"{key}-crop", lambda: {k: np.asarray(v) for k, v in vars(read_basel(path)).items()})
        data = BaselData(str(stored.pop("variant")), **stored)
    layout = cached(f"{key}-layout-{_LAYOUT_VERSION}", lambda: lay_out(data, find, path.name))
    return MorphableModel(_model_data(data, layout, f"{data.variant}-{key[:12]}"))


def lay_out(data: BaselData, find: FindLandmarks, name: str) -> dict[str, np.ndarray]:
    """Triangles, regions, landmarks, UVs and mirror map, fields as in `ModelData`."""
    faces = data.faces[largest_patch(data.faces)]
    albedo = srgb_to_linear(np.clip(data.albedo_mean, 0, 1))
    found = find_correspondence(data.mean, albedo, faces, find)
    if found is None:
        raise ModelFileError(f"'{name}' is damaged: no face was found in it.", WHERE)
    share = np.where(found.face_region == REGIONS.index("rim"), _REST_SHARE, 1.0)
    return {
        "faces": faces,
        "face_region": found.face_region,
        "landmark_ids": found.ids,
        "landmark_vertices": faces[found.triangles],
        "landmark_weights": found.weights,
        "uv": flatten(data.mean, faces, share),
        "mirror": cKDTree(data.mean).query(data.mean * [-1.0, 1.0, 1.0])[1],
    }


def _model_data(data: BaselData, layout: Mapping[str, np.ndarray], model_id: str) -> ModelData:
    return ModelData(
        model_id=model_id,
        albedo_space="srgb",
        expression_names=tuple(f"Expression {k + 1}" for k in range(len(data.expression))),
        expression_range=EXPRESSION_RANGE,
        region_names=REGIONS,
        mean=data.mean,
        identity_basis=data.identity,
        expression_basis=data.expression,
        albedo_mean=data.albedo_mean,
        albedo_basis=data.albedo,
        twin=np.arange(len(data.mean)),
        **layout,
    )
