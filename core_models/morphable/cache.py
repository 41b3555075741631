"""What takes long to compute and depends on a file alone, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Where this system keeps what may be deleted at any time."""
    return user_cache_path("semblance", appauthor=False)


def digest(files: Iterable[Path]) -> str:
    """SHA-256, in hexadecimal, of the SHA-256 of each file."""
    total = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def cached(name: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays that `make` gives, kept under `name` for the next time; without a cache, made each time."""
    path = cache_folder() / f"{name}.npz"
    with contextlib.suppress(OSError, ValueError, EOFError, zipfile.BadZipFile), np.load(path) as archive:
        return dict(archive)
    arrays = dict(make())
    with contextlib.suppress(OSError):
        _write(path, arrays)
    return arrays


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Whole or not at all, and for this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
