"""Is the fitted face nearer the truth than the mean face merely posed? Rendered heads with known geometry.

    python benchmarks/shape.py [--heads 32]

The heads (heads.py) are not made from the model's modes, and the fit is told nothing but the landmarks that our face
finder sees in their renders. Distances are in mm over skin, lips and brows, after a rigid alignment (no scale: a face
of the wrong size is wrong), from vertex to the same vertex and from vertex to surface; the table shows medians over
heads of the median over vertices.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from heads import MAX_YAW, SIDE, Head, landmarks_of, make_heads, yaw_of
from scipy.spatial import cKDTree

from semblance.core_models.fitting.fit import Fit, fit_landmarks, pose_mean
from semblance.core_models.geometry.mesh import vertex_normals
from semblance.core_models.morphable.default import load_default_model
from semblance.core_models.morphable.model import MorphableModel
from semblance.core_models.units import MM_PER_DM

SCORED = ("skin", "lips", "brows")


@dataclass(frozen=True)
class Errors:
    """One fit against the truth: median distances in mm, and the ratio of its size to the truth's."""

    vertex_mm: float
    surface_mm: float
    size: float


def scored_vertices(model: MorphableModel) -> np.ndarray:
    """Indices of the vertices of the scored regions."""
    regions = [model.region_names.index(name) for name in SCORED]
    return np.unique(model.faces.numpy()[np.isin(model.face_region.numpy(), regions)])


def aligned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Points (N,3) moved rigidly onto target (N,3), least squares (Kabsch 1976)."""
    centred, goal = points - points.mean(0), target - target.mean(0)
    left, _, right = np.linalg.svd(centred.T @ goal)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return centred @ left @ flip @ right + target.mean(0)


def compare(shape: np.ndarray, truth: np.ndarray, faces: torch.Tensor, scored: np.ndarray) -> Errors:
    """Errors of a shape (N,3) against the truth (N,3), dm, over the scored vertices."""
    goal = truth[scored]
    moved = aligned(shape[scored], goal)
    normals = vertex_normals(torch.tensor(truth)[None], faces)[0].numpy()[scored]
    nearest = cKDTree(goal).query(moved)[1]
    to_surface = np.abs(((moved - goal[nearest]) * normals[nearest]).sum(1))
    size = float(np.linalg.norm(moved - moved.mean(0)) / np.linalg.norm(goal - goal.mean(0)))
    return Errors(
        MM_PER_DM * float(np.median(np.linalg.norm(moved - goal, axis=1))),
        MM_PER_DM * float(np.median(to_surface)),
        size,
    )


def shape_of(model: MorphableModel, fit: Fit, expressed: bool = True) -> np.ndarray:
    """Vertices (N,3) of a fit, dm."""
    identity = torch.tensor(fit.identity, dtype=torch.float32)[None]
    expression = torch.tensor(fit.expression, dtype=torch.float32)[None]
    return (
        model.shape(identity, expression if expressed else torch.zeros_like(expression))[0].double().numpy()
    )


def facemesh_points(image: np.ndarray) -> np.ndarray | None:
    """FaceMesh's own mesh (468,3) of an image, in units of its width: x right, y up, z towards the viewer."""
    import mediapipe

    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, min_detection_confidence=0.3
    ) as network:
        found = network.process(image).multi_face_landmarks
    return np.array([[p.x, -p.y, -p.z] for p in found[0].landmark]) if found else None


@dataclass(frozen=True)
class Row:
    """A method's errors on one head, of the face as seen and of the neutral face."""

    seen: Errors
    neutral: Errors
    landmarks_mm: float
    yaw: float
    log_focal: float
    rms_percent: float


