"""Tables over many photos, the bars of the issue, and the row for RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .looks import KINDS, METHODS

LIGHTS = ("soft", "overcast", "hdri", "two_colour", "top", "rim", "hard_side")
_PROGRAM, _BASELINES = METHODS[0], METHODS[1:]
_ALBEDO_BAR, _ITA_BAR, _SPREAD_BAR, _AGREEMENT_BAR = 0.6, 3.0, 0.5, 2.0

Record = dict[str, Any]
"""A photo: name, head, light, tone, traits, hardship, seconds, and `numbers` (score.py) or `error`."""


@dataclass(frozen=True)
class Results:
    """A run over a set."""

    records: list[Record]
    spread: dict[str, dict[str, float]]
    """By renderer and head, by "method/kind"."""

    @property
    def scored(self) -> list[Record]:
        """Photos with numbers, without the hard ones."""
        return [record for record in self.records if "numbers" in record and not record["hardship"]]


def mean(values: Iterable[float | None]) -> float:
    """Over the numbers among them; NaN when there is none."""
    numbers = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else float("nan")


def of_paint(record: Record, method: str, kind: str, key: str) -> float | None:
    """One of `score_paint`'s numbers; "relit" is the mean over the held-out lights."""
    value = record["numbers"]["methods"][method][kind].get(key)
    return mean(value.values()) if isinstance(value, dict) else value


def average(records: list[Record], method: str, kind: str, key: str) -> float:
    """Mean of `of_paint` over photos."""
    return mean(of_paint(record, method, kind, key) for record in records)


def spread(results: Results, method: str, kind: str) -> float:
    """Mean over heads."""
    return mean(head.get(f"{method}/{kind}") for head in results.spread.values())


def ita(records: list[Record], method: str, kind: str, size: bool = False) -> float:
    """Mean signed ITA error in degrees, or its mean size."""
    errors = [of_paint(record, method, kind, "ita") for record in records]
    return mean(abs(error) if size and error is not None else error for error in errors)


def by(records: list[Record], key: str) -> dict[Any, list[Record]]:
    """Photos grouped by a field, lights in the order of their hardness."""
    order = {light: place for place, light in enumerate(LIGHTS)}
    groups: dict[Any, list[Record]] = {}

    def place_of(record: Record) -> Any:
        return order.get(record[key], record[key])

    for record in sorted(records, key=place_of):
        groups.setdefault(record[key], []).append(record)
    return groups


def methods_table(results: Results) -> list[str]:
    """One line a method and kind."""
    lines = [
        f"{'':16}{'dE':>7}{'dE scaled':>11}{'RMSE':>8}{'scaled':>8}{'unseen':>8}{'spread':>8}{'eyes':>7}"
        f"{'|ITA|':>7}{'relit dB':>10}"
    ]
    for method in METHODS:
        for kind in KINDS:
            numbers = [average(results.scored, method, kind, key) for key in ("de", "de_scaled")]
            errors = [average(results.scored, method, kind, key) for key in ("rmse", "rmse_scaled")]
            rest = [average(results.scored, method, kind, "unseen_de"), spread(results, method, kind)]
            eyes = average(results.scored, method, kind, "eyes_de")
            lines.append(
                f"{method + ' ' + kind:16}{numbers[0]:7.2f}{numbers[1]:11.2f}{errors[0]:8.4f}{errors[1]:8.4f}"
                f"{rest[0]:8.2f}{rest[1]:8.2f}{eyes:7.2f}{ita(results.scored, method, kind, True):7.1f}"
                f"{average(results.scored, method, kind, 'relit'):10.2f}"
            )
    return lines


def groups_table(results: Results, key: str) -> list[str]:
    """One line a light or tone: UV colours of the three methods, and the program's light and shape."""
    head = "program   mean  photo"
    lines = [
        f"{key:>12}{'n':>5}   {'dE: ' + head:27}{'dE scaled: ' + head:34}{'relit dB: ' + head:33}"
        f"{'ITA bias: ' + head:33}{'light':>7}{'scaled':>8}{'mm':>6}{'deg':>6}"
    ]
    for value, records in by(results.scored, key).items():
        columns = [
            "".join(f"{average(records, method, 'uv', name):7.2f}" for method in METHODS)
            for name in ("de", "de_scaled", "relit")
        ]
        bias = "".join(f"{ita(records, method, 'uv'):+7.1f}" for method in METHODS)
        light = [
            mean(r["numbers"]["light"][k] for r in records) for k in ("relative_rms", "relative_rms_scaled")
        ]
        depth, normals = (shape_error(records, _PROGRAM, k) for k in ("depth_mm", "normals_deg"))
        lines.append(
            f"{value!s:>12}{len(records):5}   {columns[0]:>25}  {columns[1]:>32}  {columns[2]:>31}  {bias:>31}"
            f"{light[0]:9.2f}{light[1]:8.2f}{depth:6.2f}{normals:6.1f}"
        )
    return lines


def shape_error(records: list[Record], method: str, key: str) -> float:
    """Mean over the photos of a method's depth or normals."""
    return mean(record["numbers"]["shape"].get(method, {}).get(key) for record in records)


