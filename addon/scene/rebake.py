"""New textures on a face that is there already."""

from __future__ import annotations

import bpy

from ...core_models.errors import SemblanceError
from ...core_models.reconstruction import Reconstruction
from .face_links import eyes_of
from .images import face_images, is_untouched
from .material import ALBEDO, CONFIDENCE, LIGHTING, face_shader, texture_node
from .mesh import split_eyes, write_colours


class RebakeError(SemblanceError):
    """The face no longer has what a new texture would go onto."""

    code = "rebake"


def texture_size(face: bpy.types.Object) -> int | None:
    """Pixels a side of the albedo; None where the material no longer shows an image."""
    inputs = face_shader(face)
    node = inputs and texture_node(inputs[ALBEDO])
    return node.image.size[0] if node and node.image else None


def apply_textures(face: bpy.types.Object, reconstruction: Reconstruction) -> list[bpy.types.Image]:
    """Show the images and vertex colours of `reconstruction`, the same geometry, on `face` and its eyes.

    Images that the user has painted on, or uses elsewhere, stay in the file and are returned; others are removed.
    Painted vertex colours stay beside the new ones. A mesh with vertices added or deleted keeps its vertex colours.

    Raises:
        RebakeError: the material no longer shows images.
    """
    inputs = face_shader(face)
    fed = [texture_node(inputs[name]) for name in (ALBEDO, LIGHTING, CONFIDENCE)] if inputs else []
    nodes = [node for node in fed if node is not None]
    if not nodes or len(nodes) < len(fed):
        raise RebakeError(
            "The face's material no longer has Semblance's textures.", "Import the result once more."
        )
    images = face_images(face.name, reconstruction)
    kept = []
    for node, new in zip(nodes, (images.albedo, images.lighting, images.confidence), strict=True):
        old, node.image = node.image, new
        if old is not None and not _remove(old):
            kept.append(old)
    for member, part in zip((face, eyes_of(face)), split_eyes(reconstruction), strict=True):
        if member is not None and part is not None and len(member.data.vertices) == len(part.vertices):
            write_colours(member.data, reconstruction, part)
    return kept


def _remove(image: bpy.types.Image) -> bool:
    """Remove what nobody needs; what the user has painted is then saved though nothing shows it."""
    if is_untouched(image) and not image.users:
        bpy.data.images.remove(image)
        return True
    image.use_fake_user = True
    return False
