"""Heads that no model of ours drew: random people of ICT-FaceKit's statistics, on its own mesh, in our UV layout.

The file (MIT licence, USC Institute for Creative Technologies; about 100 scanned people) is named by the environment
variable SEMBLANCE_SCANS. A person is a draw of independent N(0, 1) weights. What the model learns is the same linear
space, so no draw is outside its reach; kept apart is the *combination*: the benchmark's people are those of which the
product of the signs of the first five weights is positive, and whoever tunes on random people takes the others
(`kept_apart`). tune and test differ by seed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import distance_transform_edt

from ...core_models.geometry.closest import closest_places
from ...core_models.morphable.model import MorphableModel
from ..specimens.canvas import SIDE, Canvas

VARIABLE = "SEMBLANCE_SCANS"
REGIONS = ("skin", "lips", "brows", "eyes", "mouth", "rim")
_SCALE = 0.0935
"""Decimetres per centimetre: the scans at the size of the older sets' heads, so that millimetres compare."""
_ORIGIN_CM = np.array((0.0, -0.15, 9.52))
"""The older sets' origin, in the scans' frame."""
_MULTI_PIE = {
    0: 127, 4: 172, 8: 152, 12: 397, 16: 356,
    **dict(zip(range(17, 27), (70, 63, 105, 66, 107, 336, 296, 334, 293, 300), strict=True)),
    **dict(zip(range(27, 36), (168, 197, 5, 4, 98, 97, 2, 326, 327), strict=True)),
    **dict(zip(range(36, 48), (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380), strict=True)),
    **dict(zip(range(48, 60), (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181), strict=True)),
    **dict(zip(range(60, 68), (78, 82, 13, 312, 308, 317, 14, 87), strict=True)),
}  # fmt: skip
"""MediaPipe's point by Multi-PIE's number."""


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of the scans' mesh: the vertices (N,) that it is made of, and triangles (F, 3) between them."""

    vertices: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True, eq=False)
class Scans:
    """ICT-FaceKit's statistics, decimetres in the older sets' frame."""

    mean: np.ndarray
    """(V, 3)"""
    identity: np.ndarray
    """(100, V, 3)"""
    expression: np.ndarray
    """(57, V, 3)"""
    expression_names: tuple[str, ...]
    parts: dict[str, Part]
    uv: np.ndarray
    """(V, 2) the scans' own layout, v up; a seam's vertices have one of theirs."""
    multi_pie: np.ndarray
    """(68,) vertices."""

    def person(self, weights: np.ndarray) -> np.ndarray:
        """(V, 3) of identity weights (100,), at the mean's size: no photo tells how large a head is."""
        points = self.mean + np.einsum("k,kvc->vc", weights, self.identity)
        return points * _size(self.mean[self.multi_pie]) / _size(points[self.multi_pie])

    def landmarks(self, points: np.ndarray) -> dict[int, np.ndarray]:
        """MediaPipe's points that Multi-PIE has too, of vertices (V, 3) or (V, 2)."""
        return {theirs: points[self.multi_pie[ours]] for ours, theirs in _MULTI_PIE.items()}


def _size(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - points.mean(0)))


@cache
def load_scans() -> Scans:
    """Read the file. SystemExit where it is not named."""
    file = os.environ.get(VARIABLE)
    if not file:
        raise SystemExit(
            f"Set {VARIABLE} to scanned_people.npz, the statistics that the scanned set is drawn from."
        )
    with np.load(Path(file)) as stored:
        data = {name: stored[name] for name in stored.files}
    uv = np.zeros((len(data["mean_cm"]), 2))
    uv[data["quads"].ravel()] = data["uv"][data["quads_uv"].ravel()]
    parts = {}
    for name, (start, stop) in zip(data["part_names"], data["part_quads"], strict=True):
        quads = data["quads"][start:stop].astype(np.int64)
        whole = quads[:, 3] >= 0
        triangles = np.concatenate([quads[:, :3], quads[whole][:, [0, 2, 3]]])
        vertices, faces = np.unique(triangles, return_inverse=True)
        parts[str(name)] = Part(vertices, faces.reshape(-1, 3))
    return Scans(
        mean=(data["mean_cm"] - _ORIGIN_CM) * _SCALE,
        identity=data["identity_cm"].astype(np.float32) * _SCALE,
        expression=data["expression_cm"].astype(np.float32) * _SCALE,
        expression_names=tuple(str(name) for name in data["expression_names"]),
        parts=parts,
        uv=uv,
        multi_pie=data["landmarks68"],
    )


def kept_apart(weights: np.ndarray) -> np.ndarray:
    """(…,) bool: identity weights (…, 100) that only the benchmark uses."""
    return np.sign(weights[..., :5]).prod(-1) > 0


