"""Builds the default model's cage from a seed and the pinned mediapipe wheel."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from ..geometry.subdivision import Subdivision, subdivide
from ..landmarks import MESH_COUNT, RIGHT_BROW, RIGHT_LIPS
from ..morphable.albedo import N_BLOOD_FIELDS, N_MELANIN_FIELDS
from ..morphable.default import DEFAULT_PATH, HEAD_PREFIX, LEVELS, REGIONS, DefaultCage
from ..morphable.expressions import NAMES, PARTNER
from ..morphable.head import HalfHead
from ..units import MM_PER_DM
from .albedo_fields import random_fields
from .corrections import Corrections, clear_of_eyes, load_corrections
from .deform import mirrored
from .expression_shapes import NEVER_IDENTITY, SEALED, build_expressions
from .face_uv import face_uv
from .facemesh import INPUT_SIZE, FaceMeshNetwork, tesselation_edges
from .head_build import DenseFace, build_half_head
from .identity_modes import identity_modes, lid_operator, mouth_shape_rows, seal_operator
from .mean import build_mean
from .openings import cage_targets, control_points
from .topology import Cage, build_cage

SEED = 0


def build_default_cage(corrections: Corrections | None = None, seed: int = SEED) -> DefaultCage:
    """The default model's cage, decimetres; the same for the same seed and mediapipe version.

    `corrections`: None for the shipped ones.
    """
    corrections = corrections or load_corrections()
    network = FaceMeshNetwork()
    grey = np.full((INPUT_SIZE, INPUT_SIZE, 3), 128, np.uint8)
    cage = build_cage(tesselation_edges(), network(grey))
    points = build_mean(network, cage, np.random.default_rng(seed)) + corrections.mean
    network.close()
    targets, eye_centres = cage_targets(points, cage)
    fine = subdivide(cage.faces, cage.n_vertices, LEVELS)
    surface = fine.matrix[: cage.n_vertices]
    region = cage_regions(cage)
    face_vertices = np.unique(fine.faces[np.isin(region[fine.parent], [0, 1, 2])])
    control = control_points(targets, surface, cage)
    origin = (fine.matrix @ control)[face_vertices].mean(0) * [0, 1, 1]
    landmark_faces = cage.faces[(cage.faces < MESH_COUNT).all(1)]
    mirror = cage.mirror[:MESH_COUNT]
    shapes = build_expressions(points, landmark_faces, mirror, eye_centres[0])
    shapes = shapes + clear_of_eyes(corrections.expressions, points, eye_centres)
    sealed = [k for k, name in enumerate(NAMES) if name.startswith(SEALED)]
    shapes[sealed] = seal_operator(MESH_COUNT) @ shapes[sealed]
    modes, eye_modes, parity = _identity(targets, eye_centres, shapes, cage)
    moved = np.stack(
        [
            _spread_expression(shape, targets, eye_centres, cage, _pocket_follows(name))
            for name, shape in zip(NAMES, shapes, strict=True)
        ]
    )
    moved = _as_control(moved, surface, cage)
    modes = _as_control(modes, surface, cage)
    modes = _symmetric_pairs(modes, modes * parity[:, None, None], cage.mirror)
    albedo_fields = np.concatenate(
        [
            random_fields(targets, cage.mirror, N_MELANIN_FIELDS),
            random_fields(targets, cage.mirror, N_BLOOD_FIELDS),
        ]
    )
    return DefaultCage(
        mean=(control - origin) / MM_PER_DM,
        identity=modes / MM_PER_DM,
        expression=_symmetric_pairs(moved, moved[PARTNER], cage.mirror) / MM_PER_DM,
        faces=cage.faces,
        face_region=region,
        uv=face_uv(targets, cage),
        mirror=cage.mirror,
        eye_centres=(eye_centres - origin) / MM_PER_DM,
        eye_identity=eye_modes / MM_PER_DM,
        albedo_fields=albedo_fields,
        eye_rings=cage.eye_rings,
        mouth_rings=cage.mouth_rings,
        parity=parity,
        head=_head(control - origin, modes, albedo_fields, region, fine),
    )


def _head(
    control: np.ndarray, modes: np.ndarray, fields: np.ndarray, region: np.ndarray, fine: Subdivision
) -> HalfHead:
    """The head behind the face with `control` points (N, 3) mm, `modes` (80, N, 3) mm and albedo `fields` (58, N)."""
    dense = [
        np.asarray(fine.matrix @ values)
        for values in (control, np.moveaxis(modes, 0, -1).reshape(len(control), -1))
    ]
    return build_half_head(
        DenseFace(
            vertices=dense[0],
            faces=fine.faces,
            is_rim=region[fine.parent] == REGIONS.index("rim"),
            modes=np.moveaxis(dense[1].reshape(len(dense[0]), 3, -1), -1, 0),
            fields=np.asarray(fine.matrix @ fields.T).T,
        )
    )


def _as_control(fields_mm: np.ndarray, surface: sp.csr_matrix, cage: Cage) -> np.ndarray:
    """Control-point offsets (K, N, 3) whose surface moves by `fields_mm` (K, N, 3)."""
    flat = np.moveaxis(fields_mm, 0, -1).reshape(cage.n_vertices, -1)
    control = control_points(flat, surface, cage).reshape(cage.n_vertices, 3, -1)
    return np.moveaxis(control, -1, 0)


def _symmetric_pairs(fields_mm: np.ndarray, partners: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """`fields_mm` (K, N, 3) averaged with their `partners`' mirror images: float16 then rounds alike."""
    return (fields_mm + np.stack([mirrored(partner, mirror) for partner in partners])) / 2


