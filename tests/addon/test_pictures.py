"""What renderers make of a result, beside the photo and beside what the arrays say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFilter

from semblance.addon.scene.light import sh_basis, sh_in_blender
from semblance.core_models.colour import linear_to_srgb
from semblance.core_models.landmarks import INNER_LIPS
from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.blenders import BLENDERS, CHECKS, interpreter, run_python
from semblance.tests.gui.blender_window import blender_window, roots
from semblance.tests.scene_checks.build_heads import head_with_eyeballs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("head") / "head.npz"
    head_with_eyeballs().save(file)
    return file


@pytest.fixture(scope="module")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with astronaut.blend and .npz."""
    folder = tmp_path_factory.mktemp("astronaut")
    Image.fromarray(skimage.data.astronaut()).save(folder / "astronaut.png")
    run_python("-m", "semblance", "face", folder / "astronaut.png", "--npz")
    return folder


@pytest.mark.parametrize("version", BLENDERS)
def test_world_and_lamps_light_a_sphere_as_the_harmonics_do(head: Path, tmp_path: Path, version: str) -> None:
    """Within 1 % RMS for the World where no radiance is negative, also turned; within 4 % for the lamps."""
    run_python(CHECKS / "lit_sphere.py", head, tmp_path / "sphere", python=interpreter(version))
    sphere = np.load(tmp_path / "sphere.npz")
    normals, sh = sphere["normals"], sh_in_blender(Reconstruction.load(head))
    a_quarter_back = normals @ [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    for name, at, most in (
        ("world", normals, 0.01),
        ("turned", a_quarter_back, 0.01),
        ("lamps", normals, 0.04),
    ):
        expected = np.maximum(sh_basis(at) @ sh.T, 0)
        error = np.sqrt(((sphere[name] - expected) ** 2).mean() / (expected**2).mean())
        assert error < most, name


def test_the_diffuse_colour_pass_is_the_albedo(head: Path, tmp_path: Path) -> None:
    """Under a surface without gloss; a glossy one takes what it reflects off the light that reaches the skin."""
    run_python(CHECKS / "diffuse_colour.py", head, tmp_path / "diffuse")
    passes = np.load(tmp_path / "diffuse.npz")
    inside = passes["albedo"][..., 3] > 0.999
    matt, glossy, albedo = (
        linear_to_srgb(passes[name][inside][:, :3]) for name in ("pass without gloss", "pass", "albedo")
    )
    assert np.abs(matt - albedo).max() < 1 / 255
    assert (glossy < albedo + 1e-4).all() and np.median(albedo - glossy) < 4 / 255


def test_photo_light_in_cycles_is_the_photo(astronaut: Path, tmp_path: Path) -> None:
    run_python(CHECKS / "render_blend.py", astronaut / "astronaut.blend", tmp_path, "--photo-only")
    result = Reconstruction.load(astronaut / "astronaut.npz")
    assert agreement(result, tmp_path / "photo_uv.png") > 32


@pytest.mark.parametrize("root", roots())
def test_photo_light_in_eevee_is_the_photo(astronaut: Path, root: str) -> None:
    with blender_window(root) as blender:
        (blender.folder / "face.blend").write_bytes((astronaut / "astronaut.blend").read_bytes())
        blender.run(
            f"bpy.ops.wm.open_mainfile(filepath={str(blender.inside / 'face.blend')!r}, load_ui=False)"
        )
        picture = str(blender.inside / "eevee.png")
        blender.run(f"picture = {picture!r}\n{_EEVEE}", timeout=900)
        result = Reconstruction.load(astronaut / "astronaut.npz")
        assert agreement(result, blender.folder / "eevee.png") > 32


_EEVEE = """
render = bpy.context.scene.render
engines = render.bl_rna.properties["engine"].enum_items.keys()
render.engine = "BLENDER_EEVEE_NEXT" if "BLENDER_EEVEE_NEXT" in engines else "BLENDER_EEVEE"
bpy.context.scene.eevee.taa_render_samples = 8
render.filepath = picture
bpy.ops.render.render(write_still=True)
"""


def agreement(result: Reconstruction, picture: Path) -> float:
    """PSNR in dB over the mask, but for the inside of the mouth: the model has no teeth."""
    rendered = np.asarray(Image.open(picture))
    height, width = result.mask.shape
    mouth = Image.new("L", (width, height))
    lips = result.landmarks[INNER_LIPS] * [width, height] / result.image_size
    ImageDraw.Draw(mouth).polygon([tuple(point) for point in lips], fill=255)
    mouth = mouth.filter(ImageFilter.MaxFilter(3))
    inside = (result.mask == 255) & (np.asarray(mouth) == 0)
    assert (rendered[..., 3][inside] == 255).mean() > 0.97
    inside &= rendered[..., 3] == 255
    error = (rendered[..., :3].astype(float) - result.photo_srgb)[inside] / 255
    return float(-10 * np.log10((error**2).mean()))
