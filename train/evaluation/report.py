"""What an evaluation leaves in its folder: JSON, a table, sheets of every face, the best, median and worst render."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .likeness import VIEWS
from .metrics import MINIMUM_COVERAGE, MODES, SIZES, FrameScores, mode_name

Record = dict[str, Any]
"""One photo's line of scores.jsonl: `photo`, `failure` (text or None), and unless it failed early
`landmark_rms_percent`, `coverage` {size: share}, `scores` {size: {mode: {l1, psnr, ssim}}}, `identity`
{view: distance}, `identity_in_loss`, `seconds`, `warnings`; with a regressor `regressed`: the same numbers of what it
tells alone, and `seconds` for both."""

MEASURES = ("psnr", "ssim", "l1")
SAME_PERSON = "same_person_below"
"""Setting: the identity distance below which the network's makers see one person, or None."""
# Lin et al. 2020, Table 1: CelebA photos at 224², vertex colours. The UV bar is Semblance's own.
PUBLISHED = {
    "vertex_image": {"psnr": 29.7, "ssim": 0.894, "l1": 0.034},
    "uv_image": {"psnr": 31.0, "ssim": 0.93},
}
_EXPLANATION = (
    "Render against photo, encoded values in 0…1, over skin, lips, brows and eyes inside the "
    "detected face oval; mean (median; 10th to 90th percentile)."
)
_RANKING_MODE = "uv_image"
_DIFFERENCE_GAIN = 4.0
_CAPTION_HEIGHT = 36
LOOK_TILE = 224
"""Pixels of each picture on the sheets of faces."""
_LOOKS_PER_SHEET = 8


def totals(records: list[Record]) -> dict[str, Any]:
    """Mean, median and 10th and 90th percentile of every number over the photos that did not fail."""
    good = [record for record in records if record["failure"] is None]
    if not good:
        return {"photos": len(records), "failures": len(records)}
    summary = {"photos": len(records), "failures": len(records) - len(good), **_spreads(good)}
    if all("regressed" in record for record in good):
        summary["regressed"] = _spreads([record["regressed"] for record in good])
    return summary


def _spreads(good: list[Record]) -> dict[str, Any]:
    return {
        "landmark_rms_percent": _spread([record["landmark_rms_percent"] for record in good]),
        "coverage": {
            str(size): _spread([record["coverage"][str(size)] for record in good]) for size in SIZES
        },
        "identity": {view: _spread([record["identity"][view] for record in good]) for view in VIEWS},
        "identity_in_loss": sum(record["identity_in_loss"] for record in good),
        "scores": _totals_of(good, "scores"),
        "face_scores": _totals_of(
            [record for record in good if all(record["face_scores"][str(size)] for size in SIZES)],
            "face_scores",
        ),
    }


def _totals_of(records: list[Record], kind: str) -> dict[str, Any]:
    """By size, mode and measure; empty without records."""
    if not records:
        return {}
    return {
        str(size): {
            name: {
                measure: _spread([record[kind][str(size)][name][measure] for record in records])
                for measure in MEASURES
            }
            for name in (mode_name(*mode) for mode in MODES)
        }
        for size in SIZES
    }


