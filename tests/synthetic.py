"""A head known in closed form: half an ellipsoid with a painted face, photographed by ray casting.

The photo does not come from our renderer: renders of the result can be compared with something independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semblance.core_models.reconstruction import Reconstruction

AXES_METRES = np.array([0.072, 0.105, 0.09])
"""Half axes of the ellipsoid: x (the subject's left), y (up), z (out of the face)."""
HALF_ANGLE = np.radians(75.0)
"""Longitude and latitude run from minus to plus this; uv = ½ + angle / (2 · this)."""
OVAL_RADIUS = np.radians(48.0)
"""The landmarks of the oval lie on this circle of (longitude, latitude)."""
BACKGROUND_SRGB = np.array([0.35, 0.42, 0.5])
REGIONS = ("skin", "lips", "brows", "eyes", "mouth", "rim")
# mediapipe's FACEMESH_FACE_OVAL in order, written out once more: an independent copy tests the program's.
OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377]
OVAL += [152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
LEFT_IRIS, RIGHT_IRIS = 473, 468


@dataclass(frozen=True)
class _View:
    """The camera: head → camera rotation (3, 3), translation (3,) in metres, K (3, 3), width, height."""

    rotation: np.ndarray
    translation: np.ndarray
    K: np.ndarray
    width: int
    height: int


def synthetic_reconstruction(
    n: int = 48, texture_size: int = 256, photo_size: tuple[int, int] = (320, 400), yaw_degrees: float = 8.0
) -> Reconstruction:
    """A small valid result of n² vertices, whose photo (width, height) shows exactly what its arrays say."""
    longitude, latitude = np.meshgrid(
        np.linspace(-HALF_ANGLE, HALF_ANGLE, n), np.linspace(-HALF_ANGLE, HALF_ANGLE, n)
    )
    angles = np.stack([longitude.ravel(), latitude.ravel()], axis=-1)
    vertices = _surface(angles)
    faces = _grid_faces(n)
    view = _view(yaw_degrees, *photo_size)
    sh = _light()
    neutral = vertices + _bump(angles, (0.0, -0.45), 0.15)[:, None] * [0.0, 0.004, 0.0]
    texel_angles = _texel_angles(texture_size)
    landmarks = _project(_surface(_landmark_angles()), view)
    photo, mask = _cast_photo(view, sh)
    keys = np.stack([_bump(angles, (0.0, -0.6), 0.3), _bump(angles, (0.0, 0.6), 0.3)])
    return Reconstruction(
        vertices=vertices.astype(np.float32),
        neutral_vertices=neutral.astype(np.float32),
        faces=faces,
        face_region=_region(angles[faces].mean(axis=1)),
        region_names=np.array(REGIONS),
        uv=(angles / (2 * HALF_ANGLE) + 0.5).astype(np.float32),
        rotation=view.rotation.astype(np.float32),
        translation=view.translation.astype(np.float32),
        K=view.K.astype(np.float32),
        image_size=np.array(photo_size, np.int32),
        sh=sh.astype(np.float32),
        vertex_albedo_linear=_albedo(angles).astype(np.float32),
        vertex_shading_linear=_shading(angles, view.rotation, sh).astype(np.float32),
        vertex_confidence=np.ones(n * n, np.float32),
        albedo_srgb=np.round(_encode(_albedo(texel_angles)) * 255).astype(np.uint8),
        shading_linear=_shading(texel_angles, view.rotation, sh).astype(np.float16),
        lamp_directions=np.float32([[0, 0.6, 0.8]]),
        lamp_irradiance=np.float32([[0.2, 0.15, 0.1]]),
        lamp_angle=np.float32([0.3]),
        sh_map=np.zeros((0, 0, 27), np.float16),
        confidence=np.full((texture_size, texture_size), 255, np.uint8),
        landmarks=landmarks.astype(np.float32),
        model_landmarks=landmarks.astype(np.float32),
        mask=mask,
        photo_srgb=photo,
        model_id="synthetic",
        identity=np.zeros(4, np.float32),
        expression=np.zeros(2, np.float32),
        albedo_coefficients=np.zeros(3, np.float32),
        shape_key_names=np.array(["jawOpen", "browInnerUp"]),
        shape_key_offsets=(keys[..., None] * [[[0, -0.01, 0]], [[0, 0.006, 0]]]).astype(np.float32),
        report={"model": "synthetic", "warnings": []},
    )


def _surface(angles: np.ndarray) -> np.ndarray:
    """(…, 2) longitude and latitude → (…, 3) metres, head frame."""
    longitude, latitude = angles[..., 0], angles[..., 1]
    unit = [np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)]
    return AXES_METRES * np.stack(unit, axis=-1)


def _grid_faces(n: int) -> np.ndarray:
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    right, above, across = corner + 1, corner + n, corner + n + 1
    lower, upper = np.stack([corner, right, across], -1), np.stack([corner, across, above], -1)
    return np.concatenate([lower, upper]).astype(np.int32)


def _bump(angles: np.ndarray, centre: tuple[float, float], radius: float) -> np.ndarray:
    return np.exp(-(((angles - centre) / radius) ** 2).sum(axis=-1) / 2)


def _region(angles: np.ndarray) -> np.ndarray:
    longitude, latitude = np.abs(angles[..., 0]), angles[..., 1]
    region = np.zeros(longitude.shape, np.uint8)
    region[np.hypot(longitude, latitude) > OVAL_RADIUS + 0.12] = REGIONS.index("rim")
    region[np.hypot(longitude / 0.3, (latitude + 0.4) / 0.1) < 1] = REGIONS.index("lips")
    region[np.hypot((longitude - 0.35) / 0.2, (latitude - 0.2) / 0.1) < 1] = REGIONS.index("eyes")
    region[np.hypot((longitude - 0.35) / 0.25, (latitude - 0.4) / 0.06) < 1] = REGIONS.index("brows")
    return region


