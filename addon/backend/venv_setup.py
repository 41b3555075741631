"""Making the environment that computes: `python -m venv`, then pip, one process after the other, watched by a timer.

    setup = EnvironmentSetup(plan)
    setup.start()
    while not setup.finished:
        setup.poll()

A set-up that was cancelled, or lost its network, goes on with the first step that is missing, and pip's cache still
holds what it had downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...core_models.errors import CancelledError, SemblanceError, write_hint
from .growing_file import GrowingFile
from .pip_output import EnvironmentSetupError, PipProgress, SetupDiskFullError, explain
from .venv import READY, EnvironmentPlan, EnvironmentRemoval

_LOG = "setup.log"
_REQUIREMENTS = "requirements.txt"
_PIP = "pip==26.3"
"""The one that comes with Blender's Python cannot tell how far a download is, nor take it up again."""
_CHECK = "import torch, cv2, mediapipe, scipy, skimage, h5py, platformdirs; print('torch', torch.__version__)"
_OTHERS_GB = 0.25
"""What the packages beside torch are to download."""
_GIGABYTE = 1e9
_TAIL_BYTES = 6000


@dataclass(frozen=True)
class _Step:
    """One process; `share` of the whole, `expected_gb` to download."""

    name: str
    label: str
    command: tuple[str, ...]
    share: float
    expected_gb: float = 0.0


