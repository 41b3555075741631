"""Depth and normals of a reconstructed face against the true one, pixel by pixel where both are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ...core_models.builders.facemesh import tesselation_edges
from ...core_models.builders.topology import landmark_triangles
from ...core_models.fitting.fit import pose_mean
from ...core_models.geometry.mesh import vertex_normals
from ...core_models.landmarks import MESH_COUNT
from ...core_models.morphable.model import MorphableModel
from ...core_models.reconstruction import Reconstruction
from ...core_models.render.trace import CameraMesh, Trace
from .frame import Frame

_MM = 100.0
"""Per decimetre."""


@dataclass(frozen=True)
class Relief:
    """Positions and normals that a picture shows."""

    points: np.ndarray
    """(size, size, 3) decimetres, camera frame."""
    normals: np.ndarray
    """(size, size, 3) unit."""
    coverage: np.ndarray
    """(size, size) 0…1."""

    @classmethod
    def of(cls, trace: Trace, points: np.ndarray, normals: np.ndarray) -> Relief:
        """From vertex positions (N, 3) and unit normals (N, 3), which need not be those that were traced."""
        both = trace.picture(trace.interpolate(np.concatenate([points, normals], axis=1)))
        length = np.linalg.norm(both[..., 3:], axis=-1, keepdims=True)
        return cls(both[..., :3], both[..., 3:] / np.maximum(length, 1e-9), trace.coverage)

    @classmethod
    def of_mesh(cls, trace: Trace) -> Relief:
        """What a trace sees of its own mesh."""
        return cls.of(trace, trace.mesh.vertices, trace.mesh.normals)


def rigid(points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) that bring points (M, 3) nearest to target (M, 3) (Kabsch 1976)."""
    centre, goal = points.mean(0), target.mean(0)
    left, _, right = np.linalg.svd((points - centre).T @ (target - goal))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left @ flip @ right).T
    return rotation, goal - rotation @ centre


def relief_errors(found: Relief, truth: Relief, where: np.ndarray) -> dict[str, float]:
    """Median |depth| in mm and mean angle between normals in degrees over pixels `where` (size, size), after the rigid
    motion that fits the found surface to the true one there."""
    where = where & (found.coverage > 0.99) & (truth.coverage > 0.99)
    if where.sum() < 100:
        return {"depth_mm": float("nan"), "normals_deg": float("nan")}
    goal = truth.points[where].astype(np.float64)
    rotation, translation = rigid(found.points[where].astype(np.float64), goal)
    moved = found.points[where] @ rotation.T + translation
    cosine = ((found.normals[where] @ rotation.T) * truth.normals[where]).sum(1)
    return {
        "depth_mm": _MM * float(np.median(np.abs(moved[:, 2] - goal[:, 2]))),
        "normals_deg": float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()),
    }


def posed_mean_relief(
    model: MorphableModel, result: Reconstruction, mesh: CameraMesh, frame: Frame
) -> Relief:
    """The model's mean face, posed by the result's detected landmarks."""
    width, height = (int(side) for side in result.image_size)
    fit = pose_mean(model, result.landmarks, (width, height))
    vertices = model.mean.double().numpy() @ fit.rotation.T + fit.translation
    posed = replace(mesh, vertices=vertices.astype(np.float32), K=fit.K)
    return Relief.of_mesh(frame.trace(posed))


class FaceMesh:
    """mediapipe's ready-made FaceMesh, whose own depth is a baseline; sized like the model's mean."""

    def __init__(self, model: MorphableModel) -> None:
        import mediapipe

        self._network = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, min_detection_confidence=0.3
        )
        self._ids = model.landmark_ids.numpy()
        self._mean = model.landmarks(model.mean[None])[0].double().numpy()
        by_number = np.zeros((478, 3))
        by_number[self._ids] = self._mean
        self._triangles = landmark_triangles(tesselation_edges(), by_number[:MESH_COUNT]).astype(np.int64)

    def relief(self, photo_srgb: np.ndarray, frame: Frame) -> Relief | None:
        """Its surface in a frame of the photo (H, W, 3) uint8, or None where it finds no face."""
        found = self._network.process(photo_srgb).multi_face_landmarks
        if not found:
            return None
        height, width = photo_srgb.shape[:2]
        pixels = np.array([[p.x * width, p.y * height, p.z * width] for p in found[0].landmark])[:MESH_COUNT]
        points = pixels * (1, -1, -1)
        on_face = self._ids < len(points)
        mine, mean = points[self._ids[on_face]], self._mean[on_face]
        scale = np.linalg.norm(mean - mean.mean(0)) / np.linalg.norm(mine - mine.mean(0))
        points = (points - points.mean(0)) * scale
        far = 1000.0  # decimetres: as good as parallel
        focal = far / scale
        depth = far - points[:, 2]
        rays = np.stack([pixels[:, 0] * depth / focal, -pixels[:, 1] * depth / focal, -depth], axis=1)
        K = np.array([[focal, 0.0, 0.0], [0.0, focal, 0.0], [0.0, 0.0, 1.0]])
        region = np.zeros(len(self._triangles), np.uint8)
        mesh = CameraMesh(rays.astype(np.float32), self._triangles, rays[:, :2], region, ("skin",), K)
        triangles = torch.as_tensor(self._triangles)
        normals = vertex_normals(torch.as_tensor(points, dtype=torch.float32)[None], triangles)[0]
        return Relief.of(frame.trace(mesh), points, normals.numpy())
