"""What runs inside Blender: bpy and numpy, never torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

CommandLine = Callable[[Sequence[str], Callable[[], str]], int]
"""`cli.main`: takes the arguments, and what finds the Python that computes; returns the exit code."""

_registered = ExitStack()
"""What `unregister` takes away, the last first."""


def register(command_line: CommandLine) -> None:
    """Give Blender the classes, the settings, and the command `blender --background --command semblance …`."""
    import bpy

    from . import operators, panels, preferences, properties, thumbnails
    from .operators.backend import stop
    from .queue import timer

    with ExitStack() as stack:
        command = bpy.utils.register_cli_command("semblance", blender_command(command_line))
        stack.callback(bpy.utils.unregister_cli_command, command)
        for each in (*preferences.CLASSES, *properties.CLASSES, *operators.CLASSES, *panels.CLASSES):
            bpy.utils.register_class(each)
            stack.callback(bpy.utils.unregister_class, each)
        for module in (properties, panels, thumbnails, timer):
            stack.callback(module.add_to_blender())
        stack.callback(stop)
        _registered.push(stack.pop_all())


def unregister() -> None:
    """Take it all away again."""
    _registered.close()


def blender_command(command_line: CommandLine) -> Callable[[Sequence[str]], int]:
    """The command line as Blender calls it: computing where the preferences say, and never ending Blender itself."""
    from .preferences import chosen_backend

    def run(arguments: Sequence[str]) -> int:
        try:
            return command_line(arguments, lambda: chosen_backend()[0])
        except SystemExit as end:  # argparse: --help, or arguments that it refuses
            return end.code if isinstance(end.code, int) else 1

    return run
