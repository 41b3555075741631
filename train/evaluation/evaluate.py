"""`semblance evaluate`: reconstruct every photo of a set and score the renders by the protocol of `metrics`.

One line of JSON per photo goes to scores.jsonl as soon as it is known, so that an interrupted run continues
where it stopped when the same command is given again.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ...core_models.engine import load_engine
from ...core_models.errors import SemblanceError, write_hint
from ...core_models.morphable.basel_files import needed_files
from ...core_models.networks.identity import LOSS_NETWORKS, IdentityNetwork
from ...core_models.networks.identity_files import load_identity_network
from ...core_models.networks.regressor import load_regressor
from ...core_models.protocol import Options
from ...core_models.reconstruction import Reconstruction
from ...core_models.view.strip import portrait_strip
from ..data.photos import list_photos
from .likeness import identity_distances
from .metrics import MINIMUM_COVERAGE, SIZES, FrameScores, landmark_rms_percent, score_frame
from .report import LOOK_TILE, MEASURES, SAME_PERSON, Record, look_path, strip, strip_path, write_report

MAX_WORKERS = 4
"""Each worker holds a pipeline of its own, 1 to 2 GB."""

Reconstruct = Callable[[Path], Sequence[Reconstruction]]
"""A photo's file → its largest face, and the same by the regressor alone where there is one."""
LoadReconstruct = Callable[[], Reconstruct]
"""Makes a `Reconstruct`, once a process. Must pickle and, so that "once" holds, compare by value."""


class EvaluationError(SemblanceError):
    """A report folder that cannot be used, or a worker process that died."""

    code = "evaluation"


@dataclass(frozen=True)
class EvaluateArguments:
    """What `semblance evaluate` was asked for."""

    photos: Path
    """A folder, or a .txt list (`train.data.photos`)."""
    out: Path
    """The folder for the report; a run that was interrupted there is continued."""
    options: Options = field(default_factory=Options)
    """With a regressor, what it tells alone is scored beside the fit that begins there."""
    limit: int | None = None
    """Only the first photos."""
    device: str = "auto"
    identity: Path | None = None
    """The identity network that measures likeness; the built-in one by default."""


@dataclass(frozen=True)
class LoadPipeline:
    """`LoadReconstruct` of the program itself."""

    options: Options
    device: str

    def __call__(self) -> Reconstruct:
        """Load the model and the networks.

        Raises:
            DeviceError: a device that cannot be computed on.
        """
        engine = load_engine(self.device)
        fitted = self.options
        twice = fitted.regressor is not None and fitted.quality != "draft"  # which is the regressor alone
        ways = [fitted, replace(fitted, regressed_only=True)] if twice else [fitted]
        return lambda path: [engine.reconstruct(str(path), way, lambda *_: None)[0] for way in ways]


def run(arguments: EvaluateArguments) -> int:
    """Evaluate, print a line per photo and the table; 0 when no photo failed, else 1.

    Raises:
        PhotoListError: no photos.
        DeviceError: a device that cannot be computed on.
        EvaluationError: the folder holds a finished run, one with other settings, or cannot be written.
        IdentityNetworkError: an identity network that cannot be used.
        ModelFileError, RegressorFileError: a file of the user's that is missing or something else.
    """
    photos = list_photos(arguments.photos)[: arguments.limit]
    network = _identity_network(arguments.identity)
    options = arguments.options
    settings = {
        "size": options.size,
        "quality": options.quality,
        "identity": network.name,
        SAME_PERSON: network.same_person,
    }
    _check_own(options)
    own = {"model": options.model, "regressor": options.regressor}
    settings |= {name: Path(path).name for name, path in own.items() if path is not None}
    load = LoadPipeline(options, arguments.device)
    workers = min(MAX_WORKERS, os.cpu_count() or 1, len(photos))
    root = arguments.photos if arguments.photos.is_dir() else arguments.photos.parent
    named = {Path(os.path.relpath(path, root)).as_posix(): path for path in photos}
    records = evaluate(named, arguments.out, settings, load, workers, arguments.identity)
    print((arguments.out / "report.md").read_text(encoding="utf-8").split("\nAt ")[0])
    return int(any(record["failure"] is not None for record in records))


def _check_own(options: Options) -> None:
    """Refuse wrong files once, before they fail every photo."""
    if options.model is not None:
        needed_files(Path(options.model))
    if options.regressor is not None:
        load_regressor(options.regressor)


def evaluate(
    photos: dict[str, Path],
    out: Path,
    settings: dict[str, Any],
    load: LoadReconstruct,
    workers: int,
    identity: Path | None = None,
) -> list[Record]:
    """Score photos, by their names in the report, and write the report into `out`.

    Args:
        photos: name → file.
        out: folder, made when missing; an interrupted run with equal settings is continued.
        settings: what must be equal for scores to be comparable; JSON.
        load: makes what reconstructs; in every process once.
        workers: processes; with 1 the work is done in this one.
        identity: file of the identity network, or None for the built-in one.

    Raises:
        EvaluationError: see `run`.
    """
    known = _open_folder(out, settings)
    todo = [name for name in photos if name not in known]
    done = len(photos) - len(todo)
    try:
        with open(out / "scores.jsonl", "a", encoding="utf-8") as file:
            for count, record in enumerate(_scored(todo, photos, out, load, workers, identity), done + 1):
                known[record["photo"]] = record
                file.write(json.dumps(record) + "\n")
                file.flush()
                print(f"{count}/{len(photos)} {_sentence(record)}", file=sys.stderr, flush=True)
        records = [known[name] for name in photos]
        write_report(out, settings, records)
    except OSError as error:
        raise _unwritable(out, error) from error
    return records


