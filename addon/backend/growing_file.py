"""A text file that another process writes, read line by line as it grows."""

from __future__ import annotations

from pathlib import Path


class GrowingFile:
    """Remembers how far it was read."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.read_bytes = 0
        """The length of the complete lines that were read."""
        self._path = path

    def new_lines(self) -> list[bytes]:
        """The complete lines since the last call, without their ends.

        Raises:
            OSError: the file cannot be read.
        """
        with open(self._path, "rb") as file:
            file.seek(self.read_bytes)
            *complete, _ = file.read().split(b"\n")
        self.read_bytes += sum(len(line) + 1 for line in complete)
        return complete
