"""The identity network's time on one thread, against one matrix product of as many multiplications in the same run.

    python benchmarks/identity_network.py

A ratio, because it hardly depends on the machine: 1.6 to 1.8 for one face at a time, 0.8 to 1.2 for eight.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from semblance.core_models.networks.identity import DlibIdentity, load_dlib_identity

ROUNDS = 15


def multiplications(network: DlibIdentity) -> int:
    """Of one embedding."""
    counted = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        weights = layer.weight[0].numel() if isinstance(layer, nn.Conv2d | nn.Linear) else 0
        counted += output.numel() * weights

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    network(torch.zeros(1, 3, 150, 150))
    for hook in hooks:
        hook.remove()
    return counted


def seconds(work: Callable[[], object]) -> float:
    """The fastest of some rounds, after one to warm up."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def embedding_seconds(network: DlibIdentity, batch: int) -> tuple[float, float]:
    """Of each of `batch` faces at once: the embedding, and with its gradient."""
    chips = torch.rand(batch, 3, 150, 150)
    embedding = seconds(lambda: network(chips)) / batch
    chips.requires_grad_()
    return embedding, seconds(lambda: network(chips).sum().backward()) / batch


def main() -> None:
    torch.set_num_threads(1)
    network = load_dlib_identity()
    needed = multiplications(network)
    side = round(needed ** (1 / 3))
    square = torch.rand(side, side)
    product = seconds(lambda: square @ square)
    print(
        f"{needed / 1e6:.0f} million multiplications; a product of {side}² matrices: {product * 1e3:.2f} ms"
    )
    for batch in (1, 8):
        for what, each in zip(
            ("embedding", "and its gradient"), embedding_seconds(network, batch), strict=True
        ):
            print(
                f"{what}, {batch} at once: {each * 1e3:.1f} ms each, {each / product:.2f} times the product"
            )


if __name__ == "__main__":
    main()
