"""The conventions of Deng et al. (2019) at our border: crop, camera, light, encoded colour.

Their published network, and those of Lin et al. (2020) and Yang et al. (2024) which build on it, see a 224² crop scaled
by five points, put the face before a camera of 1015 pixels at 10 dm, and shade *encoded* colours with nine harmonics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..colour import srgb_to_linear
from ..geometry.camera import crop_intrinsics
from ..geometry.mesh import vertex_normals
from ..landmarks import LEFT_EYE, LIPS, RIGHT_EYE
from ..render.lighting import sh_basis, shade

CROP = 224
"""Pixels, the side of the network's picture."""
_FOCAL = 1015.0
"""Pixels of the crop."""
_CAMERA_DISTANCE = 10.0
"""Decimetres from the camera to the origin of the model before its translation."""
_FACE_SCALE = 102.0
"""Pixels of the crop per decimetre of the reference points."""

_FILTER_REACH = 3
"""Pixels of the crop that bicubic interpolation looks beyond its border, generously."""
_REDUCING_GAP = 3.0

_REFERENCE_POINTS = np.array(
    [
        (-0.311, 0.290, 0.134),
        (0.310, 0.290, 0.132),
        (0.003, -0.046, 0.552),
        (-0.252, -0.381, 0.224),
        (0.248, -0.381, 0.222),
    ]
)
"""Decimetres, y up: the eye on the picture's left, the other eye, the tip of the nose, the corners of the mouth."""
_NOSE_TIPS = (1, 4)
"""Their nose point lies midway between these two landmarks, to 0.2 mm of height on our mean face."""

_AMBIENT = 0.8
"""Added to the constant harmonic of each channel."""
_SIGNS = (1, -1, 1, -1, 1, -1, 1, -1, 1)
_COSINE_LOBE = (math.pi,) + (2 * math.pi / math.sqrt(3),) * 3 + (math.pi / math.sqrt(2),) * 5
"""Their harmonics are ours times sign and lobe."""


@dataclass(frozen=True)
class Crop:
    """The square of the photo that the network is shown, upright as the photo is (a turned head stays turned).

    A point p of the photo is at ``(p − (x0, y0))·scale`` of the crop; pixels from the top-left corners of both.
    """

    x0: float
    y0: float
    scale: float

    @classmethod
    def around(cls, landmarks: np.ndarray) -> Crop:
        """Of a face's landmarks (478, 2), pixels: least-squares affine projection of the reference points, of which
        scale and translation count.
        """
        points = five_points(landmarks) * [1, -1]
        reference = np.column_stack([_REFERENCE_POINTS, np.ones(len(points))])
        solution = np.linalg.lstsq(reference, points, rcond=None)[0]
        scale = _FACE_SCALE / np.linalg.norm(solution[:3], axis=0).mean()
        x0, y0 = solution[3] * [1, -1] - CROP / 2 / scale
        return cls(float(x0), float(y0), float(scale))

    def cut(self, srgb: np.ndarray) -> np.ndarray:
        """(CROP, CROP, 3) uint8 of a photo (H, W, 3) uint8: bicubic, smoothed where it shrinks; black outside."""
        # Averaged down to about `_REDUCING_GAP` times the crop first: quicker for large faces, and looks the same.
        step = max(1, int(1 / (self.scale * _REDUCING_GAP)))
        # Pillow's box must lie in the picture, and its filter looks a little further.
        margin = math.ceil(_FILTER_REACH * max(1.0, 1 / self.scale))
        corner = np.array([self.x0, self.y0])
        start = np.floor(corner).astype(int) - margin
        count = math.ceil((CROP / self.scale + 2 * margin + 1) / step)
        region = _square(srgb, start[0], start[1], count * step)
        reduced = Image.fromarray(cv2.resize(region, (count, count), interpolation=cv2.INTER_AREA))
        low = (corner - start) / step
        box = (*low, *(low + CROP / self.scale / step))
        return np.asarray(reduced.resize((CROP, CROP), Image.Resampling.BICUBIC, box))


