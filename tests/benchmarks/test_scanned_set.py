"""Heads drawn from scans: who is kept apart, and how the scans' mesh lies in the program's layout."""

from __future__ import annotations

import os

import numpy as np
import pytest

from semblance.benchmarks.heads import front_of
from semblance.benchmarks.scanned_set.heads import (
    REGIONS,
    VARIABLE,
    identity_weights,
    kept_apart,
    lay_out,
    load_scans,
)
from semblance.benchmarks.specimens.canvas import SIDE, make_canvas
from semblance.core_models.morphable.default import load_default_model


def test_the_benchmarks_people_are_those_that_tuning_may_not_draw() -> None:
    people = np.stack([identity_weights(np.random.default_rng(seed)) for seed in range(200)])
    assert kept_apart(people).all()
    assert not kept_apart(people * np.array([-1.0, *np.ones(99)])).any()
    assert abs(people.mean()) < 0.02 and people.std() == pytest.approx(1, abs=0.02)


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    load_scans.cache_clear()
    with pytest.raises(SystemExit, match=VARIABLE):
        load_scans()


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no file of scans")
def test_the_scans_features_lie_where_the_layout_has_them() -> None:
    model = front_of(load_default_model())
    canvas, scans = make_canvas(model), load_scans()
    layout = lay_out(scans, model, canvas)
    on_layout = np.full((len(scans.mean), 2), np.nan)
    face = scans.parts["face"].vertices
    on_layout[face] = layout.uv[: len(face)] * (1, -1) * SIDE + (0, SIDE)
    for number, place in scans.landmarks(on_layout).items():
        assert np.linalg.norm(place - canvas.landmarks[number]) < 4, number
    points = layout.points(scans, scans.mean)
    lips = points[layout.faces[layout.region == REGIONS.index("lips")]].mean((0, 1))
    mouth = scans.mean[scans.multi_pie[48:60]].mean(0)
    assert np.linalg.norm(lips - mouth) < 0.1
