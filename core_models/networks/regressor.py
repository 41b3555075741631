"""R-Net of Deng et al. (2019): one picture of a face → 257 coefficients of the Basel Face Model, pose and light.

The user brings the published weights; none come with the program.
"""

from __future__ import annotations

import os
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from ..errors import SemblanceError
from .deng import Camera, Crop, camera, encoded_light
from .resnet import FEATURES, ResNet50, fold_batch_norm

_SIZES = {"identity": 80, "expression": 64, "albedo": 80, "angles": 3, "gamma": 27, "translation": 3}
_HEADS = (80, 64, 80, 3, 27, 2, 1)
"""The translation has two heads: x and y; z."""
_WHERE = (
    "Choose the PyTorch checkpoint that Deng et al. publish for Deep3DFaceReconstruction (github.com/sicxu/"
    "Deep3DFaceRecon_pytorch, epoch_20.pth, 'net_recon' inside), as it was downloaded."
)


class RegressorFileError(SemblanceError):
    """A file that is not the published checkpoint of R-Net."""

    code = "regressor_file"


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What R-Net says of B faces, by name; all (B, ...) and raw. Standard deviations, where there is no unit."""

    identity: Tensor
    """(B, 80)"""
    expression: Tensor
    """(B, 64)"""
    albedo: Tensor
    """(B, 80)"""
    angles: Tensor
    """(B, 3) radians about x, y, z"""
    gamma: Tensor
    """(B, 3, 9) light as in `deng.encoded_light`"""
    translation: Tensor
    """(B, 3) dm"""

    @classmethod
    def split(cls, raw: Tensor) -> Coefficients:
        """Of the network's output (B, 257)."""
        parts = dict(zip(_SIZES, raw.split(list(_SIZES.values()), dim=1), strict=True))
        return cls(**{**parts, "gamma": parts["gamma"].unflatten(1, (3, 9))})


class Regressor(nn.Module):
    """ResNet-50 with seven heads that begin at zero. Parameters have the published names."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.final_layers = nn.ModuleList(nn.Conv2d(FEATURES, size, 1) for size in _HEADS)
        for head in self.final_layers.parameters():
            nn.init.zeros_(head)

    def forward(self, images: Tensor) -> Tensor:
        """Encoded RGB in 0…1 (B, 3, CROP, CROP), no other normalisation -> raw coefficients (B, 257)."""
        features = self.backbone(images.to(self.backbone.conv1.weight.dtype))
        features = features.to(self.final_layers[0].weight.dtype)
        return torch.cat([head(features) for head in self.final_layers], dim=1).flatten(1)


def load_regressor(path: str | os.PathLike[str]) -> Regressor:
    """R-Net with the weights of the published checkpoint, float32, in evaluation mode.

    Raises:
        RegressorFileError: the file cannot be read, is something else, is damaged or incomplete.
    """
    name = os.fspath(path)
    weights = _read_weights(name)
    with torch.device("meta"):
        network = Regressor()
    expected = network.state_dict()
    if weights.keys() != expected.keys():
        odd = min(weights.keys() ^ expected.keys(), key=str)
        raise _refusal(name, f"{'lacks' if odd in expected else 'has an unknown'} '{odd}'")
    for key, wanted in expected.items():
        value = weights[key]
        if not isinstance(value, Tensor) or value.shape != wanted.shape:
            raise _refusal(name, f"has a wrong size of '{key}'")
        if not value.isfinite().all():
            raise _refusal(name, f"has numbers in '{key}' that are not finite")
    values = {key: weights[key].to(wanted.dtype) for key, wanted in expected.items()}
    network.load_state_dict(values, assign=True)
    return network.eval()


def _read_weights(name: str) -> dict[str, Tensor]:
    try:
        checkpoint = torch.load(name, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RegressorFileError(
            f"The regressor's file '{name}' cannot be read: {reason}.", _WHERE
        ) from error
    except Exception as error:  # what is no checkpoint, or a damaged one, raises anything
        raise _refusal(name, "is damaged or something else") from error
    weights = checkpoint.get("net_recon") if isinstance(checkpoint, dict) else None
    if not isinstance(weights, dict):
        raise _refusal(name, "has no 'net_recon'")
    return weights


def _refusal(name: str, why: str) -> RegressorFileError:
    return RegressorFileError(f"'{name}' is not the published R-Net: it {why}.", _WHERE)


def for_inference(network: Regressor, dtype: torch.dtype | None = None) -> Regressor:
    """A copy that computes the same faster, on a CPU: batch norms folded, channels last, the backbone in `dtype`.

    Without a `dtype`: bfloat16 where the processor multiplies it natively, else float32, since emulating is slower than
    what it saves. The heads stay float32. (Of a trained residual network for faces, dlib's, bfloat16 moves the answers
    by 1.3 % of what they differ by between people.)
    """
    copy = deepcopy(network)
    dtype = dtype or (torch.bfloat16 if _multiplies_bfloat16() else torch.float32)
    backbone = fold_batch_norm(copy.backbone).to(dtype)
    copy.backbone = convert_conv2d_weight_memory_format(backbone, torch.channels_last)
    return copy.eval().requires_grad_(False)


def _multiplies_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


@dataclass(frozen=True, eq=False)
class Regression:
    """A face as R-Net sees it, a batch of one."""

    coefficients: Coefficients
    camera: Camera
    """In pixels of the photo."""
    sh_encoded: Tensor
    """(1, 3, 9) light for encoded albedo; `deng.linear_light` makes the one for linear albedo."""


@torch.no_grad()
def regress(network: Regressor, srgb: np.ndarray, landmarks: np.ndarray) -> Regression:
    """The face with `landmarks` (478, 2), pixels, in a photo (H, W, 3) uint8, by a network of `for_inference`."""
    crop = Crop.around(landmarks)
    picture = torch.from_numpy(crop.cut(srgb).transpose(2, 0, 1)[None] / np.float32(255))
    found = Coefficients.split(network(picture))
    return Regression(found, camera(found.angles, found.translation, crop), encoded_light(found.gamma))
