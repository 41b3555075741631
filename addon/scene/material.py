"""The material: one switch between the scene's light and the photo's, one between UV map and vertex colours, and one
that shows how sure each part is.

All are sliders of the node group in the material's Surface panel, shared by face and eyes. In the photo's light, seen
from where the photo was taken, what covers the photo's hair fades out.
"""

from __future__ import annotations

import bpy

from . import head, mesh
from .images import FaceImages

SHADER_NODE = "Semblance face"
PHOTO_LIGHT = "Photo light"
"""Input of the group: 0 = lit by the scene (Principled), 1 = albedo × lighting, emitted."""
VERTEX_COLOURS = "Vertex colours"
"""Input of the group: 0 = albedo and lighting from the UV images, 1 = from the vertex attributes."""
SHOW_CONFIDENCE = "Show confidence"
"""Input of the group: 1 = blue where the photo showed the face, orange where it was invented."""
ALBEDO, LIGHTING, CONFIDENCE = "Albedo", "Lighting", "Confidence"
"""Inputs of the group that images feed."""

# How far red, green and blue travel in skin (Jensen et al. 2001, table 2: 3.67, 1.37, 0.68 mm), red = 1.
_SUBSURFACE_RADIUS = (1.0, 0.37, 0.19)
_SUBSURFACE_SCALE = 0.00367
_OURS = "semblance_shader"
"""Custom property of the node group, which users may rename."""
_COLOURS = (ALBEDO, f"{ALBEDO} (vertices)", LIGHTING, f"{LIGHTING} (vertices)")
_CONFIDENCES = (CONFIDENCE, f"{CONFIDENCE} (vertices)")
_SEEN, _INVENTED = (0.02, 0.20, 0.65, 1.0), (0.90, 0.28, 0.02, 1.0)
"""Linear; told apart in every kind of colour vision."""
_VALUES = (mesh.ROUGHNESS, mesh.SPECULAR, mesh.SUBSURFACE, head.FADE)
_SAME_VIEWPOINT = 0.01
"""Metres between the viewer and where the photo was taken."""


def face_material(
    name: str,
    images: FaceImages,
    viewpoint: tuple[float, float, float],
    photo_light: bool,
    vertex_colours: bool,
) -> bpy.types.Material:
    """Material that shows `images` on the UV map, or the vertex attributes.

    `viewpoint`: where the photo was taken, in the object's frame.
    """
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    shader = tree.nodes.new("ShaderNodeGroup")
    shader.name = shader.label = SHADER_NODE
    shader.node_tree = _shader_group(name, viewpoint)
    shader.width = 220
    shader.inputs[PHOTO_LIGHT].default_value = float(photo_light)
    shader.inputs[VERTEX_COLOURS].default_value = float(vertex_colours)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    output.location = (280, 0)
    tree.links.new(shader.outputs["Surface"], output.inputs["Surface"])
    textures = {ALBEDO: images.albedo, LIGHTING: images.lighting, CONFIDENCE: images.confidence}
    of_vertices = zip(textures, (mesh.ALBEDO, mesh.LIGHTING, mesh.CONFIDENCE), strict=True)
    attributes = {f"{socket} (vertices)": attribute for socket, attribute in of_vertices}
    attributes |= {value: value for value in _VALUES}
    for row, (socket, image) in enumerate(textures.items()):
        _link_texture(tree, shader.inputs[socket], image, row)
    for row, (socket, attribute) in enumerate(attributes.items()):
        _link_attribute(tree, shader.inputs[socket], attribute, row)
    # The active image is what Blender's solid viewport shows in its Texture mode.
    tree.nodes.active = texture_node(shader.inputs[ALBEDO])
    return material


def face_shader(face: bpy.types.Object) -> bpy.types.bpy_prop_collection | None:
    """The inputs of the face's node group, `face_shader(face)[PHOTO_LIGHT].default_value = 1.0`; None without one."""
    for material in face.data.materials:
        for node in material.node_tree.nodes if material is not None and material.use_nodes else ():
            if node.type == "GROUP" and node.node_tree is not None and _OURS in node.node_tree:
                return node.inputs
    return None


def texture_node(socket: bpy.types.NodeSocket) -> bpy.types.Node | None:
    """The image texture that feeds an input of the group; None where the user has put something else."""
    for link in socket.links:
        if link.from_node.type == "TEX_IMAGE":
            return link.from_node
    return None


