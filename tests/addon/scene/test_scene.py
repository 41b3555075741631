"""The .blend of a result, read back by Blender: values, not impressions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semblance.core_models.reconstruction import Reconstruction
from semblance.core_models.render.lighting import equirectangular, rotate_sh, sh_to_radiance
from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads with spaces 顔")
    run_python("-m", "semblance.tests.scene_checks.build_heads", folder)
    return folder


class Dump:
    """A .blend as Blender reads it, beside the reconstruction that it was made from."""

    def __init__(self, folder: Path, name: str, python: str = sys.executable) -> None:
        out = folder / f"{name} dump"
        run_python(CHECKS / "dump_blend.py", folder / f"{name}.blend", out, python=python)
        self.result = Reconstruction.load(folder / f"{name}.npz")
        with np.load(f"{out}.npz") as arrays:
            self.arrays = dict(arrays)
        self.facts: dict[str, Any] = json.loads(Path(f"{out}.json").read_text("utf-8"))
        is_eye = self.result.face_region == list(self.result.region_names).index("eyes")
        self.faces = {"face": np.flatnonzero(~is_eye), "eyes": np.flatnonzero(is_eye)}
        self.vertices = {name: np.unique(self.result.faces[faces]) for name, faces in self.faces.items()}


@pytest.fixture(scope="module", params=BLENDERS)
def python(request: pytest.FixtureRequest) -> str:
    return interpreter(request.param)


@pytest.fixture(scope="module")
def head(folder: Path, python: str) -> Dump:
    return Dump(folder, "head", python)


@pytest.fixture(scope="module")
def odd(folder: Path, python: str) -> Dump:
    return Dump(folder, "odd_camera", python)


def pixels(result: Reconstruction) -> np.ndarray:
    """Every vertex of `result`, projected → (N, 2)."""
    x, y, z = (result.vertices @ result.rotation.T + result.translation).T
    (fx, _, cx), (_, fy, cy) = result.K[:2]
    return np.stack([cx - fx * x / z, cy + fy * y / z], axis=-1)


@pytest.mark.parametrize("part", ("face", "eyes"))
def test_geometry_is_metres_facing_minus_y(head: Dump, part: str) -> None:
    ids = head.vertices[part]
    x, y, z = head.result.neutral_vertices[ids].T
    np.testing.assert_allclose(head.arrays[f"{part}/key/Basis"], np.stack([x, -z, y], -1), atol=1e-7)
    np.testing.assert_array_equal(ids[head.arrays[f"{part}/faces"]], head.result.faces[head.faces[part]])
    assert head.arrays[f"{part}/normals"].mean(axis=0)[1] < -0.3
    assert head.facts[part]["identity"] and head.facts[part]["smooth"]


@pytest.mark.parametrize("part", ("face", "eyes"))
def test_uv_and_attributes_keep_their_values(head: Dump, part: str) -> None:
    ids, faces = head.vertices[part], head.faces[part]
    result, arrays = head.result, head.arrays
    np.testing.assert_array_equal(arrays[f"{part}/corner_uv"], result.uv[result.faces[faces].ravel()])
    np.testing.assert_array_equal(arrays[f"{part}/Albedo"][:, :3], result.vertex_albedo_linear[ids])
    np.testing.assert_array_equal(arrays[f"{part}/Lighting"][:, :3], result.vertex_shading_linear[ids])
    np.testing.assert_array_equal(arrays[f"{part}/Confidence"], result.vertex_confidence[ids])
    np.testing.assert_array_equal(arrays[f"{part}/Region"], result.face_region[faces])
    assert head.facts[part]["active_colour"] == head.facts[part]["render_colour"] == "Albedo"
    assert ["Albedo", "FLOAT_COLOR", "POINT"] in head.facts[part]["attributes"]


def test_vertex_colours_are_scene_linear(head: Dump) -> None:
    linear = head.arrays["face/Albedo"][:, :3]
    encoded = 1.055 * linear ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(head.arrays["face/Albedo encoded"][:, :3], encoded, atol=1e-3)


def test_surface_differs_by_region(head: Dump) -> None:
    region, roughness = head.arrays["face/Region"], head.arrays["face/Roughness"]
    names = list(head.result.region_names)
    of_face = roughness[head.arrays["face/faces"]].mean(axis=1)
    assert (
        of_face[region == names.index("lips")].mean() < of_face[region == names.index("skin")].mean() - 0.05
    )
    assert head.arrays["eyes/Roughness"].max() < 0.2 and head.arrays["eyes/Subsurface"].max() == 0
    assert head.arrays["face/Subsurface"].max() > 0.05


def test_shape_keys(head: Dump) -> None:
    result, facts = head.result, head.facts
    names = ["Basis", "Photo expression", *map(str, result.shape_key_names)]
    assert facts["face"]["keys"] == {name: float(name == "Photo expression") for name in names}
    assert facts["eyes"]["keys"] == {"Basis": 0, "Photo expression": 1, "eyeLookOutLeft": 0}
    for part, ids in head.vertices.items():
        x, y, z = result.vertices[ids].T
        np.testing.assert_allclose(
            head.arrays[f"{part}/key/Photo expression"], np.stack([x, -z, y], -1), atol=1e-7
        )
    ids = head.vertices["face"]
    x, y, z = (result.neutral_vertices + result.shape_key_offsets[0])[ids].T
    np.testing.assert_allclose(head.arrays["face/key/jawOpen"], np.stack([x, -z, y], -1), atol=1e-7)


def test_eyes_follow_the_face(head: Dump) -> None:
    assert head.facts["driven"] == pytest.approx(0.7)


def test_camera_is_the_photos(head: Dump, odd: Dump) -> None:
    for dump in (head, odd):
        expected = pixels(dump.result)[dump.vertices["face"]]
        np.testing.assert_allclose(dump.arrays["face/pixels"], expected, atol=0.05)
        assert dump.facts["scene"]["size"] == [*map(int, dump.result.image_size), 100]


def test_images_keep_values_and_colour_spaces(head: Dump) -> None:
    result, images = head.result, head.facts["images"]
    assert images["albedo"] == ["sRGB", False, True]
    assert images["lighting"] == ["Linear Rec.709", True, True]
    assert images["confidence"] == ["Non-Color", False, True]
    assert images["photo"] == ["sRGB", False, True]
    for kind, expected in (
        ("albedo", result.albedo_srgb / 255),
        ("photo", result.photo_srgb / 255),
        ("lighting", result.shading_linear.astype(np.float32)),
        ("confidence", np.repeat(result.confidence[..., None] / 255, 3, -1)),
    ):
        np.testing.assert_allclose(head.arrays[f"image/{kind}"], expected, atol=1e-6, err_msg=kind)


def test_the_scene_shows_the_face(head: Dump) -> None:
    scene = head.facts["scene"]
    name = "head Ünïcode 顔"
    assert scene["collections"] == {
        name: [name, f"{name} camera", f"{name} eyes"],
        f"{name} lamps": [f"{name} {part}" for part in ("fill", "key", "pivot", "rim")],
    }
    assert scene["materials"] == [name] == head.facts["face"]["materials"] == head.facts["eyes"]["materials"]
    assert scene["switches"] == {"Photo light": 1, "Vertex colours": 0, "Show confidence": 0}
    assert scene["background"] == [f"{name} photo", "STRETCH", "BACK"] and scene["shows_background"]
    assert scene["viewport"] == ["MATERIAL", "CAMERA"]
    assert scene["view_transform"] == "Standard"
    assert scene["active_node"] == "Albedo"


def test_photo_light_off_shows_the_lamps(head: Dump) -> None:
    """In the view that opens: lit by the file's lamps and World, the switch in sight."""
    scene = head.facts["scene"]
    assert scene["viewport_light"] == [True, True]
    assert scene["properties"] == ["MATERIAL"]


