"""The face's shape keys in groups, reset and mirrored. Left and right are the subject's, as ARKit names them."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from .face_links import key_blocks
from .shape_keys import PHOTO_EXPRESSION

_REGIONS = {
    "brow": "Brows",
    "eye": "Eyes",
    "jaw": "Jaw",
    "mouth": "Mouth",
    "cheek": "Cheeks",
    "nose": "Nose",
    "tongue": "Tongue",
}
"""First word of ARKit's names → heading."""
_OTHER = "Other"
_LEFT, _RIGHT = "Left", "Right"


@dataclass(frozen=True)
class Slider:
    """A key under its name, or the keys of both sides under a common one such as `Smile`."""

    label: str
    key: bpy.types.ShapeKey
    right: bpy.types.ShapeKey | None = None


def sliders_by_region(face: bpy.types.Object) -> dict[str, list[Slider]]:
    """Heading → sliders, in the order of the keys; all keys but the Basis and the photo's expression."""
    keys = key_blocks(face)
    regions: dict[str, list[Slider]] = {}
    for name, key in keys.items():
        if name == PHOTO_EXPRESSION or _is_right_of_pair(name, keys):
            continue
        right = keys.get(_opposite(name)) if _opposite(name) != name else None
        word, heading = _region(name)
        label = _spaced((name.removesuffix(_LEFT) if right else name).removeprefix(word)) or heading
        regions.setdefault(heading, []).append(Slider(label, key, right))
    return regions


def photo_expression(face: bpy.types.Object) -> bpy.types.ShapeKey | None:
    """The key with the photo's expression."""
    return key_blocks(face).get(PHOTO_EXPRESSION)


def reset_expression(face: bpy.types.Object) -> None:
    """The photo's expression again, and nothing on top."""
    for name, key in key_blocks(face).items():
        key.value = float(name == PHOTO_EXPRESSION)


def mirror_expression(face: bpy.types.Object) -> None:
    """Swap what left and right do. The photo's own expression is one key, with both sides in it, and stays."""
    keys = key_blocks(face)
    values = {name: key.value for name, key in keys.items()}
    for name, key in keys.items():
        key.value = values.get(_opposite(name), values[name])


def _opposite(name: str) -> str:
    for side, other in ((_LEFT, _RIGHT), (_RIGHT, _LEFT)):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


def _is_right_of_pair(name: str, keys: dict[str, bpy.types.ShapeKey]) -> bool:
    return name.endswith(_RIGHT) and _opposite(name) in keys


def _region(name: str) -> tuple[str, str]:
    return next((region for region in _REGIONS.items() if name.startswith(region[0])), ("", _OTHER))


def _spaced(name: str) -> str:
    """`LookDown` → `Look down`."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words[:1].upper() + words[1:]