def identity_weights(generator: np.random.Generator) -> np.ndarray:
    """(100,) of a person of the benchmark."""
    weights = generator.normal(size=100)
    weights[0] *= 1.0 if kept_apart(weights) else -1.0
    return weights


def random_expression(names: tuple[str, ...], generator: np.random.Generator) -> np.ndarray:
    """Weights (57,): three small ones; every second face smiles, with or without open lips."""
    weights = np.zeros(len(names))
    weights[generator.choice(len(names), 3, replace=False)] = generator.uniform(0.05, 0.4, 3)
    if generator.random() < 0.5:
        smile, teeth = generator.uniform(0.3, 0.8), generator.integers(0, 2)
        for side in ("_L", "_R"):
            weights[names.index("mouthSmile" + side)] = smile
            weights[names.index("mouthUpperUp" + side)] = 0.4 * smile * teeth
    return weights


@dataclass(frozen=True, eq=False)
class Layout:
    """Face and eyeballs as one mesh in the program's UV layout."""

    faces: np.ndarray
    """(F, 3)"""
    uv: np.ndarray
    """(N, 2)"""
    region: np.ndarray
    """(F,) index into REGIONS."""

    @staticmethod
    def points(scans: Scans, vertices: np.ndarray) -> np.ndarray:
        """(N, 3) of the scans' vertices (V, 3)."""
        return np.concatenate([vertices[scans.parts[name].vertices] for name in _FACE])


_FACE = ("face", "eyeball_right", "eyeball_left")


def lay_out(scans: Scans, model: MorphableModel, canvas: Canvas) -> Layout:
    """The scans' layout bent onto the program's (thin-plate spline on 68 points); eyeballs by direction of sight."""
    skin = scans.parts["face"]
    ours = np.array([canvas.landmarks[number] for number in _MULTI_PIE.values()])
    theirs = np.array(list(scans.landmarks(scans.uv).values()))
    bend = RBFInterpolator(theirs, ours, kernel="thin_plate_spline", smoothing=1e-6)
    island = np.sum([canvas.regions[name] for name in REGIONS if name != "eyes"], axis=0)
    pixels = _onto(bend(scans.uv[skin.vertices]), island)
    uvs = [np.stack([pixels[:, 0], SIDE - pixels[:, 1]], 1) / SIDE]
    faces, regions = [skin.faces], [_regions(pixels[skin.faces].mean(1), canvas)]
    start = len(skin.vertices)
    for name, side in zip(_FACE[1:], (-1, 1), strict=True):
        ball = scans.parts[name]
        uvs.append(_eye_uv(scans.mean[ball.vertices], model, side))
        faces.append(ball.faces + start)
        regions.append(np.full(len(ball.faces), REGIONS.index("eyes")))
        start += len(ball.vertices)
    return Layout(np.concatenate(faces), np.concatenate(uvs).astype(np.float32), np.concatenate(regions))


def _onto(pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Pixels (M, 2), those off the face's island moved to its nearest place."""
    _, (rows, columns) = distance_transform_edt(cover < 0.5, return_indices=True)
    column, row = np.clip(pixels, 0, SIDE - 1).astype(int).T
    inside = (cover[row, column] >= 0.5) & (pixels >= 0).all(1) & (pixels < SIDE).all(1)
    nearest = np.stack([columns[row, column], rows[row, column]], 1) + 0.5
    return np.where(inside[:, None], pixels, nearest)


def _regions(pixels: np.ndarray, canvas: Canvas) -> np.ndarray:
    column, row = np.clip(pixels, 0, SIDE - 1).astype(int).T
    return np.stack([canvas.regions[name][row, column] for name in REGIONS]).argmax(0)


def _eye_uv(ball: np.ndarray, model: MorphableModel, side: int) -> np.ndarray:
    """(M, 2) for an eyeball (M, 3) that looks along +z: those of the model's on the same side (−1: x < 0)."""
    faces = model.faces.numpy()
    eyes = faces[model.face_region.numpy() == model.region_names.index("eyes")]
    mean, uv = model.mean.double().numpy(), model.uv.numpy()
    eyes = eyes[np.sign(mean[eyes, 0].mean(1)) == side]
    places, weights = closest_places(_directions(ball, ball), _directions(mean, mean[np.unique(eyes)]), eyes)
    return (uv[eyes[places]] * weights[..., None]).sum(1)


def _directions(points: np.ndarray, ball: np.ndarray) -> np.ndarray:
    offset = points - (ball.min(0) + ball.max(0)) / 2
    return offset / np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-9)