def _link_texture(
    tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, image: bpy.types.Image, row: int
) -> None:
    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map = mesh.UV_MAP
    coordinates.location = (-620, 320 - 300 * row)
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.name = texture.label = socket.name
    texture.image = image
    texture.extension = "EXTEND"
    # EEVEE then takes no smaller copies of the images: albedo × lighting, each blurred, would tint the eyes.
    texture.interpolation = "Cubic"
    texture.location = (-400, 320 - 300 * row)
    tree.links.new(coordinates.outputs["UV"], texture.inputs["Vector"])
    tree.links.new(texture.outputs["Color"], socket)


def _link_attribute(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, attribute: str, row: int) -> None:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.name = node.label = socket.name
    node.attribute_name = attribute
    node.location = (-400, -300 - 190 * row)
    tree.links.new(node.outputs["Color" if socket.name in _COLOURS else "Fac"], socket)


def _shader_group(name: str, viewpoint: tuple[float, float, float]) -> bpy.types.NodeTree:
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    group[_OURS] = True
    _declare_sockets(group)
    enter = group.nodes.new("NodeGroupInput")
    enter.location = (-700, 0)
    albedo = _mix_colours(group, enter, ALBEDO, (-420, 200))
    lighting = _mix_colours(group, enter, LIGHTING, (-420, -150))
    appearance = _product(group, albedo, lighting, (-200, -100))
    emission = _emission(group, appearance, (20, -100))
    principled = _principled(group, enter, albedo)
    mix = group.nodes.new("ShaderNodeMixShader")
    mix.location = (300, 200)
    leave = group.nodes.new("NodeGroupOutput")
    leave.location = (480, 200)
    group.links.new(enter.outputs[PHOTO_LIGHT], mix.inputs["Fac"])
    group.links.new(principled.outputs["BSDF"], mix.inputs[1])
    group.links.new(emission.outputs["Emission"], mix.inputs[2])
    surface = _faded(group, enter, mix.outputs["Shader"], viewpoint)
    group.links.new(_or_confidence(group, enter, surface), leave.inputs["Surface"])
    return group