class EnvironmentSetup:
    """The processes that make an environment, one after the other; `poll` is to be called a few times a second."""

    def __init__(self, plan: EnvironmentPlan) -> None:
        """Start nothing yet."""
        self.error: SemblanceError | None = None
        """Why it ended without an environment."""
        self.label = ""
        """What is being done, in words."""
        self.fraction = 0.0
        self.finished = False
        self._plan = plan
        self._steps: list[_Step] = []
        self._removal: EnvironmentRemoval | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log: BinaryIO | None = None
        self._progress = PipProgress()
        self._printed = GrowingFile(self.log)
        self._step_start = 0
        self._done_share = 0.0

    @property
    def log(self) -> Path:
        """What the processes printed."""
        return self._plan.folder / _LOG

    def start(self) -> None:
        """Make the folder and start the first step that is missing.

        Raises:
            SetupDiskFullError: there is not enough room.
            EnvironmentSetupError: the folder cannot be written.
        """
        if self._plan.folder.is_dir() and not self._plan.is_begun:
            self._removal, self.label = EnvironmentRemoval(self._plan.folder), "Removing the old one"
        else:
            self._begin()

    def _begin(self) -> None:
        folder = self._plan.folder
        try:
            (folder / "tmp").mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._write_requirements()
            self._log = open(self.log, "wb")  # noqa: SIM115 (closed in _end)
            done = self._plan.done_steps
            self._plan.write_done(done)
        except OSError as error:
            raise _unwritable(folder, error) from error
        steps = _steps(self._plan)
        self._steps = [step for step in steps if step.name not in done]
        self._done_share = sum(step.share for step in steps if step.name in done)
        self._start_step()

    def poll(self) -> None:
        """See how far it is; start the next step."""
        if self._removal is not None:
            self._poll_removal(self._removal)
        if self._process is None:
            return
        self._read_progress()
        code = self._process.poll()
        if code is None:
            return
        step = self._steps.pop(0)
        if code != 0:
            self._end(explain(step.label, self._tail(), self.log))
            return
        self._done_share += step.share
        try:
            self._plan.write_done([*self._plan.done_steps, step.name])
        except OSError as error:
            self._end(_unwritable(self._plan.folder, error))
            return
        if self._steps:
            self._start_step()
        else:
            self._end(None)

    def cancel(self) -> None:
        """Stop; what is finished stays for the next time."""
        if self.finished:
            return
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._removal = None
        self._end(CancelledError("The set-up was cancelled.", "Press the button again to go on with it."))

    def _poll_removal(self, removal: EnvironmentRemoval) -> None:
        try:
            removal.poll()
            if removal.finished:
                self._removal = None
                self._begin()
        except SemblanceError as error:
            self._removal = None
            self._end(error)

    def _start_step(self) -> None:
        step = self._steps[0]
        self._progress, self._step_start = PipProgress(), self._printed.read_bytes
        self.label, self.fraction = step.label, self._done_share
        try:
            self._process = subprocess.Popen(
                step.command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                cwd=self._plan.folder,
                env=_child_environment(self._plan.folder),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._process = None
            self._end(
                EnvironmentSetupError(
                    f"'{step.command[0]}' cannot be started ({error.strerror or error}).",
                    "Remove the environment and set it up again.",
                )
            )

    def _read_progress(self) -> None:
        step = self._steps[0]
        for line in self._printed.new_lines():
            self._progress.read(line.decode("utf-8", "replace").strip())
        self.fraction = self._done_share + step.share * self._progress.fraction(step.expected_gb)
        self.label = self._progress.label or step.label

    def _tail(self) -> str:
        with open(self.log, "rb") as file:
            file.seek(max(self._step_start, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")

    def _end(self, error: SemblanceError | None) -> None:
        self._process, self.error, self.finished = None, error, True
        self.fraction = 1.0 if error is None else self.fraction
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self._plan.folder / "tmp", ignore_errors=True)
        if error is None:
            shutil.rmtree(self._plan.folder / "cache", ignore_errors=True)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._plan.folder).free / _GIGABYTE
        # While torch is unpacked its wheel lies there too, and pip's cache keeps another.
        needed = self._plan.build.disk_gb + 2 * self._plan.build.download_gb
        if "torch" not in self._plan.done_steps and free < needed:
            raise SetupDiskFullError(
                f"The backend needs {needed:.1f} GB of free disk, and '{self._plan.folder}' has {free:.1f} GB.",
                "Free some space and press the button again.",
            )

    def _write_requirements(self) -> None:
        lines = self._plan.requirements.read_text(encoding="utf-8").splitlines()
        rest = [line for line in lines if not line.startswith("torch==")]
        (self._plan.folder / _REQUIREMENTS).write_text("\n".join(rest) + "\n", encoding="utf-8")


def _steps(plan: EnvironmentPlan) -> list[_Step]:
    isolated = (str(plan.python), "-I", "-u", "-X", "utf8")
    # --ignore-installed: what a killed pip left half unpacked would otherwise pass for installed.
    pip = (*isolated, "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
    wheels = (*pip, "--ignore-installed", "--only-binary=:all:", "--progress-bar=raw")
    torch_gb = plan.build.download_gb - _OTHERS_GB
    return [
        _Step("venv", "Making the environment", (plan.base, "-I", "-m", "venv", str(plan.folder)), 0.03),
        _Step("pip", "Downloading pip", (*pip, "--upgrade", _PIP), 0.02),
        _Step(
            "torch", "Looking for PyTorch", (*wheels, plan.torch, *plan.build.index_arguments), 0.55, torch_gb
        ),
        _Step(
            "packages", "Looking for packages", (*wheels, "--no-deps", "-r", _REQUIREMENTS), 0.3, _OTHERS_GB
        ),
        _Step(READY, "Trying it", (*isolated, "-c", _CHECK), 0.1),
    ]


def _unwritable(folder: Path, error: OSError) -> EnvironmentSetupError:
    return EnvironmentSetupError(
        f"'{folder}' cannot be written ({error.strerror or error}).", write_hint(error)
    )


def _child_environment(folder: Path) -> dict[str, str]:
    """This process's; temporary files go where the room was checked, for a /tmp in memory is too small for torch."""
    temporary = str(folder / "tmp")
    return {
        "PIP_CACHE_DIR": str(folder / "cache"),
        **os.environ,
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
    }
