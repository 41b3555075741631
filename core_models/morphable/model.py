"""`MorphableModel`: a linear model of 3D faces, batched and differentiable, whatever its source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..colour import srgb_to_linear


@dataclass(frozen=True)
class ModelData:
    """Plain arrays of a morphable model; lengths in decimetres, colours in `albedo_space`.

    mean (N, 3); identity_basis (Ki, N, 3) per standard deviation; expression_basis (Ke, N, 3) at weight 1;
    expression_range: the weights that people make; if they may be negative, 1 is a standard deviation; albedo_mean
    (N, 3); albedo_basis (Ka, N, 3) per standard deviation; faces (F, 3) counter-clockwise outside; uv (N, 2), v up;
    mirror (N,) vertex → mirrored vertex; twin (N,) the first vertex at the same place (UV seams repeat vertices);
    face_region (F,) index into region_names; landmark_ids (L,) which of MediaPipe's 478 points, landmark_vertices (L,
    3) and landmark_weights (L, 3) where they lie.
    """

    model_id: str
    albedo_space: str
    expression_names: tuple[str, ...]
    region_names: tuple[str, ...]
    mean: np.ndarray
    identity_basis: np.ndarray
    expression_basis: np.ndarray
    albedo_mean: np.ndarray
    albedo_basis: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    mirror: np.ndarray
    twin: np.ndarray
    face_region: np.ndarray
    landmark_ids: np.ndarray
    landmark_vertices: np.ndarray
    landmark_weights: np.ndarray
    expression_range: tuple[float, float] = (0.0, 1.0)


_FLOATS = (
    "mean", "identity_basis", "expression_basis", "albedo_mean", "albedo_basis", "uv", "landmark_weights",
)  # fmt: skip
_INTEGERS = ("faces", "mirror", "twin", "landmark_ids", "landmark_vertices")


_ENCODED_STEP = 0.01
"""For slopes; an 8-bit picture's is 0.004."""


class MorphableModel(nn.Module):
    """Mean plus linear modes. Coefficients have unit variance; expression weights lie in `expression_range`.

    Every array of `ModelData` is a buffer of the same name (float32, int64; face_region uint8), so `.to(device)` moves
    all. Counts, landmark set and albedo space belong to the data: never assume them.
    """

    mean: torch.Tensor
    identity_basis: torch.Tensor
    expression_basis: torch.Tensor
    albedo_mean: torch.Tensor
    albedo_basis: torch.Tensor
    faces: torch.Tensor
    uv: torch.Tensor
    mirror: torch.Tensor
    twin: torch.Tensor
    face_region: torch.Tensor
    landmark_ids: torch.Tensor
    landmark_vertices: torch.Tensor
    landmark_weights: torch.Tensor

    def __init__(self, data: ModelData) -> None:
        super().__init__()
        _check(data)
        self.model_id = data.model_id
        self.albedo_space = data.albedo_space
        self.expression_names = data.expression_names
        self.expression_range = data.expression_range
        self.region_names = data.region_names
        for name in _FLOATS:
            self.register_buffer(name, torch.tensor(np.asarray(getattr(data, name), np.float32)))
        for name in _INTEGERS:
            self.register_buffer(name, torch.tensor(np.asarray(getattr(data, name), np.int64)))
        self.register_buffer("face_region", torch.tensor(np.asarray(data.face_region, np.uint8)))

    @property
    def n_vertices(self) -> int:
        """Number of vertices N."""
        return self.mean.shape[0]

    @property
    def n_identity(self) -> int:
        """Number of identity modes Ki."""
        return self.identity_basis.shape[0]

    @property
    def n_expression(self) -> int:
        """Number of expression modes Ke."""
        return self.expression_basis.shape[0]

    @property
    def n_albedo(self) -> int:
        """Number of albedo modes Ka."""
        return self.albedo_basis.shape[0]

    def shape(self, identity: torch.Tensor, expression: torch.Tensor) -> torch.Tensor:
        """Vertices (B, N, 3) in decimetres from `identity` (B, Ki) and `expression` (B, Ke)."""
        vertices = (
            self.mean + _combine(identity, self.identity_basis) + _combine(expression, self.expression_basis)
        )
        # Sums of equal numbers may differ in the last bit, and a seam must not open.
        return vertices[:, self.twin]

    def albedo(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Vertex albedo (B, N, 3) in `albedo_space` from `coefficients` (B, Ka), clamped to [0.001, 1].

        The floor keeps logarithms and divisions by albedo finite; no skin reflects less.
        """
        return (self.albedo_mean + _combine(coefficients, self.albedo_basis)).clamp(0.001, 1.0)

    def linear_albedo(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (N, 3) and modes (Ka, N, 3) float32 in linear Rec.709, whatever `albedo_space`: encoded modes by their
        slope at the mean.
        """
        mean, modes = self.albedo_mean.float().cpu().numpy(), self.albedo_basis.float().cpu().numpy()
        if self.albedo_space == "linear":
            return mean, modes
        ends = [srgb_to_linear(np.clip(mean + side, 0, 1)) for side in (-_ENCODED_STEP, _ENCODED_STEP)]
        return srgb_to_linear(np.clip(mean, 0, 1)), modes * ((ends[1] - ends[0]) / (2 * _ENCODED_STEP))

    def landmarks(self, vertices: torch.Tensor) -> torch.Tensor:
        """Landmark positions (B, L, 3) on `vertices` (B, N, 3), in the order of `landmark_ids`."""
        corners = vertices[:, self.landmark_vertices]
        return (corners * self.landmark_weights[None, :, :, None]).sum(2)

    def region_faces(self, *names: str) -> torch.Tensor:
        """(F,) bool: triangles that lie in any of the named regions."""
        wanted = torch.tensor(
            [self.region_names.index(name) for name in names], device=self.face_region.device
        )
        return torch.isin(self.face_region.long(), wanted)


def _combine(coefficients: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    return (coefficients @ basis.reshape(basis.shape[0], -1)).reshape(-1, *basis.shape[1:])


def _check(data: ModelData) -> None:
    n, n_landmarks = len(data.mean), len(data.landmark_ids)
    expected = {
        "mean": (n, 3),
        "identity_basis": (len(data.identity_basis), n, 3),
        "expression_basis": (len(data.expression_names), n, 3),
        "albedo_mean": (n, 3),
        "albedo_basis": (len(data.albedo_basis), n, 3),
        "faces": (len(data.faces), 3),
        "uv": (n, 2),
        "mirror": (n,),
        "twin": (n,),
        "face_region": (len(data.faces),),
        "landmark_vertices": (n_landmarks, 3),
        "landmark_weights": (n_landmarks, 3),
    }
    for name, shape in expected.items():
        if getattr(data, name).shape != shape:
            raise ValueError(f"{name} has shape {getattr(data, name).shape}, expected {shape}")
    if data.faces.min() < 0 or data.faces.max() >= n or data.face_region.max() >= len(data.region_names):
        raise ValueError("faces or face_region point outside the model")
