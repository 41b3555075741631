"""The real worker and the real pipeline with a real photo: whole jobs, cancelled anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from semblance.addon.backend.job import Job
from semblance.addon.backend.launch import worker_command
from semblance.core_models.errors import CancelledError
from semblance.core_models.pipeline import Pipeline
from semblance.core_models.protocol import (
    Done,
    FindFaces,
    FoundFaces,
    Hello,
    Options,
    Rebake,
    ReconstructFaces,
)
from semblance.core_models.reconstruction import Reconstruction, fit_of
from semblance.tests.jobs import failure, finish, process_id, wait_for_stage

pytestmark = pytest.mark.slow

DRAFT = Options(size=512, quality="draft")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("my photos") / "Eileen Collins, портрет 顔.png"
    Image.fromarray(skimage.data.astronaut()).save(path)
    return path


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    with Job(worker_command()) as job:
        yield job


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    pipeline = Pipeline()
    yield pipeline
    pipeline.close()


def result(job: Job, request: ReconstructFaces | Rebake) -> Reconstruction:
    job.request(request)
    *_, done = finish(job, seconds=300)
    assert isinstance(done, Done), done
    return Reconstruction.load(done.faces[0].result)


def test_hello_names_what_computes(job: Job) -> None:
    job.start()
    (hello,) = finish(job)
    assert isinstance(hello, Hello) and hello.device == "cpu"
    assert set(hello.versions) == {"python", "torch", "mediapipe", "opencv", "semblance", "models"}
    assert hello.versions["python"].startswith("3.") and "default" in hello.versions["models"]


def test_the_faces_of_a_photo(job: Job, photo: Path) -> None:
    job.request(FindFaces(photo))
    *_, found = finish(job)
    assert isinstance(found, FoundFaces)
    (face,) = found.faces
    left, top, right, bottom = face.box
    assert 0.3 < left < 0.4 and 0.1 < top < 0.2 and 0.5 < right < 0.6 and 0.3 < bottom < 0.4
    picture = np.asarray(Image.open(face.picture)).astype(float)
    assert picture.shape == (128, 128, 3)
    side = round((bottom - top) * 512 * 1.5)
    x, y = round((left + right) * 256 - side / 2), round((top + bottom) * 256 - side / 2)
    cut = Image.fromarray(skimage.data.astronaut()[y : y + side, x : x + side]).resize((128, 128))
    assert np.abs(picture - np.asarray(cut)).mean() < 10


def test_a_texture_again_and_larger(job: Job, photo: Path, tmp_path: Path) -> None:
    """From the photo, and from a smaller copy as the .blend might keep it: the same face, camera and light."""
    first = result(job, ReconstructFaces(photo, DRAFT))
    again = result(job, Rebake(photo, fit_of(first), DRAFT))
    np.testing.assert_allclose(again.vertices, first.vertices, atol=1e-6)
    np.testing.assert_allclose(again.sh, first.sh, atol=1e-3)
    assert np.abs(again.albedo_srgb.astype(float) - first.albedo_srgb).mean() < 0.1
    small = tmp_path / "small.png"
    Image.open(photo).resize((384, 384)).save(small)
    larger = result(job, Rebake(small, fit_of(first), Options(size=1024)))
    assert larger.albedo_srgb.shape == (1024, 1024, 3) and larger.image_size.tolist() == [384, 384]
    np.testing.assert_allclose(larger.vertices, first.vertices, atol=1e-6)
    np.testing.assert_allclose(larger.K[:2] / 0.75, first.K[:2], rtol=1e-4)
    assert np.abs(larger.albedo_srgb[::2, ::2].astype(float) - first.albedo_srgb).mean() < 12


def test_cancel_in_the_middle_keeps_the_worker_warm(job: Job, photo: Path) -> None:
    job.start()
    finish(job)
    worker = process_id(job)
    for stage in ("texture", "faces"):
        job.request(ReconstructFaces(photo, Options(size=512)))
        wait_for_stage(job, stage)
        job.cancel()
        assert failure(finish(job)).code == "cancelled"
    result(job, ReconstructFaces(photo, DRAFT))
    assert process_id(job) == worker


def test_cancel_at_every_stage(pipeline: Pipeline, photo: Path) -> None:
    """Wherever progress is told, cancel is obeyed, and what is kept warm stays whole."""
    options = Options(quality="draft", size=512)
    told: list[str] = []
    wanted = pipeline.run(photo, options, lambda stage, fraction: told.append(stage))[0]
    assert {"photo", "faces", "shape", "mask", "texture", "result"} == set(told)

    for last in range(len(told)):
        count = 0

        def stop(stage: str, fraction: float, last: int = last) -> None:
            nonlocal count
            count += 1
            if count > last:
                raise CancelledError("Cancelled.")

        with pytest.raises(CancelledError):
            pipeline.run(photo, options, stop)
        assert count == last + 1
    (after,) = pipeline.run(photo, options)
    np.testing.assert_array_equal(after.vertices, wanted.vertices)
    np.testing.assert_array_equal(after.albedo_srgb, wanted.albedo_srgb)
