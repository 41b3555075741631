"""How deep do lids, lips, nostrils and eyeballs of the default model run into each other? 0 mm where they do not.

    python -m semblance.benchmarks.intersections [--model default_face.npz]

For the mean, every identity mode at ±2 σ, random people, every expression at weights 1 and ½, common pairs of
expressions, and random people with expressions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np

from semblance.benchmarks.contacts import ContactModel
from semblance.core_models.morphable.default import DEFAULT_PATH, load_default_cage
from semblance.core_models.morphable.expressions import CENTRAL, COMPANIONS, SIDED

PEOPLE = 40
PAIRS: tuple[dict[str, float], ...] = (
    {"eyeBlink": 1, "eyeLookDown": 1},
    {"eyeBlink": 1, "eyeLookUp": 1},
    {"eyeBlink": 1, "eyeLookInRight": 1, "eyeLookOutLeft": 1},
    {"eyeBlink": 1, "eyeSquint": 1},
    {"eyeBlink": 0.5, "eyeSquint": 0.5},
    {"jawOpen": 1, "mouthSmile": 1},
    {"jawOpen": 0.3, "mouthSmile": 1},
    {"mouthRollUpper": 1, "mouthRollLower": 1},
    {"mouthShrugUpper": 1, "mouthShrugLower": 1},
    {"mouthPucker": 1, "jawOpen": 0.3},
    {"mouthSmile": 1, "mouthPress": 1},
    {"mouthFunnel": 1, "jawOpen": 0.5},
    {"jawOpen": 1, "mouthStretch": 1},
)
Case = tuple[str, dict[str, float], "np.ndarray | None"]


def cases(n_identity: int) -> Iterator[Case]:
    """(group, expressions, identity) of everything that is measured."""
    yield "mean", {}, None
    for name in (*SIDED, *CENTRAL):
        for weight in (1.0, 0.5):
            beside = {COMPANIONS[name]: weight} if name in COMPANIONS else {}
            yield f"expressions at {weight:g}", {name: weight} | beside, None
    for pair in PAIRS:
        yield "pairs of expressions", pair, None
    for k in range(n_identity):
        for sigma in (-2.0, 2.0):
            yield "identity modes at ±2 σ", {}, sigma * np.eye(n_identity)[k]
    people = np.random.default_rng(0).normal(size=(PEOPLE, n_identity))
    for expression in ({}, {"eyeBlink": 1.0}, {"jawOpen": 1.0}, {"mouthSmile": 1.0}):
        for person in people:
            yield " ".join(["people", *expression]), expression, person


def main() -> None:
    """Print a table of groups and the cases that are worst."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_PATH)
    model = ContactModel(load_default_cage(parser.parse_args().model))
    groups: dict[str, list[tuple]] = {}
    for group, weights, identity in cases(len(model.identity)):
        depths = model.depths(model.points(weights, identity))
        row = (*astuple(depths), " ".join(weights))
        groups.setdefault(group, []).append(row)
    heads = "".join(f"{name:>18}" for name in ("lid in eyeball", "lid in lid", "lip in lip", "nose in nose"))
    print(f"{'largest (median) depth, mm':32}{heads}  worst")
    for group, rows in groups.items():
        table = np.maximum(np.array([row[:-1] for row in rows]), 0)
        cells = "".join(
            f"{a:10.2f} ({b:5.2f})" for a, b in zip(table.max(0), np.median(table, 0), strict=True)
        )
        print(f"{group:32}{cells}  {rows[int(table.max(1).argmax())][-1]}")


if __name__ == "__main__":
    main()
