"""Contact sheets of a morphable model: `python -m semblance.core_models.builders contact_sheet --out FOLDER`.

Pages: the mean; random people; identity modes at ±2 σ; albedo modes at ±2 σ; expressions at full weight; close-ups of
the eyes. Front, three-quarter and profile; the mean from behind too. To be looked at: a model is believed when they
are people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ..geometry.rotation import rotation_y
from ..morphable.albedo import random_coefficients
from ..morphable.default import load_default_model
from ..morphable.expressions import COMPANIONS
from ..morphable.model import MorphableModel
from ..morphable.portrait import Studio, portrait

YAWS_DEGREES = (0.0, -40.0, -90.0)
_BACK_DEGREES = (-140.0, 180.0)
_HEAD = Studio(size=240, width=3.1, centre=(0.0, 0.02, -0.7))


class ContactSheet:
    """Draws pages, (H, W, 3) uint8 RGB, of one model."""

    def __init__(self, model: MorphableModel, studio: Studio = _HEAD) -> None:
        self.model, self.studio = model, studio

    def person(
        self,
        identity: torch.Tensor | None = None,
        expression: torch.Tensor | None = None,
        albedo: torch.Tensor | None = None,
        label: str = "",
        yaws: Sequence[float] = YAWS_DEGREES,
    ) -> np.ndarray:
        """One row of pictures from the given yaw angles; omitted coefficients are zero."""
        model = self.model
        shape = model.shape(_one(identity, model.n_identity), _one(expression, model.n_expression))[0]
        colour = model.albedo(_one(albedo, model.n_albedo))[0]
        row = np.hstack([self.view(shape, colour, yaw) for yaw in yaws])
        cv2.putText(row, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
        return row

    def mean(self) -> np.ndarray:
        """The mean in colour and, below, its shape alone in grey, seen from behind too, with
        close-ups of the right eye, the mouth and the right ear."""
        model = self.model
        large = ContactSheet(model, replace(self.studio, size=2 * self.studio.size))
        grey = torch.full_like(model.albedo_mean, 0.45)
        eye, mouth, tragus = (model.mean[model.landmark_vertices[k, 0]].tolist() for k in (468, 13, 234))
        ear = np.add(tragus, (0.0, 0.0, -0.45)).tolist()
        rows = []
        for colour in (model.albedo_mean, grey):
            views = [large.view(model.mean, colour, yaw) for yaw in (*YAWS_DEGREES, *_BACK_DEGREES)]
            for centre, width, yaw in ((eye, 0.5, -15), (mouth, 0.9, -15), (ear, 0.9, 75)):
                close = ContactSheet(model, replace(large.studio, centre=centre, width=width))
                views.append(close.view(model.mean, colour, yaw))
            rows.append(np.hstack(views))
        return np.vstack(rows)

    def view(self, vertices: torch.Tensor, colour: torch.Tensor, yaw_degrees: float) -> np.ndarray:
        """One picture of `vertices` (N, 3) in `colour` (N, 3)."""
        faces = self.model.twin[self.model.faces]
        return portrait(vertices, faces, colour, rotation_y(np.radians(yaw_degrees)), self.studio)

    def people(self, count: int = 12, seed: int = 0) -> np.ndarray:
        """Random people: identity from the prior, albedo from `albedo.random_coefficients`."""
        rng = np.random.default_rng(seed)
        identities = torch.tensor(rng.normal(size=(count, self.model.n_identity)), dtype=torch.float32)
        albedos = torch.tensor(random_coefficients(rng, count), dtype=torch.float32)
        rows = [self.person(z, None, a) for z, a in zip(identities, albedos, strict=True)]
        return grid(rows, 2)

    def modes(self, kind: str, count: int) -> np.ndarray:
        """The first `count` modes of "identity" or "albedo" at −2 and +2 σ, front and three-quarter."""
        size = getattr(self.model, f"n_{kind}")
        rows = []
        for k in range(min(count, size)):
            for sigma in (-2.0, 2.0):
                one = {kind: _unit(size, k, sigma)}
                rows.append(self.person(**one, label=f"{kind} {k} {sigma:+.0f}", yaws=(0, -40)))
        return grid(rows, 4)

    def expressions(self) -> np.ndarray:
        """Every expression at full weight; sided ones on both sides at once."""
        rows = []
        for title, names in _sides_joined(self.model.expression_names):
            weights = torch.zeros(self.model.n_expression)
            weights[[self.model.expression_names.index(name) for name in names]] = 1.0
            rows.append(self.person(expression=weights, label=title))
        return grid(rows, 3)


def _one(coefficients: torch.Tensor | None, size: int) -> torch.Tensor:
    return torch.zeros(1, size) if coefficients is None else coefficients[None]


def _unit(size: int, index: int, value: float) -> torch.Tensor:
    vector = torch.zeros(size)
    vector[index] = value
    return vector


def _sides_joined(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(title, names) of the pictures: left and right of a sided expression together, except jaw and mouth shifts."""
    for name in names:
        base = name.removesuffix("Left").removesuffix("Right")
        if base in ("jaw", "mouth") or base == name:
            yield name, [name, *([COMPANIONS[name]] if name in COMPANIONS else [])]
        elif name.endswith("Left"):
            yield base, [name, base + "Right"]


def grid(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one size, row by row; the last row is filled up with black."""
    blank = [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    cells = [*pictures, *blank]
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def main(options: Sequence[str]) -> None:
    """Write the contact sheets of the default model."""
    parser = argparse.ArgumentParser(prog="contact_sheet", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--only", help="one page: mean, people, identity, albedo or expressions")
    arguments = parser.parse_args(options)
    sheet = ContactSheet(load_default_model())
    pages: dict[str, Callable[[], np.ndarray]] = {
        "mean": sheet.mean,
        "people": sheet.people,
        "identity": lambda: sheet.modes("identity", 16),
        "albedo": lambda: sheet.modes("albedo", 80),
        "expressions": sheet.expressions,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, draw in pages.items():
        if arguments.only in (None, name):
            cv2.imwrite(str(arguments.out / f"{name}.png"), draw()[..., ::-1])
