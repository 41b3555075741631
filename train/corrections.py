"""Correct the default model's mean and hand-made expressions by what portraits show.

    semblance train corrections --photos DIR_OR_LIST --out corrections.npz

The model is fitted to the landmarks of every portrait. What the fit leaves over is carried back on to the face and
explained, over all portraits and their mirror images, by a constant and the expression weights: the part that comes
back whenever people smile is a mistake of the smile. The model is rebuilt with these corrections and fitted again, a
few times. Every fourth portrait is held out, and tells whether the corrections hold for people they were not made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist

from ..core_models.builders.corrections import Corrections, save_corrections, symmetric
from ..core_models.builders.default_model import build_default_cage
from ..core_models.builders.identity_modes import rigid_fields, seal_operator
from ..core_models.faces.find import FaceFinder
from ..core_models.fitting.fit import Fit, fit_landmarks
from ..core_models.geometry.mesh import vertex_adjacency, vertex_normals
from ..core_models.landmarks import MESH_COUNT, MIRROR
from ..core_models.morphable.default import dense_data, load_default_cage
from ..core_models.morphable.expressions import NAMES, PARTNER
from ..core_models.morphable.model import MorphableModel
from ..core_models.photo.load import PhotoError, load_photo
from ..core_models.units import MM_PER_DM
from .data.photos import list_photos

ROUNDS = 3
HELD_OUT = 4
"""Every so many-th portrait is held out."""
_RIDGE = 0.02
"""Mean square of an expression's weight below which its correction is not believed; more where it has no reach."""
_REACH_MM, _LEAST_REACH = 12.0, 0.1
_IDENTITY_SHARE = np.array([0.2, 0.2, 0.1])
"""Share of the portraits' mean identity (x, y, z) that the mean takes over in each round.

Not all of it: representatives are mostly men over fifty; and depth is inferred, not seen.
"""
_LARGEST_RESIDUAL_MM = 8.0
_LARGEST_MM, _LARGEST_EXPRESSION_MM = 5.0, 4.0
_SMOOTHING = (0.5, 0.5, 3.0)
"""Weights of the umbrella Laplacian on x, y and z; depth comes second-hand and would leave bumps."""
# Lids must meet, and eyeballs turn; and what moves a face sideways would learn errors of its turn: not learned.
_FIXED = ("eyeBlink", "eyeLook", "jawLeft", "jawRight", "mouthLeft", "mouthRight", "tongueOut")
# All others must not part the lips.
_PARTING = ("jawOpen", "mouthUpperUp", "mouthLowerDown", "mouthShrugUpper", "mouthFunnel")


@dataclass(frozen=True)
class Portrait:
    """Landmarks (478, 2) found in a photo of `size` (width, height), and its focal length if the photo tells it."""

    landmarks: np.ndarray
    size: tuple[int, int]
    focal_px: float | None


@dataclass(frozen=True)
class Leftover:
    """What a fit leaves over, on the face: offsets (468, 3) mm in the head's frame, trust (468,) in 0…1."""

    offsets: np.ndarray
    trust: np.ndarray
    identity: np.ndarray
    """(468, 3) mm by which the fitted identity moves the landmarks"""
    expression: np.ndarray
    """(52,)"""


def find_portraits(photos: Sequence[Path]) -> list[Portrait]:
    """The largest face of each photo; photos without one are left out."""
    portraits = []
    with FaceFinder() as finder:
        for path in photos:
            try:
                photo = load_photo(path)
                face = finder.find(photo)[0]
            except PhotoError:
                continue
            portraits.append(Portrait(face.landmarks, (photo.width, photo.height), photo.focal_px))
    return portraits


def learn(portraits: Sequence[Portrait], rounds: int = ROUNDS) -> Corrections:
    """Corrections from `portraits`; the model is rebuilt and fitted again `rounds` times."""
    corrections = Corrections.none()
    for _ in range(rounds):
        model = corrected_model(corrections)
        leftovers = [leftover(model, portrait, fit(model, portrait)) for portrait in portraits]
        found = regressed(leftovers + [reflected(one) for one in leftovers], reach(model))
        corrections = sane(corrections.plus(smoothed(found)), model)
    return corrections