def _or_confidence(
    group: bpy.types.NodeTree, enter: bpy.types.Node, surface: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    """`surface`, or how sure each place is, darker towards the outline so that the form can be seen."""
    sure = _mix_node(group, "MIX", (-420, -500))
    _colour_socket(sure.inputs, "A").default_value = _INVENTED
    _colour_socket(sure.inputs, "B").default_value = _SEEN
    group.links.new(_mix_colours(group, enter, CONFIDENCE, (-620, -500)), sure.inputs["Factor"])
    slant = group.nodes.new("ShaderNodeLayerWeight")
    slant.location = (-620, -800)
    form = _mix_node(group, "MIX", (-420, -800))
    _colour_socket(form.inputs, "A").default_value = (1.0, 1.0, 1.0, 1.0)
    _colour_socket(form.inputs, "B").default_value = (0.1, 0.1, 0.1, 1.0)
    group.links.new(slant.outputs["Facing"], form.inputs["Factor"])
    colour, shape = (_colour_socket(node.outputs, "Result") for node in (sure, form))
    emission = _emission(group, _product(group, colour, shape, (-200, -500)), (20, -500))
    mix = group.nodes.new("ShaderNodeMixShader")
    mix.location = (300, -500)
    group.links.new(enter.outputs[SHOW_CONFIDENCE], mix.inputs["Fac"])
    group.links.new(surface, mix.inputs[1])
    group.links.new(emission.outputs["Emission"], mix.inputs[2])
    return mix.outputs["Shader"]


def _faded(
    group: bpy.types.NodeTree,
    enter: bpy.types.Node,
    surface: bpy.types.NodeSocket,
    viewpoint: tuple[float, float, float],
) -> bpy.types.NodeSocket:
    """`surface`, transparent by photo light × fade for a viewer at `viewpoint`."""

    def maths(kind: str, operation: str, *inputs: bpy.types.NodeSocket) -> bpy.types.Node:
        node = group.nodes.new(kind)
        node.operation = operation
        node.location = (100 + 40 * len(group.nodes), 900)
        for socket, target in zip(inputs, node.inputs, strict=False):
            group.links.new(socket, target)
        return node

    place = group.nodes.new("ShaderNodeNewGeometry")
    view = group.nodes.new("ShaderNodeCameraData")
    back = maths("ShaderNodeVectorMath", "SCALE", place.outputs["Incoming"])
    group.links.new(view.outputs["View Distance"], back.inputs["Scale"])
    viewer = maths("ShaderNodeVectorMath", "ADD", place.outputs["Position"], back.outputs["Vector"])
    local = group.nodes.new("ShaderNodeVectorTransform")
    local.vector_type, local.convert_from, local.convert_to = "POINT", "WORLD", "OBJECT"
    group.links.new(viewer.outputs["Vector"], local.inputs["Vector"])
    gap = maths("ShaderNodeVectorMath", "DISTANCE", local.outputs["Vector"])
    gap.inputs[1].default_value = viewpoint
    there = maths("ShaderNodeMath", "LESS_THAN", gap.outputs["Value"])
    there.inputs[1].default_value = _SAME_VIEWPOINT
    fade = maths("ShaderNodeMath", "MULTIPLY", enter.outputs[head.FADE], enter.outputs[PHOTO_LIGHT])
    share = maths("ShaderNodeMath", "MULTIPLY", fade.outputs["Value"], there.outputs["Value"])
    clear = group.nodes.new("ShaderNodeBsdfTransparent")
    mix = group.nodes.new("ShaderNodeMixShader")
    group.links.new(share.outputs["Value"], mix.inputs["Fac"])
    group.links.new(surface, mix.inputs[1])
    group.links.new(clear.outputs["BSDF"], mix.inputs[2])
    return mix.outputs["Shader"]


def _declare_sockets(group: bpy.types.NodeTree) -> None:
    sockets = group.interface
    sockets.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
    for name, meaning in (
        (PHOTO_LIGHT, "0: lit by the scene. 1: as lit in the photo"),
        (VERTEX_COLOURS, "0: colours from the UV images. 1: from the vertices"),
        (SHOW_CONFIDENCE, "1: blue where the photo showed the face, orange where it was invented"),
    ):
        switch = sockets.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat", description=meaning)
        switch.subtype = "FACTOR"
        switch.min_value, switch.max_value = 0.0, 1.0
    for name in _COLOURS:
        sockets.new_socket(name, in_out="INPUT", socket_type="NodeSocketColor")
    for name in (*_CONFIDENCES, *_VALUES):
        sockets.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")


def _mix_colours(
    group: bpy.types.NodeTree, enter: bpy.types.Node, name: str, place: tuple[float, float]
) -> bpy.types.NodeSocket:
    """From the image or the vertices."""
    mix = _mix_node(group, "MIX", place)
    group.links.new(enter.outputs[VERTEX_COLOURS], mix.inputs["Factor"])
    group.links.new(enter.outputs[name], _colour_socket(mix.inputs, "A"))
    group.links.new(enter.outputs[f"{name} (vertices)"], _colour_socket(mix.inputs, "B"))
    return _colour_socket(mix.outputs, "Result")


def _product(
    group: bpy.types.NodeTree,
    first: bpy.types.NodeSocket,
    second: bpy.types.NodeSocket,
    place: tuple[float, float],
) -> bpy.types.NodeSocket:
    mix = _mix_node(group, "MULTIPLY", place)
    mix.inputs["Factor"].default_value = 1.0
    group.links.new(first, _colour_socket(mix.inputs, "A"))
    group.links.new(second, _colour_socket(mix.inputs, "B"))
    return _colour_socket(mix.outputs, "Result")


def _emission(
    group: bpy.types.NodeTree, colour: bpy.types.NodeSocket, place: tuple[float, float]
) -> bpy.types.Node:
    emission = group.nodes.new("ShaderNodeEmission")
    emission.location = place
    group.links.new(colour, emission.inputs["Color"])
    return emission


def _mix_node(group: bpy.types.NodeTree, blend: str, place: tuple[float, float]) -> bpy.types.Node:
    mix = group.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    mix.blend_type = blend
    mix.clamp_factor = True
    mix.clamp_result = False
    mix.location = place
    return mix


def _colour_socket(sockets: bpy.types.bpy_prop_collection, name: str) -> bpy.types.NodeSocket:
    """The Mix node has a socket of each name for every data type."""
    return next(socket for socket in sockets if socket.name == name and socket.type == "RGBA")


def _principled(
    group: bpy.types.NodeTree, enter: bpy.types.Node, albedo: bpy.types.NodeSocket
) -> bpy.types.Node:
    principled = group.nodes.new("ShaderNodeBsdfPrincipled")
    principled.location = (-60, 640)
    principled.inputs["Subsurface Radius"].default_value = _SUBSURFACE_RADIUS
    principled.inputs["Subsurface Scale"].default_value = _SUBSURFACE_SCALE
    group.links.new(albedo, principled.inputs["Base Color"])
    for source, target in zip(
        _VALUES[:3], ("Roughness", "Specular IOR Level", "Subsurface Weight"), strict=True
    ):
        group.links.new(enter.outputs[source], principled.inputs[target])
    return principled