def _albedo(angles: np.ndarray) -> np.ndarray:
    """(…, 2) → (…, 3) linear: freckled skin, darker lips and brows, pale eyes; band-limited on purpose."""
    longitude, latitude = np.abs(angles[..., 0]), angles[..., 1]
    freckles = 0.06 * np.sin(17 * angles[..., 0] + 1) * np.cos(13 * latitude)
    albedo = np.array([0.45, 0.28, 0.20]) * (1 + freckles[..., None])
    folded = np.stack([longitude, latitude], axis=-1)
    for weight, colour in (
        (_bump(angles, (0.0, -0.4), 0.12), [0.35, 0.12, 0.10]),
        (_bump(folded, (0.35, 0.2), 0.07), [0.70, 0.68, 0.65]),
        (_bump(folded, (0.35, 0.4), 0.07), [0.08, 0.05, 0.04]),
    ):
        albedo = albedo + weight[..., None] * (np.array(colour) - albedo)
    return albedo


def _light() -> np.ndarray:
    key = np.array([2.4, 0.25, 0.35, 0.5, 0.1, 0.05, 0.08, 0.0, 0.04])
    return np.stack([key, key * 0.96, key * 0.9])


def _shading(angles: np.ndarray, rotation: np.ndarray, sh: np.ndarray) -> np.ndarray:
    normal = _surface(angles) / AXES_METRES**2
    x, y, z = np.moveaxis((normal / np.linalg.norm(normal, axis=-1, keepdims=True)) @ rotation.T, -1, 0)
    basis = [
        0.282095 * np.ones_like(x),
        0.488603 * y,
        0.488603 * z,
        0.488603 * x,
        1.092548 * x * y,
        1.092548 * y * z,
    ]
    basis += [0.315392 * (3 * z**2 - 1), 1.092548 * x * z, 0.546274 * (x**2 - y**2)]
    return np.maximum(np.stack(basis, axis=-1) @ sh.T, 0.0)


def _texel_angles(size: int) -> np.ndarray:
    centre = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(centre, 1 - centre)
    return (np.stack([u, v], axis=-1) - 0.5) * 2 * HALF_ANGLE


def _landmark_angles() -> np.ndarray:
    """(478, 2): the oval on a circle (10 at the top, then the subject's left), irises, else a sunflower."""
    index = np.arange(478)
    radius = OVAL_RADIUS * 0.95 * np.sqrt((index + 0.5) / 478)
    turn = index * np.pi * (3 - np.sqrt(5))
    angles = np.stack([radius * np.sin(turn), radius * np.cos(turn)], axis=-1)
    around = np.arange(len(OVAL)) / len(OVAL) * 2 * np.pi
    angles[OVAL] = OVAL_RADIUS * np.stack([np.sin(around), np.cos(around)], axis=-1)
    for centre, side in ((LEFT_IRIS, 1.0), (RIGHT_IRIS, -1.0)):
        offsets = 0.04 * np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]])
        angles[centre : centre + 5] = offsets + np.array([side * 0.35, 0.2])
    return angles


def _view(yaw_degrees: float, width: int, height: int) -> _View:
    cos, sin = np.cos(np.radians(yaw_degrees)), np.sin(np.radians(yaw_degrees))
    focal = 2.2 * max(width, height)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return _View(rotation, np.array([0.004, 0.006, -0.75]), K, width, height)


def _project(points: np.ndarray, view: _View) -> np.ndarray:
    x, y, z = np.moveaxis(points @ view.rotation.T + view.translation, -1, 0)
    return np.stack([view.K[0, 2] - view.K[0, 0] * x / z, view.K[1, 2] + view.K[1, 1] * y / z], axis=-1)


def _cast_photo(view: _View, sh: np.ndarray, samples: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """samples² rays a pixel, averaged in linear light → photo (h, w, 3) uint8, mask (h, w) uint8."""
    grid_u = (np.arange(view.width * samples) + 0.5) / samples
    grid_v = (np.arange(view.height * samples) + 0.5) / samples
    u, v = np.meshgrid(grid_u, grid_v)
    ray = np.stack(
        [(u - view.K[0, 2]) / view.K[0, 0], (view.K[1, 2] - v) / view.K[1, 1], -np.ones_like(u)], axis=-1
    )
    origin = (-view.translation @ view.rotation) / AXES_METRES
    direction = (ray @ view.rotation) / AXES_METRES
    a, b, c = (direction**2).sum(-1), direction @ origin, origin @ origin - 1
    discriminant = b**2 - a * c
    point = origin + ((-b - np.sqrt(np.maximum(discriminant, 0))) / a)[..., None] * direction
    angles = np.stack(
        [np.arctan2(point[..., 0], point[..., 2]), np.arcsin(np.clip(point[..., 1], -1, 1))], axis=-1
    )
    hit = (discriminant > 0) & (np.abs(angles) < HALF_ANGLE).all(axis=-1)
    background = ((BACKGROUND_SRGB + 0.055) / 1.055) ** 2.4
    colour = np.where(hit[..., None], _albedo(angles) * _shading(angles, view.rotation, sh), background)
    photo, mask = _average(colour, samples), _average(hit[..., None].astype(float), samples)
    return np.round(_encode(photo) * 255).astype(np.uint8), np.round(mask[..., 0] * 255).astype(np.uint8)


def _average(image: np.ndarray, samples: int) -> np.ndarray:
    height, width, channels = image.shape
    return image.reshape(height // samples, samples, width // samples, samples, channels).mean(axis=(1, 3))


def _encode(linear: np.ndarray) -> np.ndarray:
    return np.clip(
        np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055),
        0,
        1,
    )