def corrected_model(corrections: Corrections) -> MorphableModel:
    """The default model as the builder would make it with these corrections."""
    return MorphableModel(dense_data(build_default_cage(corrections)))


def fit(model: MorphableModel, portrait: Portrait) -> Fit:
    """The program's own fit."""
    return fit_landmarks(model, portrait.landmarks, portrait.size, portrait.focal_px)


def leftover(model: MorphableModel, portrait: Portrait, fitted: Fit) -> Leftover:
    """Carry the difference of detected and fitted landmarks back on to the face, along its surface.

    A point moves within the surface's tangent plane; where that is seen edge-on, across the line of sight instead.
    """
    identity, expression = (
        torch.tensor(values, dtype=torch.float32)[None] for values in (fitted.identity, fitted.expression)
    )
    shape = model.shape(identity, expression)
    corners = model.landmark_vertices[:MESH_COUNT, 0]
    seen = model.landmarks(shape)[0, :MESH_COUNT].double().numpy() @ fitted.rotation.T + fitted.translation
    normals = vertex_normals(shape, model.faces)[0, corners].double().numpy() @ fitted.rotation.T
    towards = -seen / np.linalg.norm(seen, axis=1, keepdims=True)
    facing = (normals * towards).sum(1, keepdims=True)
    frontal = np.clip((facing - 0.2) / 0.4, 0, 1)
    depth = -seen[:, 2:]
    one, zero = np.ones_like(depth), np.zeros_like(depth)
    system = np.stack(
        [
            np.concatenate([one, zero, seen[:, :1] / depth], axis=1) / depth * fitted.K[0, 0],
            np.concatenate([zero, -one, -seen[:, 1:2] / depth], axis=1) / depth * fitted.K[1, 1],
            frontal * normals + (1 - frontal) * towards,
        ],
        axis=1,
    )
    pixels = (portrait.landmarks - fitted.model_landmarks)[:MESH_COUNT]
    offsets = np.linalg.solve(system, np.concatenate([pixels, zero], axis=1)[..., None])[..., 0]
    offsets = _clipped(offsets @ fitted.rotation * MM_PER_DM, _LARGEST_RESIDUAL_MM)
    still = torch.zeros_like(expression)
    moved = model.landmarks(model.shape(identity, still) - model.mean)[0, :MESH_COUNT].double().numpy()
    return Leftover(offsets, np.clip(facing[:, 0], 0.05, 1), moved * MM_PER_DM, fitted.expression)


def reflected(one: Leftover) -> Leftover:
    """The leftover of the mirrored photo."""
    mirror, flip = MIRROR[:MESH_COUNT], np.array([-1.0, 1.0, 1.0])
    return Leftover(
        one.offsets[mirror] * flip,
        one.trust[mirror],
        one.identity[mirror] * flip,
        one.expression[PARTNER],
    )


def reach(model: MorphableModel) -> np.ndarray:
    """(52, 468) how much each expression may say about each landmark: 1 where it moves most, falling off around.

    Without it, expressions would learn whatever goes with them: the heads of people who smile, turned heads.
    """
    points = model.landmarks(model.mean[None])[0, :MESH_COUNT].double().numpy() * MM_PER_DM
    moved = model.landmarks(model.expression_basis)[:, :MESH_COUNT].norm(dim=2).double().numpy()
    near = np.exp(-cdist(points, points, "sqeuclidean") / (2 * _REACH_MM**2))
    spread = (moved[:, None] * near).max(2)
    return np.maximum(spread / np.maximum(spread.max(1, keepdims=True), 1e-9), _LEAST_REACH)


