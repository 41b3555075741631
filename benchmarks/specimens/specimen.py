"""`Specimen`: a picture of a face of which everything is known, and the store of rendered ones.

Lengths are decimetres and frames the program's (geometry/camera.py): `vertices @ rotation.T +
translation` lies in the camera frame (x right, y up, z towards the camera).
"""

from __future__ import annotations

import ast
import hashlib
import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Specimen:
    """A photo and its truth."""

    name: str
    """e.g. "cycles-tune-03-hard_side" """
    renderer: str
    """cycles | own | scanned"""
    split: str
    """tune | test: different heads"""
    head: int
    """Same identity and albedo within (renderer, split, head); pose and expression differ from photo to photo."""
    light: str
    """soft, hard_side, top, rim, two_colour, overcast, hdri"""
    tone: int
    """Fitzpatrick's type, 1…6"""
    traits: tuple[str, ...]
    """glasses, fringe, beard, stubble, freckles, moles, makeup, tattoo, wrinkles, smile, …"""
    hardship: str
    """"" | tiny | blurred | overexposed | noisy | grey | blocky | cast | hand | grimace | cropped"""
    photo_srgb: np.ndarray
    """(H, W, 3) uint8, after exposure, noise and JPEG"""
    K: np.ndarray
    """(3, 3) float64, pixels of the photo"""
    rotation: np.ndarray
    """(3, 3) float64, model → camera"""
    translation: np.ndarray
    """(3,) float64"""
    vertices: np.ndarray
    """(N, 3) float32, with the photo's expression"""
    neutral: np.ndarray
    """(N, 3) float32"""
    faces: np.ndarray
    """(F, 3) int32"""
    uv: np.ndarray
    """(N, 2) float32, v up"""
    face_region: np.ndarray
    """(F,) uint8, index into region_names"""
    region_names: tuple[str, ...]
    albedo_linear: np.ndarray
    """(S, S, 3) float16: reflectance of the surface, absolute, in the model's UV layout (row 0 at v = 1)"""
    sh: np.ndarray
    """(3, 9) float64: unoccluded light at the face, irradiance/π, camera frame, in units of the photo made linear.
    Exposure and white balance are in it; a tone curve, clipping and the loss of colour in a grey photo are not.
    """
    face_mask: np.ndarray
    """(H, W) uint8: 255 × the share of the pixel that shows this face's own surface, not hair, glasses or a hand"""


def save(specimen: Specimen, file: Path) -> None:
    """Write a specimen, whole or not at all."""
    partial = file.with_suffix(f".{os.getpid()}.npz")
    np.savez(partial, **{field.name: np.asarray(getattr(specimen, field.name)) for field in fields(Specimen)})
    partial.replace(file)


def load(file: Path) -> Specimen:
    """Read what `save` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        return Specimen(**{field.name: _plain(stored[field.name]) for field in fields(Specimen)})


def _plain(array: np.ndarray) -> Any:
    if array.ndim == 0:
        return array.item()
    is_text = array.dtype.kind == "U" or array.size == 0
    return tuple(str(word) for word in array) if is_text else array


def store(renderer: str, recipe: tuple[Path, ...]) -> Path:
    """Folder of a set's specimens in the system's temporary folder, named by the hash of the code that makes them."""
    digest = hashlib.sha256("".join(_meaning(file) for file in recipe).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"semblance-specimens-{renderer}-{digest}"
    folder.mkdir(exist_ok=True)
    return folder


def _meaning(file: Path) -> str:
    """A module's syntax tree without docstrings: changes of comments and layout do not render everything again."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
