"""A painter's-algorithm picture of a small shaded mesh: what the builder shows to the FaceMesh network."""

from __future__ import annotations

import cv2
import numpy as np


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3) of `faces` (F, 3) over `vertices` (N, 3)."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def paint(
    vertices: np.ndarray,
    faces: np.ndarray,
    colours_linear: np.ndarray,
    lights: list[tuple[np.ndarray, float]],
    ambient: float,
    background: np.ndarray,
    size: int,
    mm_across: float,
    distance: float,
    rotation: np.ndarray,
    centre: np.ndarray,
) -> np.ndarray:
    """(size, size, 3) uint8 sRGB picture of a mesh (mm) seen along −z from `distance` mm after `rotation` (3, 3).

    Lambert shading per triangle, triangles drawn far to near on a doubled canvas: edges are soft, thin parts may be
    sorted wrongly, which a picture for a 192-pixel network forgives. `lights`: (direction, strength) pairs.
    """
    placed = (vertices - centre) @ rotation.T
    scale = distance / (distance - placed[:, 2]) * (2 * size / mm_across)
    pixels = np.stack([size + scale * placed[:, 0], size - scale * placed[:, 1]], axis=1)
    normal = face_normals(placed, faces)
    shading = np.full(len(faces), ambient)
    for direction, strength in lights:
        shading += strength * np.clip(normal @ (direction / np.linalg.norm(direction)), 0, None)
    linear = colours_linear[faces].mean(1) * shading[:, None]
    encoded = 255 * np.clip(linear, 0, 1) ** (1 / 2.2)
    canvas = np.empty((2 * size, 2 * size, 3), np.uint8)
    canvas[:] = 255 * np.clip(background, 0, 1) ** (1 / 2.2)
    corners = np.round(pixels[faces] * 16).astype(np.int32)
    facing = (normal * (np.array([0, 0, distance]) - placed[faces].mean(1))).sum(1) > 0
    order = np.argsort(placed[faces, 2].mean(1))
    for i in order[facing[order]]:
        cv2.fillConvexPoly(canvas, corners[i], encoded[i].tolist(), shift=4)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
