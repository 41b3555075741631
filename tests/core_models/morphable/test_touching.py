"""Lids, lips and eyeballs of the default model do not run into each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semblance.benchmarks.contacts import ContactModel, crossing_depth
from semblance.core_models.morphable.blinks import closing_expressions
from semblance.core_models.morphable.default import load_default_cage, load_default_model
from semblance.core_models.morphable.expressions import CENTRAL, COMPANIONS, SIDED

ALLOWED_MM = 0.5
DELICATE = (
    "eyeBlink", "eyeLookDown", "eyeSquint", "browDown", "jawOpen", "mouthClose", "mouthRollUpper", "mouthRollLower",
    "mouthShrugLower", "mouthSmile", "mouthPress", "mouthPucker",
)  # fmt: skip
OTHERS = tuple(name for name in (*SIDED, *CENTRAL) if name not in DELICATE)


@pytest.fixture(scope="module")
def model() -> ContactModel:
    return ContactModel(load_default_cage())


def slab(height: float, upwards: bool, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A 20 × 20 mm sheet at `height`: points (n, 3) and triangles (m, 3)."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(21.0), np.arange(21.0), indexing="ij"))
    index = np.arange(441).reshape(21, 21)
    a, b, c, d = (q.ravel() for q in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    points = np.stack([x + offset, y + offset, np.full(441, height)], axis=1)
    return points, faces if upwards else faces[:, ::-1]


@pytest.mark.parametrize("depth", [-0.3, 0.7])
def test_depth_of_a_known_dent_is_measured(depth: float) -> None:
    lower, lower_faces = slab(0.0, upwards=True)
    upper, upper_faces = slab(0.0, upwards=False, offset=0.31)
    upper[:, 2] = 1 - (1 + depth) * np.exp(-((upper[:, :2] - 10.3) ** 2).sum(1) / 8)
    normals = np.repeat([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], 441, axis=0)
    found = crossing_depth(np.concatenate([lower, upper]), normals, (upper_faces + 441, lower_faces))
    assert found == pytest.approx(max(depth, 0.0), abs=0.05)


def test_nothing_crosses_in_the_mean(model: ContactModel) -> None:
    assert model.depths(model.mean).worst < 0.1


@pytest.mark.parametrize(
    "name", [*DELICATE, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_nothing_crosses_in_an_expression(model: ContactModel, name: str) -> None:
    beside = {COMPANIONS[name]: 1.0} if name in COMPANIONS else {}
    assert model.depths(model.points({name: 1.0} | beside)).worst < ALLOWED_MM


@pytest.mark.parametrize(
    "mode", [*range(6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(6, 80))]
)
def test_nothing_crosses_in_an_identity_mode(model: ContactModel, mode: int) -> None:
    for sigma in (-2.0, 2.0):
        assert model.depths(model.points({}, sigma * np.eye(80)[mode])).worst < ALLOWED_MM


@pytest.mark.parametrize(
    "weights",
    [
        {"eyeBlink": 1.0, "eyeLookDown": 1.0},
        {"eyeBlink": 0.5, "eyeSquint": 0.5},
        {"jawOpen": 1.0, "mouthSmile": 1.0},
    ],
)
def test_nothing_crosses_in_a_pair_of_expressions(model: ContactModel, weights: dict[str, float]) -> None:
    assert model.depths(model.points(weights)).worst < ALLOWED_MM


def widest_gap(model: ContactModel, points: np.ndarray, side: int) -> float:
    """Of both lid margins, mm, upwards: where the slit slopes that is more than across."""
    upper, lower = (points[edge][np.argsort(points[edge, 0])] for edge in model.edges[side])
    return float((upper[:, 1] - np.interp(upper[:, 0], lower[:, 0], lower[:, 1])).max())


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("person", range(-1, 6))
def test_a_blink_closes_everybodys_eyes(model: ContactModel, side: int, person: int) -> None:
    people = np.random.default_rng(5).normal(size=(6, len(model.identity)))
    points = model.points({"eyeBlink": 1.0}, people[person] if person >= 0 else None)
    assert widest_gap(model, points, side) < 0.7
    assert model.depths(points).upper_in_lower_lid < ALLOWED_MM


def test_only_blinks_are_made_to_measure() -> None:
    model = load_default_model()
    identity = torch.from_numpy(np.random.default_rng(6).normal(size=(1, model.n_identity))).float()
    neutral = model.shape(identity, torch.zeros(1, model.n_expression))[0]
    changed = (closing_expressions(model, neutral) != model.expression_basis).any(2).any(1)
    found = {name for name, is_changed in zip(model.expression_names, changed, strict=True) if is_changed}
    assert found == {"eyeBlinkLeft", "eyeBlinkRight"}
    torch.testing.assert_close(closing_expressions(model, model.mean), model.expression_basis)