def _square(srgb: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """(side, side, 3) of a photo (H, W, 3), black outside it."""
    square = np.zeros((side, side, 3), np.uint8)
    x, y = max(left, 0), max(top, 0)
    inside = srgb[y : max(top + side, 0), x : max(left + side, 0)]
    square[y - top : y - top + inside.shape[0], x - left : x - left + inside.shape[1]] = inside
    return square


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """(5, 2) in the order of Deng et al. from the 478 landmarks: eyes (mean of their corners), nose, mouth corners."""
    eyes = [landmarks[[eye[0], eye[len(eye) // 2]]].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)]
    mouth = landmarks[[LIPS[0], LIPS[len(LIPS) // 2]]]
    return np.array([*eyes, landmarks[list(_NOSE_TIPS)].mean(0), *mouth])


@dataclass(frozen=True, eq=False)
class Camera:
    """Our camera (`geometry.camera`), a batch of them: decimetres, pixels of the photo."""

    K: Tensor
    """(B, 3, 3)"""
    rotation: Tensor
    """(B, 3, 3) model → camera frame"""
    translation: Tensor
    """(B, 3)"""


def camera(angles: Tensor, translation: Tensor, crop: Crop | None = None) -> Camera:
    """Our camera from angles (B, 3), radians about x, y, z, and translation (B, 3), dm; K is the crop's where no `crop`
    says where it lay in the photo. Differentiable.

    Half a pixel: theirs are inconsistent between landmarks (row 223 − v) and pictures (224 − v). We take the
    picture's: the axis meets the crop's middle, the corner between its pixels 111 and 112.
    """
    centre = CROP / 2
    K = angles.new_tensor([[_FOCAL, 0.0, centre], [0.0, _FOCAL, centre], [0.0, 0.0, 1.0]])
    if crop is not None:
        K = crop_intrinsics(K, -crop.x0 * crop.scale, -crop.y0 * crop.scale, 1 / crop.scale)
    distance = translation.new_tensor([0.0, 0.0, _CAMERA_DISTANCE])
    return Camera(K.expand(len(angles), 3, 3), rotation_matrix(angles), translation - distance)


def rotation_matrix(angles: Tensor) -> Tensor:
    """Rz·Ry·Rx (B, 3, 3) of angles (B, 3) in radians about x, y, z. Differentiable."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    rows = [
        torch.stack([cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx], dim=-1),
        torch.stack([sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx], dim=-1),
        torch.stack([-sy, cy * sx, cy * cx], dim=-1),
    ]
    return torch.stack(rows, dim=-2)


def encoded_light(gamma: Tensor) -> Tensor:
    """Their γ (..., 3, 9) as our `sh` (..., 3, 9), camera frame, for *encoded* albedo: exact. Differentiable."""
    ambient = gamma.new_tensor([_AMBIENT] + [0.0] * 8)
    return (gamma + ambient) * gamma.new_tensor(_SIGNS) * gamma.new_tensor(_COSINE_LOBE)


def shaded_srgb(vertices_camera: Tensor, faces: Tensor, albedo_srgb: Tensor, sh_encoded: Tensor) -> Tensor:
    """Encoded vertex colours (B, N, 3) as Deng et al. draw them, but never below 0. Differentiable.

    Args:
        vertices_camera: (B, N, 3). faces: (F, 3). albedo_srgb: (B, N, 3) encoded. sh_encoded: (B, 3, 9) of
        `encoded_light`.
    """
    return albedo_srgb * shade(vertex_normals(vertices_camera, faces, by_area=False), sh_encoded)


def linear_light(
    vertices_camera: Tensor, faces: Tensor, albedo_srgb: Tensor, sh_encoded: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor]:
    """The light under which the decoded albedo looks most like the decoded picture. Arguments as in `shaded_srgb`.

    Per channel least squares over the `visible` (B, N) bool vertices:
    ``min_c Σ |lin(T·Hγ) − lin(T)·Y·c|²``. No linear light does it exactly.

    Returns:
        `sh` (B, 3, 9) for linear albedo, camera frame; and the residual (B,): RMS over the vertices and channels, in
        parts of the RMS of what it had to meet. Differentiable.
    """
    seen = visible[..., None].to(albedo_srgb.dtype)
    shown = srgb_to_linear(shaded_srgb(vertices_camera, faces, albedo_srgb, sh_encoded)) * seen
    basis = sh_basis(vertex_normals(vertices_camera, faces))
    albedo = srgb_to_linear(albedo_srgb) * seen
    equations = albedo.mT[..., None] * basis[:, None]  # (B, 3, N, 9)
    sh = torch.linalg.lstsq(equations, shown.mT[..., None]).solution
    error = (equations @ sh)[..., 0].mT - shown
    return sh[..., 0], error.square().sum((1, 2)).sqrt() / shown.square().sum((1, 2)).sqrt()