def score(
    model: MorphableModel, head: Head, fit: Fit, scored: np.ndarray, expressed: np.ndarray | None = None
) -> Row:
    """A fit against the head; `expressed` (N,3) replaces the fit's shape as seen."""
    shape = shape_of(model, fit) if expressed is None else expressed
    mine, truth = landmarks_of(model, shape), landmarks_of(model, head.expressed)
    distances = np.linalg.norm(aligned(mine, truth) - truth, axis=1)
    return Row(
        compare(shape, head.expressed, model.faces, scored),
        compare(shape_of(model, fit, expressed=False), head.neutral, model.faces, scored),
        MM_PER_DM * float(np.median(distances)),
        abs(yaw_of(fit.rotation) - head.yaw),
        float(np.log(fit.K[0, 0] / head.focal_px)),
        fit.landmark_rms_percent,
    )


def score_facemesh(model: MorphableModel, head: Head) -> float | None:
    """Median distance (mm) of FaceMesh's mesh, sized like the model's mean, at the landmarks."""
    points = facemesh_points(head.image)
    if points is None:
        return None
    ids = model.landmark_ids.numpy()
    face = ids < len(points)
    truth, mean = (landmarks_of(model, v)[face] for v in (head.expressed, model.mean.double().numpy()))
    points = points[ids[face]]
    points = points * (np.linalg.norm(mean - mean.mean(0)) / np.linalg.norm(points - points.mean(0)))
    return MM_PER_DM * float(np.median(np.linalg.norm(aligned(points, truth) - truth, axis=1)))


def table(results: dict[str, list[Row]]) -> str:
    """Medians over heads, one line a method."""
    lines = [
        f"{'':24}{'as seen, mm':>16}{'neutral, mm':>16}{'at landmarks':>14}{'size':>14}"
        f"{'yaw °':>7}{'log f':>14}{'RMS %':>7}",
        f"{'':24}" + f"{'vertex surface':>16}" * 2,
    ]
    return "\n".join(lines + [f"{name:24}{summary(rows)}" for name, rows in results.items()])


def summary(rows: list[Row]) -> str:
    """One line of the table, without the method's name."""

    def middle(get: Callable[[Row], float]) -> float:
        return float(np.median([get(row) for row in rows]))

    size = [row.seen.size for row in rows]
    focal = [row.log_focal for row in rows]
    return (
        f"{middle(lambda r: r.seen.vertex_mm):8.2f}{middle(lambda r: r.seen.surface_mm):8.2f}"
        f"{middle(lambda r: r.neutral.vertex_mm):8.2f}{middle(lambda r: r.neutral.surface_mm):8.2f}"
        f"{middle(lambda r: r.landmarks_mm):14.2f}{np.mean(size):8.3f}±{np.std(size):.3f}"
        f"{middle(lambda r: r.yaw):7.1f}{np.mean(focal):8.2f}±{np.std(focal):.2f}"
        f"{middle(lambda r: r.rms_percent):7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=32)
    options = parser.parse_args()
    model = load_default_model()
    heads = make_heads(model, options.heads)
    scored = scored_vertices(model)
    size = (SIDE, SIDE)
    results: dict[str, list[Row]] = {
        "mean, posed": [],
        "mean + our expression": [],
        "fit": [],
        "fit, focal known": [],
    }
    for head in heads:
        posed = pose_mean(model, head.landmarks, size)
        fit = fit_landmarks(model, head.landmarks, size)
        known = fit_landmarks(model, head.landmarks, size, head.focal_px)
        results["mean, posed"].append(score(model, head, posed, scored))
        smiling = model.mean.double().numpy() + shape_of(model, fit) - shape_of(model, fit, expressed=False)
        results["mean + our expression"].append(score(model, head, posed, scored, smiling))
        results["fit"].append(score(model, head, fit, scored))
        results["fit, focal known"].append(score(model, head, known, scored))
    print(f"{len(heads)} rendered heads, yaw up to {MAX_YAW:.0f}°, focal length 1 to 5 × the side\n")
    print(table(results))
    facemesh = [error for error in (score_facemesh(model, head) for head in heads) if error is not None]
    print(f"\nFaceMesh's own mesh, sized like the mean, at the landmarks: {np.median(facemesh):.2f} mm")


if __name__ == "__main__":
    main()
