"""The main panel, in the order of the work: photos, faces, how, Reconstruct, what happens, what came out."""

from __future__ import annotations

import json
from typing import Any

import bpy

from .. import thumbnails
from ..paragraph import paragraph
from ..properties import MOST_FACES
from ..queue.face_tasks import photos_to_make
from ..queue.photo_files import background_image, key_of, title_of
from ..queue.task import BACKEND_CODES, Failure, State
from ..queue.timer import scene_is_free, session
from ..scene.face_links import face_of

_STATE_ICONS = {
    State.WAITING: "SORTTIME",
    State.WORKING: "PLAY",
    State.DONE: "CHECKMARK",
    State.FAILED: "ERROR",
}
_FITS = ((1.0, "Good fit", "CHECKMARK"), (1.6, "Fair fit", "INFO"), (float("inf"), "Poor fit", "ERROR"))
"""Landmark RMS in percent of the distance between the eyes, below which the words hold: of 21 portraits of the
development set, 19 are below the first and one is above the second."""
_MOST_IMAGES = 30


class SEMBLANCE_MT_add_photo(bpy.types.Menu):
    """Photos that are in this file already."""

    bl_label = "Photos in This File"

    def draw(self, context: bpy.types.Context) -> None:
        """The background of a camera, and the images that are open."""
        behind = background_image(context.active_object) or background_image(context.scene.camera)
        if behind is not None:
            self.layout.operator("semblance.use_camera_background", icon="CAMERA_DATA")
            self.layout.separator()
        images = [image for image in bpy.data.images if image.source == "FILE" or image.has_data]
        for image in images[:_MOST_IMAGES]:
            row = self.layout.operator("semblance.use_image", text=image.name, icon="IMAGE_DATA")
            row.image = image.name
        if not images:
            self.layout.label(text="No image is open in this file")


class SEMBLANCE_UL_photos(bpy.types.UIList):
    """Photos, and how far each is."""

    def draw_item(
        self,
        _context: Any,
        layout: Any,
        _data: Any,
        item: Any,
        _icon: int,
        _of: Any,
        _active: str,
        index: int,
    ) -> None:
        """Name, state, remove."""
        row, key = layout.row(align=True), key_of(item)
        row.label(text=title_of(item), icon_value=_icon_of(item))
        state = session().state_of(key)
        if state is not None:
            row.label(icon=_STATE_ICONS[state])
        row.operator("semblance.remove_photo", text="", icon="X", emboss=False).index = index


class SEMBLANCE_PT_photo(bpy.types.Panel):
    """From photos to faces."""

    bl_label = "Semblance"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Semblance"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the scene's settings, the session and the selected face say."""
        settings = context.scene.semblance
        self.layout.use_property_decorate = False
        _draw_photos(self.layout.column(), settings)
        failure = session().failure
        if settings.photos:
            photo = settings.photos[min(settings.active_photo, len(settings.photos) - 1)]
            _draw_faces(self.layout.column(), photo)
            _draw_how(self.layout.column(), settings)
            failure = session().failure_of(key_of(photo)) or failure
        if session().making:
            _draw_work(self.layout.column(), context)
        elif settings.photos:
            _draw_button(self.layout.column(), settings)
        for note in session().notes:
            paragraph(self.layout, context, note, "INFO")
        if failure is not None:
            _draw_failure(self.layout, context, failure)
        _draw_result(self.layout, context)


def _draw_photos(layout: bpy.types.UILayout, settings: Any) -> None:
    row = layout.row(align=True)
    row.scale_y = 1.0 if settings.photos else 1.5
    text = "Add Photos…" if settings.photos else "Choose Photos…"
    row.operator("semblance.add_photos", text=text, icon="FILE_FOLDER")
    row.menu("SEMBLANCE_MT_add_photo", text="", icon="DOWNARROW_HLT")
    if len(settings.photos) > 1:
        layout.template_list(
            "SEMBLANCE_UL_photos", "", settings, "photos", settings, "active_photo", rows=3, maxrows=6
        )
        row = layout.row(align=True)
        row.prop(settings, "same_person")
        row.operator("semblance.remove_photo", text="Clear", icon="TRASH").index = -1
    elif settings.photos:
        row = layout.row(align=True)
        row.label(text=title_of(settings.photos[0]))
        row.operator("semblance.remove_photo", text="", icon="X", emboss=False).index = 0
    else:
        layout.label(text="A portrait, taken from the front.", icon="INFO")


