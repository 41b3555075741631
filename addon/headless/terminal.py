"""What the headless command prints: results on stdout, failures and a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core_models.errors import SemblanceError
from .outputs import OutputFiles

_BAR_WIDTH = 24


class Terminal:
    """One line a photo; a progress bar only where somebody watches stderr."""

    def __init__(self, as_json: bool) -> None:
        """Print JSON lines when `as_json`, else sentences."""
        self._as_json = as_json
        self._shows_bar = sys.stderr.isatty()

    def progress(self, photo: Path, stage: str, fraction: float) -> None:
        """Redraw the bar."""
        if self._shows_bar:
            filled = round(_BAR_WIDTH * min(max(fraction, 0.0), 1.0))
            bar = "#" * filled + "-" * (_BAR_WIDTH - filled)
            self._print_error(f"\r[{bar}] {fraction:4.0%}  {photo.name}: {stage}\x1b[K", end="")

    def clear(self) -> None:
        """Wipe the bar."""
        if self._shows_bar:
            self._print_error("\r\x1b[K", end="")

    def finished(self, photo: Path, faces: list[OutputFiles], notes: list[str], seconds: float) -> None:
        """Say what a photo became."""
        self.clear()
        if self._as_json:
            outputs = [{key: path and str(path) for key, path in vars(files).items()} for files in faces]
            self._print_json(
                photo=str(photo), ok=True, outputs=outputs, notes=notes, seconds=round(seconds, 2)
            )
        else:
            blends = ", ".join(str(files.blend) for files in faces)
            self._print(f"{photo} → {blends} ({seconds:.1f} s)")
            for note in notes:
                self._print(f"  {note}")

    def failed(self, photos: Sequence[Path], error: SemblanceError) -> None:
        """Say why a photo, or several of one person, became nothing."""
        self.clear()
        named = any(photo.name in error.message for photo in photos)
        which = "" if named else f"{', '.join(map(str, photos))}: "
        self._print_error(f"semblance: {which}{error}\n", end="")
        if self._as_json:
            self._print_json(
                photo=str(photos[0]), ok=False, code=error.code, message=error.message, hint=error.hint
            )

    def _print_json(self, **values: Any) -> None:
        self._print(json.dumps(values))

    def _print(self, line: str) -> None:
        print(_printable(line, sys.stdout.encoding), flush=True)

    def _print_error(self, text: str, end: str) -> None:
        print(_printable(text, sys.stderr.encoding), end=end, file=sys.stderr, flush=True)


def _printable(text: str, encoding: str | None) -> str:
    """Names may hold letters, or bytes, that the terminal cannot show."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