def test_drawings_of_camera_and_lamps_stay_out_of_the_way(head: Dump) -> None:
    scene = head.facts["scene"]
    assert scene["camera_display"] < 0.2
    assert scene["lamp_lines"].keys() == {"key", "fill", "rim"}
    for drawn, limits_the_light, to_the_face in scene["lamp_lines"].values():
        assert drawn < to_the_face and not limits_the_light


def test_world_is_made_but_not_assigned(head: Dump) -> None:
    assert head.facts["scene"]["world"] is None
    assert head.facts["worlds"] == {"head Ünïcode 顔 light": [True, 0.0]}


def test_clamped_radiance_is_confessed(odd: Dump) -> None:
    _, share = odd.facts["worlds"]["odd_camera Ünïcode 顔 light"]
    assert 0.05 < share < 0.95
    assert odd.arrays["image/light"].min() == 0.0


def test_the_panorama_is_the_radiance_of_the_photos_light(odd: Dump) -> None:
    """`addon` computes it without torch; `render.lighting` says what it has to be."""
    result = odd.result
    head_to_blender = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera_to_blender = torch.from_numpy(head_to_blender @ result.rotation.T.astype(np.float64))
    light = rotate_sh(torch.from_numpy(result.sh.astype(np.float64)), camera_to_blender)
    expected = equirectangular(sh_to_radiance(light), 64).clamp(min=0).numpy()
    np.testing.assert_allclose(odd.arrays["image/light"], expected, atol=1e-4)


