"""The preferences: which Python computes, its status, and the buttons that make and remove it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from .backend.installation import installation
from .backend.interpreter import backend_python
from .backend.venv import environment_python, is_current, is_half_made
from .paragraph import paragraph

PACKAGE = __package__.rpartition(".")[0]
REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"


def environment_folder() -> Path | None:
    """Where the button makes the environment; None where the add-on is no installed extension (a checkout)."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="backend"))
    except ValueError:
        return None


def addon_preferences() -> SEMBLANCE_AP_preferences | None:
    """What the user chose; None where the add-on is not enabled as one."""
    entry = bpy.context.preferences.addons.get(PACKAGE)
    return entry.preferences if entry is not None else None


def chosen_backend() -> tuple[str, str]:
    """The interpreter and the device to start workers with.

    Raises:
        BackendMissingError: there is no interpreter.
    """
    preferences = addon_preferences()
    return backend_python(preferences), preferences.device if preferences is not None else "auto"


def chosen_model() -> str | None:
    """Path of the face model's file; None for the embedded one."""
    return _chosen_file("model")


def chosen_regressor() -> str | None:
    """Path of R-Net's checkpoint; None for no regressor."""
    return _chosen_file("regressor")


def _chosen_file(name: str) -> str | None:
    path = getattr(addon_preferences(), name, "")
    return bpy.path.abspath(path) if path else None


def _forget(_preferences: object, _context: object) -> None:
    if not installation().busy:
        installation().forget()


class SEMBLANCE_AP_preferences(bpy.types.AddonPreferences):
    """Semblance's preferences."""

    bl_idname = PACKAGE

    interpreter: StringProperty(
        name="Interpreter",
        description="A Python 3.11 or 3.12 that has PyTorch, OpenCV and MediaPipe. Leave empty to use the environment "
        "that the button makes",
        subtype="FILE_PATH",
        update=_forget,
    )
    device: EnumProperty(
        name="Device",
        description="What to compute on. This version computes on the CPU alone",
        items=(
            ("auto", "Automatic", "The fastest device that this version can use"),
            ("cpu", "CPU", "The processor"),
        ),
        update=_forget,
    )
    model: StringProperty(
        name="Face Model",
        description="A Basel Face Model of your own: BFM_model_front.mat, 01_MorphableModel.mat (2009) or a .h5 file "
        "(2017, 2019). Leave empty to use Semblance's own",
        subtype="FILE_PATH",
    )
    regressor: StringProperty(
        name="Regressor",
        description="The network of Deng et al. (2019) that sees the Basel Face Model of 2009 in photos: epoch_20.pth. "
        "Leave empty to begin with the model's mean face",
        subtype="FILE_PATH",
    )

    @property
    def chosen_python(self) -> str:
        """The interpreter's path; empty for the automatic choice."""
        return bpy.path.abspath(self.interpreter) if self.interpreter else ""

    @property
    def environment_python(self) -> Path | None:
        """The interpreter of the environment that the button made, when it is complete."""
        folder = environment_folder()
        return environment_python(folder) if folder is not None else None

    def draw(self, context: bpy.types.Context) -> None:
        """Status, buttons, choices, and what to know about photos."""
        state, folder = installation(), environment_folder()
        _draw_status(self.layout.box(), context, state, state.status or _before_asking(self, folder))
        if state.setup is not None:
            row = self.layout.row(align=True)
            row.progress(factor=state.setup.fraction, text=state.setup.label)
            row.operator("semblance.backend_cancel", text="", icon="X")
        else:
            _draw_buttons(self.layout, folder)
        column = self.layout.column()
        column.enabled = not state.busy
        column.prop(self, "interpreter")
        column.prop(self, "device")
        self.layout.prop(self, "model")
        self.layout.prop(self, "regressor")
        for status, icon in model_status(chosen_model(), chosen_regressor()):
            paragraph(self.layout, context, status, icon)
        note = self.layout.column(align=True)
        note.scale_y = 0.8
        note.label(
            text="The photo is computed on this machine alone, and stored inside the .blend.", icon="INFO"
        )
        note.label(
            text="People in photos have a say in what is made of them: ask before you share a face.",
            icon="BLANK1",
        )


def model_status(model: str | None, regressor: str | None) -> list[tuple[str, str]]:
    """What can be said of the user's own files before they are read: sentences, each with its icon."""
    told = []
    for name, path in (("face model", model), ("regressor", regressor)):
        if path is not None and not Path(path).is_file():
            told.append((f"There is no {name} '{path}'.", "ERROR"))
        elif path is not None:
            told.append(
                (f"The {name} '{Path(path).name}' is there, and read with the next face.", "CHECKMARK")
            )
    if regressor is not None and model is None:
        told.append(("The regressor needs a Basel Face Model of 2009 as the face model.", "ERROR"))
    return told


def _before_asking(preferences: SEMBLANCE_AP_preferences, folder: Path | None) -> str:
    """What can be said of the backend that was not started yet."""
    if preferences.interpreter or folder is None:
        return "The backend was not asked yet."
    if not folder.exists():
        return "The backend is not set up yet."
    if is_half_made(folder):
        return "The set-up is not finished."
    if not is_current(folder, REQUIREMENTS):
        return "The backend was made for another version of Semblance: update it."
    return "The backend is set up."


def _draw_status(layout: bpy.types.UILayout, context: bpy.types.Context, state: Any, status: str) -> None:
    icon = "ERROR" if state.error else "CHECKMARK" if state.hello else "QUESTION"
    paragraph(layout, context, status, icon)
    if state.python:
        paragraph(layout, context, state.python, "BLANK1")
    row = layout.row(align=True)
    row.operator("semblance.backend_check", icon="FILE_REFRESH")
    row.operator("semblance.copy_report", icon="COPYDOWN")


def _draw_buttons(layout: bpy.types.UILayout, folder: Path | None) -> None:
    row = layout.row(align=True)
    row.scale_y = 1.3
    if folder is None or not folder.exists():
        row.operator("semblance.backend_setup", icon="IMPORT")
        return
    if is_half_made(folder):
        row.operator("semblance.backend_setup", text="Go On with Set-Up", icon="IMPORT")
    elif not is_current(folder, REQUIREMENTS):
        row.operator("semblance.backend_setup", text="Update Backend", icon="IMPORT")
    row.operator("semblance.backend_remove", icon="TRASH")


CLASSES = (SEMBLANCE_AP_preferences,)
