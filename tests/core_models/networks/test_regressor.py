"""R-Net: the published checkpoint's layout, what is refused, and the fast copy against the plain network."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semblance.core_models.networks.deng import CROP, encoded_light
from semblance.core_models.networks.regressor import (
    Coefficients,
    Regressor,
    RegressorFileError,
    for_inference,
    load_regressor,
    regress,
)
from semblance.tests.core_models.networks.test_deng import face_landmarks

HEADS = (80, 64, 80, 3, 27, 2, 1)
STAGES = ((64, 64, 3), (256, 128, 4), (512, 256, 6), (1024, 512, 3))
"""Channels before, inner channels, blocks. Behind each block there are four times the inner channels."""


def published_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of 'net_recon', written out from torchvision's naming and the paper's heads."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(conv: str, norm: str, out_channels: int, in_channels: int, kernel: int) -> None:
        shapes[f"backbone.{conv}.weight"] = (out_channels, in_channels, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"backbone.{norm}.{part}"] = (out_channels,)
        shapes[f"backbone.{norm}.num_batches_tracked"] = ()

    convolution("conv1", "bn1", 64, 3, 7)
    for stage, (before, inner, n_blocks) in enumerate(STAGES, start=1):
        for block in range(n_blocks):
            name, first = f"layer{stage}.{block}", before if block == 0 else 4 * inner
            convolution(f"{name}.conv1", f"{name}.bn1", inner, first, 1)
            convolution(f"{name}.conv2", f"{name}.bn2", inner, inner, 3)
            convolution(f"{name}.conv3", f"{name}.bn3", 4 * inner, inner, 1)
        convolution(f"layer{stage}.0.downsample.0", f"layer{stage}.0.downsample.1", 4 * inner, before, 1)
    for head, size in enumerate(HEADS):
        shapes[f"final_layers.{head}.weight"] = (size, 2048, 1, 1)
        shapes[f"final_layers.{head}.bias"] = (size,)
    return shapes


def random_weights(seed: int = 0) -> OrderedDict[str, Tensor]:
    """As a trained network has them: activations of about one size, batch norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    weights: OrderedDict[str, Tensor] = OrderedDict()
    for name, size in published_shapes().items():
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.tensor(1000)
        elif len(size) == 4:
            fan_in = size[1] * size[2] * size[3]
            weights[name] = torch.randn(size, generator=generator) * (2 / fan_in) ** 0.5
        else:
            noise = torch.rand(size, generator=generator) - 0.5
            # The last norm of a block damps, or sixteen blocks would add up.
            middle = 0.3 if name.endswith("bn3.weight") else float(name.endswith(("weight", "running_var")))
            weights[name] = middle + 0.4 * noise * (middle or 1.0)
    return weights


@pytest.fixture(scope="module")
def weights() -> OrderedDict[str, Tensor]:
    return random_weights()


def hollow_weights() -> dict[str, Tensor]:
    """Right names and sizes in a file of a few kilobytes: every number is the same one."""
    return {name: torch.zeros(()).expand(size) for name, size in published_shapes().items()}


