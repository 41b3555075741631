"""A mirrored photo must give the mirrored face: how far apart the two are.

    python benchmarks/mirror.py --photos DIR_OR_LIST [--limit N]

Prints, over the photos, the median, 90th percentile and largest of each photo's median distance between the fitted
vertices and the mirrored vertices of the mirrored photo's fit, in millimetres, head frame, photo's expression included.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from semblance.core_models.faces.find import FaceFinder
from semblance.core_models.fitting.fit import fit_landmarks
from semblance.core_models.fitting.head_shape import head_shape
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.photo.load import Photo, load_photo
from semblance.core_models.units import MM_PER_DM
from semblance.train.data.photos import list_photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_default_model()
    with FaceFinder() as finder:
        photos = [load_photo(path) for path in list_photos(arguments.photos)[: arguments.limit]]
        distances = [distance_mm(photo, model, finder) for photo in photos]
    middle, high = np.percentile(distances, [50, 90])
    print(
        f"{len(distances)} photos: median {middle:.3f} mm, p90 {high:.3f} mm, largest {max(distances):.3f} mm"
    )


def distance_mm(photo: Photo, model: MorphableModel, finder: FaceFinder) -> float:
    """Median over the vertices for one photo."""
    mirrored_photo = replace(photo, srgb=np.ascontiguousarray(photo.srgb[:, ::-1]))
    vertices, mirrored = fitted(photo, model, finder), fitted(mirrored_photo, model, finder)
    back = mirrored[model.mirror.numpy()] * [-1, 1, 1]
    return float(np.median(np.linalg.norm(vertices - back, axis=1)) * MM_PER_DM)


def fitted(photo: Photo, model: MorphableModel, finder: FaceFinder) -> np.ndarray:
    """Vertices (N, 3) of the largest face, decimetres, head frame."""
    face = finder.find(photo)[0]
    fit = fit_landmarks(model, face.landmarks, (photo.width, photo.height), photo.focal_px)
    return head_shape(model, fit).vertices


if __name__ == "__main__":
    main()
