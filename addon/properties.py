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

from ..core_models.protocol import QUALITIES, TEXTURE_SIZES, Options

MOST_FACES = 32
"""Of a photo, that can be chosen among; Blender's vectors of switches are no longer."""
TEXTURE_ITEMS = (
    ("UV", "UV Map", "Images on the face's UV map: the photo's detail"),
    ("VERTEX", "Vertex Colours", "A colour for each vertex and no images, for sculpting and games"),
)
SIZE_ITEMS = tuple((str(size), str(size), f"{size} × {size} pixels") for size in TEXTURE_SIZES)
_QUALITY_WORDS = {
    "draft": "Fastest, with textures of at most 512 pixels",
    "standard": "The shape from the landmarks of the face",
    "best": "Slower: the shape also from light and shadow in the photo",
}
QUALITY_ITEMS = tuple(
    (quality.upper(), quality.capitalize(), _QUALITY_WORDS[quality]) for quality in QUALITIES
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
        items=TEXTURE_ITEMS,
    )
    size: EnumProperty(
        name="Size",
        description="Side of the UV textures, in pixels",
        items=SIZE_ITEMS,
        default=str(Options.size),
    )
    quality: EnumProperty(
        name="Quality",
        description="How much time a face may take",
        items=QUALITY_ITEMS,
        default=Options.quality.upper(),
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
