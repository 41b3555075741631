"""Relighting changes what it says, gives back what was there, and deletes nothing that the user may own."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from semblance.addon.scene.sun_fit import Suns, nonnegative_least_squares, sphere_directions, suns_for
from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.fake_worker import head
from semblance.tests.gui.blender_window import blender_window, roots
from semblance.tests.scene_checks.build_heads import head_with_eyeballs


@pytest.fixture(scope="module", params=BLENDERS)
def facts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = interpreter(request.param)
    folder = tmp_path_factory.mktemp("relight")
    head_with_eyeballs().save(folder / "head.npz")
    printed = run_python(CHECKS / "relight.py", folder / "head.npz", folder, python=python)
    return json.loads(printed.splitlines()[-1])


def test_the_world_comes_back(facts: dict[str, Any]) -> None:
    """Also after saving and reloading, after a second click, and after the user's own change."""
    assert facts["worlds"] == {
        "shown": True,
        "before": "mine",
        "restored": "mine",
        "forgotten": True,
        "not ours": False,
        "restored another": "another",
        "restored none": True,
        "deleted": "part_missing",
    }


def test_the_colours_come_back(facts: dict[str, Any]) -> None:
    matched = ["Standard", "None", 0.0, 1.0, False]
    assert facts["colours"] == {"matched": matched, "restored": True, "matches": False}


def test_the_camera_and_render_size_come_back(facts: dict[str, Any]) -> None:
    """Even when the photo's camera was deleted meanwhile."""
    framed = [True, 320, 400, 100, 1.0, 1.0]
    assert facts["cameras"] == {"framed": framed, "restored": True, "left": False}


def test_a_rig_replaces_the_one_before(facts: dict[str, Any]) -> None:
    rigs = facts["rigs"]
    assert rigs["kind"] == "REMBRANDT" and rigs["untouched"] and rigs["home"]
    assert rigs["lamps"] == [3, 3]
    assert rigs["removed"] and rigs["left"] == [0, 0] and rigs["collections"] == 1


def test_lamps_turn_with_the_world(facts: dict[str, Any]) -> None:
    before, after, world = facts["rigs"]["turned"]
    assert after == [-before[1], before[0], before[2]] and world == round(math.pi / 2, 4)


def test_a_rig_fits_a_face_that_was_moved_turned_and_scaled(facts: dict[str, Any]) -> None:
    """The key at (0, −0.8, 0.85) of a face twice the size, a quarter turn to the left, at (1, 2, 3)."""
    assert facts["rigs"]["moved"] == [2.6, 2.0, 4.7]
    assert facts["rigs"]["watts"] == 88.0


def test_lamps_that_the_user_changed_are_kept(facts: dict[str, Any]) -> None:
    assert facts["changed_rig"] == {
        "untouched": False,
        "kept": [True, True, 77.0],
        "new": "BUTTERFLY",
        "removed": False,
        "friend": True,
    }


def test_estimated_lamps(facts: dict[str, Any]) -> None:
    lamps = facts["estimated"]
    assert lamps["types"] == ["SUN"] and 2 < lamps["count"] <= 8 and lamps["residual"] < 0.05


def test_expressions_have_regions_and_two_sides(facts: dict[str, Any]) -> None:
    assert facts["keys"] == {
        "Jaw": [["Open", "jawOpen", None]],
        "Brows": [["Inner up", "browInnerUp", None]],
        "Eyes": [["Look out left", "eyeLookOutLeft", None]],
        "Mouth": [["Smile", "mouthSmileLeft", "mouthSmileRight"]],
        "mirrored": [0.25, 0.75, 0.4],
        "reset": [0.0, 0.0, 1.0],
    }


def test_a_new_texture_replaces_the_old_one(facts: dict[str, Any]) -> None:
    rebaked = facts["rebaked"]
    assert rebaked["kept"] == 0 and rebaked["images"] == rebaked["before"]
    assert rebaked["size"] == 128 and rebaked["size again"] == 256
    assert rebaked["halved"] and rebaked["attributes"] == rebaked["eyes"] == ["Albedo", "Lighting"]


def test_what_the_user_painted_is_kept(facts: dict[str, Any]) -> None:
    rebaked = facts["rebaked"]
    assert rebaked["kept painted"] == [True, True] and rebaked["painted is kept"]
    assert rebaked["attributes painted"] == ["Albedo", "Albedo painted", "Lighting"]
    assert rebaked["active"] == "Albedo"


