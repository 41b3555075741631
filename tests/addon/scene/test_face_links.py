"""A result keeps together: found through pointers after whatever an artist does to a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.scene_checks.build_heads import head_with_eyeballs


@pytest.fixture(scope="module", params=BLENDERS)
def facts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = interpreter(request.param)
    folder = tmp_path_factory.mktemp("survive 顔")
    head_with_eyeballs().save(folder / "head.npz")
    printed = run_python(CHECKS / "survive.py", folder / "head.npz", folder, python=python)
    return json.loads(printed.splitlines()[-1])


WHOLE = {
    "found from": {"face": True, "eyes": True, "camera": True},
    "shader": True,
    "albedo": True,
    "shown": [True, True],
    "size": [320, 400],
    "fit": True,
    "sliders": {"Jaw": 1, "Brows": 1, "Eyes": 1},
    "photo expression": 1.0,
    "eyes follow": 0.3,
}


@pytest.mark.parametrize(
    "after", ("renamed", "reloaded", "collection appended", "object appended", "copied whole")
)
def test_a_result_stays_whole(facts: dict[str, Any], after: str) -> None:
    assert facts[after] == WHOLE


def test_copies_of_the_face_alone_share_its_eyes_and_camera(facts: dict[str, Any]) -> None:
    """They remain the original's, and are found from the copy."""
    shared = {"found from": {"face": True, "eyes": False, "camera": False}}
    assert facts["linked"] == WHOLE | shared
    assert facts["copied"] == WHOLE | shared | {"eyes follow": 0.0}


def test_lamps_belong_to_one_face(facts: dict[str, Any]) -> None:
    assert facts["lamps"] == [True, True]
    assert not facts["copied lamps"] and not facts["linked lamps"]


def test_appending_brings_the_parts_along(facts: dict[str, Any]) -> None:
    members = ["CAMERA", "EMPTY", "LIGHT", "LIGHT", "LIGHT", "MESH", "MESH"]
    assert facts["collection's members"] == facts["object's members"] == members
