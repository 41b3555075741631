"""Render what is missing of both splits of the Cycles set, half of the heads (all tones) first."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from .cycles_set import cycles_specimens, folder, plans, take
from .people import SPLITS
from .specimen import Specimen, save


def contact_sheet(specimens: list[Specimen], columns: int = 7, height: int = 240) -> np.ndarray:
    """Photos side by side (…, …, 3) uint8."""
    tiles = []
    for specimen in specimens:
        photo = specimen.photo_srgb
        tile = cv2.resize(photo, (int(height * 0.92), height), interpolation=cv2.INTER_AREA)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, help="a picture of the tune split")
    options = parser.parse_args()
    halves = [plans(split) for split in SPLITS]
    middle = len(halves[0]) // 2
    order = [
        plan for part in (slice(0, middle), slice(middle, None)) for half in halves for plan in half[part]
    ]
    for number, plan in enumerate(order):
        file, start = folder() / f"{plan.name}.npz", time.perf_counter()
        if not file.exists():
            save(take(plan), file)
            print(f"{number + 1}/{len(order)} {plan.name}: {time.perf_counter() - start:.1f} s", flush=True)
    if options.sheet:
        cv2.imwrite(str(options.sheet), contact_sheet(list(cycles_specimens("tune", False)))[..., ::-1])


if __name__ == "__main__":
    main()