def shape_table(records: list[Record]) -> list[str]:
    """Depth and normals of the program, the posed mean and FaceMesh's mesh."""
    return [
        f"{method:>10}: depth {shape_error(records, method, 'depth_mm'):.2f} mm, "
        f"normals {shape_error(records, method, 'normals_deg'):.2f} degrees"
        for method in ("program", "mean", "facemesh")
    ]


def hard_table(records: list[Record]) -> list[str]:
    """One line a hard photo."""
    hard = [record for record in records if record["hardship"]]
    lines = []
    for record in sorted(hard, key=lambda record: record["hardship"]):
        title = f"{record['hardship']:>12}  {record['name']:34}"
        if "error" in record:
            lines.append(f"{title} {record['error']}")
            continue
        scores = [of_paint(record, method, "uv", "de") for method in METHODS]
        bias = of_paint(record, _PROGRAM, "uv", "ita")
        lines.append(
            title + "".join(f"{mean([score]):7.2f}" for score in scores) + f"   ITA {mean([bias]):+6.1f}"
        )
    return lines


def bars(results: Results) -> list[str]:
    """Every bar of the issue: value, bar, met or not."""
    lines = []
    for kind in KINDS:
        for key, name in (("de", "CIEDE2000"), ("de_scaled", "CIEDE2000 after one scale")):
            best = min(average(results.scored, method, kind, key) for method in _BASELINES)
            value = average(results.scored, _PROGRAM, kind, key)
            lines.append(_bar(f"{name}, {kind}", value, _ALBEDO_BAR * best))
        for tone, records in by(results.scored, "tone").items():
            lines.append(
                _bar(f"|ITA bias|, tone {tone}, {kind}", abs(ita(records, _PROGRAM, kind)), _ITA_BAR)
            )
        photo = spread(results, "photo", kind)
        lines.append(
            _bar(f"spread over lights, {kind}", spread(results, _PROGRAM, kind), _SPREAD_BAR * photo)
        )
        for light, records in by(results.scored, "light").items():
            best = max(average(records, method, kind, "relit") for method in _BASELINES)
            value = average(records, _PROGRAM, kind, "relit")
            lines.append(_bar(f"relit dB from {light}, {kind}", value, best, higher=True))
    agreement = mean(record["numbers"]["agreement"] for record in results.scored)
    lines.append(_bar("vertex colours against UV, CIEDE2000", agreement, _AGREEMENT_BAR))
    for key in ("depth_mm", "normals_deg"):
        best = min(shape_error(results.scored, method, key) for method in ("mean", "facemesh"))
        lines.append(_bar(key, shape_error(results.scored, _PROGRAM, key), best))
    return lines


def _bar(name: str, value: float, bar: float, higher: bool = False) -> str:
    met = value >= bar if higher else value <= bar
    return f"{name:44}{value:8.2f}  {'≥' if higher else '≤'}{bar:8.2f}   {'met' if met else 'NOT MET'}"


def failures(records: list[Record]) -> list[str]:
    """Photos without a result that are not meant to be hard."""
    return [
        f"{record['name']}: {record['error']}"
        for record in records
        if "error" in record and not record["hardship"]
    ]


def markdown_row(results: Results, title: str) -> str:
    """The row of RESULTS.md: program / mean albedo / raw photo where there are three numbers."""

    def three(number: Callable[[str], float], form: str = ".1f") -> str:
        return " / ".join(f"{number(method):{form}}" for method in METHODS)

    scored = results.scored
    tones = ", ".join(f"{ita(records, _PROGRAM, 'uv'):+.0f}" for records in by(scored, "tone").values())
    light = [mean(r["numbers"]["light"][k] for r in scored) for k in ("relative_rms", "relative_rms_scaled")]
    lowest = (
        min(
            average(records, _PROGRAM, "uv", "relit") - average(records, method, "uv", "relit")
            for records in by(scored, "light").values()
            for method in _BASELINES
        )
        if scored
        else float("nan")
    )
    shape = [
        " / ".join(f"{shape_error(scored, method, key):.2f}" for method in ("program", "mean", "facemesh"))
        for key in ("depth_mm", "normals_deg")
    ]
    cells = [
        title,
        f"{len(scored)}",
        three(lambda method: average(scored, method, "uv", "de")),
        three(lambda method: average(scored, method, "uv", "de_scaled")),
        three(lambda method: average(scored, method, "vertex", "de")),
        three(lambda method: average(scored, method, "vertex", "de_scaled")),
        tones,
        three(lambda method: spread(results, method, "uv")),
        three(lambda method: average(scored, method, "uv", "unseen_de")),
        f"{light[0]:.2f} / {light[1]:.2f}",
        three(lambda method: average(scored, method, "uv", "relit")),
        f"{lowest:+.1f}",
        f"{mean(record['numbers']['agreement'] for record in scored):.1f}",
        *shape,
    ]
    return "| " + " | ".join(cells) + " |"


def report(results: Results, title: str) -> str:
    """All tables as text."""
    sections = {
        f"{title}: {len(results.scored)} photos": methods_table(results),
        "by light (UV)": groups_table(results, "light"),
        "by tone (UV)": groups_table(results, "tone"),
        "shape": shape_table(results.scored),
        "hard photos: dE of program, mean, photo": hard_table(results.records),
        "no result": failures(results.records),
        "bars": bars(results),
        "row": [markdown_row(results, title)],
    }
    return "\n\n".join("\n".join([name, *lines]) for name, lines in sections.items() if lines)
