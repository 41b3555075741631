"""Semblance: one photo in, a relightable 3D face out.

The repository's root is this package, and the Blender extension. Blender's parts are imported when Blender enables
it, so that everything else works where there is no Blender.
"""


def register() -> None:
    """Blender enables the extension."""
    from . import addon
    from .cli import main

    addon.register(main)


def unregister() -> None:
    """Blender disables the extension."""
    from . import addon

    addon.unregister()
