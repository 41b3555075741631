"""Which photos a folder or a list holds."""

from __future__ import annotations

from pathlib import Path

from ...core_models.errors import SemblanceError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


class PhotoListError(SemblanceError):
    """A folder or list of photos that is missing, empty, unreadable, or names photos that are not there."""

    code = "bad_photo_list"


def list_photos(source: Path) -> list[Path]:
    """The photos of a folder (every depth, sorted by path), or those that a .txt list names, in its order.

    A list has one photo a line; empty lines and lines that begin with # are skipped. A name is a path from
    the list's folder, or the name of a file anywhere below that folder.

    Raises:
        PhotoListError: see there.
    """
    if source.is_dir():
        photos = [path for path in _below(source) if path.suffix.lower() in SUFFIXES]
    elif source.is_file() and source.suffix.lower() == ".txt":
        photos = _named(source)
    elif source.is_file():
        raise PhotoListError(
            f"'{source}' is neither a folder nor a .txt list.", "Name the folder of the photos."
        )
    else:
        raise PhotoListError(f"There is no folder or list '{source}'.", "Check the path.")
    if not photos:
        raise PhotoListError(f"'{source}' holds no photos.", f"Photos end in {', '.join(sorted(SUFFIXES))}.")
    return photos


def _named(source: Path) -> list[Path]:
    try:
        lines = [line.strip() for line in source.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise PhotoListError(
            f"'{source}' cannot be read as text.", "Write one photo a line, in UTF-8."
        ) from error
    names = [line for line in lines if line and not line.startswith("#")]
    photos = [source.parent / name for name in names]
    if all(photo.is_file() for photo in photos):
        return photos
    by_name = {path.name: path for path in reversed(_below(source.parent))}
    photos = [photo if photo.is_file() else by_name.get(photo.name, photo) for photo in photos]
    missing = [name for name, photo in zip(names, photos, strict=True) if not photo.is_file()]
    if missing:
        raise PhotoListError(
            f"'{source}' names {len(missing)} photos that are not there, the first being '{missing[0]}'.",
            "Put the list beside the photos or in a folder above them.",
        )
    return photos


def _below(folder: Path) -> list[Path]:
    """Files at every depth, sorted; hidden ones and those in hidden folders are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
