"""How much two pictures show the same person: dlib's face recognition network (King 2017, CC0) in PyTorch.

A residual network of 29 convolutions whose embeddings of one person lie within about 0.6 of each other. What it was
trained on, how good it is and how its file was made: weights/identity_MODEL_CARD.md. Differentiable, so that it can
be part of a loss.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, pad, relu
from torch.nn.utils import convert_conv2d_weight_memory_format

from ..landmarks import LEFT_EYE, RIGHT_EYE
from .face_chips import Template, cut_chips

DLIB_WEIGHTS = Path(__file__).parent.parent / "weights" / "identity.safetensors"
LOSS_NETWORKS = "loss_networks"
"""Key in a result's report: names of the identity networks that had a part in a loss it was made with."""

_OUTER, _INNER = 0, 8
"""Corners in the lists of eye landmarks."""
_UNDER_NOSE = 2
_CHIP = 150
_PADDED = 1.5
"""The face's box with a quarter of it added on each side, as dlib cuts its chips."""
_BOX_POINTS = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""dlib's mean face of five landmarks, in units of the face's box."""


class IdentityNetwork(nn.Module):
    """What every identity network can do; embeddings are compared by Euclidean distance."""

    name: str
    """Tells networks apart, in reports."""
    template: Template
    same_person: float | None
    """Distance below which its makers take two pictures for one person, if they say."""

    def embed(self, pictures_srgb: Tensor, landmarks: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), encoded, 0…1, with landmarks (B, 478, 2) in their pixels → (B, D)."""
        return self(cut_chips(pictures_srgb, landmarks, self.template))


def identity_distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of embeddings (..., D) → (...)."""
    return torch.linalg.vector_norm(first - second, dim=-1)


def _dlib_template() -> Template:
    points = [tuple(_CHIP * (c + (_PADDED - 1) / 2) / _PADDED for c in point) for point in _BOX_POINTS]
    corners = (LEFT_EYE[_OUTER], LEFT_EYE[_INNER], RIGHT_EYE[_OUTER], RIGHT_EYE[_INNER])
    return Template(_CHIP, (*map(int, corners), _UNDER_NOSE), tuple((x, y) for x, y in points))


class _Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut; `down` halves the picture without padding it."""

    def __init__(self, n_in: int, n_out: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = nn.Conv2d(n_in, n_out, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(relu(self.first(x)))
        if self.down:
            x = avg_pool2d(x, 2)
            # dlib adds tensors of unequal shape as if the smaller one had zeros at its right, bottom and last channels.
            rows, columns = max(x.shape[2], y.shape[2]), max(x.shape[3], y.shape[3])
            x = pad(x, (0, columns - x.shape[3], 0, rows - x.shape[2], 0, y.shape[1] - x.shape[1]))
            y = pad(y, (0, columns - y.shape[3], 0, rows - y.shape[2]))
        return relu(x + y)


class DlibIdentity(IdentityNetwork):
    """dlib's `dlib_face_recognition_resnet_model_v1`, its affine layers folded into the convolutions."""

    name = "dlib-resnet-v1"
    template = _dlib_template()
    same_person = 0.6

    STAGES = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
    """Channels and blocks; each stage but the first begins by halving the picture."""
    mean: Tensor

    def __init__(self) -> None:
        """With random weights; `load_dlib_identity` has the trained ones."""
        super().__init__()
        mean = torch.tensor([122.782, 117.001, 104.298]) / 255
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        self.stages = nn.ModuleList()
        n_in = 32
        for index, (n_out, n_blocks) in enumerate(self.STAGES):
            blocks = [_Block(n_in, n_out, down=index > 0)]
            blocks += [_Block(n_out, n_out, down=False) for _ in range(n_blocks - 1)]
            self.stages.append(nn.Sequential(*blocks))
            n_in = n_out
        self.head = nn.Linear(n_in, 128, bias=False)

    def features(self, chips_srgb: Tensor) -> tuple[Tensor, ...]:
        """What each stage says of chips (B, 3, 150, 150), encoded, 0…1.

        Returns:
            (B, 32, 35, 35), (B, 64, 17, 17), (B, 128, 8, 8), (B, 256, 4, 4) and (B, 256, 2, 2), all ≥ 0.
        """
        x = (chips_srgb - self.mean) * (255 / 256)
        x = max_pool2d(relu(self.stem(x)), 3, stride=2)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def forward(self, chips_srgb: Tensor) -> Tensor:
        """Chips (B, 3, 150, 150), encoded, 0…1 → embeddings (B, 128), whose length is not 1."""
        return self.head(self.features(chips_srgb)[-1].mean((2, 3)))


def load_dlib_identity(path: Path = DLIB_WEIGHTS) -> DlibIdentity:
    """The network with its trained weights, float32, frozen."""
    network = DlibIdentity()
    network.load_state_dict(load_file(path))
    # Up to twice as fast on a CPU.
    network = convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network.eval().requires_grad_(False)