def cage_regions(cage: Cage) -> np.ndarray:
    """Region (F,) of each cage triangle, an index into REGIONS."""
    region = np.zeros(len(cage.faces), np.int64)
    inside = np.concatenate([cage.eye_rings.ravel(), cage.eye_centres, cage.mouth_rings.ravel()])
    for name, vertices, rule in (
        ("lips", np.union1d(RIGHT_LIPS, cage.mirror[RIGHT_LIPS]), np.all),
        ("brows", np.union1d(RIGHT_BROW, cage.mirror[RIGHT_BROW]), np.all),
        ("mouth", inside, np.any),
        ("rim", cage.rim_rings, np.any),
    ):
        region[rule(np.isin(cage.faces, vertices), axis=1)] = REGIONS.index(name)
    return region


def _identity(
    targets: np.ndarray, eye_centres: np.ndarray, shapes: np.ndarray, cage: Cage
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modes (80, N, 3) mm on the whole cage, eyeball motions (80, 2, 3) mm, parity (80,)."""
    n = MESH_COUNT
    landmarks, faces = targets[:n], cage.faces[(cage.faces < n).all(1)]
    lids = lid_operator(landmarks, faces, cage.eye_loops, eye_centres)
    operator = np.kron(seal_operator(n), np.eye(3)) @ lids
    curves = shapes[[NAMES.index(name) for name in NEVER_IDENTITY]]
    found = identity_modes(landmarks, cage.mirror[:n], operator, mouth_shape_rows(landmarks, curves))
    modes = np.zeros((len(found.modes), cage.n_vertices, 3))
    modes[:, :n] = found.modes
    eye_motion = modes[:, cage.eye_loops].mean(2)
    for side in range(2):
        modes[:, cage.eye_rings[side, 0]] = modes[:, cage.eye_loops[side]]
        behind = np.append(cage.eye_rings[side, 1:].ravel(), cage.eye_centres[side])
        modes[:, behind] = eye_motion[:, None, side]
    modes[:, cage.mouth_rings] = modes[:, None, cage.mouth_loop]
    modes[:, cage.rim_rings] = _rim_motion(targets, found.modes, cage)
    return modes, eye_motion, found.parity


def _rim_motion(targets: np.ndarray, modes: np.ndarray, cage: Cage) -> np.ndarray:
    """Offsets (K, 4, 36, 3) of the rim: the affine part of each mode (K, 468, 3), the rest of the oval's fading out.

    A random field would dent the skull, where no landmark tells how heads vary.
    """
    design = np.concatenate([np.ones((len(targets), 1)), targets], axis=1)
    # Not extrapolated: behind the ears and over the hairline the face's slopes say nothing.
    design[:, 2:] = np.clip(design[:, 2:], [-130, -80], [60, np.inf])
    fit = np.linalg.pinv(design[:MESH_COUNT]) @ modes
    affine = design @ fit
    rest = modes[:, cage.oval] - affine[:, cage.oval]
    fading = np.array([0.8, 0.45, 0.15, 0.0])[:, None, None]
    return affine[:, cage.rim_rings] + fading * rest[:, None]


def _spread_expression(
    offsets: np.ndarray, targets: np.ndarray, eye_centres: np.ndarray, cage: Cage, follows: np.ndarray
) -> np.ndarray:
    """Landmark offsets (468, 3) carried on to pockets, bag and rim: (N, 3).

    `follows` (3,): share of a lid margin's turn about the eyeball that each ring of the pocket behind it follows.
    """
    full = np.zeros((cage.n_vertices, 3))
    full[: len(offsets)] = offsets
    for loop, rings, centre in zip(cage.eye_loops, cage.eye_rings, eye_centres, strict=True):
        full[rings] = _turned_pocket(targets[loop] - centre, offsets[loop], targets[rings] - centre, follows)
    full[cage.mouth_rings[0]] = offsets[cage.mouth_loop]
    full[cage.mouth_rings[1]] = 0.8 * offsets[cage.mouth_loop]
    for ring, share in zip(cage.rim_rings, (0.9, 0.6, 0.25, 0.0), strict=True):
        full[ring] = share * offsets[cage.oval]
    return full


def _pocket_follows(name: str) -> np.ndarray:
    # A blink turns the lid so far that its lining must come along; added to a blink, other shapes' linings must not
    # come through the skin.
    return np.array([1.0, 0.75, 0.4] if name.startswith("eyeBlink") else [1.0, 0.25, 0.0])


def _turned_pocket(
    loop: np.ndarray, offsets: np.ndarray, rings: np.ndarray, follows: np.ndarray
) -> np.ndarray:
    """Offsets (3, 16, 3) of an eye pocket's rings, all relative to the eyeball's centre, for lid margins that move.

    Like a visor: the lining turns about the eyeball's horizontal axis with the margin `loop` (16, 3), the less the
    deeper it lies; what else the margin does only the first ring follows.
    """
    before, after = (np.arctan2(points[:, 1], points[:, 2]) for points in (loop, loop + offsets))
    turned = _turned_up(rings, follows[:, None] * (after - before)) - rings
    turned[0] += loop + offsets - _turned_up(loop, after - before)
    return turned


def _turned_up(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """`points` (…, 3) turned about the x axis by `angle` (…), radians, positive from +z to +y."""
    x, y, z = np.moveaxis(points, -1, 0)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.broadcast_to(x, angle.shape), c * y + s * z, c * z - s * y], axis=-1)


def save_cage(cage: DefaultCage, path: Path) -> None:
    """Write `cage` compressed: bases as float16, positions and UVs as float32, indices as int16 or int32."""
    values = {field.name: getattr(cage, field.name) for field in fields(DefaultCage) if field.name != "head"}
    values |= {HEAD_PREFIX + field.name: getattr(cage.head, field.name) for field in fields(HalfHead)}
    np.savez_compressed(path, **{name: _compact(name, value) for name, value in values.items()})


def _compact(name: str, value: np.ndarray) -> np.ndarray:
    if value.dtype.kind == "f":
        half = name.endswith(("identity", "expression", "albedo_fields"))
        return value.astype(np.float16 if half else np.float32)
    return value.astype(np.int16 if value.max() < 2**15 else np.int32)


def main(arguments: Sequence[str]) -> None:
    """Rebuild the shipped model file."""
    # One thread: sums in one order, so that a rebuild is the same everywhere.
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(prog="default_model", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH, help="file to write")
    save_cage(build_default_cage(), parser.parse_args(arguments).out)
