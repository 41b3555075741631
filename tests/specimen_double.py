"""A specimen made from the default model itself, and the reconstruction that would be exactly right."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from semblance.benchmarks.specimens.specimen import Specimen
from semblance.core_models.colour import linear_to_srgb_uint8, srgb_to_linear
from semblance.core_models.images import extend
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.shade import render_mesh
from semblance.core_models.texture.atlas import build_atlas

SIZE = 256
"""Of the photo and of the texture."""


@cache
def default_model() -> MorphableModel:
    return load_default_model()


def specimen(yaw_degrees: float = 20.0, slant: float = 1.0) -> Specimen:
    """The model's mean, turned, in an even light and one that slants, `slant` times as strong as usual."""
    model = default_model()
    cos, sin = np.cos(np.radians(yaw_degrees)), np.sin(np.radians(yaw_degrees))
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    translation = np.array([0.0, 0.0, -8.0])
    K = np.array([[2.4 * SIZE, 0, SIZE / 2], [0, 2.4 * SIZE, SIZE / 2], [0, 0, 1]])
    sh = np.zeros((3, 9))
    sh[:, 0] = 2 * np.sqrt(np.pi)  # 1 from everywhere
    sh[:, 2], sh[:, 3] = 0.8 * slant, slant * np.array([0.5, 0.4, 0.3])
    vertices = model.mean.numpy()
    camera = torch.as_tensor(vertices @ rotation.T + translation, dtype=torch.float32)[None]
    picture = render_mesh(
        camera, model.faces, model.albedo_mean[None], torch.as_tensor(sh)[None].float(),
        torch.as_tensor(K)[None].float(), SIZE, SIZE,
    )[0].numpy()  # fmt: skip
    atlas = build_atlas(model.uv.numpy(), model.faces.numpy(), SIZE)
    albedo = extend(atlas.image(atlas.weights @ model.albedo_mean.numpy()), atlas.covered())
    return Specimen(
        name="double", renderer="own", split="tune", head=0, light="soft", tone=3, traits=(), hardship="",
        photo_srgb=linear_to_srgb_uint8(picture[..., :3] * picture[..., 3:]),
        K=K, rotation=rotation, translation=translation, vertices=vertices, neutral=vertices,
        faces=model.faces.numpy().astype(np.int32), uv=model.uv.numpy(),
        face_region=model.face_region.numpy(), region_names=tuple(model.region_names),
        albedo_linear=albedo.astype(np.float16), sh=sh,
        face_mask=np.round(255 * picture[..., 3]).astype(np.uint8),
    )  # fmt: skip


def exact_result(truth: Specimen) -> Reconstruction:
    """What a perfect program would make of it; the shading is left at 1."""
    count, side = len(truth.vertices), len(truth.albedo_linear)
    model = default_model()
    landmarks = np.zeros((478, 2), np.float32)
    points = model.landmarks(torch.as_tensor(truth.vertices)[None])[0].numpy()
    seen = points @ truth.rotation.T + truth.translation
    landmarks[model.landmark_ids.numpy()] = (
        truth.K[:2, 2] - truth.K[0, 0] * seen[:, :2] * (1, -1) / seen[:, 2:]
    )
    return Reconstruction(
        vertices=truth.vertices * np.float32(0.1),
        neutral_vertices=truth.neutral * np.float32(0.1),
        faces=truth.faces,
        face_region=truth.face_region,
        region_names=np.array(truth.region_names),
        uv=truth.uv,
        rotation=truth.rotation.astype(np.float32),
        translation=(0.1 * truth.translation).astype(np.float32),
        K=truth.K.astype(np.float32),
        image_size=np.array(truth.photo_srgb.shape[1::-1], np.int32),
        sh=truth.sh.astype(np.float32),
        vertex_albedo_linear=model.albedo_mean.numpy(),
        vertex_shading_linear=np.ones((count, 3), np.float32),
        vertex_confidence=np.ones(count, np.float32),
        albedo_srgb=linear_to_srgb_uint8(truth.albedo_linear.astype(np.float32)),
        shading_linear=np.ones((side, side, 3), np.float16),
        lamp_directions=np.zeros((0, 3), np.float32),
        lamp_irradiance=np.zeros((0, 3), np.float32),
        lamp_angle=np.zeros(0, np.float32),
        sh_map=np.zeros((0, 0, 27), np.float16),
        confidence=np.full((side, side), 255, np.uint8),
        landmarks=landmarks,
        model_landmarks=landmarks,
        mask=truth.face_mask,
        photo_srgb=truth.photo_srgb,
        model_id="double",
        identity=np.zeros(0, np.float32),
        expression=np.zeros(0, np.float32),
        albedo_coefficients=np.zeros(0, np.float32),
        shape_key_names=np.array([], dtype="U1"),
        shape_key_offsets=np.zeros((0, count, 3), np.float32),
        report={},
    )


def repainted(result: Reconstruction, factor: float) -> Reconstruction:
    """The same with an albedo `factor` times as bright, UV image and vertex colours."""
    return replace(
        result,
        albedo_srgb=linear_to_srgb_uint8(factor * srgb_to_linear(result.albedo_srgb)),
        vertex_albedo_linear=np.float32(factor) * result.vertex_albedo_linear,
    )
