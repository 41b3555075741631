"""The benchmark's ground truth: painted people, lights and cameras do what their truth says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from semblance.benchmarks.heads import front_of
from semblance.benchmarks.specimens.canvas import Canvas, make_canvas
from semblance.benchmarks.specimens.cycles_set import HARD, Plan, photograph, plans
from semblance.benchmarks.specimens.figure import express, make_figure
from semblance.benchmarks.specimens.lights import HEIGHT, LIGHTS, make_light
from semblance.benchmarks.specimens.painting import paint
from semblance.benchmarks.specimens.people import HEADS, SPLITS, person
from semblance.benchmarks.specimens.skin_optics import TYPOLOGY_RANGES, rgb_of_spectrum
from semblance.benchmarks.specimens.specimen import Specimen, load, save, store
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.render.lighting import panorama_directions, shade
from semblance.core_models.render.shade import render_attributes
from semblance.core_models.skin_colour import typology_angle
from semblance.train.data.synthetic.panorama import irradiance_sh
from semblance.train.data.synthetic.photograph import Settings, develop, expose, incident_light


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return front_of(load_default_model())


@pytest.fixture(scope="module")
def canvas(model: MorphableModel) -> Canvas:
    return make_canvas(model)


def test_white_paper_is_white_under_the_observer() -> None:
    np.testing.assert_allclose(rgb_of_spectrum(np.ones(31)), 1.0, atol=0.005)


@pytest.mark.parametrize("split", SPLITS)
def test_cast_has_two_of_each_tone(split: str) -> None:
    people = [person(split, head) for head in range(HEADS)]
    assert sorted(someone.tone for someone in people) == sorted(2 * list(range(1, 7)))


@pytest.mark.parametrize("head", range(0, 6))
def test_painted_skin_keeps_its_tone_and_is_an_albedo(canvas: Canvas, head: int) -> None:
    someone = person("tune", head)
    albedo = paint(someone, canvas).albedo
    assert np.isin(albedo, (albedo.min(), albedo.max())).mean() < 0.01, "painted beyond what an albedo may be"
    forehead = np.median(albedo[110:170, 400:620].reshape(-1, 3), axis=0)
    low, high = TYPOLOGY_RANGES[someone.tone]
    assert low - 5 <= typology_angle(forehead) <= high + 5


def test_same_person_is_painted_the_same(canvas: Canvas) -> None:
    np.testing.assert_array_equal(*(paint(person("test", 3), canvas).albedo for _ in range(2)))


def test_heads_are_not_in_the_models_span(model: MorphableModel) -> None:
    """What modes, keys and rigid moves leave over, by least squares: a real share of a person's shape."""
    someone = person("tune", 4)
    neutral = make_figure(model, someone).neutral
    expressed = express(model, neutral, np.random.default_rng(0))
    seen = np.unique(model.faces[model.region_faces("skin", "lips", "brows")].numpy())[::7]
    mean = model.mean.double().numpy()
    modes = (
        torch.cat([model.identity_basis, model.expression_basis])
        .double()
        .numpy()[:, seen]
        .reshape(-1, 3 * len(seen))
    )
    rigid = np.stack([np.tile(axis, len(seen)) for axis in np.eye(3)])
    turns = np.stack([np.cross(axis, mean[seen]).ravel() for axis in np.eye(3)])
    basis = np.concatenate([modes, rigid, turns]).T
    for shape in (neutral, expressed):
        offset = (shape - mean)[seen].ravel()
        left = offset - basis @ np.linalg.lstsq(basis, offset, rcond=None)[0]
        millimetres = 100 * np.sqrt((left.reshape(-1, 3) ** 2).sum(1).mean())
        assert 0.4 < millimetres < 8


