"""ResNet-50 (He et al. 2016) up to its global mean, stride in the 3×3 convolutions; torchvision's parameter names."""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.fusion import fuse_conv_bn_eval

FEATURES = 2048
"""Channels of the result."""
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner channels, blocks, stride of the first block."""
_EXPANSION = 4


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * _EXPANSION
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2: nn.Module = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3: nn.Module = nn.BatchNorm2d(out_channels)
        self.downsample = nn.Sequential()
        if in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        return relu(self.bn3(self.conv3(y)) + self.downsample(x), inplace=True)


class ResNet50(nn.Module):
    """Images to features. Without the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1: nn.Module = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        in_channels = 64
        for number, (channels, n_blocks, stride) in enumerate(_STAGES, start=1):
            blocks = [Bottleneck(in_channels, channels, stride)]
            in_channels = channels * _EXPANSION
            blocks += [Bottleneck(in_channels, channels, 1) for _ in range(n_blocks - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, FEATURES, 1, 1), the mean over the picture."""
        x = self.maxpool(relu(self.bn1(self.conv1(images)), inplace=True))
        for number in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x.mean((2, 3), keepdim=True)


def fold_batch_norm(network: ResNet50) -> ResNet50:
    """A copy whose batch norms, with their running statistics, are inside its convolutions: the same function as
    `network.eval()`, for inference only.
    """
    folded = deepcopy(network).eval()
    for module in folded.modules():
        for number in (1, 2, 3):
            norm = getattr(module, f"bn{number}", None)
            if isinstance(norm, nn.BatchNorm2d):
                convolution = fuse_conv_bn_eval(getattr(module, f"conv{number}"), norm)
                setattr(module, f"conv{number}", convolution)
                setattr(module, f"bn{number}", nn.Identity())
        if isinstance(module, Bottleneck) and len(module.downsample):
            module.downsample = nn.Sequential(fuse_conv_bn_eval(*module.downsample))
    return folded
