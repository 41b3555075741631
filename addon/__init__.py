"""What runs inside Blender: bpy and numpy, never torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

_registered = ExitStack()
"""What `unregister` takes away, the last first."""


def register() -> None:
    """Give Blender the classes, the settings, and the command `blender --background --command semblance …`."""
    import bpy

    from . import operators, panels, preferences, properties, runner, thumbnails
    from .operators.backend import stop

    with ExitStack() as stack:
        stack.callback(bpy.utils.unregister_cli_command, _add_command())
        for each in (*preferences.CLASSES, *properties.CLASSES, *operators.CLASSES, *panels.CLASSES):
            bpy.utils.register_class(each)
            stack.callback(bpy.utils.unregister_class, each)
        for module in (properties, panels, thumbnails, runner):
            stack.callback(module.add_to_blender())
        stack.callback(stop)
        _registered.push(stack.pop_all())


def unregister() -> None:
    """Take it all away again."""
    _registered.close()


def _add_command() -> object:
    import bpy

    return bpy.utils.register_cli_command("semblance", _run_command)


def _run_command(arguments: Sequence[str]) -> int:
    from ..cli import main
    from .preferences import chosen_backend

    try:
        return main(arguments, lambda: chosen_backend()[0])
    except SystemExit as end:  # argparse: --help, or arguments that it refuses
        return end.code if isinstance(end.code, int) else 1
