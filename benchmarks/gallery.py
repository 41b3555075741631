"""Pictures that may be shown: the public-domain portrait and heads that we rendered ourselves, into docs/gallery.

    python benchmarks/gallery.py [--out docs/gallery]

Each row: photo, albedo, three relights, −45°, 0° and 45°. Rendered heads that are not in the benchmark's store yet are
rendered first (about ten seconds each).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import skimage.data
from PIL import Image

from semblance.benchmarks.specimens.cycles_set import Plan, folder, take
from semblance.benchmarks.specimens.specimen import Specimen, load, save
from semblance.core_models.pipeline import Pipeline
from semblance.core_models.protocol import Options
from semblance.core_models.view.strip import portrait_strip

TILE = 300
SIZE = 2048
"""Texels a side."""
SHOWN = (
    ("Light from a side", Plan("tune", 0, "hard_side")),
    ("Two lamps", Plan("tune", 1, "two_colour")),
    ("Overcast sky", Plan("tune", 2, "overcast")),
    ("Light from above", Plan("tune", 3, "top")),
    ("A room's windows", Plan("tune", 4, "hdri")),
    ("Soft light", Plan("tune", 5, "soft")),
)
COLUMNS = "photo, albedo, three relights, turned by −45°, from the front, turned by 45°"


def rendered(plan: Plan) -> Specimen:
    """A photo of the benchmark's Cycles set."""
    file = folder() / f"{plan.name}.npz"
    if not file.exists():
        save(take(plan), file)
    return load(file)


def photos(into: Path) -> Iterator[tuple[str, Path]]:
    """Captions and files, written into a folder as they are asked for."""
    portrait = into / "astronaut.png"
    Image.fromarray(skimage.data.astronaut()).save(portrait)
    yield "Eileen Collins, photographed by NASA (public domain)", portrait
    for caption, plan in SHOWN:
        file = into / f"{plan.name}.png"
        Image.fromarray(rendered(plan).photo_srgb).save(file)
        yield f"{caption} (a rendered head)", file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/gallery"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    page = ["# Gallery", "", f"Columns: {COLUMNS}. Made by `make gallery`.", ""]
    pipeline = Pipeline()
    with tempfile.TemporaryDirectory() as kept:
        for caption, photo in photos(Path(kept)):
            face = pipeline.run(photo, Options(size=SIZE))[0]
            name = f"{photo.stem}.jpg"
            Image.fromarray(portrait_strip(face, TILE)).save(out / name, quality=88)
            page += [f"![{caption}: {COLUMNS}]({name})", "", f"*{caption}*", ""]
            print(caption, flush=True)
    pipeline.close()
    (out / "README.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
