"""What a face remembers of its computation, read back for the photo as it is now."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from semblance.core_models.fitting.stored import StoredFitError, read_fit
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.photo.load import Photo
from semblance.core_models.reconstruction import fit_of
from semblance.tests.synthetic import synthetic_reconstruction

HEAD = synthetic_reconstruction(n=12, texture_size=16, photo_size=(300, 400))
MODEL = cast(
    MorphableModel,
    SimpleNamespace(model_id=HEAD.model_id, n_identity=len(HEAD.identity), n_expression=len(HEAD.expression)),
)


def photo(width: int, height: int) -> Photo:
    return Photo(np.zeros((height, width, 3), np.uint8), None, "portrait.jpg")


def stored(**changes: Any) -> dict[str, Any]:
    """As the .blend keeps it: JSON."""
    return json.loads(json.dumps(fit_of(HEAD) | changes))


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.2])
def test_a_fit_comes_back_in_the_pixels_of_the_photo(scale: float) -> None:
    width, height = HEAD.image_size
    fit, sighting = read_fit(stored(), MODEL, photo(round(width * scale), round(height * scale)))
    for name in ("identity", "expression", "rotation"):
        np.testing.assert_allclose(getattr(fit, name), getattr(HEAD, name), atol=1e-6)
    np.testing.assert_allclose(fit.translation, HEAD.translation * 10, atol=1e-5)  # decimetres
    np.testing.assert_allclose(sighting.landmarks, HEAD.landmarks * scale, atol=1e-4)
    np.testing.assert_allclose(fit.model_landmarks, HEAD.model_landmarks * scale, atol=1e-4)
    point = np.array([0.1, 0.2, -1.0])
    np.testing.assert_allclose((fit.K @ point)[:2], (HEAD.K @ point)[:2] * scale, atol=1e-3)
    assert sighting.image_size == (round(width * scale), round(height * scale))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another"},
        {"K": None},
        {"K": [[1, 2], [3, 4]]},
        {"identity": [1.0]},
        {"landmarks": "none"},
        {"rotation": [["a", "b", "c"]] * 3},
        {"translation": [float("nan"), 0, 0]},
        {"image_size": [0, 0]},
        {"image_size": 7},
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(changes: dict[str, Any]) -> None:
    with pytest.raises(StoredFitError) as caught:
        read_fit(stored(**changes), MODEL, photo(300, 400))
    assert caught.value.hint == "Reconstruct it from its photo again."


def test_another_photo_is_refused() -> None:
    with pytest.raises(StoredFitError, match=r"portrait\.jpg"):
        read_fit(stored(), MODEL, photo(400, 300))


def test_nothing_at_all() -> None:
    with pytest.raises(StoredFitError):
        read_fit({}, MODEL, photo(300, 400))
