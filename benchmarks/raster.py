"""The rasteriser against a compiled scalar loop: forward and backward at 224², one thread, side by side in one run.

    python benchmarks/raster.py

The loop (numba, a development tool only) does the same work pixel by pixel: snapping, top-left rule, z-buffer,
perspective-correct blending of six channels, gradients of attributes and positions with slivers attenuated. It knows
neither near plane nor NaN nor huge triangles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numba
import numpy as np
import torch
from torch import Tensor

from semblance.core_models.render.interpolate import SLIVER, barycentrics, interpolate
from semblance.core_models.render.rasterize import rasterize

CHANNELS = 6


def face_like_mesh(n: int = 189) -> tuple[Tensor, Tensor]:
    """An open, face-sized relief of n² vertices: (1, n², 3) camera frame, faces (2·(n − 1)², 3) counter-clockwise."""
    u, v = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    x, y = u * np.sqrt(1 - v * v / 2), v * np.sqrt(1 - u * u / 2)  # square to disc
    radius = np.hypot(x, y) + 1e-9
    angle = radius * np.pi * 0.56  # reaches around the outline
    x, y, z = 0.78 * np.sin(angle) * x / radius, np.sin(angle) * y / radius, 0.8 * np.cos(angle)
    z = z + 0.28 * np.exp(-((x / 0.12) ** 2) - ((y + 0.05) / 0.25) ** 2) * (z > 0)
    vertices = np.stack([x, y, z - 10], -1).reshape(-1, 3)
    vertices += np.random.default_rng(0).normal(0, 2e-4, vertices.shape)
    index = np.arange(n * n).reshape(n, n)
    a, b, c, d = (
        part.reshape(-1) for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    )
    faces = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)])
    return torch.tensor(vertices, dtype=torch.float32)[None], torch.tensor(faces)


@numba.njit(cache=True, fastmath=True)
def scalar_forward(
    vertices: np.ndarray,
    faces: np.ndarray,
    K: np.ndarray,
    size: int,
    attributes: np.ndarray,
    ids: np.ndarray,
    weights: np.ndarray,
    picture: np.ndarray,
) -> None:
    n = len(vertices)
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    px, py, nearness = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    for i in range(n):
        depth = -vertices[i, 2]
        nearness[i] = np.float32(1) / depth
        px[i] = np.int32(np.rint((fx * vertices[i, 0] + cx * depth) / depth * np.float32(256))) - 128
        py[i] = np.int32(np.rint((cy * depth - fy * vertices[i, 1]) / depth * np.float32(256))) - 128
    buffer = np.zeros((size, size), np.float32)
    ids[:] = -1
    for f in range(len(faces)):
        a, b, c = faces[f]
        left = max((min(px[a], px[b], px[c]) + 255) >> 8, 0)
        right = min(max(px[a], px[b], px[c]) >> 8, size - 1)
        top = max((min(py[a], py[b], py[c]) + 255) >> 8, 0)
        bottom = min(max(py[a], py[b], py[c]) >> 8, size - 1)
        if left > right or top > bottom:
            continue
        dx1, dy1, dx2, dy2 = px[a] - px[c], py[a] - py[c], px[b] - px[a], py[b] - py[a]
        area = dx1 * dy2 - dx2 * dy1
        if area == 0:
            continue
        if area < 0:
            dx1, dy1, dx2, dy2, area = -dx1, -dy1, -dx2, -dy2, -area
        dx0, dy0 = -(dx1 + dx2), -(dy1 + dy2)
        bias0 = 0 if dy0 < 0 or (dy0 == 0 and dx0 > 0) else -1
        bias1 = 0 if dy1 < 0 or (dy1 == 0 and dx1 > 0) else -1
        bias2 = 0 if dy2 < 0 or (dy2 == 0 and dx2 > 0) else -1
        scale = np.float32(1) / np.float32(area)
        q1, q2 = (nearness[b] - nearness[a]) * scale, (nearness[c] - nearness[a]) * scale
        for row in range(top, bottom + 1):
            y = row << 8
            for column in range(left, right + 1):
                x = column << 8
                e0 = dx0 * (y - py[b]) - dy0 * (x - px[b])
                e1 = dx1 * (y - py[c]) - dy1 * (x - px[c])
                e2 = dx2 * (y - py[a]) - dy2 * (x - px[a])
                if (e0 + bias0 | e1 + bias1 | e2 + bias2) >= 0:
                    q = nearness[a] + np.float32(e1) * q1 + np.float32(e2) * q2
                    if q > buffer[row, column]:
                        buffer[row, column] = q
                        ids[row, column] = f
    for row in range(size):
        for column in range(size):
            f = ids[row, column]
            if f < 0:
                picture[row, column] = 0
                continue
            u = np.float32(column) + np.float32(0.5) - cx
            v = cy - np.float32(row) - np.float32(0.5)
            a, b, c = faces[f]
            ax, ay = fx * vertices[a, 0] + u * vertices[a, 2], fy * vertices[a, 1] + v * vertices[a, 2]
            bx, by = fx * vertices[b, 0] + u * vertices[b, 2], fy * vertices[b, 1] + v * vertices[b, 2]
            gx, gy = fx * vertices[c, 0] + u * vertices[c, 2], fy * vertices[c, 1] + v * vertices[c, 2]
            w0, w1, w2 = bx * gy - by * gx, gx * ay - gy * ax, ax * by - ay * bx
            inverse = np.float32(1) / (w0 + w1 + w2)
            w0, w1, w2 = (
                max(w0 * inverse, np.float32(0)),
                max(w1 * inverse, np.float32(0)),
                max(w2 * inverse, np.float32(0)),
            )
            inverse = np.float32(1) / (w0 + w1 + w2)
            w0, w1, w2 = w0 * inverse, w1 * inverse, w2 * inverse
            weights[row, column, 0], weights[row, column, 1], weights[row, column, 2] = w0, w1, w2
            for k in range(attributes.shape[1]):
                picture[row, column, k] = (
                    w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
                )


@numba.njit(cache=True, fastmath=True)
def scalar_backward(
    vertices: np.ndarray,
    faces: np.ndarray,
    K: np.ndarray,
    attributes: np.ndarray,
    ids: np.ndarray,
    weights: np.ndarray,
    gradient: np.ndarray,
    to_vertices: np.ndarray,
    to_attributes: np.ndarray,
    sliver: np.float32,
) -> None:
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    to_vertices[:] = 0
    to_attributes[:] = 0
    for row in range(ids.shape[0]):
        for column in range(ids.shape[1]):
            f = ids[row, column]
            if f < 0:
                continue
            a, b, c = faces[f]
            w0, w1, w2 = weights[row, column]
            h0 = h1 = h2 = np.float32(0)
            for k in range(attributes.shape[1]):
                g = gradient[row, column, k]
                to_attributes[a, k] += g * w0
                to_attributes[b, k] += g * w1
                to_attributes[c, k] += g * w2
                h0 += g * attributes[a, k]
                h1 += g * attributes[b, k]
                h2 += g * attributes[c, k]
            u = np.float32(column) + np.float32(0.5) - cx
            v = cy - np.float32(row) - np.float32(0.5)
            ax, ay = fx * vertices[a, 0] + u * vertices[a, 2], fy * vertices[a, 1] + v * vertices[a, 2]
            bx, by = fx * vertices[b, 0] + u * vertices[b, 2], fy * vertices[b, 1] + v * vertices[b, 2]
            gx, gy = fx * vertices[c, 0] + u * vertices[c, 2], fy * vertices[c, 1] + v * vertices[c, 2]
            total = bx * gy - by * gx + gx * ay - gy * ax + ax * by - ay * bx
            ia, ib, ic = -1 / vertices[a, 2], -1 / vertices[b, 2], -1 / vertices[c, 2]
            sx, sy, tx, ty, rx, ry = ax * ia, ay * ia, bx * ib, by * ib, gx * ic, gy * ic
            longest = max(
                (sx - tx) ** 2 + (sy - ty) ** 2,
                (tx - rx) ** 2 + (ty - ry) ** 2,
                (rx - sx) ** 2 + (ry - sy) ** 2,
            )
            height = abs(total) * ia * ib * ic / math.sqrt(longest)
            inverse = min(height / sliver, np.float32(1)) / total
            mean = h0 * w0 + h1 * w1 + h2 * w2
            h0, h1, h2 = (h0 - mean) * inverse, (h1 - mean) * inverse, (h2 - mean) * inverse
            for i, x, y in (
                (a, h2 * by - h1 * gy, h1 * gx - h2 * bx),
                (b, h0 * gy - h2 * ay, h2 * ax - h0 * gx),
                (c, h1 * ay - h0 * by, h0 * bx - h1 * ax),
            ):
                to_vertices[i, 0] += fx * x
                to_vertices[i, 1] += fy * y
                to_vertices[i, 2] += u * x + v * y


def milliseconds(work: Callable[[], object], calls: int) -> float:
    """CPU time of one of `calls` calls in a row."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return 1e3 * (time.process_time() - start) / calls


