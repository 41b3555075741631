"""Contact sheets of a morphable model: `python -m semblance.core_models.morphable.contact_sheet --out FOLDER`.

Pages: the mean; random people; identity modes at ±2 σ; albedo modes at ±2 σ; expressions at full weight; close-ups of
the eyes. Front, three-quarter and profile. To be looked at: a model is believed when they are people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from .default import load_default_model
from .model import MorphableModel
from .neutral import rotation_y
from .portrait import Studio, portrait

YAWS_DEGREES = (0.0, -40.0, -90.0)
_HEAD = Studio(size=240, width=2.9, centre=(0.0, 0.02, -0.35))


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
        views = [
            portrait(shape, model.faces, colour, rotation_y(np.radians(yaw)), self.studio) for yaw in yaws
        ]
        row = np.hstack(views)
        cv2.putText(row, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
        return row

    def mean(self) -> np.ndarray:
        """The mean in colour, and once in grey to judge the shape."""
        grey = ContactSheet(self.model, Studio(**{**self.studio.__dict__, "size": 480}))
        coloured = grey.person(label="mean")
        flat = self.model.albedo_mean.clone()
        self.model.albedo_mean.fill_(0.5)
        plain = grey.person(label="mean, shape only")
        self.model.albedo_mean.copy_(flat)
        return np.vstack([coloured, plain])

    def people(self, count: int = 8, seed: int = 0) -> np.ndarray:
        """Random people from the prior."""
        generator = torch.Generator().manual_seed(seed)

        def draw(n: int) -> torch.Tensor:
            return torch.randn(n, generator=generator)

        rows = [
            self.person(draw(self.model.n_identity), None, draw(self.model.n_albedo)) for _ in range(count)
        ]
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
            weights = sum(
                _unit(self.model.n_expression, self.model.expression_names.index(name), 1.0) for name in names
            )
            rows.append(self.person(expression=weights, label=title))
        return grid(rows, 3)


def _one(coefficients: torch.Tensor | None, size: int) -> torch.Tensor:
    return torch.zeros(1, size) if coefficients is None else coefficients[None]


def _unit(size: int, index: int, value: float) -> torch.Tensor:
    vector = torch.zeros(size)
    vector[index] = value
    return vector


def _sides_joined(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for name in names:
        base = name.removesuffix("Left")
        if name.endswith("Left") and base + "Right" in names and not base in ("jaw", "mouth"):
            yield base, [name, base + "Right"]
        elif not (name.endswith("Right") and name.removesuffix("Right") not in ("jaw", "mouth")):
            yield name, [name]


def grid(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one size, row by row; the last row is filled up with black."""
    blank = [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    cells = [*pictures, *blank]
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def main() -> None:
    """Write the contact sheets of the default model."""
    parser = argparse.ArgumentParser(
        prog="semblance.core_models.morphable.contact_sheet", description=main.__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--only", help="one page: mean, people, identity, albedo or expressions")
    arguments = parser.parse_args()
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


if __name__ == "__main__":
    main()
