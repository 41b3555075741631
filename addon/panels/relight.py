"""The light on the selected face."""

from __future__ import annotations

import bpy

from ..operators.on_faces import NO_FACE
from ..operators.relight import LAMPS, shows_light
from ..scene import scene_settings
from ..scene.face_links import face_of, lamps_of, world_of
from ..scene.lamps import ESTIMATED, KIND, RESIDUAL
from ..scene.light import CLAMPED, TURN
from ..scene.material import PHOTO_LIGHT, face_shader

_NOTABLE = 0.05
"""Share of the light; less cannot be seen."""


class SEMBLANCE_PT_relight(bpy.types.Panel):
    """Photo light, the photo's light for the scene, ready rigs, colours and camera."""

    bl_label = "Relight"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Semblance"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what lights the face, then what else the scene needs to look like the photo."""
        face = face_of(context)
        if face is None:
            self.layout.label(text=NO_FACE, icon="INFO")
        else:
            _draw_switch(self.layout, context, face)
            _draw_lights(self.layout, context, face)
        _draw_scene(self.layout, context.scene, face is not None)


def _draw_switch(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object) -> None:
    inputs = face_shader(face)
    if inputs is None:
        layout.label(text="Its material is not Semblance's any more", icon="INFO")
        return
    photo = inputs[PHOTO_LIGHT]
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator(
        "semblance.show_light", text="Photo Light", depress=photo.default_value == 1.0
    ).light = "PHOTO"
    row.operator(
        "semblance.show_light", text="Scene Light", depress=photo.default_value == 0.0
    ).light = "SCENE"
    column.prop(photo, "default_value", text="Share of Photo Light", slider=True)
    if not shows_light(context.space_data):
        column.operator("semblance.show_light_here", icon="SHADING_RENDERED")
    if photo.default_value < 1.0 and _is_dark(context):
        column.label(text="Nothing lights this scene: choose a light", icon="LIGHT")


def _draw_lights(layout: bpy.types.UILayout, context: bpy.types.Context, face: bpy.types.Object) -> None:
    world, lamps = world_of(face), lamps_of(face)
    shown = world if world is not None and context.scene.world == world else None
    kind = lamps[KIND] if lamps is not None else ""
    column = layout.column(align=True)
    column.label(text="Light of the Photo")
    row = column.row(align=True)
    row.operator("semblance.use_world", text="As World", depress=shown is not None)
    _lamps_button(row, ESTIMATED, kind)
    if shown is not None and shown.get(CLAMPED, 0.0) > _NOTABLE:
        column.label(text=f"{shown[CLAMPED]:.0%} of it cannot be shown by a World")
    if lamps is not None and kind == ESTIMATED:
        column.label(text=f"Within {lamps[RESIDUAL]:.0%} of the photo's light")
    column = layout.column(align=True)
    column.label(text="Studio Light")
    row = column.row(align=True)
    for rig, *_ in LAMPS[1:]:
        _lamps_button(row, rig, kind)
    column = layout.column(align=True)
    if world is not None:
        turn = column.row()
        turn.active = shown is not None or lamps is not None
        turn.prop(world, f'["{TURN}"]', text="Turn the Light", slider=True)
    if lamps is not None:
        column.operator("semblance.remove_lamps", icon="X")
    if scene_settings.shows_world(context.scene):
        before = scene_settings.world_before(context.scene)
        text = f"Restore World '{before.name}'" if before is not None else "Remove World"
        column.operator("semblance.restore_world", text=text, icon="LOOP_BACK")


def _lamps_button(layout: bpy.types.UILayout, rig: str, shown: str) -> None:
    label = next(label for name, label, _ in LAMPS if name == rig)
    layout.operator("semblance.use_lamps", text=label, depress=rig == shown).kind = rig


def _draw_scene(layout: bpy.types.UILayout, scene: bpy.types.Scene, has_face: bool) -> None:
    looks, matches = scene_settings.looks_through(scene), scene_settings.matches_colours(scene)
    column = layout.column(align=True)
    if has_face or looks or matches:
        column.label(text="As in the Photo")
    if has_face or looks:
        row = column.row(align=True)
        row.operator("semblance.look_through", icon="CAMERA_DATA", depress=looks)
        if looks:
            row.operator("semblance.restore_view", text="", icon="LOOP_BACK")
    if has_face or matches:
        row = column.row(align=True)
        row.operator("semblance.match_colours", icon="COLOR", depress=matches)
        if matches:
            row.operator("semblance.restore_colours", text="", icon="LOOP_BACK")


def _is_dark(context: bpy.types.Context) -> bool:
    has_lamp = any(candidate.type == "LIGHT" for candidate in context.visible_objects)
    return context.scene.world is None and not has_lamp


CLASSES = (SEMBLANCE_PT_relight,)
