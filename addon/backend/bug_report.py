"""The text of "Copy Report": what a bug report needs, and nothing that tells who, or whose face, it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath

_TAIL_BYTES = 4000
_PICTURES = "jpe?g|png|webp|tiff?|bmp|heic|heif|avif|exr|hdr|blend|npz"


def report_text(facts: Mapping[str, str], error: str, log: Path | None) -> str:
    """Facts as lines, the last error, and the end of a log that may be gone; anonymous."""
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines.append(f"Error: {error or 'none'}")
    tail = _tail(log)
    if tail:
        lines += ["", "Log:", tail]
    return anonymous("\n".join(lines))


def anonymous(text: str, home: PurePath | None = None) -> str:
    """Without the user's name in paths and without the names of pictures, which may be people's."""
    home = home or Path.home()
    for path in {str(home), home.as_posix(), str(home).replace("\\", "\\\\")}:
        text = re.sub(rf"{re.escape(path)}(?![\w.-])", "~", text)
    # In other folders too: /mnt/data/NAME, /media/NAME/disk.
    if home.name:
        text = re.sub(rf"(?<=[/\\]){re.escape(home.name)}(?=[/\\]|$)", "USER", text, flags=re.M)
    text = re.sub(rf"'[^'\n]*\.({_PICTURES})'", r"'FILE.\1'", text, flags=re.I)
    return re.sub(rf"[^\s'\"]+\.({_PICTURES})\b", r"FILE.\1", text, flags=re.I)


def _tail(log: Path | None) -> str:
    try:
        data = log.read_bytes() if log is not None else b""
    except OSError:
        return ""
    return data[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
