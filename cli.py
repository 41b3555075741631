"""The command line: one parser; each command's work is done elsewhere and imported when it is asked for."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from .core_models.errors import SemblanceError
from .core_models.protocol import DEVICES, QUALITIES, TEXTURE_SIZES, Options

FindPython = Callable[[], str]
_QUALITY_HELP = (
    "draft: faster, with textures of at most 512 pixels; "
    "best: slower, the shape also from light and shadow in the photo"
)
_WRITE_PORTRAIT = (
    "import sys, skimage.data, skimage.io; "
    "skimage.io.imsave(sys.argv[1], skimage.data.astronaut(), check_contrast=False)"
)
_DEVICE_HELP = "what to compute on; this version computes on the CPU alone"


def main(arguments: Sequence[str] | None = None, backend: FindPython | None = None) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; the process's own by default.
        backend: finds the Python that computes, in a process that cannot (Blender's); by default this one computes.

    Returns:
        The exit code: 0 only when everything that was asked for succeeded, 1 for failures, 2 for unusable
        arguments, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    namespace = build_parser().parse_args(arguments)
    try:
        if namespace.run is _run_face:
            return _run_face(namespace, backend)
        if backend is not None:
            from .addon.backend.launch import run_command_line

            return run_command_line(backend(), arguments)
        return namespace.run(namespace)
    except SemblanceError as error:
        print(f"semblance: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; `run` in its namespace is the function to call with it."""
    parser = argparse.ArgumentParser(
        prog="semblance", description="One photo in, a relightable 3D face out.", allow_abbrev=False
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_face(commands)
    _add_evaluate(commands)
    _add_train(commands)
    return parser


def _add_face(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    face = commands.add_parser(
        "face",
        help="photos to Blender files",
        description="Write NAME.blend and NAME_preview.png for each photo.",
    )
    face.add_argument("photos", nargs="*", type=Path, metavar="PHOTO")
    face.add_argument(
        "--demo", action="store_true", help="use the public-domain portrait that scikit-image carries"
    )
    face.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (default: beside each photo)"
    )
    face.add_argument("--texture", choices=("uv", "vertex"), default="uv", help="what the material shows")
    _add_effort(face)
    which = face.add_mutually_exclusive_group()
    which.add_argument(
        "--face", type=_from_one, metavar="N", help="the N-th largest face (default: 1, the largest)"
    )
    which.add_argument("--all-faces", action="store_true", help="every face in the photo")
    which.add_argument(
        "--same-person",
        action="store_true",
        help="the photos show one person (the largest face of each): one result, with the first one's camera, "
        "expression and light",
    )
    _add_models(face)
    face.add_argument("--device", choices=DEVICES, default="auto", help=_DEVICE_HELP)
    face.add_argument("--npz", action="store_true", help="keep NAME.npz, the result as plain arrays")
    face.add_argument("--json", action="store_true", help="print one JSON line for each photo")
    face.add_argument("--force", action="store_true", help="overwrite files that exist")
    face.set_defaults(run=_run_face)


def _add_effort(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--size", type=int, choices=TEXTURE_SIZES, default=Options.size, help="UV texture size, pixels"
    )
    command.add_argument("--quality", choices=QUALITIES, default=Options.quality, help=_QUALITY_HELP)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        type=_model_file,
        metavar="default|PATH",
        help="a Basel Face Model's file (default: our own model)",
    )
    command.add_argument(
        "--regressor",
        type=_absolute,
        metavar="PATH",
        help="R-Net's published checkpoint: where the fit of the Basel Face Model of 2009 begins, and all of a draft's",
    )


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="score renders against photos",
        description="Reconstruct every photo of a folder and score the render over it.",
    )
    evaluate.add_argument(
        "--photos",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder, or a .txt list of names beside it",
    )
    evaluate.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder for the report")
    evaluate.add_argument("--limit", type=_from_one, metavar="N", help="only the first N photos")
    _add_effort(evaluate)
    _add_models(evaluate)
    evaluate.add_argument("--device", choices=DEVICES, default="auto", help=_DEVICE_HELP)
    evaluate.add_argument(
        "--identity",
        type=Path,
        metavar="FILE",
        help="measure likeness by an identity network of your own: TorchScript or ONNX, used as ArcFace is",
    )
    evaluate.set_defaults(run=_run_evaluate)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="learn from photos", description="Learn from photos.")
    systems = train.add_subparsers(title="what to learn", required=True, metavar="SYSTEM")
    corrections = systems.add_parser(
        "corrections",
        help="corrections of the embedded model",
        description="Correct the embedded model's mean and expressions by what portraits show.",
    )
    corrections.add_argument(
        "--photos",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder, or a .txt list of names beside it",
    )
    corrections.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, .npz")
    corrections.set_defaults(run=_run_train_corrections)


def _model_file(text: str) -> str | None:
    return None if text == "default" else _absolute(text)


def _absolute(text: str) -> str:
    return str(Path(text).absolute())


def _from_one(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return number


def _options(namespace: argparse.Namespace) -> Options:
    """Those that the command has flags for."""
    names = {option.name for option in fields(Options)}
    return Options(**{name: value for name, value in vars(namespace).items() if name in names})


def _run_face(namespace: argparse.Namespace, backend: FindPython | None) -> int:
    from .addon.backend.launch import worker_command
    from .addon.headless import face

    if not namespace.photos and not namespace.demo:
        print(
            "semblance: no photo was named: semblance face PHOTO, or semblance face --demo.", file=sys.stderr
        )
        return 2
    python = backend() if backend is not None else sys.executable
    photos = tuple(namespace.photos)
    if namespace.demo:
        photos += (_demo_portrait(namespace.out or Path.cwd(), python),)
    return face.run(
        face.FaceArguments(
            photos=photos,
            options=_options(namespace),
            out=namespace.out,
            texture=namespace.texture,
            same_person=namespace.same_person,
            npz=namespace.npz,
            json=namespace.json,
            force=namespace.force,
        ),
        worker_command(python, namespace.device),
    )


def _run_evaluate(namespace: argparse.Namespace) -> int:
    from .train.evaluation import evaluate

    return evaluate.run(
        evaluate.EvaluateArguments(
            photos=namespace.photos,
            out=namespace.out,
            options=_options(namespace),
            limit=namespace.limit,
            device=namespace.device,
            identity=namespace.identity,
        )
    )


def _run_train_corrections(namespace: argparse.Namespace) -> int:
    from .train import corrections

    return corrections.run(namespace.photos, namespace.out)


def _demo_portrait(folder: Path, python: str) -> Path:
    """Have `python` write scikit-image's portrait of Eileen Collins (NASA, public domain) into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "astronaut.png"
    if not path.exists():
        subprocess.run([python, "-I", "-c", _WRITE_PORTRAIT, str(path)], check=True)
    return path