def main() -> None:
    torch.set_num_threads(1)
    size = 224
    vertices, faces = face_like_mesh()
    K = torch.tensor([[[3.6 * size, 0, size / 2], [0, 3.6 * size, size / 2], [0, 0, 1]]])
    attributes = torch.rand(1, vertices.shape[1], CHANNELS, generator=torch.Generator().manual_seed(0))
    # In memory as a loss on the picture leaves it.
    gradient = torch.rand(CHANNELS, 1, size, size, generator=torch.Generator().manual_seed(1)).permute(
        1, 2, 3, 0
    )
    moving, painted = vertices.clone().requires_grad_(), attributes.clone().requires_grad_()

    def ours() -> Tensor:
        ids = rasterize(moving, faces, K, size, size)
        picture = interpolate(painted, faces, ids, barycentrics(moving, faces, K, ids))
        moving.grad = painted.grad = None
        picture.backward(gradient)
        return picture

    points, triangles, camera = (tensor.numpy() for tensor in (vertices[0], faces.int(), K[0]))
    colours = attributes[0].numpy()
    ids, weights = np.empty((size, size), np.int32), np.zeros((size, size, 3), np.float32)
    picture = np.empty((size, size, CHANNELS), np.float32)
    to_vertices, to_attributes = np.empty_like(points), np.empty_like(colours)

    rows_of_gradient = np.ascontiguousarray(gradient[0])

    def scalar() -> None:
        scalar_forward(points, triangles, camera, size, colours, ids, weights, picture)
        scalar_backward(
            points,
            triangles,
            camera,
            colours,
            ids,
            weights,
            rows_of_gradient,
            to_vertices,
            to_attributes,
            np.float32(SLIVER),
        )

    result = ours()[0].detach().numpy()
    scalar()
    assert moving.grad is not None and painted.grad is not None
    print(f"{vertices.shape[1]} vertices, {len(faces)} triangles, {size}², {CHANNELS} channels, one thread")
    print(
        f"pixels that differ by more than 1e-3: {(np.abs(result - picture).max(-1) > 1e-3).sum()} of {(ids >= 0).sum()}"
    )
    for name, mine, other in (
        ("position", moving.grad[0].numpy(), to_vertices),
        ("attribute", painted.grad[0].numpy(), to_attributes),
    ):
        print(
            f"{name} gradients: relative difference {np.linalg.norm(mine - other) / np.linalg.norm(other):.1e}"
        )
    # In turns, samples of about the same length. The best of each is what the machine's other work disturbs least.
    samples = np.array([(milliseconds(ours, 1), milliseconds(scalar, 2)) for _ in range(200)])
    for name, times in zip(("ours", "scalar loop"), samples.T, strict=True):
        print(f"{name:12} best {times.min():.2f} ms, median {np.median(times):.2f} ms")
    print(
        f"ratio of the best {np.divide(*samples.min(0)):.2f}, of the medians {np.divide(*np.median(samples, 0)):.2f}"
    )


if __name__ == "__main__":
    main()