def write_report(folder: Path, settings: dict[str, Any], records: list[Record]) -> None:
    """Write contact.png, sheets/, report.md and, last, report.json, which marks the run as finished."""
    summary = totals(records)
    ranked = ranking(records)
    if ranked:
        contact = contact_sheet(
            [("best", ranked[0]), ("median", ranked[len(ranked) // 2]), ("worst", ranked[-1])], folder
        )
        contact.save(folder / "contact.png")
        (folder / "sheets").mkdir(exist_ok=True)
        for number in range(0, len(ranked), _LOOKS_PER_SHEET):
            page = ranked[::-1][number : number + _LOOKS_PER_SHEET]
            name = f"{number // _LOOKS_PER_SHEET + 1:02d}.png"
            look_sheet([record["photo"] for record in page], folder).save(folder / "sheets" / name)
    (folder / "report.md").write_text(table(settings, summary, records), encoding="utf-8")
    report = {"settings": settings, "totals": summary, "photos": records}
    (folder / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")


def ranking(records: list[Record]) -> list[Record]:
    """The photos that did not fail, best UV PSNR (with the lighting image, at the first size) first."""
    good = [record for record in records if record["failure"] is None]
    return sorted(good, key=lambda record: -record["scores"][str(SIZES[0])][_RANKING_MODE]["psnr"])


def table(settings: dict[str, Any], summary: dict[str, Any], records: list[Record]) -> str:
    """The report as Markdown: totals, failures, then a line per photo."""
    lines = ["# Evaluation", "", ", ".join(f"{key} {value}" for key, value in sorted(settings.items())), ""]
    lines += [f"{summary['photos']} photos, {summary['failures']} failures. {_EXPLANATION}", ""]
    if "scores" in summary:
        lines += [*_total_rows(summary), *_identity_rows(summary, settings.get(SAME_PERSON))]
    if "regressed" in summary:
        lines += _regressor_rows(summary)
    failures = [record for record in records if record["failure"] is not None]
    lines += [f"- failed: {record['photo']}: {record['failure']}" for record in failures]
    lines += _photo_rows([record for record in records if record["failure"] is None])
    return "\n".join(lines) + "\n"


def strip(scores: FrameScores) -> Image.Image:
    """Side by side: photo, UV render, vertex render, |UV − photo| × 4 inside the region."""
    uv, vertex = scores.renders_srgb["uv_image"], scores.renders_srgb["vertex_image"]
    difference = np.abs(uv - scores.photo_srgb) * _DIFFERENCE_GAIN * scores.region[..., None]
    row = np.concatenate([scores.photo_srgb, uv, vertex, difference], axis=1)
    return Image.fromarray(np.round(np.clip(row, 0, 1) * 255).astype(np.uint8))


def strip_path(folder: Path, photo: str) -> Path:
    """Where a photo's strip is kept, by its name in the report."""
    return folder / "strips" / (photo.replace("/", "__") + ".jpg")


def look_path(folder: Path, photo: str) -> Path:
    """Where a photo's row of relights and views is kept, by its name in the report."""
    return folder / "looks" / (photo.replace("/", "__") + ".jpg")


def look_sheet(photos: list[str], folder: Path) -> Image.Image:
    """The rows of relights and views of some photos below each other."""
    return _stacked([(photo, look_path(folder, photo)) for photo in photos])


def contact_sheet(chosen: list[tuple[str, Record]], folder: Path) -> Image.Image:
    """The strips of some photos below each other, each with its numbers."""
    rows = []
    for place, record in chosen:
        score = record["scores"][str(SIZES[0])]
        shown = "   ".join(
            f"{title} {score[mode]['psnr']:.1f} dB, SSIM {score[mode]['ssim']:.3f}"
            for title, mode in (("UV", "uv_image"), ("vertices", "vertex_image"))
        )
        caption = f"{place}: {record['photo']}   {shown}   landmarks {record['landmark_rms_percent']:.2f} %"
        rows.append((caption, strip_path(folder, record["photo"])))
    return _stacked(rows)


def _stacked(rows: list[tuple[str, Path]]) -> Image.Image:
    """Pictures of one size below each other, each under its caption."""
    pictures = [Image.open(path) for _, path in rows]
    height = pictures[0].height + _CAPTION_HEIGHT
    sheet = Image.new("RGB", (pictures[0].width, height * len(rows)), (38, 38, 40))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for index, ((caption, _), picture) in enumerate(zip(rows, pictures, strict=True)):
        draw.text((8, index * height + 7), caption, fill=(215, 215, 215), font=font)
        sheet.paste(picture, (0, index * height + _CAPTION_HEIGHT))
    return sheet


def _spread(values: list[float]) -> dict[str, float]:
    array = np.array(values, dtype=np.float64)
    p10, median, p90 = np.percentile(array, (10, 50, 90))
    return {"mean": float(array.mean()), "median": float(median), "p10": float(p10), "p90": float(p90)}


def _total_rows(summary: dict[str, Any]) -> list[str]:
    lines = ["| size | texture, light | PSNR dB | SSIM | L1 | published |", "|---|---|---|---|---|---|"]
    for size in SIZES:
        for texture, light in MODES:
            name = mode_name(texture, light)
            scores = summary["scores"][str(size)][name]
            published = PUBLISHED.get(name, {}) if size == SIZES[0] else {}
            cells = [f"{size}²", f"{texture}, {light}"]
            cells += [
                _cell(scores[measure], digits) for measure, digits in (("psnr", 2), ("ssim", 4), ("l1", 4))
            ]
            cells += [", ".join(f"{measure} {value}" for measure, value in published.items())]
            lines.append(f"| {' | '.join(cells)} |")
    for texture in ("uv", "vertex") if summary["face_scores"] else ():
        face = summary["face_scores"][str(SIZES[0])][mode_name(texture, "image")]
        values = ", ".join(f"{measure} {_cell(face[measure], 4)}" for measure in MEASURES)
        lines += ["", f"Where the mask sees the face, {SIZES[0]}², {texture}: {values}."]
    coverage = ", ".join(f"{_cell(summary['coverage'][str(size)], 3)} at {size}²" for size in SIZES)
    rms = _cell(summary["landmark_rms_percent"], 3)
    lines += ["", f"Landmark RMS, % of the inter-ocular distance: {rms}."]
    return [*lines, f"Scored share of the oval: {coverage}; a photo fails below {MINIMUM_COVERAGE}.", ""]


def _identity_rows(summary: dict[str, Any], same_person: float | None) -> list[str]:
    one = f"; below {same_person} its makers see one person" if same_person else ""
    titles = ("as in the photo", "turned to the left", "from the front", "turned to the right")
    lines = [
        f"Identity distance of photo and render, turned by 30° (smaller is more alike{one}):",
        "",
        f"| {' | '.join(titles)} |",
        "|---" * len(titles) + "|",
        f"| {' | '.join(_cell(summary['identity'][view], 3) for view in VIEWS)} |",
        "",
    ]
    if summary["identity_in_loss"]:
        lines += [
            f"Warning: in {summary['identity_in_loss']} results this network had a part in a loss: its distances say "
            "little about likeness there. Measure with another one (`--identity`).",
            "",
        ]
    return lines


def _regressor_rows(summary: dict[str, Any]) -> list[str]:
    """Side by side: what the regressor tells alone, and what the fit makes of it."""
    alone, fitted = _by_title(summary["regressed"]), _by_title(summary)
    rows = [f"| {title} | {_cell(alone[title], 4)} | {_cell(fitted[title], 4)} |" for title in fitted]
    title = f"The regressor alone, and the fit that begins there, {SIZES[0]}²:"
    return [title, "", "| | regressor alone | fitted |", "|---|---|---|", *rows, ""]


def _by_title(total: dict[str, Any]) -> dict[str, Any]:
    scores = total["scores"][str(SIZES[0])]
    return {
        "landmarks %": total["landmark_rms_percent"],
        **{f"{mode} {measure}": scores[mode][measure] for mode in scores for measure in MEASURES},
        **{f"identity, {view}": total["identity"][view] for view in VIEWS},
    }


def _cell(spread: dict[str, float], digits: int) -> str:
    mean, median, p10, p90 = (f"{spread[key]:.{digits}f}" for key in ("mean", "median", "p10", "p90"))
    return f"{mean} ({median}; {p10} to {p90})"


def _photo_rows(records: list[Record]) -> list[str]:
    size = str(SIZES[0])
    titles = (
        "photo",
        "UV dB",
        "UV SSIM",
        "vertex dB",
        "vertex SSIM",
        "UV `sh` dB",
        "landmarks %",
        "identity",
        "oval",
    )
    lines = ["", f"At {size}²:", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for record in records:
        scores = record["scores"][size]
        cells = [record["photo"]]
        for mode in ("uv_image", "vertex_image"):
            cells += [f"{scores[mode]['psnr']:.2f}", f"{scores[mode]['ssim']:.4f}"]
        cells += [f"{scores['uv_sh']['psnr']:.2f}", f"{record['landmark_rms_percent']:.2f}"]
        cells += [f"{record['identity']['front']:.3f}"]
        lines.append(f"| {' | '.join(cells)} | {record['coverage'][size]:.3f} |")
    return lines
