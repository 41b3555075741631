"""Which versions of what compute: for the backend's status and for bug reports."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path

_MANIFEST = Path(__file__).parents[1] / "blender_manifest.toml"


def semblance_version() -> str:
    """As the extension's manifest, which a checkout and an installed package have too, says it."""
    return str(tomllib.loads(_MANIFEST.read_text(encoding="utf-8"))["version"])


def backend_versions() -> dict[str, str]:
    """Of python, torch, mediapipe, opencv and semblance. Imports them."""
    import cv2
    import mediapipe
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mediapipe": mediapipe.__version__,
        "opencv": cv2.__version__,
        "semblance": semblance_version(),
    }
