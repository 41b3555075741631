"""Depth and normals of faces against known truth: by method, light and tone, and by the number of photos of a head.

    python benchmarks/depth.py [--set cycles|own] [--split tune|test] [--heads 0 1 …] [--every N] [--cached]

The shape alone is made, no texture. Methods: the model's mean, posed; FaceMesh's own mesh; the fit to the landmarks
(draft and standard quality); that fit refined by the photo (best). With two and three photos, the next ones of the
same head, in other light and another pose, are fitted together with each. Median |depth| in mm and mean angle of the
normals over the pixels that all methods cover (scoring/geometry.py), means over photos; the hard photos are left out.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from semblance.benchmarks.scoring.frame import Frame, face_frame, frame_image
from semblance.benchmarks.scoring.geometry import FaceMesh, Relief, relief_errors
from semblance.benchmarks.scoring.looks import SKIN, true_shape
from semblance.benchmarks.scoring.report import LIGHTS
from semblance.benchmarks.sets import SETS, specimens
from semblance.benchmarks.specimens.specimen import Specimen
from semblance.core_models.assembly import Shot
from semblance.core_models.errors import SemblanceError
from semblance.core_models.fitting.fit import Fit, fit_person, pose_mean
from semblance.core_models.fitting.head_shape import head_shape
from semblance.core_models.fitting.photometric import refine
from semblance.core_models.fitting.samples import sample_surface
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.pipeline import Pipeline, fit_heads, mask_faces
from semblance.core_models.render.trace import CameraMesh

SIZE = 200
"""Pixels of the side of the scored pictures."""
MOST_PHOTOS = 3

Errors = dict[str, dict[str, float]]
"""By method: depth_mm and normals_deg."""


@dataclass(frozen=True, eq=False)
class Case:
    """A photo as the fits need it, and its truth."""

    specimen: Specimen
    shot: Shot
    mask: np.ndarray
    frame: Frame
    truth: Relief
    where: np.ndarray
    """(SIZE, SIZE) bool: the face's own skin, lips and brows."""

    @property
    def picture(self) -> tuple[np.ndarray, np.ndarray]:
        """What `refine` is shown."""
        return self.shot.photo.srgb, self.mask


class Bench:
    """The program's parts, and what they are compared with."""

    def __init__(self) -> None:
        self.pipeline = Pipeline()
        self.model = self.pipeline.models.default
        self._facemesh = FaceMesh(self.model)
        self._samples = sample_surface(self.model)

    def case(self, specimen: Specimen) -> Case | None:
        """Find the face; None where there is none."""
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder) / "photo.png"
            Image.fromarray(specimen.photo_srgb).save(photo)
            try:
                shot = self.pipeline.largest_face(photo)
            except SemblanceError as error:
                print(f"{specimen.name}: {error.code}", flush=True)
                return None
        masks = mask_faces([shot], fit_heads(self.model, [shot]), self.model)
        shape = true_shape(specimen)
        frame = face_frame(shape, SKIN, SIZE)
        trace = frame.trace(shape)
        where = (frame_image(specimen.face_mask, frame) > 127) & (trace.share(SKIN) > 0.99)
        return Case(specimen, shot, masks[0], frame, Relief.of_mesh(trace), where)

    def errors(self, cases: Sequence[Case]) -> Errors:
        """Of the first of several photos of a head, by every method and number of photos."""
        first = cases[0]
        seen = first.shot.sighting
        mean = pose_mean(self.model, seen.landmarks, seen.image_size, seen.focal_px)
        posed = self.model.mean.double().numpy() @ mean.rotation.T + mean.translation
        reliefs = {"mean": self._relief(posed, mean.K, first.frame)}
        own = self._facemesh.relief(first.specimen.photo_srgb, first.frame)
        if own is not None:
            reliefs["facemesh"] = own
        for count in range(1, len(cases) + 1):
            for name, fit in zip(("landmarks", "best"), self._fits(cases[:count]), strict=True):
                vertices = head_shape(self.model, fit).in_camera
                reliefs[f"{name} {count}"] = self._relief(vertices, fit.K, first.frame)
        where = first.where.copy()
        for relief in reliefs.values():
            where &= relief.coverage > 0.99
        return {name: relief_errors(relief, first.truth, where) for name, relief in reliefs.items()}

    def _fits(self, cases: Sequence[Case]) -> tuple[Fit, Fit]:
        sightings = [case.shot.sighting for case in cases]
        fits = fit_person(self.model, sightings)
        refined = refine(self.model, self._samples, [case.picture for case in cases], sightings, fits)
        return fits[0], refined[0]

    def _relief(self, vertices: np.ndarray, K: np.ndarray, frame: Frame) -> Relief:
        return Relief.of_mesh(frame.trace(_shape(self.model, vertices, K)))


