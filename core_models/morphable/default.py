"""The embedded default model: `load_default_model()`.

The file holds the control cage (about 750 vertices) with all its modes; Loop subdivision, eyeballs and the colours'
masks are rebuilt when it is loaded. `python -m semblance.core_models.builders default_model` makes the file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..geometry.subdivision import Subdivision, subdivide
from ..landmarks import MESH_COUNT
from ..units import MM_PER_DM
from . import albedo, expressions, eyeballs
from .head import HalfHead, Head, whole_head
from .masks import CageParts, build_masks
from .model import ModelData, MorphableModel
from .parts import mouth_opening, right_eye_opening
from .touching import settle

DEFAULT_PATH = Path(__file__).parent.parent / "weights" / "default_face.npz"
LEVELS = 3
HEAD_PREFIX = "head_"
"""Of the head's arrays in the file."""
REGIONS = ("skin", "lips", "brows", "eyes", "mouth", "rim", "cranium", "ears")
_EXPRESSION_FADE_DM = 0.3


@dataclass(frozen=True)
class DefaultCage:
    """The control cage of the default model, as shipped; decimetres in model space.

    mean (Nc, 3); identity (80, Nc, 3); expression (52, Nc, 3); faces (Fc, 3); face_region (Fc,) index into REGIONS;
    uv (Nc, 2); mirror (Nc,); eye_centres (2, 3) subject's right first; eye_identity (80, 2, 3) their motion;
    albedo_fields (58, Nc) unit-variance random fields; eye_rings (2, 3, 16) and mouth_rings (2, 20) vertex numbers;
    parity (80,) +1 symmetric, −1 antisymmetric identity mode; head: what is sewn to the subdivided face.
    """

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    faces: np.ndarray
    face_region: np.ndarray
    uv: np.ndarray
    mirror: np.ndarray
    eye_centres: np.ndarray
    eye_identity: np.ndarray
    albedo_fields: np.ndarray
    eye_rings: np.ndarray
    mouth_rings: np.ndarray
    parity: np.ndarray
    head: HalfHead

    def vertices(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Cage vertices (Nc, 3) in decimetres for coefficients (80,) and (52,): the low-poly face."""
        return (
            self.mean
            + np.tensordot(identity, self.identity, axes=1)
            + np.tensordot(expression, self.expression, axes=1)
        )


def load_default_cage(path: Path = DEFAULT_PATH) -> DefaultCage:
    """Read the shipped file; floats become float64, integers int64."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    widened = {k: v.astype(np.float64 if v.dtype.kind == "f" else np.int64) for k, v in arrays.items()}
    head = HalfHead(**{field.name: widened.pop(HEAD_PREFIX + field.name) for field in fields(HalfHead)})
    return DefaultCage(**widened, head=head)


def load_default_model(path: Path = DEFAULT_PATH) -> MorphableModel:
    """The dense default model: 46 929 vertices of the face, 1 218 of the eyeballs, then the head's; takes a second."""
    return MorphableModel(dense_data(load_default_cage(path)))


def dense_data(cage: DefaultCage) -> ModelData:
    """Subdivide `cage`, add eyeballs and colours."""
    fine = subdivide(cage.faces, len(cage.mean), LEVELS)
    mirror = fine.mirror(cage.mirror)
    balls = eyeballs.build_eyeballs()
    n_face = len(mirror)
    mean, identity, expression = _dense_shape(cage, fine, mirror)
    mean, expression = _settled(cage, fine, mirror, mean, expression)
    gaze = expressions.gaze_rotations()[:, balls.side] - np.eye(3)
    ball_offsets = balls.offsets / MM_PER_DM
    masks = build_masks(
        mean * MM_PER_DM,
        fine.matrix,
        cage.mirror,
        CageParts(cage.eye_rings[:, 0], cage.mouth_rings[1], cage.mouth_rings),
    )
    albedo_mean, albedo_basis = albedo.dense_albedo(masks, balls, fine.matrix, cage.albedo_fields)
    landmark_vertices = np.concatenate(
        [np.arange(MESH_COUNT), n_face + eyeballs.iris_landmarks(balls).ravel()]
    )
    ball_region = np.full(len(balls.faces), REGIONS.index("eyes"))
    front = ModelData(
        model_id="semblance-default-2",
        albedo_space="linear",
        expression_names=expressions.NAMES,
        region_names=REGIONS,
        mean=np.concatenate([mean, ball_offsets + cage.eye_centres[balls.side]]),
        identity_basis=np.concatenate([identity, cage.eye_identity[:, balls.side]], axis=1),
        expression_basis=np.concatenate([expression, np.einsum("kmij,mj->kmi", gaze, ball_offsets)], axis=1),
        albedo_mean=albedo_mean,
        albedo_basis=albedo_basis,
        faces=np.concatenate([fine.faces, balls.faces + n_face]),
        uv=np.concatenate([_uv_exact(np.asarray(fine.matrix @ cage.uv), mirror), eyeballs.eyeball_uv(balls)]),
        mirror=np.concatenate([mirror, balls.mirror + n_face]),
        twin=np.arange(len(albedo_mean)),
        face_region=np.concatenate([cage.face_region[fine.parent], ball_region]),
        landmark_ids=np.arange(len(landmark_vertices)),
        landmark_vertices=np.repeat(landmark_vertices[:, None], 3, axis=1),
        landmark_weights=np.tile([1.0, 0.0, 0.0], (len(landmark_vertices), 1)),
    )
    field_parity = np.sign((cage.albedo_fields * cage.albedo_fields[:, cage.mirror]).sum(1))
    return _with_head(front, whole_head(cage.head, len(front.mean), mirror, cage.parity, field_parity))


def _with_head(front: ModelData, head: Head) -> ModelData:
    """`front` with the head's vertices after its own; at the seam they are those of the rim."""
    n = len(front.mean)
    albedo_mean, albedo_basis = albedo.head_albedo(head.ear_share, head.albedo_fields)
    end = np.unique(head.twin[head.twin < n])
    # The rim's end hardly moves with expressions; what little it does fades out behind it.
    gap, nearest = cKDTree(front.mean[end]).query(head.mean)
    fading = np.clip(1 - gap / _EXPRESSION_FADE_DM, 0, 1)[:, None] ** 2
    faint = front.expression_basis[:, end[nearest]] * fading
    region = np.where(head.is_ear, REGIONS.index("ears"), REGIONS.index("cranium"))

    def sewn(ahead: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """Values (…, n, 3) of the front and of the head (…, m, 3) with each twin's value its first vertex's."""
        behind = behind.copy()
        on_rim = head.twin < n
        behind[..., on_rim, :] = ahead[..., head.twin[on_rim], :]
        behind[..., ~on_rim, :] = behind[..., head.twin[~on_rim] - n, :]
        return np.concatenate([ahead, behind], axis=-2)

    return replace(
        front,
        mean=sewn(front.mean, head.mean),
        identity_basis=sewn(front.identity_basis, head.identity),
        expression_basis=sewn(front.expression_basis, faint),
        albedo_mean=sewn(front.albedo_mean, albedo_mean),
        albedo_basis=sewn(front.albedo_basis, albedo_basis),
        faces=np.concatenate([front.faces, head.faces]),
        uv=np.concatenate([front.uv, head.uv]),
        mirror=np.concatenate([front.mirror, head.mirror]),
        twin=np.concatenate([front.twin, head.twin]),
        face_region=np.concatenate([front.face_region, region]),
    )


def _dense_shape(
    cage: DefaultCage, fine: Subdivision, mirror: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (Nf, 3), identity (80, Nf, 3) and expression (52, Nf, 3) on the subdivided face, decimetres."""

    def refine(values: np.ndarray) -> np.ndarray:
        flat = np.moveaxis(values, -2, 0).reshape(len(cage.mean), -1)
        dense = np.asarray(fine.matrix @ flat).reshape(len(mirror), *values.shape[:-2], 3)
        return np.moveaxis(dense, 0, -2)

    modes = zip(refine(cage.identity), cage.parity, strict=True)
    identity = np.stack([_mirror_exact(mode, mirror, int(parity)) for mode, parity in modes])
    return _mirror_exact(refine(cage.mean), mirror, 1), identity, refine(cage.expression)


def _settled(
    cage: DefaultCage, fine: Subdivision, mirror: np.ndarray, mean: np.ndarray, expression: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Dense mean and expressions, decimetres, kept from crossing eyeballs, lids and lips."""
    right = right_eye_opening(fine, cage.faces, cage.eye_rings[0])
    openings = (right, right.mirrored(mirror), mouth_opening(fine, cage.faces, cage.mouth_rings))
    centres = cage.eye_centres * MM_PER_DM
    names = expressions.NAMES
    companions = {names.index(name): names.index(other) for name, other in expressions.COMPANIONS.items()}
    rest, offsets = settle(mean * MM_PER_DM, expression * MM_PER_DM, openings, centres, companions)
    return rest / MM_PER_DM, offsets / MM_PER_DM


def _mirror_exact(field: np.ndarray, mirror: np.ndarray, parity: int) -> np.ndarray:
    """Remove the rounding by which `field` (N, 3) misses exact symmetry."""
    return (field + parity * field[mirror] * [-1.0, 1.0, 1.0]) / 2


def _uv_exact(uv: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return np.stack([(uv[:, 0] + (1 - uv[mirror, 0])) / 2, (uv[:, 1] + uv[mirror, 1]) / 2], axis=1)
