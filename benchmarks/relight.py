"""Albedo, light and shape of reconstructed faces against the truth, and against two baselines.

    python benchmarks/relight.py [--set cycles|own|all] [--split tune|test] [--heads 0 1 …] [--lights top rim …]
                                 [--limit N] [--cached] [--quality standard] [--out FILE.json] [--sheet FOLDER]

Every specimen's photo goes through the whole program as a file would. What is measured: scoring/score.py; what it has
come to: RESULTS.md. Tune on "tune", report on "test".
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from semblance.benchmarks.scoring.geometry import FaceMesh
from semblance.benchmarks.scoring.looks import METHODS, result_paints
from semblance.benchmarks.scoring.report import LIGHTS, Record, Results, report
from semblance.benchmarks.scoring.score import PhotoScore, Setting, score_photo, spread_over_lights
from semblance.benchmarks.scoring.sheet import contact_sheet, photo_tiles
from semblance.benchmarks.sets import SETS, specimens
from semblance.benchmarks.specimens.specimen import Specimen
from semblance.core_models.errors import SemblanceError
from semblance.core_models.pipeline import Pipeline
from semblance.core_models.protocol import Options
from semblance.core_models.reconstruction import Reconstruction


def main() -> None:
    """Run and print."""
    arguments = _arguments()
    results = Results([], {})
    pipeline = Pipeline()
    facemesh = FaceMesh(pipeline.models.default)
    chosen = itertools.islice(choose(arguments), arguments.limit)
    for head, group in itertools.groupby(chosen, lambda specimen: (specimen.renderer, specimen.head)):
        scores: list[PhotoScore] = []
        rows: list[tuple[str, list[np.ndarray]]] = []
        for specimen in group:
            record, setting, result = run_photo(specimen, pipeline, facemesh, arguments.quality, scores)
            results.records.append(record)
            print(progress_line(record), flush=True)
            if arguments.sheet and setting and result:
                paints = result_paints(result, setting.found.mesh, pipeline.models.default)
                rows.append((caption(record), photo_tiles(setting, paints["program"])))
        # The Cycles set keeps a head's hard photo, of which there is no spread, apart from the others.
        if scores:
            results.spread["{}-{}".format(*head)] = spread_over_lights(scores)
        if rows:
            arguments.sheet.mkdir(parents=True, exist_ok=True)
            name = "{}-{}-{:02d}{}.png".format(arguments.split, *head, "" if scores else "-hard")
            contact_sheet(rows).save(arguments.sheet / name)
        if arguments.out:
            write(results, arguments.out)
    if not results.records:
        raise SystemExit("No specimen of that description; with --cached, none that is rendered.")
    print("\n" + report(results, f"{commit()} {arguments.set} {arguments.split}"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=(*SETS, "all"), default="all")
    parser.add_argument("--split", choices=("tune", "test"), default="tune")
    parser.add_argument("--heads", type=int, nargs="+")
    parser.add_argument("--lights", nargs="+", choices=LIGHTS)
    parser.add_argument("--limit", type=int, help="number of photos")
    parser.add_argument("--cached", action="store_true", help="leave out what is not rendered yet")
    parser.add_argument("--quality", choices=("draft", "standard", "best"), default="standard")
    parser.add_argument("--out", type=Path, help="where to write every photo's numbers")
    parser.add_argument("--sheet", type=Path, help="folder for contact sheets, one a head")
    return parser.parse_args()


def choose(arguments: argparse.Namespace) -> Iterator[Specimen]:
    """The specimens that the command line asks for."""
    for renderer in ("cycles", "own") if arguments.set == "all" else (arguments.set,):
        for specimen in specimens(renderer, arguments.split, not arguments.cached, arguments.heads):
            if not arguments.lights or specimen.light in arguments.lights:
                yield specimen


def run_photo(
    specimen: Specimen, pipeline: Pipeline, facemesh: FaceMesh, quality: str, scores: list[PhotoScore]
) -> tuple[Record, Setting | None, Reconstruction | None]:
    """Reconstruct and score one photo; appends to `scores` what the head's spread over lights needs."""
    record: Record = {
        key: getattr(specimen, key)
        for key in ("name", "renderer", "head", "light", "tone", "traits", "hardship")
    }
    start = time.perf_counter()
    try:
        result = reconstruct(specimen, pipeline, quality)
    except SemblanceError as error:
        return record | {"error": error.code}, None, None
    record["seconds"] = round(time.perf_counter() - start, 2)
    setting = Setting.of(specimen, result, pipeline.models.default)
    score = score_photo(setting, result, facemesh)
    if not specimen.hardship:
        scores.append(score)
    return record | {"numbers": score.numbers}, setting, result


def reconstruct(specimen: Specimen, pipeline: Pipeline, quality: str) -> Reconstruction:
    """The photo, written to a file, through the program."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        Image.fromarray(specimen.photo_srgb).save(photo)
        return pipeline.run(photo, Options(quality=quality))[0]


def caption(record: Record) -> str:
    """A photo in words."""
    traits = " ".join(record["traits"])
    score = record["numbers"]["methods"]["program"]["uv"]
    numbers = f"dE {score.get('de', np.nan):.1f}, ITA {score.get('ita', np.nan):+.0f}"
    return f"{record['light']}, tone {record['tone']}, {numbers}   {record['hardship']} {traits}"


def progress_line(record: Record) -> str:
    """A photo's line while the run goes on."""
    if "error" in record:
        return f"{record['name']:34} {record['error']}"
    methods = record["numbers"]["methods"]
    own, mean, photo = (methods[method]["uv"].get("de", np.nan) for method in METHODS)
    return f"{record['name']:34} {record['seconds']:5.1f} s   dE {own:6.2f} (mean {mean:6.2f}, photo {photo:6.2f})"


def write(results: Results, file: Path) -> None:
    """All numbers as JSON."""
    content = {"commit": commit(), "records": results.records, "spread": results.spread}
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def commit() -> str:
    """Short name of the checked-out commit, with a star where files differ from it."""
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty=*", "--exclude=*"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
