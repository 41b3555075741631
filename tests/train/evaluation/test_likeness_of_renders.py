"""`train.identity`: where landmarks lie on a turned head, and that distances follow what a render shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from semblance.core_models.networks.identity import DlibIdentity, load_dlib_identity
from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.view.framing import portrait_view
from semblance.tests.synthetic import synthetic_reconstruction
from semblance.train.evaluation.likeness import TURNED, VIEWS, identity_distances, landmark_vertices
from semblance.train.evaluation.metrics import SCORED_REGIONS, score_frame


@pytest.fixture(scope="module")
def truth() -> Reconstruction:
    return synthetic_reconstruction(n=96, texture_size=256, photo_size=(480, 600))


@pytest.fixture(scope="module")
def network() -> DlibIdentity:
    return load_dlib_identity()


def distances(result: Reconstruction, network: DlibIdentity) -> dict[str, float]:
    return identity_distances(result, score_frame(result, 224), network)


def test_landmarks_become_vertices_of_the_face(truth: Reconstruction) -> None:
    """The photo's camera sees them where the landmarks are, to half of the mesh's spacing (2 % of the face)."""
    chosen = landmark_vertices(truth)
    x, y, z = (truth.vertices[chosen] @ truth.rotation.T + truth.translation).T
    K = truth.K
    places = np.stack([K[0, 2] - K[0, 0] * x / z, K[1, 2] + K[1, 1] * y / z], axis=-1)
    assert np.abs(places - truth.model_landmarks).max() < 0.02 * np.ptp(truth.model_landmarks)
    regions = truth.region_names[truth.face_region[np.isin(truth.faces, chosen).any(axis=1)]]
    assert set(SCORED_REGIONS) <= set(regions)


def test_a_wrong_face_is_farther_in_every_view(truth: Reconstruction, network: DlibIdentity) -> None:
    right = distances(truth, network)
    assert tuple(right) == VIEWS
    assert right["photo"] < 0.1
    paler = dataclasses.replace(truth, albedo_srgb=255 - truth.albedo_srgb)
    wrong = distances(paler, network)
    assert all(wrong[view] > right[view] for view in VIEWS)


def test_only_the_scored_region_counts_in_the_photos_view(
    truth: Reconstruction, network: DlibIdentity
) -> None:
    frame = score_frame(truth, 224)
    outside = np.where(frame.region[..., None], frame.renders_srgb["uv_image"], 1.0).astype(np.float32)
    changed = dataclasses.replace(frame, renders_srgb={"uv_image": outside})
    same = identity_distances(truth, frame, network)
    assert identity_distances(truth, changed, network)["photo"] == pytest.approx(same["photo"], abs=1e-5)


def test_left_is_the_pictures_left(truth: Reconstruction) -> None:
    """The nose of the head that is called turned to the left is left of its middle."""
    tip = truth.vertices[np.argmax(truth.vertices[:, 2])]
    for name, yaw in TURNED.items():
        view = portrait_view(truth, yaw, 100, 100)
        x, _, z = view.rotation @ tip + view.translation
        column = view.K[0, 2] - view.K[0, 0] * x / z
        assert {"left": column < 45, "front": 45 < column < 55, "right": column > 55}[name]
