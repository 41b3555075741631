"""The head behind the face: closed, sewn on, of human size, in the layout's free corners, and coloured like the rim."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from semblance.core_models.assembly import seen_share
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.render.rasterize import rasterize_uv
from semblance.core_models.texture.atlas import build_atlas
from semblance.core_models.texture.posed_mesh import pose_mesh
from semblance.core_models.texture.seams import close_head_seam, head_texels
from semblance.core_models.units import MM_PER_DM

FRONT_VERTICES, FRONT_FACES = 48_147, 95_936
HEAD = ("cranium", "ears")


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_model()


@pytest.fixture(scope="module")
def people(model: MorphableModel) -> torch.Tensor:
    """(13, N, 3): the mean, people far from it, and the strongest modes at ±3 σ."""
    generator = torch.Generator().manual_seed(0)
    identities = torch.zeros(13, model.n_identity)
    identities[1:7] = 2 * torch.randn(6, model.n_identity, generator=generator)
    for mode in range(3):
        identities[7 + 2 * mode, mode], identities[8 + 2 * mode, mode] = 3.0, -3.0
    return model.shape(identities, torch.zeros(13, model.n_expression))


def welded(model: MorphableModel) -> torch.Tensor:
    return model.twin[model.faces]


def directed_edges(faces: torch.Tensor) -> torch.Tensor:
    return torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def vertices_of(model: MorphableModel, *regions: str) -> torch.Tensor:
    return model.faces[model.region_faces(*regions)].unique()


def test_it_is_appended(model: MorphableModel) -> None:
    """Others keep numbers of vertices and triangles of the face."""
    head = model.region_faces(*HEAD)
    assert not head[:FRONT_FACES].any() and head[FRONT_FACES:].all()
    assert model.faces[:FRONT_FACES].max() == FRONT_VERTICES - 1
    assert model.faces[FRONT_FACES:].min() == FRONT_VERTICES
    assert torch.equal(model.twin[:FRONT_VERTICES], torch.arange(FRONT_VERTICES))
    digest = hashlib.sha256(model.faces[:FRONT_FACES].numpy().astype("<i8").tobytes()).hexdigest()
    assert digest.startswith("caa69a0ad0a42131")
    assert model.n_vertices < 1.2 * FRONT_VERTICES and len(model.faces) < 1.2 * FRONT_FACES


def test_surface_is_closed_but_for_the_necks_end(model: MorphableModel) -> None:
    """Every other edge joins two triangles that agree on their outside. (Eyeballs are open at the back.)"""
    edges = directed_edges(welded(model)[~model.region_faces("eyes")])
    assert len(edges.unique(dim=0)) == len(edges)
    once, count = edges.sort(dim=1).values.unique(dim=0, return_counts=True)
    assert count.max() == 2
    ends, times = once[count == 1].unique(return_counts=True)
    assert (times == 2).all()
    height = model.mean[ends, 1] * MM_PER_DM
    assert height.max() - height.min() < 0.01 and height.max() < model.mean[152, 1] * MM_PER_DM - 50


def test_seams_never_open(model: MorphableModel, people: torch.Tensor) -> None:
    assert torch.equal(people, people[:, model.twin])
    generator = torch.Generator().manual_seed(1)
    talking = model.shape(
        torch.zeros(4, model.n_identity), torch.rand(4, model.n_expression, generator=generator)
    )
    assert torch.equal(talking, talking[:, model.twin])


def test_expressions_leave_the_head_alone(model: MorphableModel) -> None:
    assert model.expression_basis[:, vertices_of(model, *HEAD)].abs().max() * MM_PER_DM < 0.1


def test_there_is_no_crease_at_the_rim(model: MorphableModel, people: torch.Tensor) -> None:
    """Across the seam normals turn no more than over one edge of so round a thing."""
    faces = welded(model)
    head = model.region_faces(*HEAD)
    seam = model.twin[FRONT_VERTICES:].unique()
    seam = seam[seam < FRONT_VERTICES]
    before = vertex_normals(people, faces[~head])[:, seam]
    behind = vertex_normals(people, faces[head])[:, seam]
    turn = torch.rad2deg(torch.acos((before * behind).sum(-1).clamp(-1, 1)))
    assert turn[0].max() < 6 and turn.quantile(0.99) < 8 and turn.max() < 12


# Millimetres, from one standard deviation below women's mean to one above men's: head breadth, length and
# bitragion–vertex height as in Zhuang & Bradtmiller 2005, the ear as in Farkas 1994 (from memory, yet to be checked).
def test_head_has_human_size(model: MorphableModel) -> None:
    head = model.mean * MM_PER_DM
    cranium, ears = head[vertices_of(model, "cranium")], head[vertices_of(model, "ears")]
    above = cranium[cranium[:, 1] > head[168, 1]]
    assert 140 < 2 * above[:, 0].max() < 162
    assert 178 < head[9, 2] - cranium[:, 2].min() < 206
    left = ears[ears[:, 0] > 0]
    tragus_height = head[454, 1]
    assert 118 < cranium[:, 1].max() - tragus_height < 142
    assert 56 < left[:, 1].max() - left[:, 1].min() < 69
    assert 30 < left[:, 2].max() - left[:, 2].min() < 42


def test_ears_are_where_ears_are(model: MorphableModel, people: torch.Tensor) -> None:
    """Between brow and base of the nose, behind the jaw's joint, standing off the head, touching no face."""
    mean = model.mean * MM_PER_DM
    ids = vertices_of(model, "ears")
    left = mean[ids][mean[ids, 0] > 0]
    assert abs(left[:, 1].max() - mean[334, 1]) < 10 and abs(left[:, 1].min() - mean[2, 1]) < 10
    assert left[:, 2].max() < mean[454, 2] - 10
    protrusion = left[:, 0].max() - mean[vertices_of(model, "cranium"), 0].max()
    assert 5 < protrusion < 20
    free = ids[model.twin[ids] == ids]
    face = vertices_of(model, "skin", "rim")
    for person in people[:7]:
        near = person[face][person[face, 2] < person[454, 2]]
        assert torch.cdist(person[free], near).min() * MM_PER_DM > 1.0


