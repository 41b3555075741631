"""Command lines for the interpreter that computes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .process import BackendMissingError, cannot_be_started

_BOOTSTRAP = Path(__file__).resolve().parents[2] / "core_models" / "bootstrap.py"
# PYTHONPATH and the user's packages are for the user's Pythons: a studio's or a robot's may hold another NumPy.
_ISOLATED = ("-E", "-s", "-X", "utf8")


def worker_command(python: str | None = None, device: str = "auto") -> list[str]:
    """The command line of a worker, without its folder.

    Args:
        python: an interpreter that has torch; this process's own by default.
        device: auto, cpu, cuda or mps.

    Raises:
        BackendMissingError: none was named and this process's own has no torch.
    """
    if python is None and importlib.util.find_spec("torch") is None:
        raise BackendMissingError(
            f"'{sys.executable}' has no PyTorch, which computes the face.",
            "Install Semblance's requirements into it, or run Semblance from its checkout (make face).",
        )
    module = "semblance.core_models.worker"
    return [python or sys.executable, *_ISOLATED, str(_BOOTSTRAP), module, "--device", device]


def run_command_line(python: str, arguments: Sequence[str]) -> int:
    """Run a command of the command line in the interpreter that computes, on this process's own streams.

    Returns:
        Its exit code.

    Raises:
        BackendMissingError: the interpreter cannot be started.
    """
    try:
        return subprocess.run([python, *_ISOLATED, str(_BOOTSTRAP), "semblance", *arguments]).returncode
    except OSError as error:
        raise cannot_be_started(python, error) from error