def score_photo(
    name: str, path: Path, out: Path, reconstruct: Reconstruct, network: IdentityNetwork
) -> Record:
    """One photo's record; failures of any kind become records too. Its pictures are kept in `out`."""
    start = time.perf_counter()
    try:
        reconstruction, *alone = reconstruct(path)
        seconds = time.perf_counter() - start
        frames = {size: score_frame(reconstruction, size) for size in SIZES}
        measured = _measured(reconstruction, frames, network)
        if alone:
            measured["regressed"] = _measured(
                alone[0], {size: score_frame(alone[0], size) for size in SIZES}, network
            )
    except SemblanceError as error:
        return {"photo": name, "failure": str(error)}
    except Exception as error:  # a defect of ours on one photo must not cost the other photos' scores
        return {
            "photo": name,
            "failure": f"{type(error).__name__}: {error}",
            "traceback": traceback.format_exc(),
        }
    smallest = min(frame.coverage for frame in frames.values())
    strip(frames[SIZES[-1]]).save(strip_path(out, name), quality=92)
    looks = portrait_strip(reconstruction, LOOK_TILE)
    Image.fromarray(looks).save(look_path(out, name), quality=92)
    return {
        "photo": name,
        "failure": f"{smallest:.1%} of the face oval is covered." if smallest < MINIMUM_COVERAGE else None,
        **measured,
        "seconds": round(seconds, 3),
        "warnings": list(reconstruction.report.get("warnings", [])),
    }


def _measured(
    reconstruction: Reconstruction, frames: dict[int, FrameScores], network: IdentityNetwork
) -> dict[str, Any]:
    """A result's numbers, as a record has them."""
    return {
        "landmark_rms_percent": landmark_rms_percent(
            reconstruction.landmarks, reconstruction.model_landmarks
        ),
        "coverage": {str(size): frame.coverage for size, frame in frames.items()},
        "scores": {
            str(size): {mode: asdict(score) for mode, score in frame.scores.items()}
            for size, frame in frames.items()
        },
        "face_scores": {
            str(size): {mode: asdict(score) for mode, score in frame.face_scores.items()}
            for size, frame in frames.items()
        },
        "identity": identity_distances(reconstruction, frames[SIZES[-1]], network),
        "identity_in_loss": network.name in reconstruction.report.get(LOSS_NETWORKS, []),
    }


@cache
def _loaded(load: LoadReconstruct) -> Reconstruct:
    return load()


@cache
def _identity_network(path: Path | None) -> IdentityNetwork:
    return load_identity_network(path)


def _score_photo(name: str, path: Path, out: Path, load: LoadReconstruct, identity: Path | None) -> Record:
    return score_photo(name, path, out, _loaded(load), _identity_network(identity))


def _open_folder(out: Path, settings: dict[str, Any]) -> dict[str, Record]:
    """Make the folder, or read what an interrupted run left in it: name → record."""
    if (out / "report.json").exists():
        raise EvaluationError(
            f"'{out}' holds a finished evaluation.", "Choose another folder, or delete that one."
        )
    scores = out / "scores.jsonl"
    try:
        for kept in ("strips", "looks"):
            (out / kept).mkdir(parents=True, exist_ok=True)
        if not scores.exists():
            scores.write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
        lines = scores.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise _unwritable(out, error) from error
    if not lines or lines[0].strip() != json.dumps({"settings": settings}):
        raise EvaluationError(f"'{out}' holds an evaluation with other settings.", "Choose another folder.")
    if not lines[-1].endswith("\n"):  # killed in the middle of a line
        lines.pop()
        scores.write_text("".join(lines), encoding="utf-8")
    return {record["photo"]: record for record in map(json.loads, lines[1:])}


def _unwritable(out: Path, error: OSError) -> EvaluationError:
    return EvaluationError(
        f"The report cannot be written to '{out}' ({error.strerror or error}).",
        write_hint(error),
    )


def _scored(
    names: list[str],
    photos: dict[str, Path],
    out: Path,
    load: LoadReconstruct,
    workers: int,
    identity: Path | None,
) -> Iterator[Record]:
    """Records as they are finished, in any order."""
    if workers <= 1:
        yield from (_score_photo(name, photos[name], out, load, identity) for name in names)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (threads,))
    try:
        tasks = [pool.submit(_score_photo, name, photos[name], out, load, identity) for name in names]
        yield from (task.result() for task in as_completed(tasks))
    except BrokenProcessPool as error:
        raise EvaluationError(
            "A worker process died, most likely for want of memory.",
            "The scores so far are kept: run it again.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops us
    torch.set_num_threads(threads)


def _sentence(record: Record) -> str:
    if record["failure"] is not None:
        return f"{record['photo']}: failed: {record['failure']}"
    score = record["scores"][str(SIZES[0])]["uv_image"]
    return f"{record['photo']}: " + ", ".join(f"{measure} {score[measure]:.4g}" for measure in MEASURES)
