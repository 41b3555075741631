"""R-Net on the CPU: milliseconds a photo, the plain network against the copy for inference, in turn, after a warm-up.

    python benchmarks/regressor.py [--runs 30] [--threads 2]

The bar: the whole in at most 60 ms on two cores. The weights are random (time does not depend on them); the photo is
scikit-image's public-domain portrait. "CPU" is the time that the process computed, over all threads: on a busy machine
it says more than the clock, which waits for others. Ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import skimage.data
import torch

from semblance.core_models.networks.deng import CROP, Crop
from semblance.core_models.networks.regressor import Regressor, for_inference, regress

_LANDMARKS = {33: (200, 102), 133: (211, 101), 362: (236, 101), 263: (248, 101), 1: (223, 127), 4: (223, 124)}
_LANDMARKS |= {61: (206, 146), 291: (243, 145)}
"""Of the portrait, by eye: those that the crop needs."""


def main() -> None:
    """Print a row a variant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    times = measure(variants(), arguments.runs)
    plain = times["plain float32"]
    print(f"{'':38}{'ms':>8}{'least':>8}{'CPU ms':>8}{'clock ÷ plain':>15}{'CPU ÷ plain':>13}")
    for name, rows in times.items():
        clock, cpu = np.median(rows, axis=0) * 1000
        ratios = np.median(np.divide(rows, plain), axis=0)
        print(
            f"{name:38}{clock:8.1f}{rows[:, 0].min() * 1000:8.1f}{cpu:8.1f}{ratios[0]:15.2f}{ratios[1]:13.2f}"
        )


def variants() -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    photo, landmarks = skimage.data.astronaut(), np.full((478, 2), np.nan)
    landmarks[list(_LANDMARKS)] = list(_LANDMARKS.values())
    plain = Regressor().eval()
    fast, fast_float = for_inference(plain), for_inference(plain, torch.float32)
    picture = torch.rand(1, 3, CROP, CROP)
    return {
        "plain float32": lambda: plain(picture),
        "folded, channels last, float32": lambda: fast_float(picture),
        f"folded, channels last, {str(fast.backbone.conv1.weight.dtype)[6:]} (chosen)": lambda: fast(picture),
        "crop": lambda: Crop.around(landmarks).cut(photo),
        "whole: crop, network, camera, light": lambda: regress(fast, photo, landmarks),
    }


@torch.no_grad()
def measure(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, np.ndarray]:
    """Seconds (runs, 2) by the clock and of computing, one call of each in turn; three rounds before do not count."""
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(runs + 3):
        for name, call in calls.items():
            clock, cpu = time.perf_counter(), time.process_time()
            call()
            rows[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    return {name: np.array(each[3:]) for name, each in rows.items()}


if __name__ == "__main__":
    main()