@pytest.mark.parametrize("version", BLENDERS)
def test_every_operator_is_one_undo_step_for_all_selected_faces(version: str, tmp_path: Path) -> None:
    head_with_eyeballs().save(tmp_path / "head.npz")
    printed = run_python(CHECKS / "undo.py", tmp_path / "head.npz", python=interpreter(version))
    facts = json.loads(printed.splitlines()[-1])
    assert facts["faces"] == 2
    assert len(facts["operators"]) == 16
    assert {name for name, found in facts["operators"].items() if found != [True, True, True]} == set()
    assert facts["face of a removed lamp"]
    assert facts["without a face"] == ["match_colours"]


@pytest.mark.parametrize("seed", range(20))
def test_nonnegative_least_squares(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix, target = random.normal(size=(40, 8)), random.normal(size=40)
    np.testing.assert_allclose(nonnegative_least_squares(matrix, target), nnls(matrix, target)[0], atol=1e-9)


def test_suns_find_the_light_they_made() -> None:
    """A single wide lamp is found again; darkness needs none."""
    normals = sphere_directions(400)
    none = Suns(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    light = np.maximum(normals @ [[0.0], [0.6], [0.8]], 0) * [[2.0, 1.0, 0.5]]
    one, residual = suns_for(light, normals, none, 6)
    strongest = one.directions[one.irradiance.sum(axis=1).argmax()]
    assert strongest @ [0.0, 0.6, 0.8] > 0.97 and residual < 0.1
    np.testing.assert_allclose(one.irradiance[:, 1], one.irradiance[:, 0] / 2, rtol=1e-6)
    assert not len(suns_for(np.zeros((400, 3)), normals, none, 6)[0].directions)


def test_suns_keep_the_lamps_that_the_photo_told() -> None:
    normals = sphere_directions(400)
    key = Suns(np.array([[0.0, -0.6, 0.8]]), np.array([[1.0, 0.9, 0.7]]), np.array([0.2]))
    suns, residual = suns_for(key.shading(normals) + 0.3 * (1 + normals[:, :1]), normals, key, 8)
    for name in ("directions", "irradiance", "angles"):
        np.testing.assert_array_equal(getattr(suns, name)[:1], getattr(key, name))
    assert 1 < len(suns.angles) <= 8 and residual < 0.05


@pytest.mark.parametrize("version", BLENDERS)
def test_textures_are_made_again_in_one_undo_step_a_face(version: str, tmp_path: Path) -> None:
    small = head()
    images = {
        name: np.repeat(np.repeat(getattr(small, name), 2, 0), 2, 1)
        for name in ("albedo_srgb", "shading_linear", "confidence")
    }
    replace(small, **images).save(tmp_path / "result.npz")
    worker = (sys.executable, "-m", "semblance.tests.fake_worker")
    script = CHECKS / "rebake.py"
    printed = run_python(script, tmp_path / "result.npz", *worker, python=interpreter(version))
    facts = json.loads(printed.splitlines()[-1])
    errors = facts.pop("errors")
    steps = {"before": [64, 64], "after": [32, 32], "undone once": [32, 64], "undone twice": [64, 64]}
    assert facts == {**steps, "more images": 0}
    for error, words in zip(
        errors, ("several photos", "The photo was deleted", "no longer has"), strict=True
    ):
        assert words in error


@pytest.mark.slow
@pytest.mark.parametrize("root", roots())
def test_rigs_replace_each_other_in_later_blenders(root: str) -> None:
    """Whose lamps are made otherwise: none is taken for one that the user has changed."""
    with blender_window(root) as blender:
        head_with_eyeballs().save(blender.folder / "head.npz")
        blender.run("for each in list(bpy.data.objects): bpy.data.objects.remove(each)")
        blender.run(f"bpy.ops.semblance.import_result(filepath={str(blender.inside / 'head.npz')!r})")
        for kind in ("RIM", "ESTIMATED", "REMBRANDT"):
            blender.run(f"bpy.ops.semblance.use_lamps(kind={kind!r})")
        assert blender.run("answer = sum(each.type == 'LIGHT' for each in bpy.data.objects)") == 3
        blender.run("bpy.ops.semblance.remove_lamps()")
        assert blender.run("answer = sum('lamps' in each.name for each in bpy.data.collections)") == 0