def test_numbers_are_custom_properties(head: Dump) -> None:
    properties = head.facts["properties"]
    assert properties["semblance_model"] == "synthetic"
    assert properties["semblance_fit_landmark_rms_percent"] == 0.75
    assert properties["semblance_focal_px"] == head.result.K[0, 0]
    assert json.loads(properties["semblance_report"]) == head.result.report


def test_seams_are_welded_and_the_switch_hides_the_head(folder: Path, python: str) -> None:
    cranium = Dump(folder, "cranium", python)
    result = cranium.result
    face = result.face_region != list(result.region_names).index("eyes")
    behind = result.face_region == list(result.region_names).index("cranium")
    places = {
        part: len(np.unique(result.neutral_vertices[result.faces[chosen]].reshape(-1, 3), axis=0))
        for part, chosen in (("all", face), ("front", face & ~behind))
    }
    out = run_python(CHECKS / "head_switch.py", folder / "cranium.blend", python=python)
    facts = json.loads(out.split("FACTS")[1].splitlines()[0])
    whole = [places["all"], int(face.sum())]
    assert places["front"] < places["all"] < len(np.unique(result.faces[face]))
    assert facts["vertices"] == facts["vertices_after"] == places["all"]
    assert facts["on"] == facts["on_again"] == whole
    assert facts["off"] == [places["front"], int((face & ~behind).sum())]
    assert facts["in_group"] == places["all"] - places["front"]
    assert facts["toggles_off"] == [True, True]
    corner_uv = result.uv[result.faces[np.flatnonzero(face)].ravel()]
    np.testing.assert_array_equal(cranium.arrays["face/corner_uv"], corner_uv)


def test_head_makes_room_for_the_photos_hair(folder: Path, python: str, tmp_path: Path) -> None:
    """Through the photo's camera, in its light, what is not seen behind the face is clear; from beside it is not."""
    run_python(CHECKS / "render_blend.py", folder / "cranium.blend", tmp_path, "--photo-only", python=python)
    photo, aside = (
        np.asarray(Image.open(tmp_path / f"{name}.png"))[..., 3] for name in ("photo_uv", "aside")
    )
    result = Reconstruction.load(folder / "cranium.npz")
    behind = result.faces[result.face_region == list(result.region_names).index("cranium")]
    middle = pixels(result)[behind].mean(1)
    column, row = middle[(result.neutral_vertices[behind][..., 2].min(1) > 0.03)].astype(int).T
    assert len(row) > 20
    assert np.median(photo[row, column]) == 0 and np.median(aside[row, column]) == 255
    assert photo[row.max() + 30 :, photo.shape[1] // 2].max() == 255


@pytest.fixture(scope="module")
def renders(folder: Path, python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = tmp_path_factory.mktemp("renders")
    run_python(CHECKS / "render_blend.py", folder / "head.blend", pictures, python=python)
    return pictures


@pytest.mark.parametrize("texture", ["uv", "vertex"])
def test_photo_light_renders_the_photo(head: Dump, renders: Path, texture: str) -> None:
    result = head.result
    rendered = np.asarray(Image.open(renders / f"photo_{texture}.png"))
    inside = (result.mask == 255) & (rendered[..., 3] == 255)
    assert inside.sum() > 0.95 * (result.mask == 255).sum()
    error = (rendered[..., :3].astype(float) - result.photo_srgb)[inside] / 255
    assert -10 * np.log10((error**2).mean()) > 40


def test_scene_light_is_another_light(renders: Path) -> None:
    photo, scene = (
        np.asarray(Image.open(renders / f"{name}.png")).astype(float) for name in ("photo_uv", "scene")
    )
    inside = photo[..., 3] == 255
    assert np.abs(photo - scene)[inside].mean() > 10
    assert scene[inside][:, :3].mean() > 30


def test_world_sheds_the_photos_light(head: Dump, renders: Path) -> None:
    """The head is convex and white: radiance out = irradiance / π = what `vertex_shading_linear` says."""
    result = head.result
    rendered = np.load(renders / "world.npy")
    column, row = pixels(result).astype(int).T
    is_facing = (result.vertices[:, 2] > 0.05) & (result.mask[row, column] == 255)
    error = rendered[row, column][is_facing][:, :3] / result.vertex_shading_linear[is_facing] - 1
    assert abs(error.mean()) < 0.01
    assert np.sqrt((error**2).mean()) < 0.06  # Monte Carlo noise of single pixels at 64 samples
