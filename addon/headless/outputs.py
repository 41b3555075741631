"""Where results go: names, refusals before any work is done, and files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...core_models.errors import SemblanceError, write_hint


class OutputExistsError(SemblanceError):
    """A result is there already."""

    code = "exists"


class UnwritableError(SemblanceError):
    """A folder or file cannot be written."""

    code = "unwritable"


@dataclass(frozen=True)
class OutputFiles:
    """The files of one face; `npz` is None when it was not asked for."""

    blend: Path
    preview: Path
    npz: Path | None

    @property
    def all(self) -> tuple[Path, ...]:
        """Those that are written."""
        return (self.blend, self.preview) if self.npz is None else (self.blend, self.preview, self.npz)


@dataclass
class OutputPlan:
    """Names the files of each photo and refuses those that would destroy something.

    Args:
        out: the folder of every result; None puts each beside its photo.
        npz: whether .npz files are wanted.
        force: whether files of earlier runs may be overwritten. Those of this run never are.
    """

    out: Path | None
    npz: bool
    force: bool
    _written: dict[Path, Path] = field(default_factory=dict)

    def check(self, photo: Path, several: bool) -> None:
        """Refuse a photo, before it costs time, whose results could not be written.

        Raises:
            UnwritableError: the folder cannot be made or written.
            OutputExistsError: a file of that name exists.
        """
        folder = self._folder(photo)
        if self.out is not None:
            _make_folder(folder)
        if not folder.is_dir():
            return  # Beside a photo that does not exist either, which the backend says in its words.
        _check_writable(folder)
        self._refuse(photo, self.files(photo, 1, 1))
        if several:
            self._refuse(photo, self.files(photo, 1, 2))

    def files(self, photo: Path, number: int, count: int) -> OutputFiles:
        """The names for face `number` of `count`: NAME.blend, or NAME_1.blend … of several."""
        folder = self._folder(photo)
        name = photo.stem if count == 1 else f"{photo.stem}_{number}"
        npz = folder / f"{name}.npz" if self.npz else None
        return OutputFiles(folder / f"{name}.blend", folder / f"{name}_preview.png", npz)

    def write(self, photo: Path, files: OutputFiles, writers: dict[Path, Callable[[Path], None]]) -> None:
        """Let each writer write a temporary file; once all have, rename them to the names they are listed by.

        Raises:
            UnwritableError: a file cannot be written; none of them was then changed.
            OutputExistsError: one has appeared meanwhile.
        """
        self._refuse(photo, files)
        temporary = {target: target.with_name(f".{os.getpid()}-{target.name}") for target in writers}
        try:
            for target, writer in writers.items():
                writer(temporary[target])
            for target in writers:
                os.replace(temporary[target], target)
        except OSError as error:
            raise _unwritable(files.blend.parent, error) from error
        finally:
            for path in temporary.values():
                path.unlink(missing_ok=True)
        self._written |= dict.fromkeys(writers, photo)

    def _folder(self, photo: Path) -> Path:
        return photo.parent if self.out is None else self.out

    def _refuse(self, photo: Path, files: OutputFiles) -> None:
        for path in files.all:
            if path in self._written:
                raise OutputExistsError(
                    f"'{path}' is the result of '{self._written[path]}', which has the same name.",
                    "Rename one of the photos.",
                )
            if path.exists() and not self.force:
                raise OutputExistsError(
                    f"'{path}' exists already.",
                    "Use --force to overwrite it, or --out to choose another folder.",
                )


def copy_file(source: Path) -> Callable[[Path], None]:
    """A writer that copies `source`."""

    def write(target: Path) -> None:
        shutil.copyfile(source, target)

    return write


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _check_writable(folder: Path) -> None:
    probe = folder / f".{os.getpid()}-semblance"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UnwritableError:
    return UnwritableError(
        f"'{folder}' cannot be written ({error.strerror or error}).",
        write_hint(error, "choose another folder with --out"),
    )
