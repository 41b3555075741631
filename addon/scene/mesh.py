"""Triangles with UV map, vertex colours and surface attributes → mesh object."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import bpy
import numpy as np

from ...core_models.reconstruction import Reconstruction
from .axes import to_blender

UV_MAP = "UVMap"
ALBEDO = "Albedo"
"""FLOAT_COLOR on points, scene-linear, active for display and render."""
LIGHTING = "Lighting"
"""FLOAT_COLOR on points, scene-linear: the photo's light; albedo × lighting is the photo's appearance."""
CONFIDENCE = "Confidence"
"""FLOAT on points: 1 seen in the photo … 0 invented."""
REGION = "Region"
"""INT on faces: index into the custom property `semblance_regions`."""
_MADE = "semblance_made_{}"
"""Custom property of the mesh: the digest of a colour attribute as we wrote it."""
ROUGHNESS, SPECULAR, SUBSURFACE = "Roughness", "Specular", "Subsurface"
"""FLOAT on points: inputs of the Principled shader in scene light."""


@dataclass(frozen=True)
class Surface:
    """How a region answers to light: Principled roughness, specular level and subsurface weight, each 0…1."""

    roughness: float
    specular: float
    subsurface: float


# Chosen by eye on Cycles renders. Specular: the index of refraction of skin and tears, 1.38–1.40, gives a
# reflectance of 2.5–2.8 % head-on; Principled's level 0.5 is 4 %, so 0.33.
_SKIN = Surface(roughness=0.50, specular=0.33, subsurface=0.12)
_SURFACES = {
    "lips": Surface(roughness=0.36, specular=0.36, subsurface=0.16),
    "brows": Surface(roughness=0.62, specular=0.20, subsurface=0.04),
    "eyes": Surface(roughness=0.10, specular=0.33, subsurface=0.0),
    "mouth": Surface(roughness=0.35, specular=0.33, subsurface=0.10),
}


@dataclass(frozen=True)
class MeshPart:
    """Some of a reconstruction's triangles.

    `vertices` (n,) and `faces` (f,) are indices into its arrays, `corners` (f, 3) into `vertices`. Of the vertices that
    a UV seam repeats the first stands for all: in Blender corners have UVs of their own.
    """

    vertices: np.ndarray
    faces: np.ndarray
    corners: np.ndarray


def split_eyes(reconstruction: Reconstruction) -> tuple[MeshPart, MeshPart | None]:
    """The face and the eyeballs; None where the eyes share vertices with the face."""
    names = list(reconstruction.region_names)
    is_eye = np.zeros(len(reconstruction.faces), bool)
    if "eyes" in names:
        is_eye = reconstruction.face_region == names.index("eyes")
    face, eyes = _part(reconstruction, ~is_eye), _part(reconstruction, is_eye)
    if eyes.faces.size and face.faces.size and not np.intersect1d(face.vertices, eyes.vertices).size:
        return face, eyes
    return _part(reconstruction, np.ones_like(is_eye)), None


def mesh_object(name: str, reconstruction: Reconstruction, part: MeshPart) -> bpy.types.Object:
    """Mesh object of `part` in the neutral expression, in metres, facing −Y, smooth, with every attribute."""
    mesh = bpy.data.meshes.new(name)
    _set_triangles(mesh, to_blender(reconstruction.neutral_vertices[part.vertices]), part.corners)
    mesh.uv_layers.new(name=UV_MAP)
    _fill(mesh.uv_layers[UV_MAP].uv, "vector", reconstruction.uv[reconstruction.faces[part.faces]])
    write_colours(mesh, reconstruction, part)
    _add_values(mesh, REGION, "INT", "FACE", reconstruction.face_region[part.faces].astype(np.int32))
    _add_surface(mesh, reconstruction, part)
    return bpy.data.objects.new(name, mesh)


def write_colours(mesh: bpy.types.Mesh, reconstruction: Reconstruction, part: MeshPart) -> None:
    """Write what a texture says of each vertex: albedo, lighting and confidence.

    Attributes of these names are replaced; those that the user has painted on stay, renamed.
    """
    for name, linear in (
        (LIGHTING, reconstruction.vertex_shading_linear),
        (ALBEDO, reconstruction.vertex_albedo_linear),
    ):
        _give_way(mesh, name)
        _add_colour(mesh, name, linear[part.vertices])
        mesh[_MADE.format(name)] = _digest(mesh.color_attributes[name])
    mesh.color_attributes.active_color = mesh.color_attributes[ALBEDO]
    mesh.color_attributes.render_color_index = mesh.color_attributes.find(ALBEDO)
    _give_way(mesh, CONFIDENCE)
    _add_values(mesh, CONFIDENCE, "FLOAT", "POINT", reconstruction.vertex_confidence[part.vertices])


def _give_way(mesh: bpy.types.Mesh, name: str) -> None:
    attribute = mesh.attributes.get(name)
    if attribute is None:
        return
    made = mesh.get(_MADE.format(name))
    if made is not None and made != _digest(attribute):
        attribute.name = f"{name} painted"
    else:
        mesh.attributes.remove(attribute)


def _digest(attribute: bpy.types.Attribute) -> str:
    values = np.empty(4 * len(attribute.data), np.float32)
    attribute.data.foreach_get("color", values)
    return hashlib.sha256(values.tobytes()).hexdigest()


def _part(reconstruction: Reconstruction, chosen: np.ndarray) -> MeshPart:
    faces = np.flatnonzero(chosen)
    used = np.unique(reconstruction.faces[faces])
    places = np.concatenate([reconstruction.neutral_vertices[used], reconstruction.vertices[used]], axis=1)
    _, first, place = np.unique(places, axis=0, return_index=True, return_inverse=True)
    copy_of = np.arange(len(reconstruction.vertices))
    copy_of[used] = used[first[place.reshape(-1)]]
    vertices, corners = np.unique(copy_of[reconstruction.faces[faces]], return_inverse=True)
    return MeshPart(vertices, faces, corners.reshape(-1, 3).astype(np.int32))


def _set_triangles(mesh: bpy.types.Mesh, vertices: np.ndarray, faces: np.ndarray) -> None:
    mesh.vertices.add(len(vertices))
    _fill(mesh.vertices, "co", vertices)
    mesh.loops.add(faces.size)
    _fill(mesh.loops, "vertex_index", faces)
    mesh.polygons.add(len(faces))
    _fill(mesh.polygons, "loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.shade_smooth()


def _add_surface(mesh: bpy.types.Mesh, reconstruction: Reconstruction, part: MeshPart) -> None:
    """Give each vertex the mean of its faces' surfaces, so that regions blend into each other."""
    of_region = np.array([_values(str(name)) for name in reconstruction.region_names], np.float32)
    of_corner = np.repeat(of_region[reconstruction.face_region[part.faces]], 3, axis=0)
    corners = part.corners.ravel()
    count = np.bincount(corners, minlength=len(part.vertices))
    for channel, name in enumerate((ROUGHNESS, SPECULAR, SUBSURFACE)):
        total = np.bincount(corners, of_corner[:, channel], minlength=len(part.vertices))
        _add_values(mesh, name, "FLOAT", "POINT", total / count)


def _values(region: str) -> tuple[float, float, float]:
    surface = _SURFACES.get(region, _SKIN)
    return surface.roughness, surface.specular, surface.subsurface


def _add_colour(mesh: bpy.types.Mesh, name: str, linear: np.ndarray) -> None:
    attribute = mesh.color_attributes.new(name, "FLOAT_COLOR", "POINT")
    _fill(attribute.data, "color", np.concatenate([linear, np.ones_like(linear[:, :1])], axis=1))


def _add_values(mesh: bpy.types.Mesh, name: str, kind: str, domain: str, values: np.ndarray) -> None:
    _fill(mesh.attributes.new(name, kind, domain).data, "value", values)


def _fill(collection: bpy.types.bpy_prop_collection, prop: str, values: np.ndarray) -> None:
    kept = np.ascontiguousarray(values)
    collection.foreach_set(prop, kept.astype(np.float32 if kept.dtype.kind == "f" else np.int32).ravel())
