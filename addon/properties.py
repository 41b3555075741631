"""What the user chose, kept in the .blend as `scene.semblance`."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from bpy.props import (
    BoolProperty,
    BoolVectorProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

MOST_FACES = 32
"""Of a photo, that can be chosen among; Blender's vectors of switches are no longer."""
TEXTURES = (
    ("UV", "UV Map", "Images on the face's UV map: the photo's detail"),
    ("VERTEX", "Vertex Colours", "A colour for each vertex and no images, for sculpting and games"),
)
SIZES = tuple((size, size, f"{size} × {size} pixels") for size in ("512", "1024", "2048", "4096"))
QUALITIES = (
    ("DRAFT", "Draft", "Fastest, with textures of at most 512 pixels"),
    ("STANDARD", "Standard", "The shape from the landmarks of the face"),
    ("BEST", "Best", "Slower: the shape also from light and shadow in the photo"),
)


class SEMBLANCE_PG_photo(bpy.types.PropertyGroup):
    """A photo in the list: a file, or an image of this .blend."""

    filepath: StringProperty(name="Photo", description="The photo's file", subtype="FILE_PATH")
    image: PointerProperty(
        name="Image", description="An image of this file instead of a photo's", type=bpy.types.Image
    )
    chosen: BoolVectorProperty(
        name="Chosen Faces",
        description="Make this face. If none is chosen, the largest one is made",
        size=MOST_FACES,
    )


class SEMBLANCE_PG_settings(bpy.types.PropertyGroup):
    """The photos, and how their faces are computed and shown."""

    photos: CollectionProperty(name="Photos", description="What to make faces of", type=SEMBLANCE_PG_photo)
    active_photo: IntProperty(name="Active Photo", description="The photo that is shown above the list")
    texture: EnumProperty(
        name="Texture",
        description="What the material shows. Both are always made, and the Face panel switches between them",
        items=TEXTURES,
    )
    size: EnumProperty(
        name="Size", description="Side of the UV textures, in pixels", items=SIZES, default="1024"
    )
    quality: EnumProperty(
        name="Quality",
        description="How much time a face may take",
        items=QUALITIES,
        default="STANDARD",
    )
    same_person: BoolProperty(
        name="Same Person",
        description="The photos show one person, whose face is the largest in each: make one face of them all, with "
        "the first one's camera, expression and light",
    )


CLASSES = (SEMBLANCE_PG_photo, SEMBLANCE_PG_settings)


def add_to_blender() -> Callable[[], None]:
    """Add `Scene.semblance`; returns what takes it away."""
    bpy.types.Scene.semblance = PointerProperty(type=SEMBLANCE_PG_settings)

    def remove() -> None:
        del bpy.types.Scene.semblance

    return remove
