"""Builds a file that ships: `python -m semblance.core_models.builders NAME [arguments]`."""

from __future__ import annotations

import importlib
import sys

BUILDERS = ("default_model", "dlib_identity", "contact_sheet")


def main() -> None:
    """Hand the arguments on to the builder that the first one names."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in BUILDERS:
        sys.exit(f"usage: python -m semblance.core_models.builders {{{','.join(BUILDERS)}}} [arguments]")
    importlib.import_module(f".{name}", __package__).main(arguments)


if __name__ == "__main__":
    main()