def _shape(model: MorphableModel, vertices: np.ndarray, K: np.ndarray) -> CameraMesh:
    uv, regions = model.uv.numpy(), model.face_region.numpy()
    names = tuple(model.region_names)
    return CameraMesh(vertices.astype(np.float32), model.faces.numpy(), uv, regions, names, K)


def main() -> None:
    """Run and print."""
    arguments = _arguments()
    bench = Bench()
    results: list[tuple[Specimen, Errors]] = []
    for _, group in itertools.groupby(_chosen(arguments), lambda specimen: specimen.head):
        found = [bench.case(specimen) for specimen in group]
        cases = [case for case in found if case is not None]
        for place, case in enumerate(cases):
            if place % arguments.every:
                continue
            others = [cases[(place + step) % len(cases)] for step in range(1, min(MOST_PHOTOS, len(cases)))]
            results.append((case.specimen, bench.errors([case, *others])))
        print(f"{len(results)} photos scored", flush=True)
    print(table(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=tuple(SETS), default="cycles")
    parser.add_argument("--split", choices=("tune", "test"), default="tune")
    parser.add_argument("--heads", type=int, nargs="+")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="score every N-th photo of a head")
    parser.add_argument("--cached", action="store_true", help="leave out what is not rendered yet")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> Iterator[Specimen]:
    for specimen in specimens(arguments.set, arguments.split, not arguments.cached, arguments.heads):
        if not specimen.hardship:
            yield specimen


def table(results: Sequence[tuple[Specimen, Errors]]) -> str:
    """All photos, then by how far the head is turned, by light and tone: "mm / degrees" of each method."""
    names = list(dict.fromkeys(name for _, errors in results for name in errors))
    lines = [f"{'':>12}{'n':>5}" + "".join(f"{name:>16}" for name in names)]
    groups = {"all": [errors for _, errors in results]}
    for low, high in ((0, 30), (30, 60)):
        groups[f"{low}-{high} deg"] = [e for specimen, e in results if low <= turned(specimen) < high]
    for light in LIGHTS:
        groups[light] = [errors for specimen, errors in results if specimen.light == light]
    for tone in range(1, 7):
        groups[f"tone {tone}"] = [errors for specimen, errors in results if specimen.tone == tone]
    for group, rows in groups.items():
        if rows:
            cells = "".join(f"{_mean(rows, name):>16}" for name in names)
            lines.append(f"{group:>12}{len(rows):5}{cells}")
    return "\n".join(lines)


def turned(specimen: Specimen) -> float:
    """Degrees to the left or right of the line of sight."""
    ahead = specimen.rotation[:, 2]
    return abs(float(np.degrees(np.arctan2(ahead[0], ahead[2]))))


def _mean(rows: Sequence[Errors], name: str) -> str:
    depth, normals = (
        np.nanmean([row[name][key] for row in rows if name in row] or [np.nan])
        for key in ("depth_mm", "normals_deg")
    )
    return f"{depth:.2f} / {normals:.2f}"


if __name__ == "__main__":
    main()
