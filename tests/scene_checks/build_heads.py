"""Write three results, .blend and .npz: `python -m semblance.tests.scene_checks.build_heads FOLDER`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from semblance.addon.scene.blend_file import write_document
from semblance.addon.scene.build import SceneOptions
from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.synthetic import synthetic_reconstruction


def head_with_eyeballs() -> Reconstruction:
    """The synthetic head, its eyes cut loose, with a third expression that moves the eyes and nothing else."""
    head = synthetic_reconstruction(n=64)
    is_eye = head.face_region == list(head.region_names).index("eyes")
    eye_vertices = np.unique(head.faces[is_eye])
    n = len(head.vertices)
    copy_of = np.arange(n)
    copy_of[eye_vertices] = n + np.arange(len(eye_vertices))
    faces = head.faces.copy()
    faces[is_eye] = copy_of[faces[is_eye]]
    source = np.concatenate([np.arange(n), eye_vertices])
    offsets = head.shape_key_offsets[:, source]
    offsets[:, n:] = 0.0
    gaze = np.zeros_like(offsets[:1])
    gaze[:, n:, 0] = 0.002
    confidence = np.linspace(0.4, 1, len(source), dtype=np.float32)
    return replace(
        head,
        faces=faces.astype(np.int32),
        vertices=head.vertices[source],
        neutral_vertices=head.neutral_vertices[source],
        uv=head.uv[source],
        vertex_albedo_linear=head.vertex_albedo_linear[source],
        vertex_shading_linear=head.vertex_shading_linear[source],
        vertex_confidence=confidence,
        confidence=np.arange(256 * 256).reshape(256, 256).astype(np.uint8),
        shape_key_names=np.array([*head.shape_key_names, "eyeLookOutLeft"]),
        shape_key_offsets=np.concatenate([offsets, gaze]),
        report={"fit": {"landmark_rms_percent": 0.75}, "warnings": ["ein Gruß"]},
    )


def with_odd_camera(head: Reconstruction) -> Reconstruction:
    """Off-centre principal point, pixels that are not square, a head that is turned, tilted and rolled."""
    K = np.array([[900.0, 0, 130], [0, 820, 235], [0, 0, 1]], np.float32)
    rotation, _ = np.linalg.qr(np.array([[0.9, -0.3, 0.4], [0.2, 0.95, 0.1], [-0.4, 0.1, 0.9]]))
    rotation *= np.sign(np.diag(rotation))
    return replace(
        head,
        K=K,
        rotation=rotation.astype(np.float32),
        translation=np.array([0.03, -0.02, -0.9], np.float32),
        sh=np.random.default_rng(3).normal(size=(3, 9)).astype(np.float32),
    )


def with_cranium(head: Reconstruction) -> Reconstruction:
    """What lies beyond the rim at the top is a cranium that no photo shows, with UVs of its own along a seam."""
    high = head.neutral_vertices[head.faces][..., 1].min(1) > 0.06
    seam = np.intersect1d(head.faces[high], head.faces[~high])
    n = len(head.vertices)
    copy_of = np.arange(n)
    copy_of[seam] = n + np.arange(len(seam))
    faces = head.faces.copy()
    faces[high] = copy_of[faces[high]]
    source = np.concatenate([np.arange(n), seam])
    uv, confidence = head.uv[source], head.vertex_confidence[source]
    uv[n:] *= 0.5
    confidence[np.unique(faces[high])] = 0.0
    names = [*map(str, head.region_names), "cranium"]
    return replace(
        head,
        faces=faces,
        face_region=np.where(high, len(names) - 1, head.face_region).astype(np.uint8),
        region_names=np.array(names),
        vertices=head.vertices[source],
        neutral_vertices=head.neutral_vertices[source],
        uv=uv,
        vertex_albedo_linear=head.vertex_albedo_linear[source],
        vertex_shading_linear=head.vertex_shading_linear[source],
        vertex_confidence=confidence,
        shape_key_offsets=head.shape_key_offsets[:, source],
    )


def main() -> None:
    folder = Path(sys.argv[1])
    head = head_with_eyeballs()
    heads = {"head": head, "odd_camera": with_odd_camera(head), "cranium": with_cranium(head)}
    for name, result in heads.items():
        result.save(folder / f"{name}.npz")
        write_document(result, f"{name} Ünïcode 顔", SceneOptions(), folder / f"{name}.blend")


if __name__ == "__main__":
    main()
