"""The backend as the preferences see it: its status, and the set-up or the check that is going on."""

from __future__ import annotations

from pathlib import Path

from ...core_models.errors import SemblanceError
from ...core_models.protocol import Failed, Hello
from .job import Job
from .launch import worker_command
from .venv import EnvironmentPlan, EnvironmentRemoval
from .venv_setup import EnvironmentSetup


class Installation:
    """At most one set-up, removal or check at a time; `poll` is to be called a few times a second while `busy`."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.setup: EnvironmentSetup | None = None
        """The set-up that is going on."""
        self.hello: Hello | None = None
        """What the worker said of itself when it was last asked."""
        self.error: SemblanceError | None = None
        """Why the last set-up or check failed."""
        self.log: Path | None = None
        """What the last set-up or check printed, if it failed."""
        self.python = ""
        """The interpreter that was last asked."""
        self._check: Job | None = None
        self._removal: EnvironmentRemoval | None = None

    @property
    def busy(self) -> bool:
        """Whether a set-up, a removal or a check is going on."""
        return any((self.setup, self._removal, self._check))

    @property
    def status(self) -> str:
        """One line, in words; empty where nothing is known."""
        if self.setup is not None:
            return "Setting up the backend …"
        if self._removal is not None:
            return "Removing the backend …"
        if self._check is not None:
            return "Asking the backend …"
        if self.error is not None:
            return str(self.error)
        if self.hello is None:
            return ""
        versions = self.hello.versions
        parts = (f"Python {versions['python']}", f"PyTorch {versions['torch']}", versions["models"])
        return " · ".join(("Ready", *parts, self.hello.device.upper()))

    def set_up(self, plan: EnvironmentPlan) -> None:
        """Begin to make the environment, or go on with it.

        Raises:
            SemblanceError: it cannot even begin.
        """
        setup = EnvironmentSetup(plan)
        self.forget()
        setup.start()
        self.setup = setup

    def remove(self, folder: Path) -> None:
        """Begin to delete an environment."""
        self.forget()
        self._removal = EnvironmentRemoval(folder)

    def check(self, python: str, device: str) -> None:
        """Begin to ask the worker what it is.

        Raises:
            SemblanceError: it cannot be started.
        """
        job = Job(worker_command(python, device))
        self.forget()
        self.python = python
        job.start()
        self._check = job

    def poll(self) -> None:
        """See whether what is going on has ended."""
        if self.setup is not None:
            self.setup.poll()
            if self.setup.finished:
                self.error = self.setup.error
                self.log = self.setup.log if self.setup.error else None
                self.setup = None
        if self._removal is not None:
            self._poll_removal(self._removal)
        if self._check is not None:
            for event in self._check.poll():
                if isinstance(event, Hello):
                    self.hello = event
                elif isinstance(event, Failed):
                    self.error, self.log = event.error(), self._check.log
            if self.hello is not None or self.error is not None:
                self._check.close()
                self._check = None

    def cancel(self) -> None:
        """Stop what is going on."""
        if self.setup is not None:
            self.setup.cancel()
            self.poll()
        if self._check is not None:
            self._check.close()
            self._check = None
        self._removal = None

    def _poll_removal(self, removal: EnvironmentRemoval) -> None:
        try:
            removal.poll()
        except SemblanceError as error:
            self.error = error
        if removal.finished or self.error is not None:
            self._removal = None

    def forget(self) -> None:
        """Know nothing again, because the interpreter is another one now."""
        self.hello = self.error = self.log = None
        self.python = ""


_installation = Installation()


def installation() -> Installation:
    """This Blender's."""
    return _installation
