"""The table of PyTorch's builds, by machine; and the drivers' programs as they answer."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from semblance.addon.backend.torch_builds import Machine, UnsupportedMachineError, this_machine, torch_builds

LINUX = ("Linux", "x86_64")
WINDOWS = ("Windows", "AMD64")
MAC = ("Darwin", "arm64")


@pytest.mark.parametrize(
    ("machine", "names"),
    [
        (Machine(*LINUX), ["cpu"]),
        (Machine(*WINDOWS), ["cpu"]),
        (Machine(*MAC, macos=(14, 0)), ["apple"]),
        (Machine(*MAC, macos=(26, 1)), ["apple"]),
        # RTX 4090, RTX 5090 with new drivers
        (Machine(*LINUX, nvidia_driver=(580, 65, 6), nvidia_capability=(8, 9)), ["cpu", "cu130"]),
        (Machine(*WINDOWS, nvidia_driver=(591, 44), nvidia_capability=(12, 0)), ["cpu", "cu130"]),
        # RTX 2080 with an older driver; GTX 1080 with a new one, which CUDA 13 no longer knows
        (Machine(*LINUX, nvidia_driver=(535, 183, 1), nvidia_capability=(7, 5)), ["cpu", "cu126"]),
        (Machine(*WINDOWS, nvidia_driver=(581, 15), nvidia_capability=(6, 1)), ["cpu", "cu126"]),
        # an RTX 5090 needs CUDA 13; a driver from before CUDA 12; a card from before Maxwell
        (Machine(*LINUX, nvidia_driver=(570, 86, 10), nvidia_capability=(12, 0)), ["cpu"]),
        (Machine(*LINUX, nvidia_driver=(470, 256, 2), nvidia_capability=(8, 6)), ["cpu"]),
        (Machine(*LINUX, nvidia_driver=(525, 60, 12), nvidia_capability=(8, 6)), ["cpu"]),
        (Machine(*WINDOWS, nvidia_driver=(528, 24), nvidia_capability=(8, 6)), ["cpu"]),
        (Machine(*LINUX, nvidia_driver=(525, 60, 13), nvidia_capability=(3, 5)), ["cpu"]),
        # nvidia-smi of an old driver does not know compute_cap
        (Machine(*LINUX, nvidia_driver=(580, 65, 6)), ["cpu"]),
        (Machine(*LINUX, amd_architecture="gfx1100"), ["cpu", "rocm7.2"]),
        (Machine(*LINUX, amd_architecture="gfx803"), ["cpu"]),
        (Machine(*WINDOWS, amd_architecture="gfx1100"), ["cpu"]),
    ],
)
def test_each_machine_gets_the_builds_that_work_on_it(machine: Machine, names: list[str]) -> None:
    assert [build.name for build in torch_builds(machine)] == names


@pytest.mark.parametrize(
    "machine",
    [
        Machine("Darwin", "x86_64", macos=(14, 0)),
        Machine(*MAC, macos=(13, 6)),
        Machine("Linux", "aarch64"),
        Machine("Windows", "ARM64"),
        Machine("FreeBSD", "amd64"),
    ],
)
def test_other_machines_are_a_sentence(machine: Machine) -> None:
    with pytest.raises(UnsupportedMachineError, match="Use Linux or Windows"):
        torch_builds(machine)


def test_the_build_is_pinned_where_pip_looks_for_it() -> None:
    cpu, cuda = torch_builds(Machine(*LINUX, nvidia_driver=(580, 65, 6), nvidia_capability=(8, 9)))
    assert cuda.requirement("torch==2.13.0") == "torch==2.13.0+cu130"
    assert cuda.index_arguments[-1].endswith("/cu130")
    assert cpu.requirement("torch==2.13.0") == "torch==2.13.0+cpu"
    (apple,) = torch_builds(Machine(*MAC, macos=(15, 0)))
    assert apple.requirement("torch==2.13.0") == "torch==2.13.0" and not apple.index_arguments


@pytest.mark.skipif(sys.platform != "linux", reason="the drivers' programs are faked as shell scripts")
def test_the_drivers_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(name: str, prints: str, code: int = 0) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{prints}\nEND\nexit {code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", str(tmp_path))
    nothing = this_machine()
    assert not nothing.nvidia_driver and not nothing.amd_architecture
    program("nvidia-smi", "580.95.05, 9.0\n580.95.05, 8.9")
    program("rocminfo", "Agent 1\n  Name: AMD Ryzen\nAgent 2\n  Name: gfx1101\n  amdgcn-amd-amdhsa--gfx1101")
    assert this_machine().nvidia_driver == (580, 95, 5)
    assert this_machine().nvidia_capability == (9, 0)
    assert this_machine().amd_architecture == "gfx1101"
    program("nvidia-smi", "NVIDIA-SMI has failed because it couldn't communicate with the driver.", 9)
    assert not this_machine().nvidia_driver