def test_islands_keep_off_each_other(model: MorphableModel) -> None:
    head = model.region_faces(*HEAD)
    covered = [rasterize_uv(model.uv, model.faces[part], 1024)[0] >= 0 for part in (head, ~head)]
    grown = torch.nn.functional.max_pool2d(covered[0].float()[None, None], 5, 1, 2)[0, 0] > 0
    assert not (grown & covered[1]).any()
    a, b, c = model.uv.double()[model.faces[head]].unbind(1)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    assert abs(covered[0].double().mean() / area - 1) < 0.02


def test_colours_continue_across_the_seam(model: MorphableModel) -> None:
    """A step between rim and head closes, the face's own texels stay, and the ears follow."""
    mesh = pose_mesh(model, (model.mean - torch.tensor([0.0, 0.0, 8.0])).numpy())
    atlas = build_atlas(mesh.uv, mesh.faces, 512)
    head = head_texels(atlas, mesh)
    height = atlas.weights @ mesh.vertices[:, 1:2]
    values = np.repeat(np.exp(0.2 * height), 3, axis=1) * [1.0, 0.8, 0.6]
    stepped = values.copy()
    stepped[head] = 0.5
    sewn = close_head_seam(atlas, mesh, stepped)
    on_face = np.setdiff1d(np.arange(len(values)), head)
    np.testing.assert_array_equal(sewn[on_face], values[on_face])
    rim = (mesh.twin < FRONT_VERTICES) & (np.arange(len(mesh.twin)) >= FRONT_VERTICES)
    near = head[np.asarray(atlas.weights[head] @ rim.astype(float)) > 0.6]
    assert len(near) > 50
    assert np.abs(np.log(sewn[near] / values[near])).mean() < 0.03
    ears = np.flatnonzero(np.isin(mesh.face_region, mesh.regions("ears"))[atlas.triangles])
    level = np.log(values[near].mean(0) / 0.5)
    np.testing.assert_allclose(np.log(sewn[ears] / 0.5).mean(0), level, atol=0.15)


def test_the_head_behind_it_does_not_count_as_unseen_face(model: MorphableModel) -> None:
    face = model.faces[model.region_faces("skin", "lips", "brows", "eyes")].unique().numpy()
    confidence = np.zeros(model.n_vertices, np.float32)
    confidence[face] = 1.0
    assert seen_share(confidence, model) == 1.0
    assert seen_share(1 - confidence, model) == 0.0