def regressed(leftovers: Sequence[Leftover], reaches: np.ndarray) -> Corrections:
    """Ridge regression, landmark by landmark, on a constant and the learned expression weights."""
    learned = [k for k, name in enumerate(NAMES) if not name.startswith(_FIXED)]
    design = np.stack([np.append(1.0, one.expression[learned]) for one in leftovers])
    constant = _IDENTITY_SHARE * np.mean([one.identity for one in leftovers], axis=0)
    result = Corrections.none()
    for point in range(MESH_COUNT):
        trust = np.array([one.trust[point] for one in leftovers])[:, None]
        target = np.stack([one.offsets[point] for one in leftovers])
        ridge = np.diag(np.append(0.0, _RIDGE * len(leftovers) / reaches[learned, point] ** 2))
        solved = np.linalg.solve(design.T @ (trust * design) + ridge, design.T @ (trust * target))
        result.mean[point] = solved[0] + constant[point]
        result.expressions[learned, point] = solved[1:]
    return result


def smoothed(corrections: Corrections) -> Corrections:
    """Smoothed over the landmarks' mesh."""
    faces = load_default_cage().faces
    faces = torch.tensor(faces[(faces < MESH_COUNT).all(1)])
    neighbours, valence = vertex_adjacency(faces, MESH_COUNT)
    laplacian = np.eye(MESH_COUNT)
    for point, (around, count) in enumerate(zip(neighbours.numpy(), valence.numpy(), strict=True)):
        laplacian[point, around[around != point]] = -1 / count
    filters = np.stack([np.linalg.inv(np.eye(MESH_COUNT) + weight * laplacian) for weight in _SMOOTHING])
    return Corrections(
        np.einsum("cij,jc->ic", filters, corrections.mean),
        np.einsum("cij,kjc->kic", filters, corrections.expressions),
    )


def sane(corrections: Corrections, model: MorphableModel) -> Corrections:
    """Symmetric, of bounded size, lips together, the mean without rigid motion or growth."""
    corrections = symmetric(corrections, MIRROR[:MESH_COUNT], PARTNER)
    points = model.landmarks(model.mean[None])[0, :MESH_COUNT].double().numpy() * MM_PER_DM
    still = np.column_stack([rigid_fields(points), (points - points.mean(0)).ravel()])
    mean = corrections.mean.ravel()
    mean = (mean - still @ np.linalg.lstsq(still, mean, rcond=None)[0]).reshape(-1, 3)
    sealed = seal_operator(MESH_COUNT)
    shapes = [
        offsets if name.startswith(_PARTING) else sealed @ offsets
        for name, offsets in zip(NAMES, corrections.expressions, strict=True)
    ]
    return Corrections(
        sealed @ _clipped(mean, _LARGEST_MM), _clipped(np.stack(shapes), _LARGEST_EXPRESSION_MM)
    )


def _clipped(offsets: np.ndarray, largest: float) -> np.ndarray:
    """Vectors (..., 3) no longer than `largest`."""
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return offsets * np.minimum(1, largest / np.maximum(length, 1e-9))


def report(name: str, before: MorphableModel, after: MorphableModel, portraits: Sequence[Portrait]) -> str:
    """One line: landmark RMS (% of the inter-ocular distance), median and 90th percentile, with both models."""
    line = f"{name:>9} ({len(portraits)})"
    for model in (before, after):
        errors = [fit(model, portrait).landmark_rms_percent for portrait in portraits]
        line += f"   {np.median(errors):.2f} {np.quantile(errors, 0.9):.2f}"
    return line


def run(photos: Path, out: Path) -> int:
    """Learn corrections of the default model from portraits and report the landmark RMS without and with them.

    Args:
        photos: a folder or a .txt list of portraits (`data.photos`).
        out: the file to write, .npz.

    Returns:
        The exit code.
    """
    # One thread: sums in one order, so that the result is the same everywhere.
    torch.set_num_threads(1)
    portraits = find_portraits(list_photos(photos))
    held_out = portraits[HELD_OUT - 1 :: HELD_OUT]
    used = [portrait for k, portrait in enumerate(portraits) if k % HELD_OUT != HELD_OUT - 1]
    corrections = learn(used)
    save_corrections(corrections, out)
    before, after = corrected_model(Corrections.none()), corrected_model(corrections)
    print("landmark RMS %, median and p90: by hand, corrected")
    print(report("learned", before, after, used))
    print(report("held out", before, after, held_out))
    return 0