@pytest.fixture(scope="module")
def checkpoint(weights: OrderedDict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like the published one: the optimiser's and the schedule's state lie beside the weights."""
    path = tmp_path_factory.mktemp("regressor") / "epoch_20.pth"
    heads = torch.nn.Parameter(weights["final_layers.0.weight"].clone())
    optimiser = torch.optim.Adam([heads], lr=1e-4)
    heads.grad = torch.ones_like(heads)
    optimiser.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 10, 0.2)
    torch.save(
        {"net_recon": weights, "opt_00": optimiser.state_dict(), "sched_00": schedule.state_dict()}, path
    )
    return path


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Regressor:
    return load_regressor(checkpoint)


def pictures(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, CROP, CROP, generator=torch.Generator().manual_seed(seed))


def test_the_published_checkpoint_is_loaded(network: Regressor, weights: OrderedDict[str, Tensor]) -> None:
    loaded = network.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert sum(parameter.numel() for parameter in network.parameters()) == 24_034_625
    assert not network.training and all(parameter.requires_grad for parameter in network.parameters())


def test_the_network_is_what_its_weights_say(network: Regressor, weights: OrderedDict[str, Tensor]) -> None:
    """The forward pass, written out once more with plain functions of the published names."""
    from torch.nn.functional import batch_norm, conv2d, max_pool2d

    def unit(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        kernel = weights[f"backbone.{conv}.weight"]
        x = conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        parts = (
            weights[f"backbone.{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(x, *parts)

    images = pictures(1)
    x = max_pool2d(unit(images, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for stage, (_, _, n_blocks) in enumerate(STAGES, start=1):
        for block in range(n_blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = unit(x, f"{name}.conv1", f"{name}.bn1").relu()
            y = unit(unit(y, f"{name}.conv2", f"{name}.bn2", stride).relu(), f"{name}.conv3", f"{name}.bn3")
            if block == 0:
                x = unit(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x = (x + y).relu()
    features = x.mean((2, 3))
    expected = torch.cat(
        [
            features @ weights[f"final_layers.{k}.weight"][:, :, 0, 0].T + weights[f"final_layers.{k}.bias"]
            for k in range(7)
        ],
        dim=1,
    )
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected, rtol=1e-3, atol=1e-3)


def test_a_new_network_says_nothing_yet_and_learns() -> None:
    network = Regressor()
    raw = network(pictures(2))
    assert raw.shape == (2, 257) and not raw.any()
    raw.sum().backward()
    assert all(head.weight.grad.abs().sum() > 0 for head in network.final_layers)


def test_gradients_reach_every_weight_and_the_picture(network: Regressor) -> None:
    images = pictures(1).requires_grad_()
    network.zero_grad()
    network(images).square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_coefficients_are_split_by_name() -> None:
    raw = torch.arange(2 * 257.0).view(2, 257)
    found = Coefficients.split(raw)
    assert found.identity[0].tolist() == list(range(80))
    assert found.expression[0].tolist() == list(range(80, 144))
    assert found.albedo[0].tolist() == list(range(144, 224))
    assert found.angles[0].tolist() == [224, 225, 226]
    assert found.gamma[0].tolist() == [[start + k for k in range(9)] for start in (227, 236, 245)]
    assert found.translation[1].tolist() == [257 + 254, 257 + 255, 257 + 256]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.01)], ids=str)
def test_the_fast_copy_says_the_same(network: Regressor, dtype: torch.dtype, tolerance: float) -> None:
    """The RMS difference in parts of what the network makes of a picture (bfloat16 has 8 bits, a step of 0.004)."""
    fast = for_inference(network, dtype)
    assert fast.backbone.conv1.weight.dtype == dtype
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fast.modules())
    images = pictures(2)
    with torch.no_grad():
        expected, found = network(images), fast(images)
        constant = torch.cat([head.bias for head in network.final_layers])
    assert found.dtype == torch.float32
    error, size = (found - expected).norm(), (expected - constant).norm()
    assert float(error / size) < tolerance
    assert isinstance(network.backbone.bn1, torch.nn.BatchNorm2d), "the plain network stays as it is"


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
    ],
)
def test_bfloat16_is_for_processors_that_have_it(
    network: Regressor, capabilities: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert for_inference(network).backbone.conv1.weight.dtype == dtype


def test_a_photo_becomes_coefficients_camera_and_light(network: Regressor) -> None:
    """The crop's pixels go in as they are, encoded, RGB, 0…1."""
    generator = np.random.default_rng(0)
    photo = generator.integers(0, 256, (CROP, CROP, 3), dtype=np.uint8)
    found = regress(network, photo, face_landmarks(102.0, 0.0, (112, 112)))
    picture = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = Coefficients.split(network(picture))
    torch.testing.assert_close(found.coefficients.identity, expected.identity, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.camera.K[0], torch.tensor([[1015.0, 0, 112], [0, 1015, 112], [0, 0, 1]]))
    torch.testing.assert_close(
        found.camera.translation, found.coefficients.translation - torch.tensor([0.0, 0, 10])
    )
    torch.testing.assert_close(found.sh_encoded, encoded_light(found.coefficients.gamma))


class Exploit:
    """What a malicious file would hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('code of the file was run')",)


def _without(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key != name}


BAD: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "bare weights": (lambda weights: weights, "has no 'net_recon'"),
    "a list": (lambda weights: [weights], "has no 'net_recon'"),
    "another network": (lambda _: {"net_recon": {"fc.weight": torch.zeros(3)}}, "lacks 'backbone.bn1.bias'"),
    "a missing head": (
        lambda weights: {"net_recon": _without(weights, "final_layers.6.bias")},
        "lacks 'final_layers.6.bias'",
    ),
    "a classifier": (
        lambda weights: {"net_recon": {**weights, "backbone.fc.weight": torch.zeros(1000, 2048)}},
        "has an unknown 'backbone.fc.weight'",
    ),
    "another size": (
        lambda weights: {"net_recon": {**weights, "final_layers.1.bias": torch.zeros(46)}},
        "has a wrong size of 'final_layers.1.bias'",
    ),
    "no tensor": (
        lambda weights: {"net_recon": {**weights, "final_layers.1.bias": 3.0}},
        "has a wrong size of 'final_layers.1.bias'",
    ),
    "not finite": (
        lambda weights: {"net_recon": {**weights, "final_layers.5.bias": torch.tensor([0.0, torch.nan])}},
        "has numbers in 'final_layers.5.bias' that are not finite",
    ),
    "code": (lambda weights: {"net_recon": weights, "opt_00": Exploit()}, "is damaged or something else"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_checkpoints_are_refused(kind: str, tmp_path: Path) -> None:
    content, sentence = BAD[kind]
    torch.save(content(hollow_weights()), tmp_path / "other.pth")
    with pytest.raises(RegressorFileError) as error:
        load_regressor(tmp_path / "other.pth")
    assert error.value.message == f"'{tmp_path / 'other.pth'}' is not the published R-Net: it {sentence}."
    assert "epoch_20.pth" in error.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no checkpoint",
        bytes(range(256)) * 40,
        pickle.dumps(Exploit(), protocol=2),
        b"PK\x03\x04" + bytes(500),
    ],
    ids=["empty", "text", "noise", "pickle", "zip"],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(content)
    with pytest.raises(RegressorFileError, match="is damaged or something else"):
        load_regressor(tmp_path / "other.pth")


def test_an_incomplete_download_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "half.pth").write_bytes(checkpoint.read_bytes()[: checkpoint.stat().st_size // 2])
    with pytest.raises(RegressorFileError, match="is damaged or something else"):
        load_regressor(tmp_path / "half.pth")


@pytest.mark.parametrize("name", ["nowhere.pth", "."])
def test_what_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(RegressorFileError, match="cannot be read"):
        load_regressor(tmp_path / name)
