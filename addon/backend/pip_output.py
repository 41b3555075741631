"""What pip prints, understood: how far it is, and why it failed."""

from __future__ import annotations

import re
from pathlib import Path

from ...core_models.errors import SemblanceError

DOWNLOADED_SHARE = 0.8
"""Of a step that downloads; the rest is unpacking."""
_GIGABYTE = 1e9
_NETWORK = (
    "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ConnectionReset|"
    "IncompleteRead|IncompleteDownload|Network is unreachable|getaddrinfo failed|Max retries exceeded"
)
_DISK_FULL = r"No space left on device|Errno 28\b|WinError 112\b|Errno 122\b|Disk quota exceeded"


class EnvironmentSetupError(SemblanceError):
    """The environment could not be made."""

    code = "setup"


class NetworkError(EnvironmentSetupError):
    """The packages could not be downloaded."""

    code = "no_network"


class SetupDiskFullError(EnvironmentSetupError):
    """There is not enough room for the packages."""

    code = "disk_full"


class PipProgress:
    """What pip's lines say: the file, the bytes of it that are there, and that it unpacks."""

    def __init__(self) -> None:
        self.label = ""
        self._finished = 0
        self._current = 0
        self._size = 0
        self._name = ""
        self._unpacking = False

    def read(self, line: str) -> None:
        """Take in one line."""
        if line.startswith(("Downloading ", "Using cached ")):
            self._finished += self._size
            self._current = self._size = 0
            self._name = line.split()[2 if line.startswith("Using") else 1].rsplit("/")[-1].split("-")[0]
        elif found := re.fullmatch(r"Progress (\d+) of (\d+)", line):
            self._current, self._size = int(found[1]), int(found[2])
            self.label = f"Downloading {self._name} ({self._current / 1e6:.0f} of {self._size / 1e6:.0f} MB)"
        elif line.startswith("Installing collected packages"):
            self._unpacking, self.label = True, "Unpacking"

    def fraction(self, expected_gb: float) -> float:
        """Of the step, 0…1."""
        if self._unpacking:
            return DOWNLOADED_SHARE
        expected = max(expected_gb * _GIGABYTE, self._finished + self._size, 1.0)
        return DOWNLOADED_SHARE * (self._finished + self._current) / expected


def explain(label: str, tail: str, log: Path) -> EnvironmentSetupError:
    """The error of a step that failed, by what it printed last."""
    if re.search(_DISK_FULL, tail):
        return SetupDiskFullError(
            "The disk is full.", "Free some space and press the button again: it goes on where it stopped."
        )
    if re.search(_NETWORK, tail):
        return NetworkError(
            "The packages could not be downloaded.",
            "Check the network, or the proxy in pip's configuration, and press the button again: it goes on where "
            "it stopped.",
        )
    if "Windows Long Path support" in tail:
        return EnvironmentSetupError(
            "Windows does not allow paths as long as PyTorch's here.",
            "Enable long paths in Windows (the guide's Troubleshooting tells how) and press the button again.",
        )
    if "ensurepip is not available" in tail:
        return EnvironmentSetupError(
            "The Python that was found cannot make environments: its venv module is incomplete.",
            "Install it (Debian and Ubuntu: the package python3.11-venv or python3.12-venv), or Python from "
            "python.org, and press the button again.",
        )
    lines = [line for line in tail.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "")
    return EnvironmentSetupError(
        f"The set-up stopped at '{label}' ({last.removeprefix('ERROR:').strip()[:300]}).",
        f"Press the button again; if that does not help, remove the environment first. The details are in '{log}'.",
    )
