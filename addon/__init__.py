"""What runs inside Blender: bpy and numpy, never torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_commands: list[Any] = []
"""What Blender gave us for `unregister`."""


def register() -> None:
    """Give Blender the command `blender --background --command semblance …`."""
    import bpy

    _commands.append(bpy.utils.register_cli_command("semblance", _run_command))


def unregister() -> None:
    """Take it away again."""
    import bpy

    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())


def _run_command(arguments: Sequence[str]) -> int:
    from ..cli import main

    try:
        return main(arguments)
    except SystemExit as end:  # argparse: --help, or arguments that it refuses
        return end.code if isinstance(end.code, int) else 1
