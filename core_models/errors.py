"""What a user can cause or mend: the base of every named error, and the few that any room raises."""

from __future__ import annotations

import errno
import os


class SemblanceError(Exception):
    """An error that a user can cause or mend.

    `code` is stable and machine-readable, `message` one sentence that says what happened, `hint` one that says what
    to do. Panel and command line show the same words.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class CancelledError(SemblanceError):
    """The user cancelled the work."""

    code = "cancelled"


class InternalError(SemblanceError):
    """A mistake of the program."""

    code = "internal"


class DiskFullError(SemblanceError):
    """A temporary file that no longer fits on its disk."""

    code = "disk_full"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(
            f"The disk of the temporary folder '{folder}' is full.", "Free some space and try again."
        )


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk, or a used-up quota, is the reason of an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def write_hint(error: OSError, elsewhere: str = "choose another folder") -> str:
    """What to do about a file or folder that cannot be written; `elsewhere` is how to choose another place."""
    if is_disk_full(error):
        return f"Free some space or {elsewhere}."
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        # A rename has two names; what is in its way has the second.
        return f"Rename or move what is in the way of '{error.filename2 or error.filename}', or {elsewhere}."
    return f"{elsewhere.capitalize()}."
