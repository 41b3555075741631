"""Which build of PyTorch a machine takes: a table, and the questions that decide.

The table is that of PyTorch 2.13 (its RELEASE.md): CUDA 12.6 for compute capabilities 5.0 to 9.0, CUDA 13.0 from 7.5
on, ROCm 7.2 on Linux; drivers as NVIDIA's minor-version compatibility wants them: 525 for CUDA 12, 580 for CUDA 13.
mediapipe 0.10.21 exists for Linux and Windows on x86-64 and for Macs with Apple silicon, and so does the backend.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ...core_models.errors import SemblanceError

_INDEX = "https://download.pytorch.org/whl/"
_DRIVER_SECONDS = 10.0


class UnsupportedMachineError(SemblanceError):
    """The backend's packages do not exist for this kind of machine."""

    code = "unsupported_machine"


@dataclass(frozen=True)
class Machine:
    """What decides: `platform.system()` and `machine()`, and the graphics card as its driver names it."""

    system: str
    processor: str
    macos: tuple[int, ...] = ()
    nvidia_driver: tuple[int, ...] = ()
    """Empty where there is none."""
    nvidia_capability: tuple[int, ...] = ()
    """Compute capability of the first card, (major, minor)."""
    amd_architecture: str = ""
    """Of the first card, as ROCm names it, for example gfx1100."""


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch: its name, words for people, and where pip finds it.

    `local` is the part of the version after +, empty for the build on PyPI itself. Sizes are gigabytes, of what is
    downloaded and of what it occupies, together with the other packages of the backend; measured for Linux' CPU build,
    estimates for the others.
    """

    name: str
    label: str
    local: str
    download_gb: float
    disk_gb: float

    def requirement(self, pinned: str) -> str:
        """pip's requirement: `pinned` is "torch==VERSION"."""
        return f"{pinned}+{self.local}" if self.local else pinned

    @property
    def index_arguments(self) -> tuple[str, ...]:
        """pip's arguments that say where the build is, beside the index that the user has configured."""
        return ("--extra-index-url", _INDEX + self.local) if self.local else ()


_CPU_LINUX = TorchBuild("cpu", "CPU", "cpu", 0.4, 1.6)
_CPU_WINDOWS = TorchBuild("cpu", "CPU", "", 0.4, 1.6)
_APPLE = TorchBuild("apple", "Apple silicon", "", 0.4, 1.5)
_CUDA_12 = TorchBuild("cu126", "NVIDIA, CUDA 12.6", "cu126", 3.2, 7.5)
_CUDA_13 = TorchBuild("cu130", "NVIDIA, CUDA 13.0", "cu130", 2.8, 6.5)
_ROCM = TorchBuild("rocm7.2", "AMD, ROCm 7.2", "rocm7.2", 5.5, 18.0)

# PYTORCH_ROCM_ARCH of the wheels' build script.
_ROCM_ARCHITECTURES = tuple(
    f"gfx{number}" for number in (906, 908, "90a", 942, 950, 1030, 1100, 1101, 1102, 1150, 1151, 1200, 1201)
)


def torch_builds(machine: Machine) -> tuple[TorchBuild, ...]:
    """The builds that work on a machine, the smallest first; the last one uses its graphics card, if any does.

    Raises:
        UnsupportedMachineError: there is none.
    """
    kind = (machine.system, machine.processor.lower())
    if kind == ("Darwin", "arm64") and machine.macos >= (14,):
        return (_APPLE,)
    if kind == ("Linux", "x86_64"):
        return (_CPU_LINUX, *_nvidia(machine, (525, 60, 13)), *_amd(machine))
    if kind == ("Windows", "amd64"):
        return (_CPU_WINDOWS, *_nvidia(machine, (528, 33)))
    raise UnsupportedMachineError(
        f"The backend's packages do not exist for {machine.system} on {machine.processor}"
        + (f" before macOS 14 (this is {'.'.join(map(str, machine.macos))})." if machine.macos else "."),
        "Use Linux or Windows on a 64-bit Intel or AMD processor, or macOS 14 or later on Apple silicon.",
    )


def _nvidia(machine: Machine, cuda_12_driver: tuple[int, ...]) -> tuple[TorchBuild, ...]:
    if machine.nvidia_driver >= (580,) and machine.nvidia_capability >= (7, 5):
        return (_CUDA_13,)
    if machine.nvidia_driver >= cuda_12_driver and (5, 0) <= machine.nvidia_capability <= (9, 0):
        return (_CUDA_12,)
    return ()


def _amd(machine: Machine) -> tuple[TorchBuild, ...]:
    return (_ROCM,) if machine.amd_architecture in _ROCM_ARCHITECTURES and not machine.nvidia_driver else ()


def this_machine() -> Machine:
    """Ask this machine: the drivers' own programs, where they are installed."""
    nvidia = _first_line(
        ["nvidia-smi", "--query-gpu=driver_version,compute_cap", "--format=csv,noheader,nounits"]
    )
    driver, _, capability = nvidia.partition(",")
    # The CPU's own agent comes first in rocminfo, without a gfx name.
    amd = re.search(r"\bgfx[0-9a-f]+\b", _output(["rocminfo"])) if sys.platform == "linux" else None
    return Machine(
        platform.system(),
        platform.machine(),
        _numbers(platform.mac_ver()[0]),
        _numbers(driver),
        _numbers(capability),
        amd.group() if amd else "",
    )


def _first_line(command: Sequence[str]) -> str:
    return next(iter(_output(command).splitlines()), "")


def _output(command: Sequence[str]) -> str:
    """What a program prints; nothing when it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DRIVER_SECONDS,
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _numbers(version: str) -> tuple[int, ...]:
    """A version's numbers; empty when it is none."""
    parts = version.strip().split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()
