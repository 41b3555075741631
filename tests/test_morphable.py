"""The morphable model: symmetry, UVs, landmarks, anatomy, colour span."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semblance.core_models.morphable.default import load_default_cage, load_default_model
from semblance.core_models.morphable.model import MorphableModel


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_default_model()


def test_mean_is_exactly_mirror_symmetric(model: MorphableModel) -> None:
    reflected = model.mean[model.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    assert (model.mean - reflected).abs().max() < 1e-6
    assert torch.equal(model.mirror[model.mirror], torch.arange(model.n_vertices))


def test_identity_modes_have_a_parity(model: MorphableModel) -> None:
    parity = torch.tensor(load_default_cage().parity)[:, None, None]
    reflected = model.identity_basis[:, model.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(model.identity_basis, parity * reflected, atol=1e-5)
