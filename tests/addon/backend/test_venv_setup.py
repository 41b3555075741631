"""Making the backend's environment: with a fake Python for the faults, and once in earnest."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from semblance.addon.backend.job import Job
from semblance.addon.backend.launch import worker_command
from semblance.addon.backend.pip_output import NetworkError, PipProgress, SetupDiskFullError
from semblance.addon.backend.torch_builds import this_machine, torch_builds
from semblance.addon.backend.venv import (
    EnvironmentPlan,
    EnvironmentRemoval,
    environment_python,
    is_current,
    is_half_made,
)
from semblance.addon.backend.venv_setup import EnvironmentSetup
from semblance.core_models.errors import CancelledError, SemblanceError
from semblance.core_models.protocol import Hello
from semblance.tests.jobs import finish as finish_start

ROOT = Path(__file__).parents[3]
fakes = pytest.mark.skipif(os.name == "nt", reason="the fake Python is a script with a first line")


def finish(setup: EnvironmentSetup, seconds: float = 30, until: Callable[[], bool] = lambda: False) -> None:
    end = time.monotonic() + seconds
    while not setup.finished and not until():
        assert time.monotonic() < end, setup.log.read_text()
        setup.poll()
        time.sleep(0.01)


@pytest.fixture
def plan(tmp_path: Path) -> EnvironmentPlan:
    """A folder with a space and letters of another alphabet; pip calls go as `plan.txt` says."""
    folder = tmp_path / "my расширения"
    folder.mkdir()
    base = folder / "python3.11"
    source = (Path(__file__).parents[2] / "fake_python.py").read_text()
    base.write_text(source.replace("#!PYTHON", f"#!{sys.executable}", 1))
    base.chmod(0o755)
    (folder / "requirements.txt").write_text("torch==2.13.0\nnumpy==1.26.4\n")
    (folder / "plan.txt").write_text("")
    build = torch_builds(this_machine())[0]
    return EnvironmentPlan(folder / "environment", str(base), build, folder / "requirements.txt")


def order(plan: EnvironmentPlan, words: str) -> None:
    (plan.folder.parent / "plan.txt").write_text(words)


def calls(plan: EnvironmentPlan) -> list[str]:
    """What pip and the check were called with, since the last look."""
    path = plan.folder.parent / "calls.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def run(plan: EnvironmentPlan) -> SemblanceError | None:
    setup = EnvironmentSetup(plan)
    setup.start()
    finish(setup)
    return setup.error


@fakes
def test_everything_is_made_in_order(plan: EnvironmentPlan) -> None:
    assert environment_python(plan.folder) is None and not is_half_made(plan.folder)
    assert run(plan) is None
    pip, torch, packages, check = calls(plan)
    assert "--upgrade pip==" in pip
    assert plan.torch in torch and plan.build.index_arguments[-1] in torch
    assert "--no-deps -r requirements.txt" in packages
    assert "torch" not in (plan.folder / "requirements.txt").read_text()
    assert "import torch" in check
    assert environment_python(plan.folder) == plan.python
    assert is_current(plan.folder, plan.requirements) and not is_half_made(plan.folder)
    assert not (plan.folder / "tmp").exists()


@fakes
@pytest.mark.parametrize(
    ("word", "kind", "says"),
    [
        ("no_network", NetworkError, "Check the network"),
        ("disk_full", SetupDiskFullError, "Free some space"),
        ("long_path", SemblanceError, "Enable long paths"),
        ("broken", SemblanceError, "of another planet"),
    ],
)
def test_a_failure_is_a_sentence_and_the_next_try_goes_on_there(
    plan: EnvironmentPlan, word: str, kind: type[SemblanceError], says: str
) -> None:
    order(plan, f"ok ok {word}")
    error = run(plan)
    assert isinstance(error, kind) and says in str(error)
    assert is_half_made(plan.folder) and environment_python(plan.folder) is None
    assert len(calls(plan)) == 3
    assert run(plan) is None
    again, _check = calls(plan)
    assert "-r requirements.txt" in again
    assert environment_python(plan.folder) == plan.python


@fakes
def test_cancelled_and_resumed(plan: EnvironmentPlan) -> None:
    order(plan, "ok slow")
    setup = EnvironmentSetup(plan)
    setup.start()
    finish(setup, until=lambda: "50 of 100 MB" in setup.label and setup.fraction > 0.05)
    assert setup.fraction < 0.5
    begun = time.monotonic()
    setup.cancel()
    assert time.monotonic() - begun < 3
    assert setup.finished and isinstance(setup.error, CancelledError)
    assert is_half_made(plan.folder) and not (plan.folder / "tmp").exists()
    calls(plan)
    assert run(plan) is None
    assert [plan.torch in call for call in calls(plan)] == [True, False, False]


@fakes
def test_the_check_that_fails_leaves_no_environment(plan: EnvironmentPlan) -> None:
    order(plan, "ok ok ok broken")
    assert "of another planet" in str(run(plan))
    assert environment_python(plan.folder) is None


@fakes
def test_a_base_python_that_is_gone_begins_anew(plan: EnvironmentPlan) -> None:
    assert run(plan) is None
    plan.python.unlink()
    plan.python.symlink_to("/nowhere/blender-4.2/python3.11")
    assert environment_python(plan.folder) is None
    calls(plan)
    assert run(plan) is None
    assert len(calls(plan)) == 4


@fakes
def test_other_requirements_begin_anew(plan: EnvironmentPlan) -> None:
    assert run(plan) is None
    (plan.folder / "stale").touch()
    plan.requirements.write_text("torch==2.14.0\nnumpy==1.26.4\n")
    assert environment_python(plan.folder) == plan.python  # Still better than none.
    assert not is_current(plan.folder, plan.requirements)
    assert run(plan) is None
    assert is_current(plan.folder, plan.requirements) and not (plan.folder / "stale").exists()


@fakes
def test_too_little_room_is_told_before_anything_is_downloaded(
    plan: EnvironmentPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(plan.folder.parent)._replace(free=500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SetupDiskFullError, match=r"has 0\.5 GB"):
        EnvironmentSetup(plan).start()
    assert not calls(plan)


@fakes
def test_a_folder_that_cannot_be_written_is_a_sentence(plan: EnvironmentPlan) -> None:
    plan.folder.write_text("a file in the way")
    with pytest.raises(SemblanceError, match="environment"):
        EnvironmentSetup(plan).start()


@fakes
def test_a_program_that_does_not_start_is_a_sentence(plan: EnvironmentPlan) -> None:
    Path(plan.base).unlink()
    assert "cannot be started" in str(run(plan))


@fakes
def test_removed(plan: EnvironmentPlan) -> None:
    assert run(plan) is None
    (plan.folder / "lib64").symlink_to("bin")
    removal = EnvironmentRemoval(plan.folder)
    while not removal.finished:
        removal.poll(0.0001)
        assert environment_python(plan.folder) is None
    assert not plan.folder.exists()
    assert Path(plan.base).exists()


def test_progress_adds_up_over_files() -> None:
    progress = PipProgress()
    seen = []
    for line in (
        "Collecting torch==2.13.0+cpu",
        "Downloading https://somewhere/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl (200 MB)",
        "Progress 0 of 200000000",
        "Progress 200000000 of 200000000",
        "Downloading sympy-1.14.0-py3-none-any.whl (50 MB)",
        "Progress 25000000 of 50000000",
        "Installing collected packages: mpmath, sympy, torch",
    ):
        progress.read(line)
        seen.append(progress.fraction(0.25))
    assert seen == [0, 0, 0, pytest.approx(0.64), pytest.approx(0.64), pytest.approx(0.72), 0.8]


@pytest.mark.slow
def test_in_earnest(tmp_path: Path) -> None:
    """Downloads some hundred megabytes from where pip is configured to."""
    build = torch_builds(this_machine())[0]
    plan = EnvironmentPlan(tmp_path / "environment", sys.executable, build, ROOT / "requirements.txt")
    setup = EnvironmentSetup(plan)
    setup.start()
    finish(setup, seconds=900)
    assert setup.error is None, f"{setup.error}\n{setup.log.read_text()[-3000:]}"
    python = environment_python(plan.folder)
    assert python is not None
    with Job(worker_command(str(python))) as job:
        job.start()
        (hello,) = finish_start(job)
        assert isinstance(hello, Hello) and hello.device == "cpu", job.log.read_text()
