"""The light on the selected faces: the photo's, a World or lamps. One of them at a time shines."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..scene import lamps, scene_settings
from ..scene.face_links import faces_of, lamps_of, needed_world
from ..scene.material import PHOTO_LIGHT, face_shader
from .errors import reports_errors
from .on_faces import OnFaces

LAMPS = (
    (
        lamps.ESTIMATED,
        "As Lamps",
        "A few suns that light the face as in the photo, each of which can be changed",
    ),
    (
        "REMBRANDT",
        "Rembrandt",
        "One lamp from the side and above: a triangle of light on the dark cheek",
    ),
    (
        "BUTTERFLY",
        "Butterfly",
        "One lamp above the camera and a reflector below: a small shadow under the nose",
    ),
    ("RIM", "Rim", "Two lamps from behind that draw the outline, and little light from the front"),
)


class SEMBLANCE_OT_show_light(OnFaces, bpy.types.Operator):
    """Show the selected faces as lit in the photo, or lit by the scene's World and lamps"""

    bl_idname = "semblance.show_light"
    bl_label = "Show Light"

    light: EnumProperty(
        name="Light",
        description="What lights the face",
        items=(
            ("PHOTO", "Photo Light", "As the light was in the photo, whatever the scene's lights are"),
            ("SCENE", "Scene Light", "Lit by this scene's World and lamps"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the material's slider to an end."""
        for face in faces_of(context):
            _show_photo_light(face, float(self.light == "PHOTO"))
        return {"FINISHED"}


class SEMBLANCE_OT_show_light_here(bpy.types.Operator):
    """This view shows no light, or light of its own: let it show the material in the scene's light"""

    bl_idname = "semblance.show_light_here"
    bl_label = "Show Light in This View"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """In a 3-D view."""
        return context.space_data is not None and context.space_data.type == "VIEW_3D"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Switch to Material Preview with the scene's World and lamps, unless the view renders."""
        shading = context.space_data.shading
        if shading.type != "RENDERED":
            shading.type = "MATERIAL"
        _show_scene_light(shading)
        return {"FINISHED"}


class SEMBLANCE_OT_use_world(OnFaces, bpy.types.Operator):
    """Light the scene with the light estimated from the active face's photo, as its World. The World that is there is kept, and can be brought back"""  # noqa: E501

    bl_idname = "semblance.use_world"
    bl_label = "Use Photo's Light as World"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask before a World of the user's is replaced."""
        scene = context.scene
        if scene.world is None or scene_settings.shows_world(scene):
            return self.execute(context)
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Replace the scene's World?",
            message=f"'{scene.world.name}' stays in the file; Restore World brings it back.",
            confirm_text="Replace",
        )

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Replace the World and the lamps made for the selected faces."""
        faces = faces_of(context)
        scene_settings.use_world(faces[0], context.scene)
        for face in faces:
            _remove_lamps(self, context, face)
            _show_photo_light(face, 0.0)
        return {"FINISHED"}


class SEMBLANCE_OT_restore_world(bpy.types.Operator):
    """Give the scene the World back that it had before it got the photo's light"""

    bl_idname = "semblance.restore_world"
    bl_label = "Restore World"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """While the photo's light is the World."""
        return scene_settings.shows_world(context.scene)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restore it."""
        scene_settings.restore_world(context.scene)
        return {"FINISHED"}


class SEMBLANCE_OT_use_lamps(OnFaces, bpy.types.Operator):
    """Put lamps around the selected faces, instead of other lamps and of the World that Semblance put there"""

    bl_idname = "semblance.use_lamps"
    bl_label = "Light with Lamps"

    kind: EnumProperty(name="Lamps", description="Which lamps", items=LAMPS)

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The chosen kind's."""
        return next(text for kind, _, text in LAMPS if kind == properties.kind)

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Replace the lamps made for the selected faces."""
        faces = faces_of(context)
        if self.kind == lamps.ESTIMATED:
            needed_world(faces[0])
        for face in faces:
            _remove_lamps(self, context, face)
            _show_photo_light(face, 0.0)
        if self.kind != lamps.ESTIMATED:
            for face in faces:
                lamps.place_rig(face, self.kind, context.scene)
        else:
            # Of one photo: suns shine on all faces alike.
            made = lamps.place_estimated(faces[0], context.scene)
            self.report({"INFO"}, f"These lamps differ from the photo's light by {made[lamps.RESIDUAL]:.0%}")
        if scene_settings.shows_world(context.scene):
            scene_settings.restore_world(context.scene)
        return {"FINISHED"}


class SEMBLANCE_OT_remove_lamps(OnFaces, bpy.types.Operator):
    """Remove the lamps that Semblance put around the selected faces. Those that you have changed are hidden instead"""

    bl_idname = "semblance.remove_lamps"
    bl_label = "Remove Lamps"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """When a selected face has lamps."""
        return any(lamps_of(face) is not None for face in faces_of(context))

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove or hide them."""
        for face in faces_of(context):
            _remove_lamps(self, context, face)
        return {"FINISHED"}


class SEMBLANCE_OT_match_colours(bpy.types.Operator):
    """Show colours as in the photo: view transform Standard, no look, exposure 0, gamma 1. What is set now can be restored"""  # noqa: E501

    bl_idname = "semblance.match_colours"
    bl_label = "Match Photo Colours"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change the scene's colour management."""
        scene_settings.match_colours(context.scene)
        return {"FINISHED"}


class SEMBLANCE_OT_restore_colours(bpy.types.Operator):
    """Give the scene the colour management back that it had before"""

    bl_idname = "semblance.restore_colours"
    bl_label = "Restore Colours"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """After Match Photo Colours."""
        return scene_settings.matches_colours(context.scene)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restore it."""
        scene_settings.restore_colours(context.scene)
        return {"FINISHED"}


class SEMBLANCE_OT_look_through(OnFaces, bpy.types.Operator):
    """Look from where the photo was taken, and render in its size. The scene's camera and size can be restored"""

    bl_idname = "semblance.look_through"
    bl_label = "Photo's Camera"

    @reports_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the active face's camera the scene's."""
        scene_settings.look_through(faces_of(context)[0], context.scene, context.region_data)
        return {"FINISHED"}


class SEMBLANCE_OT_restore_view(bpy.types.Operator):
    """Give the scene the camera and render size back that it had before, and the view where it was"""

    bl_idname = "semblance.restore_view"
    bl_label = "Restore Camera"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """After Photo's Camera."""
        return scene_settings.looks_through(context.scene)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Restore them."""
        scene_settings.restore_view(context.scene, context.region_data)
        return {"FINISHED"}


def shows_light(space: bpy.types.SpaceView3D | None) -> bool:
    """Whether a 3-D view shows materials in the light of the scene."""
    if space is None or space.type != "VIEW_3D":
        return True
    shading = space.shading
    if shading.type == "RENDERED":
        return shading.use_scene_lights_render and shading.use_scene_world_render
    return shading.type == "MATERIAL" and shading.use_scene_lights and shading.use_scene_world


def _show_scene_light(shading: bpy.types.View3DShading) -> None:
    end = "_render" if shading.type == "RENDERED" else ""
    for part in ("use_scene_lights", "use_scene_world"):
        setattr(shading, part + end, True)


def _show_photo_light(face: bpy.types.Object, share: float) -> None:
    inputs = face_shader(face)
    if inputs is not None:
        inputs[PHOTO_LIGHT].default_value = share


def _remove_lamps(operator: bpy.types.Operator, context: bpy.types.Context, face: bpy.types.Object) -> None:
    own = lamps_of(face)
    name = own.name if own is not None else ""
    if not lamps.remove_lamps(face):
        operator.report({"INFO"}, f"You changed the lamps in '{name}': they are kept, hidden")
    if context.view_layer.objects.active is None and face.name in context.view_layer.objects:
        # One of the lamps was; the panel goes on with their face.
        context.view_layer.objects.active = face
        face.select_set(True)


CLASSES = (
    SEMBLANCE_OT_show_light,
    SEMBLANCE_OT_show_light_here,
    SEMBLANCE_OT_use_world,
    SEMBLANCE_OT_restore_world,
    SEMBLANCE_OT_use_lamps,
    SEMBLANCE_OT_remove_lamps,
    SEMBLANCE_OT_match_colours,
    SEMBLANCE_OT_restore_colours,
    SEMBLANCE_OT_look_through,
    SEMBLANCE_OT_restore_view,
)
