"""The user's own identity network in the place of the built-in one: a TorchScript or an ONNX file.

Both follow the convention of ArcFace (Deng et al. 2019): RGB chips of 112², (1, 3, 112, 112), encoded values mapped
from 0…1 to −1…1, aligned by eyes, nose tip and mouth corners; one embedding (1, D) comes out, whose direction counts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import SemblanceError
from ..landmarks import LEFT_IRIS, LIPS, NOSE_TIP, RIGHT_IRIS
from .face_chips import Template
from .identity import IdentityNetwork, load_dlib_identity

_SIZE = 112
_MOUTH_CORNERS = (0, 10)
"""In the list of lip landmarks, the subject's right one first."""
# insightface's reference points, from pixel centres at whole numbers to pixel corners there.
_POINTS = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
ARCFACE = Template(
    _SIZE,
    (RIGHT_IRIS, LEFT_IRIS, NOSE_TIP, *(int(LIPS[corner]) for corner in _MOUTH_CORNERS)),
    tuple((x + 0.5, y + 0.5) for x, y in _POINTS),
)
_LEAST_DIMENSIONS = 16
"""Of an embedding; fewer are a classifier's answer."""
_HINT = (
    "Choose a TorchScript or ONNX file of an identity network that takes aligned RGB faces of (1, 3, 112, 112) in "
    "−1…1 and gives one embedding, as ArcFace does."
)


class IdentityNetworkError(SemblanceError):
    """A file that is not a usable identity network, or a network used for what it cannot do."""

    code = "identity_network"


def load_identity_network(path: Path | None = None) -> IdentityNetwork:
    """The built-in network, or the user's: *.onnx is ONNX, anything else TorchScript.

    Raises:
        IdentityNetworkError: the file is missing, damaged, or another kind of network.
    """
    if path is None:
        return load_dlib_identity()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise IdentityNetworkError(
            f"The identity network '{path}' cannot be read ({error.strerror or error}).", "Check the path."
        ) from error
    name = f"{path.name} {hashlib.sha256(data).hexdigest()[:8]}"
    try:
        network: IdentityNetwork
        network = OnnxIdentity(name, data) if path.suffix.lower() == ".onnx" else ScriptIdentity(name, path)
        with torch.no_grad():
            answer = network(torch.zeros(1, 3, _SIZE, _SIZE))
    except IdentityNetworkError:
        raise
    except Exception as error:  # both parsers, and the network itself, raise almost anything
        raise IdentityNetworkError(f"'{path}' is not an identity network that works.", _HINT) from error
    if answer.ndim != 2 or len(answer) != 1 or answer.shape[1] < _LEAST_DIMENSIONS:
        raise IdentityNetworkError(f"'{path}' answers {tuple(answer.shape)}, which is no embedding.", _HINT)
    return network


class _ArcFaceConvention(IdentityNetwork):
    template = ARCFACE
    same_person = None

    def forward(self, chips_srgb: Tensor) -> Tensor:
        """Chips (B, 3, 112, 112), encoded, 0…1 → unit embeddings (B, D), whose squared distance is 2 − 2·cosine."""
        return normalize(self.answers(chips_srgb * 2 - 1), dim=-1)

    def answers(self, chips: Tensor) -> Tensor:
        """(B, 3, 112, 112) in −1…1 → (B, D)."""
        raise NotImplementedError


class ScriptIdentity(_ArcFaceConvention):
    """A TorchScript network; differentiable."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__()
        self.name = name
        self.script = torch.jit.load(path, map_location="cpu").eval()
        for weight in self.script.parameters():
            weight.requires_grad_(False)

    def answers(self, chips: Tensor) -> Tensor:
        """See `_ArcFaceConvention`."""
        return self.script(chips)


class OnnxIdentity(_ArcFaceConvention):
    """An ONNX network, computed by OpenCV; measures only, without a gradient."""

    def __init__(self, name: str, data: bytes) -> None:
        import cv2

        super().__init__()
        self.name = name
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))

    def answers(self, chips: Tensor) -> Tensor:
        """See `_ArcFaceConvention`.

        Raises:
            IdentityNetworkError: a gradient is wanted.
        """
        if chips.requires_grad:
            raise IdentityNetworkError(
                f"The ONNX network '{self.name}' can measure, but not be part of a loss.",
                "Use the built-in network or a TorchScript file.",
            )
        answers = []
        for chip in chips.to("cpu", torch.float32):  # most files fix the batch at one
            self._network.setInput(chip[None].contiguous().numpy())
            answers.append(self._network.forward().copy())
        return torch.from_numpy(np.concatenate(answers)).to(chips)
