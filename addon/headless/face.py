"""The headless command `face`: photos → worker → scene → NAME.blend and NAME_preview.png."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ...core_models.errors import InternalError, SemblanceError
from ...core_models.protocol import Done, Failed, Options, ReconstructFaces, StageProgress
from ...core_models.reconstruction import Reconstruction
from ..backend.job import Job
from .outputs import OutputFiles, OutputPlan, copy_file
from .terminal import Terminal

_POLL_SECONDS = 0.05
_INTERRUPTED = 130
"""The exit code of a process that Ctrl-C ended."""


@dataclass(frozen=True)
class FaceArguments:
    """What the command line asks for.

    `options` hold for every photo. `out` is the folder for every result; None puts each beside its photo. `texture` is
    uv or vertex: what the material shows. With `same_person`, the photos make one result, which is named after the
    first and has its camera, expression and light.
    """

    photos: tuple[Path, ...]
    options: Options = field(default_factory=Options)
    out: Path | None = None
    texture: str = "uv"
    same_person: bool = False
    npz: bool = False
    json: bool = False
    force: bool = False


def run(arguments: FaceArguments, command: Sequence[str]) -> int:
    """Reconstruct every photo, once, and write its files; one that fails does not stop the others.

    Photos of one person are one photo here.

    Args:
        arguments: what to do.
        command: the worker's command line.

    Returns:
        The exit code: 0 when every photo succeeded, 1 when one failed, 130 after Ctrl-C.
    """
    terminal = Terminal(arguments.json)
    plan = OutputPlan(arguments.out, arguments.npz, arguments.force)
    job = Job(command)
    failures = 0
    with job, _interruptible():
        try:
            photos = _each_once(arguments.photos)
            for group in [photos] if arguments.same_person else [[photo] for photo in photos]:
                failures += not _try_photos(job, group, arguments, plan, terminal)
        except KeyboardInterrupt:
            _cancel(job)
            terminal.clear()
            return _INTERRUPTED
    return 1 if failures else 0


def _each_once(photos: Sequence[Path]) -> list[Path]:
    """Without the repetitions of a file; a link with a name of its own, which has its own results, is none."""
    first: dict[Path, Path] = {}
    for photo in photos:
        first.setdefault(Path(os.path.realpath(photo.parent), photo.name), photo)
    return list(first.values())


def _try_photos(
    job: Job, photos: Sequence[Path], arguments: FaceArguments, plan: OutputPlan, terminal: Terminal
) -> bool:
    """Whether one photo, or several of one person, succeeded; if not, the sentence was printed."""
    start, photo = time.monotonic(), photos[0]
    try:
        plan.check(photo, arguments.options.all_faces)
        done = _reconstruct(
            job, photos, arguments, lambda event: terminal.progress(photo, event.stage, event.fraction)
        )
        terminal.progress(photo, "Blender file", 1.0)
        written, notes = _write_faces(photo, done, arguments, plan)
    except SemblanceError as error:
        terminal.failed(photos, error)
        return False
    except Exception as error:
        terminal.failed(photos, InternalError(f"An unexpected error: {error!r}."))
        traceback.print_exc()
        return False
    terminal.finished(photo, written, notes, time.monotonic() - start)
    return True


def _reconstruct(
    job: Job, photos: Sequence[Path], arguments: FaceArguments, on_progress: Callable[[StageProgress], None]
) -> Done:
    more = tuple(str(photo.absolute()) for photo in photos[1:])
    options = replace(arguments.options, more_photos=more)
    job.request(ReconstructFaces(photos[0], options, preview=True))
    while True:
        for event in job.poll():
            if isinstance(event, Done):
                return event
            if isinstance(event, Failed):
                raise event.error()
            if isinstance(event, StageProgress):
                on_progress(event)
        time.sleep(_POLL_SECONDS)


def _write_faces(
    photo: Path, done: Done, arguments: FaceArguments, plan: OutputPlan
) -> tuple[list[OutputFiles], list[str]]:
    """The files of each face, and what the user should know of them."""
    # Blender's module takes a second to load; a batch of unreadable photos need not wait for it.
    from ..scene.blend_file import write_document
    from ..scene.build import SceneOptions

    looks = SceneOptions(vertex_colours=arguments.texture == "vertex")
    written: list[OutputFiles] = []
    notes = list(done.notes)
    for number, face in enumerate(done.faces, start=1):
        files = plan.files(photo, number, len(done.faces))
        reconstruction = Reconstruction.load(face.result)
        blend = partial(write_document, reconstruction, files.blend.stem, looks)
        writers: dict[Path, Callable[[Path], None]] = {files.blend: blend}
        if face.preview is not None:
            writers[files.preview] = copy_file(face.preview)
        if files.npz is not None:
            writers[files.npz] = copy_file(face.result)
        plan.write(photo, files, writers)
        written.append(files)
        notes += _notes(reconstruction, arguments.options)
    return written, list(dict.fromkeys(notes))


def _notes(reconstruction: Reconstruction, options: Options) -> list[str]:
    """The result's warnings, and where the photo's other faces are when one was taken unasked."""
    notes = list(reconstruction.report.get("warnings", []))
    places = reconstruction.report.get("faces", [])
    if len(places) > 1 and options.face is None and not options.all_faces:
        others = "; ".join(f"--face {number}: {place}" for number, place in enumerate(places[1:], start=2))
        notes.append(f"The largest of {len(places)} faces was taken. Others: {others}.")
    return notes


def _cancel(job: Job) -> None:
    job.cancel()
    # A second Ctrl-C ends the wait; leaving the `with` then ends the worker.
    with contextlib.suppress(KeyboardInterrupt):
        while job.busy:
            job.poll()
            time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C, a closed terminal and a polite kill all raise KeyboardInterrupt, so that we clean up.

    Blender's executable replaces Python's own handler of Ctrl-C.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), signal.default_int_handler) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            # None stands for a handler that is not Python's: it cannot be put back.
            signal.signal(getattr(signal, name), handler or signal.SIG_DFL)
