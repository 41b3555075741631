"""The head behind the face as shipped: one half, reflected and sewn to the face's rim when the model is loaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class HalfHead:
    """The subject's left half of cranium, neck and ear; decimetres in model space.

    vertices (n, 3), x = 0 in the middle; faces (f, 3); is_ear (f,) 1 on the ear's triangles; ear_share (n,) 0 on the
    head … 1 on the ear; uv (n, 2); rim (n,) the dense face's vertex at the same place, or −1; first (n,) the first
    vertex here at the same place; identity (80, n, 3); albedo_fields (58, n). UV seams repeat vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray
    is_ear: np.ndarray
    ear_share: np.ndarray
    uv: np.ndarray
    rim: np.ndarray
    first: np.ndarray
    identity: np.ndarray
    albedo_fields: np.ndarray


@dataclass(frozen=True)
class Head:
    """Both halves, left first, as vertices that follow `before` others of a model; fields as in `ModelData`."""

    mean: np.ndarray
    identity: np.ndarray
    faces: np.ndarray
    is_ear: np.ndarray
    uv: np.ndarray
    mirror: np.ndarray
    twin: np.ndarray
    ear_share: np.ndarray
    albedo_fields: np.ndarray


def whole_head(
    half: HalfHead, before: int, face_mirror: np.ndarray, parity: np.ndarray, field_parity: np.ndarray
) -> Head:
    """Reflect `half`.

    face_mirror (Nf,) of the dense face; parity (80,) of the identity modes and field_parity (58,) of the albedo's
    fields, ±1.
    """
    n = len(half.vertices)
    place = before + np.arange(n)
    sewn = half.rim >= 0
    left = np.where(sewn, half.rim, before + half.first)
    right = np.where(sewn, face_mirror[half.rim], left + n)
    # The middle belongs to both halves.
    middle = half.vertices[:, 0] == 0
    right = np.where(middle & ~sewn, left, right)
    modes, other_modes = half.identity.copy(), parity[:, None, None] * half.identity * _FLIP
    fields, other_fields = half.albedo_fields.copy(), field_parity[:, None] * half.albedo_fields
    for own_values, reflected in ((modes, other_modes), (fields, other_fields)):
        own_values[:, middle] = reflected[:, middle] = (own_values[:, middle] + reflected[:, middle]) / 2
    return Head(
        mean=np.concatenate([half.vertices, half.vertices * _FLIP]),
        identity=np.concatenate([modes, other_modes], axis=1),
        faces=np.concatenate([half.faces, half.faces[:, ::-1] + n]) + before,
        is_ear=np.tile(half.is_ear, 2),
        uv=np.concatenate([half.uv, half.uv * [-1, 1] + [1, 0]]),
        mirror=np.concatenate([place + n, place]),
        twin=np.concatenate([left, right]),
        ear_share=np.tile(half.ear_share, 2),
        albedo_fields=np.concatenate([fields, other_fields], axis=1),
    )
