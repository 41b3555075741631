"""From a photo to a .blend with each variant of the Basel Face Model, by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import skimage.io

from semblance.cli import main
from semblance.core_models.reconstruction import Reconstruction
from semblance.tests.basel_files import front_of, specimen, write_front, write_hdf5, write_raw

VARIANTS = ("front", "raw", "2017", "2019")


def written(variant: str, folder: Path) -> Path:
    """A model's file."""
    face = specimen(2).with_modes(199, 79, 199)
    front = front_of(face, 10_000)
    if variant == "raw":
        return write_raw(folder, face, np.arange(len(face.mean)), front)
    if variant == "front":
        write_front(folder / "BFM_model_front.mat", face.part(front).with_modes(80, 64, 80))
        return folder / "BFM_model_front.mat"
    write_hdf5(folder / f"{variant}.h5", face, {"2017": 8, "2019": 9}[variant])
    return folder / f"{variant}.h5"


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_photo_to_blender_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    import bpy

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photo, model = tmp_path / "astronaut.png", written(variant, tmp_path)
    skimage.io.imsave(photo, skimage.data.astronaut(), check_contrast=False)
    choices = ["--model", str(model), "--quality", "draft", "--size", "512", "--npz"]
    assert main(["face", str(photo), "--out", str(tmp_path / "out"), *choices]) == 0
    result = Reconstruction.load(tmp_path / "out" / "astronaut.npz")
    assert result.model_id.startswith("bfm-") and result.report["landmark_rms_percent"] < 4
    assert result.expression.min() < 0 and result.report["seen_share"] > 0.3
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "astronaut.blend"))
    (face,) = (each for each in bpy.data.objects if each.type == "MESH" and each.data.shape_keys)
    key = face.data.shape_keys.key_blocks["Expression 1"]
    assert (key.slider_min, key.slider_max) == (-3.0, 3.0)
    texts = " ".join(text.as_string() for text in bpy.data.texts) + str(dict(face.items()))
    assert str(tmp_path) not in texts and model.name not in texts


def test_unusable_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, model = tmp_path / "astronaut.png", tmp_path / "model.h5"
    skimage.io.imsave(photo, skimage.data.astronaut(), check_contrast=False)
    model.write_bytes(b"\x89HDF\r\n\x1a\n no more")
    assert main(["face", str(photo), "--out", str(tmp_path / "out"), "--model", str(model)]) == 1
    said = capsys.readouterr().err
    assert "'model.h5' is damaged, or no face model" in said and "faces.dmi.unibas.ch" in said
    assert "Traceback" not in said and not list((tmp_path / "out").glob("*.blend"))
