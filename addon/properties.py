"""What the user chose, kept in the .blend as `scene.semblance`."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.props import BoolProperty, EnumProperty, PointerProperty


class SEMBLANCE_PG_settings(bpy.types.PropertyGroup):
    """How the next faces are computed and shown."""

    texture: EnumProperty(
        name="Texture",
        description="What the material shows; both are always made, and the Face panel switches between them",
        items=(
            ("UV", "UV Map", "Images on the face's UV map: the photo's detail"),
            ("VERTEX", "Vertex Colours", "A colour for each vertex: no images, for sculpting and games"),
        ),
        default="UV",
    )
    size: EnumProperty(
        name="Size",
        description="Side of the UV textures, in pixels",
        items=tuple((size, size, f"{size} × {size} pixels") for size in ("512", "1024", "2048", "4096")),
        default="1024",
    )
    quality: EnumProperty(
        name="Quality",
        description="How much time the face may take",
        items=(
            ("DRAFT", "Draft", "Fastest, with textures of at most 512 pixels"),
            ("STANDARD", "Standard", "The shape from the face's landmarks"),
            ("BEST", "Best", "Slower: the shape also from light and shadow in the photo"),
        ),
        default="STANDARD",
    )
    same_person: BoolProperty(
        name="Same Person",
        description="The photos show one person: make one face of them all, with the first one's camera, expression "
        "and light",
    )


CLASSES = (SEMBLANCE_PG_settings,)


def add_to_blender() -> Callable[[], None]:
    """Add `Scene.semblance`; returns what takes it away."""
    bpy.types.Scene.semblance = PointerProperty(type=SEMBLANCE_PG_settings)

    def remove() -> None:
        del bpy.types.Scene.semblance

    return remove