@pytest.mark.parametrize("kind", LIGHTS)
def test_lights_are_positive_differ_and_project(kind: str) -> None:
    first, second = (make_light(kind, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.shape == (HEIGHT, 2 * HEIGHT, 3) and np.isfinite(first).all()
    assert not np.allclose(first, second)
    assert incident_light(irradiance_sh(first)).min() > 0.02


def test_projection_of_even_light_is_even() -> None:
    sh = irradiance_sh(np.ones((HEIGHT, 2 * HEIGHT, 3), np.float32))
    light = shade(
        torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=-1), torch.tensor(sh)
    )
    np.testing.assert_allclose(light.numpy(), 1.0, atol=1e-3)


def test_projection_knows_where_the_light_is() -> None:
    """A cap of light from image right lights what faces right, in the camera frame."""
    panorama = np.repeat((panorama_directions(HEIGHT).numpy()[..., :1] > 0.97).astype(np.float32), 3, axis=2)
    right, left = shade(
        torch.tensor([[1.0, 0, 0], [-1, 0, 0]]).double(), torch.tensor(irradiance_sh(panorama))
    )
    assert right.min() > 5 * left.max()


def test_incident_metering_puts_a_grey_card_near_its_value() -> None:
    """Over many photos; half are metered so, the others by the whole picture."""
    sh = irradiance_sh(make_light("soft", np.random.default_rng(0)))
    card, face = 0.18 * incident_light(sh), np.ones((16, 16))
    settings = [
        expose(np.broadcast_to(card, (16, 16, 3)), face, sh, "", np.random.default_rng(s)) for s in range(60)
    ]
    stops = np.log2([float((s.gains * card).mean()) / 0.18 for s in settings])
    assert abs(np.median(stops)) < 0.15 and 0.1 < stops.std() < 0.6


def test_developing_without_flaws_is_the_srgb_curve() -> None:
    plain = Settings(np.ones(3), contrast=0.0, noise=0.0, quality=95, blur_px=0.3, grey=False)
    photo = develop(np.full((32, 32, 3), 0.2140), plain, np.random.default_rng(0))
    assert np.abs(photo.astype(int) - 128).max() <= 1


def test_plan_has_every_light_and_hardship_once_a_head() -> None:
    listed = plans("test")
    assert len({plan.name for plan in listed}) == len(listed) == HEADS * len(LIGHTS) + len(HARD)
    assert {plan.hardship for plan in listed} == {"", *(hardship for *_, hardship in HARD)}
    first_half = listed[: len(listed) // 2]
    assert {person(plan.split, plan.head).tone for plan in first_half} == set(range(1, 7))


def test_specimen_survives_its_file(tmp_path: Path) -> None:
    eye, pictures = np.eye(3), np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    specimen = Specimen(
        "a", "own", "tune", 1, "soft", 3, (), "", pictures, *[eye] * 8, ("skin", "lips"), eye, eye, pictures[..., 0]
    )  # fmt: skip
    save(specimen, tmp_path / "a.npz")
    back = load(tmp_path / "a.npz")
    assert (back.name, back.head, back.traits, back.hardship) == ("a", 1, (), "")
    assert back.region_names == ("skin", "lips")
    np.testing.assert_array_equal(back.photo_srgb, pictures)


def test_store_is_keyed_by_code_not_by_comments(tmp_path: Path) -> None:
    names = []
    for text in ('"""One."""\nx = 1\n', '"""Two."""\nx = 1  # same\n', "x = 2\n"):
        file = tmp_path / "recipe.py"
        file.write_text(text)
        names.append(store("test", (file,)))
        names[-1].rmdir()
    assert names[0] == names[1] != names[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIGHTS)
def test_true_light_is_what_cycles_sheds_on_a_white_sphere(kind: str) -> None:
    pytest.importorskip("bpy")
    from semblance.benchmarks.specimens import scene

    panorama, side = make_light(kind, np.random.default_rng(3)), 48
    picture = scene.white_sphere(panorama, side, samples=256)
    x, down = np.meshgrid(*[(np.arange(side) + 0.5) / side * 2 - 1] * 2)
    inside = x**2 + down**2 < 0.9
    normals = np.stack([x, -down, np.sqrt(np.clip(1 - x**2 - down**2, 0, 1))], -1)[inside]
    truth = shade(torch.tensor(normals), torch.tensor(irradiance_sh(panorama))).numpy()
    seen = picture[..., :3][inside]
    np.testing.assert_allclose(seen.mean(0), truth.mean(0), rtol=0.01)
    # Order 2 leaves out about a hundredth of a wide light's irradiance, a tenth of a small lamp's.
    assert np.sqrt(((seen - truth) ** 2).mean()) < 0.12 * seen.mean()


@pytest.mark.slow
def test_camera_truth_puts_our_rasteriser_on_the_photo() -> None:
    """A bald head's own surface, above the tip of its nose, covers the pixels that our renderer says."""
    pytest.importorskip("bpy")
    specimen = photograph(Plan("tune", 8, "soft"))
    height, width = specimen.face_mask.shape
    points = torch.tensor(specimen.vertices @ specimen.rotation.T + specimen.translation).float()[None]
    camera, faces = torch.tensor(specimen.K).float()[None], torch.tensor(specimen.faces).long()
    cover = render_attributes(points, faces, torch.ones_like(points), camera, height, width, 4)[1][0].numpy()
    nose = points[0, specimen.vertices[:, 2].argmax()]
    above = slice(0, int(specimen.K[1, 2] + specimen.K[1, 1] * float(nose[1] / nose[2])))
    seen = specimen.face_mask / 255
    assert np.minimum(cover, seen)[above].sum() > 0.99 * np.maximum(cover, seen)[above].sum()