def _draw_faces(layout: bpy.types.UILayout, photo: Any) -> None:
    key = key_of(photo)
    found = session().found.get(key, ())
    if len(found) > 1:
        _draw_choice(layout, photo, len(found))
        return
    icon = _icon_of(photo)
    if icon:
        layout.template_icon(icon, scale=6.0)
    if session().looks_for_faces(key):
        now = session().state_of(key) is State.WORKING
        layout.progress(factor=session().fraction if now else 0.0, text="Finding faces")
    elif not found:
        layout.operator("semblance.find_faces", icon="VIEWZOOM")


def _icon_of(photo: Any) -> int:
    """Its largest face; the whole photo while that is not known."""
    found = thumbnails.icon_of(f"{key_of(photo)}#0")
    if found:
        return found
    return bpy.types.UILayout.icon(photo.image) if photo.image else thumbnails.icon_of_file(key_of(photo))


def _draw_choice(layout: bpy.types.UILayout, photo: Any, count: int) -> None:
    grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, even_rows=True, align=True)
    for number in range(min(count, MOST_FACES)):
        cell = grid.column(align=True)
        cell.template_icon(thumbnails.icon_of(f"{key_of(photo)}#{number}"), scale=3.5)
        cell.prop(photo, "chosen", index=number, toggle=True, text=f"Face {number + 1}")
    if not any(photo.chosen):
        layout.label(text="None chosen: the largest is made", icon="INFO")


def _draw_how(layout: bpy.types.UILayout, settings: Any) -> None:
    layout.use_property_split = True
    layout.prop(settings, "texture")
    layout.prop(settings, "size")
    layout.prop(settings, "quality")


def _draw_work(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    running = session()
    row = layout.row(align=True)
    row.scale_y = 1.3
    row.progress(factor=running.fraction, text=running.stage)
    row.operator("semblance.cancel", text="", icon="X")
    number, count = running.place
    if running.current is not None and count > 1:
        layout.label(text=f"{number} of {count}: {running.current.title}")
    if running.ended and not scene_is_free():
        paragraph(layout, context, "The face is ready. It comes when you are back in Object Mode.", "INFO")


def _draw_button(layout: bpy.types.UILayout, settings: Any) -> None:
    row = layout.row()
    row.scale_y = 1.8
    row.operator("semblance.reconstruct", text=_button_text(settings), icon="USER")


def _button_text(settings: Any) -> str:
    count, again = len(photos_to_make(settings)), ""
    if all(session().state_of(key_of(photo)) is State.DONE for photo in settings.photos):
        again = " Again"
    if count == 1:
        return f"Reconstruct{again}"
    return f"Reconstruct {'from ' if settings.same_person else ''}{count} Photos{again}"


def _draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: Failure) -> None:
    box = layout.box()
    row = box.row()
    title = row.row()
    title.alert = True
    title.label(text=failure.title, icon="ERROR")
    row.operator("semblance.dismiss_error", text="", icon="X", emboss=False)
    paragraph(box, context, failure.error.message)
    if failure.error.hint:
        paragraph(box, context, failure.error.hint)
    if failure.error.code in BACKEND_CODES:
        box.operator("semblance.open_preferences", icon="PREFERENCES")
    box.operator("semblance.copy_report", icon="COPYDOWN")


def _draw_result(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    face = face_of(context)
    if face is None or "semblance_report" not in face:
        return
    report = json.loads(face["semblance_report"])
    box = layout.box()
    box.label(text=face.name, icon="USER")
    column = box.column(align=True)
    if "landmark_rms_percent" in report:
        rms = report["landmark_rms_percent"]
        words, icon = next((words, icon) for limit, words, icon in _FITS if rms < limit)
        column.label(text=f"{words} to the photo", icon=icon)
    if "seen_share" in report:
        seen = report["seen_share"]
        column.label(text=f"{seen:.0%} of the face seen, {1 - seen:.0%} invented", icon="HIDE_OFF")
    for warning in report.get("warnings", ()):
        paragraph(box, context, warning, "ERROR")
    box.operator("semblance.show_face", icon="ZOOM_SELECTED")


CLASSES = (SEMBLANCE_MT_add_photo, SEMBLANCE_UL_photos, SEMBLANCE_PT_photo)
