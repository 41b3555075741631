"""No seam where the photo ends: from any side, under any light, on a head in closed form and on the default model with
freckles; and its vertex colours are the texture's.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import cv2
import numpy as np
import pytest
import torch

from semblance.core_models.bake import TextureResult
from semblance.core_models.colour import linear_to_srgb_uint8, srgb_to_linear
from semblance.core_models.completion import analytic
from semblance.core_models.completion.analytic import Completion
from semblance.core_models.images import sample_bilinear
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.shade import render_mesh
from semblance.tests.core_models.test_bake import _case
from semblance.tests.observed import baked
from semblance.tests.seams import seam_strength
from semblance.tests.specimen_double import default_model, exact_result, specimen
from semblance.train.evaluation.colour_difference import ciede2000

DARKER = np.float32([0.75, 0.62, 0.55])
"""Than the model's mean: the photo's skin."""
SEAMLESS, SEAM = 1.5, 1.8
FINE = [256, pytest.param(4096, marks=pytest.mark.slow)]
"""Pixels of the texture."""


def _with_texture(truth: Reconstruction, texture: TextureResult) -> Reconstruction:
    shared = {field.name for field in fields(texture)} & {field.name for field in fields(truth)}
    return replace(truth, **{name: getattr(texture, name) for name in shared})


@cache
def _freckled_photo(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The default model with freckled skin, 35° turned, under a lamp from the side: photo (side, side, 3), and a
    face mask (side, side) that a fringe cuts.
    """
    model, truth = default_model(), specimen(35.0, 1.5)
    points = model.mean.numpy()
    rng = np.random.default_rng(3)
    waves = rng.normal(size=(60, 3)) * rng.choice([20.0, 40.0, 80.0], (60, 1))
    freckles = np.cos(points @ waves.T + rng.uniform(0, 6, 60)).sum(1) / np.sqrt(30)
    albedo = DARKER * model.albedo_mean.numpy() * np.exp(0.05 * np.outer(freckles, [0.6, 1.0, 1.2]))
    patches = np.cos(points @ [[8.0, 2.0], [5.0, 9.0], [4.0, 6.0]]).sum(1)
    albedo = albedo * np.exp(0.15 * np.outer(patches, [0.8, 1.0, 1.1]))
    camera = torch.as_tensor(points @ truth.rotation.T + truth.translation, dtype=torch.float32)[None]
    K = truth.K.copy()
    K[:2] *= side / truth.photo_srgb.shape[0]
    picture = render_mesh(
        camera, model.faces, torch.as_tensor(albedo)[None].float(), torch.as_tensor(truth.sh)[None].float(),
        torch.as_tensor(K)[None].float(), side, side,
    )[0].numpy()  # fmt: skip
    row, column = np.mgrid[:side, :side] / side
    fringe = row < 0.36 + 0.05 * np.sin(11 * column)
    mask = cv2.GaussianBlur((picture[..., 3] * ~fringe).astype(np.float32), (0, 0), side / 250)
    return linear_to_srgb_uint8(picture[..., :3] * picture[..., 3:]), mask


@cache
def _freckled_head(size: int) -> Reconstruction:
    truth, side = specimen(35.0, 1.5), min(1536, 3 * size)
    photo, mask = _freckled_photo(side)
    K = truth.K.copy()
    K[:2] *= side / truth.photo_srgb.shape[0]
    camera = (truth.vertices @ truth.rotation.T + truth.translation).astype(np.float32)
    return _with_texture(exact_result(truth), baked(photo, mask, default_model(), camera, K, size))


def _strength(result: Reconstruction, size: int) -> float:
    return seam_strength(result, np.random.default_rng(0), 6, 400 if size < 1000 else 1200)


def _cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the seen end where it ends, with neither a feather nor a membrane nor the model in the skin's tone."""
    plan_completion = analytic.plan_completion

    def plan(seen, confidence, model_albedo, places) -> Completion:
        made = plan_completion(seen, confidence, model_albedo, places)
        return replace(
            made, confidence=confidence, seen_share=(confidence > 0.5).astype(np.float32),
            mirror_tone=np.zeros_like(made.mirror_tone), model_fill=model_albedo / DARKER,
        )  # fmt: skip

    monkeypatch.setattr(analytic, "plan_completion", plan)


@pytest.mark.parametrize("size", FINE)
def test_freckled_head_has_no_seam(size):
    assert _strength(_freckled_head(size), size) < SEAMLESS


@pytest.mark.parametrize("size", FINE)
def test_head_in_closed_form_has_no_seam(size):
    case = _case(35.0, size)
    assert _strength(_with_texture(case.truth, case.result), size) < SEAMLESS


def test_a_cut_is_a_seam(monkeypatch):
    _cut(monkeypatch)
    assert _strength(_freckled_head.__wrapped__(256), 256) > SEAM


def test_vertex_colours_agree_with_the_texture():
    head = _freckled_head(256)
    seen = np.isin(np.arange(len(head.uv)), head.faces[np.isin(head.face_region, (0, 1, 2))])
    u, v = head.uv[seen].T
    texture = sample_bilinear(srgb_to_linear(head.albedo_srgb), u * 256, (1 - v) * 256)
    assert ciede2000(texture, head.vertex_albedo_linear[seen]).mean() < 2.0
