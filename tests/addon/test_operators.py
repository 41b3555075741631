"""The operators on photos, in every Blender, in the installed extension, with the fake worker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.fake_worker import head
from semblance.tests.jobs import FAKE

REPOSITORY = Path(__file__).parents[2]
NOT_OURS = "is not a Semblance result, or it is damaged. Choose a .npz that Semblance wrote"


@pytest.fixture(scope="module", params=BLENDERS)
def facts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = interpreter(request.param)
    folder = tmp_path_factory.mktemp("user folder")
    head().save(folder / "head.npz")
    build = [sys.executable, REPOSITORY / "tools" / "build_extension.py", "--out", folder]
    archive = subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip()
    printed = run_python(CHECKS / "operators.py", archive, folder, json.dumps(FAKE), python=python)
    return json.loads(printed.splitlines()[-1])


EXPECTED = {
    "a_photo_becomes_a_face": {
        "result": ["FINISHED"],
        "scene stays": True,
        "new": ["ok", "ok camera"],
        "active": "ok",
        "selected": ["ok"],
        "at the origin": True,
    },
    "it_is_what_the_plain_api_builds": [True, True, 3],
    "one_undo_takes_it_back": [True, True, True, True],
    "a_second_one_gets_a_suffix": "ok.001",
    "without_a_backend": "Error: No Python. Make one.",
    "the_list_is_worked_off": {
        "listed": ["ok.jpg", "two.jpg"],
        "found": ["middle left, 40 pixels tall", "middle right, 20 pixels tall"],
        "made": ["ok", "two", "two.001"],
        "states": ["State.DONE", "State.DONE"],
        "only the new one": ["ok 2"],
        "left": ["two.jpg", "ok 2.jpg"],
        "cleared": 0,
    },
    "photos_of_one_person_make_one_face": {
        "first": "ok.jpg",
        "more": ["ok 2.jpg"],
        "how": [512, "draft"],
        "made": ["ok"],
    },
    "images_of_the_file_are_photos": {
        "unreadable": "Error: The image 'empty' has no pixels that could be read. Save it as a file (Image › Save As) "
        "and choose that.",
        "painted": [True, "", "GENERATED"],
        "none": "Error: There is no image 'nothing' in this file.",
        "camera": [False, True],
        "files": [True, True, True],
        "as packed": True,
        "itself": "ok disk.png",
        "made": ["ok disk", "ok packed", "ok painted"],
    },
    "several_results_are_one_import": [["a", "b"], True],
    "only_in_object_mode": [False, [False, False], True, True],
    "settings_and_faces_survive_saving": ["VERTEX", "2048", "ok.jpg", 3, "ok", True],
    "another_file_ends_the_work": [False, False, False],
    "undo_during_the_work_harms_nothing": [True, True, False],
    "a_face_arrives_by_the_timer": [True, "ok", True],
    "the_report_tells_the_failure": [True, True, False],
    "disabling_ends_the_work": [False, "ok"],
}


@pytest.mark.parametrize("check", EXPECTED)
def test_the_operators(facts: dict[str, Any], check: str) -> None:
    assert facts[check] == EXPECTED[check]


def test_failures_are_sentences_and_leave_the_scene_alone(facts: dict[str, Any]) -> None:
    told = facts["failures_leave_the_scene_alone"]
    no_face, truncated, damaged, nothing_chosen = told["messages"]
    assert no_face == "Error: There is no face in the photo. Choose another one."
    assert NOT_OURS in truncated and NOT_OURS in damaged
    assert nothing_chosen == "Error: No photo is chosen. Choose one in the Semblance panel."
    assert told["unchanged"] and told["next"] == "ok"
