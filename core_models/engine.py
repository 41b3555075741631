"""What the worker drives: the pipeline, ready to compute, as plain functions of what requests hold."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import SemblanceError
from .faces.found import FoundFace
from .progress import Progress
from .protocol import Options
from .reconstruction import Reconstruction

_PACKAGES = {"torch": "PyTorch", "cv2": "OpenCV", "mediapipe": "MediaPipe"}


class DeviceError(SemblanceError):
    """A device that cannot be computed on."""

    code = "device"


class BrokenPackageError(SemblanceError):
    """A package that is installed and cannot be imported."""

    code = "broken_package"


@dataclass(frozen=True)
class Engine:
    """The program's work, with everything loaded that it needs.

    `find` takes the photo's path; `reconstruct` that and the request's options, and returns one result a face;
    `rebake` the path, `fit_of` a result, and options. All take a progress function. `preview` makes a (H, W, 3) uint8
    sRGB sheet of a result; `close` frees the device's memory.
    """

    device: str
    versions: Mapping[str, str]
    find: Callable[[str, Progress], Sequence[FoundFace]]
    reconstruct: Callable[[str, Options, Progress], Sequence[Reconstruction]]
    rebake: Callable[[str, Mapping[str, Any], Options, Progress], Reconstruction]
    preview: Callable[[Reconstruction], np.ndarray]
    close: Callable[[], None]


def load_engine(device: str) -> Engine:
    """The real pipeline, with the model loaded. Imports torch, OpenCV and mediapipe.

    Raises:
        DeviceError: a device that this version does not compute on.
        BrokenPackageError: one of them cannot be imported.
    """
    if device not in ("auto", "cpu"):
        raise DeviceError(f"This version does not compute on '{device}'.", "Choose the device auto or cpu.")
    for module, name in _PACKAGES.items():
        _check_import(module, name)
    from .pipeline import Pipeline
    from .versions import backend_versions
    from .view.preview import preview_sheet

    pipeline = Pipeline()
    return Engine(
        device=pipeline.models.device,
        versions={**backend_versions(), "models": pipeline.models.default.model_id},
        find=pipeline.find,
        reconstruct=pipeline.run,
        rebake=pipeline.rebake,
        preview=preview_sheet,
        close=pipeline.close,
    )


def _check_import(module: str, name: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as error:  # an extension module whose libraries are missing raises anything
        traceback.print_exc()
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BrokenPackageError(
            f"{name} in the backend's Python '{sys.executable}' is broken ({reason}).",
            "Set up the backend again in the preferences of Semblance, or choose another interpreter there.",
        ) from error
