"""Which triangle is seen in each pixel: an exact rasteriser in plain torch, for CPU, CUDA and MPS.

Vertices are snapped to 1/256 pixel; from there on coverage is integer arithmetic with the top-left fill rule:
a pixel whose centre lies on an edge that two triangles share belongs to exactly one of them. The nearest
surface wins, the lowest face index among equals. Nothing here is differentiable: gradients live in
`interpolate`.

At the resolution of a face most triangles are about a pixel in size. So triangles are sorted by the size of
their bounding boxes, every size class is tested as one dense block of (rows, columns, triangles), and the
fragments meet in one scatter-max of (depth, face) per pixel. Bigger triangles are first cut into tiles of the
largest class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .clip import clip_triangles, homogeneous_pixels

NEAR = 1e-2
"""Depth of the near plane, in the unit of the vertices (1 mm for the decimetres of core_models)."""

_BITS = 8
_ONE = 1 << _BITS
_TILE = 8  # pixels: size of the largest dense block
_MEDIUM = 64 * _ONE  # up to this extent edge functions fit 32 bits: 2·(64 + 8)·64·2¹⁶ < 2³¹
_LIMIT = (
    1 << 15
)  # pixels: vertices farther out are clipped, so that snapped coordinates stay exact in float32
_MAX_SIZE = 1 << 14
_CHUNK = 1 << 17  # fragments tested at once: stays in a CPU's cache
_LAST = 0x7FFFFFFF


def rasterize(
    vertices_camera: Tensor,
    faces: Tensor,
    K: Tensor,
    height: int,
    width: int,
    cull: bool = False,
    near: float = NEAR,
) -> Tensor:
    """Index of the nearest face at each pixel's centre.

    Triangles that cross the near plane are drawn as far as they are in front of it; faces with a NaN or
    infinite vertex are left out, without harm to others.

    Args:
        vertices_camera: (B, N, 3) in the camera frame (z < 0 in front).
        faces: (F, 3) int64, counter-clockwise outside.
        K: (B, 3, 3), pixels.
        height, width: of the picture, up to 16384.
        cull: leave out faces seen from behind.
        near: depth below which nothing is drawn; positive.

    Returns:
        (B, H, W) int32, −1 where nothing is seen.
    """
    _check_size(height, width)
    if near <= 0:
        raise ValueError(f"near must be positive, got {near}")
    with torch.no_grad():
        # One image after the other is kinder to a CPU's cache, one flat batch to a GPU. Same ids.
        step = 1 if vertices_camera.device.type == "cpu" else len(vertices_camera)
        ids = [
            _rasterize_flat(vertices_camera[i : i + step], faces, K[i : i + step], height, width, cull, near)
            for i in range(0, len(vertices_camera), step)
        ]
        return ids[0] if len(ids) == 1 else torch.cat(ids)


def rasterize_uv(uv: Tensor, faces: Tensor, size: int) -> Tensor:
    """Index of the face at each texel's centre of a square texture; the lowest one where faces overlap.

    Args:
        uv: (N, 2), v up: the texture's top row is at v = 1.
        faces: (F, 3) int64, of either winding.
        size: S, up to 16384.

    Returns:
        (1, S, S) int32, −1 where no face is.
    """
    _check_size(size, size)
    with torch.no_grad():
        points = torch.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, torch.ones_like(uv[:, 0])])
        return _draw(points, faces.t().contiguous(), 1, size, size, cull=False, near=0.5)


def _check_size(height: int, width: int) -> None:
    if not (0 < height <= _MAX_SIZE and 0 < width <= _MAX_SIZE):
        raise ValueError(f"picture size must be 1…{_MAX_SIZE}, got {height} × {width}")


def _rasterize_flat(
    vertices: Tensor, faces: Tensor, K: Tensor, height: int, width: int, cull: bool, near: float
) -> Tensor:
    points = homogeneous_pixels(vertices, K)
    corners = faces.t().contiguous()
    batch, n_vertices = vertices.shape[:2]
    if batch > 1:
        shift = torch.arange(batch, device=faces.device) * n_vertices
        corners = (corners[:, None] + shift[:, None]).flatten(1)
    return _draw(points, corners, batch, height, width, cull, near)


@dataclass(frozen=True)
class _Canvas:
    """The pictures of a batch side by side in memory, each with a margin that a block may overhang."""

    batch: int
    n_faces: int  # of one image
    height: int
    width: int
    device: torch.device

    @property
    def stride(self) -> int:
        return self.width + _TILE - 1

    @property
    def area(self) -> int:
        return (self.height + _TILE - 1) * self.stride

    def blank(self, dtype: torch.dtype) -> Tensor:
        return torch.zeros(self.batch * self.area, dtype=dtype, device=self.device)

    def crop(self, flat: Tensor) -> Tensor:
        """(batch·area,) -> (batch, height, width)."""
        return flat.view(self.batch, -1, self.stride)[:, : self.height, : self.width].contiguous()


@dataclass(frozen=True)
class _Soup:
    """T triangles over M snapped points."""

    position: Tensor  # (M,) int64: x and y, two int32 in 1/256 px, (0, 0) at the first pixel's centre
    nearness: Tensor  # (M,) float32: 1/depth, which is linear over the picture
    corners: Tensor  # (3, T)
    source: Tensor | None  # (T,) image · F + face; None: the triangle's own index
    canvas: _Canvas
    cull: bool


@dataclass(frozen=True)
class _Planes:
    """Edge functions and nearness as planes over the picture, n triangles, relative to each one's first
    pixel.

    A pixel is covered where all three edge functions are negative.
    """

    start: tuple[Tensor, ...]  # 3 × (n,) int: edge functions at the first pixel
    right: tuple[Tensor, ...]  # their change per column
    down: tuple[Tensor, ...]  # and per row
    nearness: tuple[Tensor, Tensor, Tensor]  # start, right, down, float32
    pixel: Tensor  # (n,) int64 index of the first pixel in the canvas
    rank: Tensor  # (n,) int32: the largest is the lowest face

    def __getitem__(self, index: slice | Tensor) -> _Planes:
        def pick(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(tensor[index] for tensor in tensors)

        near = self.nearness
        return _Planes(
            pick(self.start),
            pick(self.right),
            pick(self.down),
            (near[0][index], near[1][index], near[2][index]),
            self.pixel[index],
            self.rank[index],
        )


Fragments = Iterator[tuple[Tensor, Tensor, Tensor]]
"""Blocks of fragments: canvas pixel (..., n) int64; bits of the nearness, 0 where not covered (..., n)
int32; rank (n,).
"""


def _draw(
    points: Tensor, corners: Tensor, batch: int, height: int, width: int, cull: bool, near: float
) -> Tensor:
    """Draw triangles (3, batch·F) over homogeneous pixels (3, M): ids (batch, H, W) int32."""
    n_triangles = corners.shape[1]
    if n_triangles == 0:
        return torch.full((batch, height, width), -1, dtype=torch.int32, device=points.device)
    source = None
    reach = points[2] * _LIMIT
    good = (points[2] > near) & (points[0].abs() < reach) & (points[1].abs() < reach)  # False for NaN
    if not bool(good.all()):
        kept = good[corners].all(0)
        source = torch.arange(n_triangles, device=corners.device)
        points, pieces, labels = clip_triangles(points, corners[:, ~kept], source[~kept], near, _LIMIT)
        corners, source = torch.cat([corners[:, kept], pieces], 1), torch.cat([source[kept], labels])
    canvas = _Canvas(batch, n_triangles // batch, height, width, points.device)
    soup = _Soup(_snap(points), points[2].float().reciprocal(), corners, source, canvas, cull)
    resolve = _resolve_two_pass if points.device.type == "mps" else _resolve_packed
    return resolve(soup)


def _snap(points: Tensor) -> Tensor:
    """Homogeneous pixels (3, M) -> packed positions (M,). Points that no triangle uses may hold anything."""
    position = (points[:2] / points[2]).mul_(_ONE).round_().sub_(_ONE // 2).to(torch.int32)
    return position.t().contiguous().view(torch.int64).view(-1)


def _resolve_packed(soup: _Soup) -> Tensor:
    """Ids by one scatter-max of 64-bit keys: nearness above, rank below."""
    best = soup.canvas.blank(torch.int64)
    for pixel, bits, rank in _fragments(soup):
        key = bits.to(torch.int64).bitwise_left_shift_(32).bitwise_or_(rank)
        best.scatter_reduce_(0, pixel.flatten(), key.flatten(), "amax")
    return _face_of_rank(soup.canvas.crop(best).to(torch.int32))


def _resolve_two_pass(soup: _Soup) -> Tensor:
    """The same ids by two 32-bit scatter-max passes, for devices whose scatter knows no 64-bit maximum
    (MPS).
    """
    nearest = soup.canvas.blank(torch.int32)
    for pixel, bits, _ in _fragments(soup):
        nearest.scatter_reduce_(0, pixel.flatten(), bits.flatten(), "amax")
    best = soup.canvas.blank(torch.int32)
    for pixel, bits, rank in _fragments(soup):
        wins = (bits > 0) & (bits == nearest[pixel])
        best.scatter_reduce_(0, pixel.flatten(), (wins * rank).flatten(), "amax")
    return _face_of_rank(soup.canvas.crop(best))


def _face_of_rank(rank: Tensor) -> Tensor:
    """Rank (0 = none) to face index (−1 = none)."""
    return torch.where(rank > 0, _LAST - rank, -1)


def _fragments(soup: _Soup) -> Fragments:
    """Every (pixel, triangle) pair that may be covered."""
    positions = tuple(soup.position.index_select(0, corner) for corner in soup.corners)
    first, last, size = _boxes(soup, positions)
    order, counts = _sort_small(size)
    begin = int(counts[0])
    n_small = int(counts[1 : _TILE + 1].sum())
    small = order[begin : begin + n_small]
    planes = _planes(soup, positions, small, first.index_select(0, small), torch.int32)
    start = 0
    for side in range(1, _TILE + 1):
        stop, step = start + int(counts[side]), _CHUNK // (side * side)
        for i in range(start, stop, step):
            yield _block(planes[i : min(i + step, stop)], side, soup.canvas.stride)
        start = stop
    begin += n_small
    for count, dtype in ((int(counts[_TILE + 1]), torch.int32), (int(counts[_TILE + 2]), torch.int64)):
        yield from _tiled_fragments(soup, positions, order[begin : begin + count], first, last, dtype)
        begin += count


def _boxes(soup: _Soup, positions: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Bounding boxes in the picture: first and last pixel (T, 2), and the size class (T,) uint8.

    Classes: 0 nothing to draw; 1…_TILE side of the box in pixels; _TILE + 1 larger; _TILE + 2 too large for
    32 bits.
    """
    a, b, c = (position.view(torch.int32).view(-1, 2) for position in positions)
    low = torch.minimum(torch.minimum(a, b), c)
    high = torch.maximum(torch.maximum(a, b), c)
    huge = ((high - low) > _MEDIUM).any(1)
    end = torch.tensor([soup.canvas.width - 1, soup.canvas.height - 1], dtype=torch.int32, device=low.device)
    first = low.add_(_ONE - 1).bitwise_right_shift_(_BITS).clamp_(min=0)
    last = torch.minimum(high.bitwise_right_shift_(_BITS), end)
    extent = last - first + 1
    nx, ny = extent.unbind(1)
    size = torch.maximum(nx, ny).clamp_(max=_TILE + 1)
    size = size.masked_fill_(huge, _TILE + 2).mul_(torch.minimum(nx, ny) > 0)
    return first, last, size.to(torch.uint8)


def _sort_small(size: Tensor) -> tuple[Tensor, np.ndarray]:
    """Stable order (T,) of small keys, and how many there are of each class."""
    if size.device.type == "cpu":
        keys = size.numpy()
        return torch.from_numpy(np.argsort(keys, kind="stable")), np.bincount(keys, minlength=_TILE + 3)
    order = torch.sort(size, stable=True).indices
    return order, torch.bincount(size.to(torch.int32), minlength=_TILE + 3).cpu().numpy()


def _tiled_fragments(
    soup: _Soup,
    positions: tuple[Tensor, ...],
    chosen: Tensor,
    first: Tensor,
    last: Tensor,
    dtype: torch.dtype,
) -> Fragments:
    """Fragments of large triangles: their boxes cut into tiles, tiles outside left out."""
    if len(chosen) == 0:
        return
    first, last = first.index_select(0, chosen).long(), last.index_select(0, chosen).long()
    columns, rows = ((last - first) // _TILE + 1).unbind(1)
    total = (columns * rows).cumsum(0)
    step = _CHUNK // (_TILE * _TILE)
    for begin in range(0, int(total[-1]), step):
        tile = torch.arange(begin, min(begin + step, int(total[-1])), device=total.device)
        owner = torch.searchsorted(total, tile, right=True)
        local = tile - (total - columns * rows)[owner]
        across = columns[owner]
        offset = torch.stack([local % across, torch.div(local, across, rounding_mode="floor")], 1) * _TILE
        planes = _planes(soup, positions, chosen[owner], first[owner] + offset, dtype)
        planes = planes[_touched(planes)]
        if len(planes.pixel):
            yield _block(planes, _TILE, soup.canvas.stride)


def _touched(planes: _Planes) -> Tensor:
    """Indices of the tiles in which each edge function is negative somewhere."""
    reach = _TILE - 1
    lowest = (
        start + reach * (right.clamp(max=0) + down.clamp(max=0))
        for start, right, down in zip(planes.start, planes.right, planes.down, strict=True)
    )
    a, b, c = lowest
    return (torch.maximum(torch.maximum(a, b), c) < 0).nonzero().squeeze(1)


def _planes(
    soup: _Soup, positions: tuple[Tensor, ...], chosen: Tensor, first: Tensor, dtype: torch.dtype
) -> _Planes:
    """Edge functions of chosen triangles (n,) relative to their pixels `first` (n, 2), in integers of
    `dtype`.
    """
    origin = first.to(dtype) << _BITS
    corners = [p.index_select(0, chosen).view(torch.int32).view(-1, 2).to(dtype) - origin for p in positions]
    (x0, y0), (x1, y1), (x2, y2) = (corner.t().contiguous() for corner in corners)
    dx1, dy1, dx2, dy2 = x0 - x2, y0 - y2, x1 - x0, y1 - y0
    area = dx1 * dy2 - dx2 * dy1
    # y points down: a face that is counter-clockwise seen from outside has negative area here. Edges are
    # turned so that the inside is on one side for both windings; culled and flat triangles get zero edges,
    # which cover nothing.
    sign = -(area < 0).to(dtype) if soup.cull else area.sign()
    dx1, dy1, dx2, dy2 = dx1 * sign, dy1 * sign, dx2 * sign, dy2 * sign
    dx0, dy0 = -(dx1 + dx2), -(dy1 + dy2)
    bits = torch.iinfo(dtype).bits
    value, start = [], []
    for x, y, dx, dy in ((x1, y1, dx0, dy0), (x2, y2, dx1, dy1), (x0, y0, dx2, dy2)):
        value.append(dx * y - dy * x)
        # −1 on top and left edges (dy < 0, or dy = 0 and dx > 0), whose own pixels belong to the triangle.
        start.append(value[-1] + ((dy << bits // 2) - dx >> bits - 1))
    right = tuple(dy << _BITS for dy in (dy0, dy1, dy2))
    down = tuple(-dx << _BITS for dx in (dx0, dx1, dx2))

    q0, q1, q2 = (soup.nearness.index_select(0, corner.index_select(0, chosen)) for corner in soup.corners)
    scale = (area * sign).clamp(min=1).float().reciprocal()
    q1, q2 = (q0 - q1) * scale, (q0 - q2) * scale
    nearness = (
        q0 + value[1].float() * q1 + value[2].float() * q2,
        right[1].float() * q1 + right[2].float() * q2,
        down[1].float() * q1 + down[2].float() * q2,
    )
    return _Planes(tuple(start), right, down, nearness, *_address(soup, chosen, first))


def _address(soup: _Soup, chosen: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """First pixel in the canvas (n,) int64 and rank (n,) int32 of triangles."""
    canvas = soup.canvas
    source = chosen if soup.source is None else soup.source.index_select(0, chosen)
    pixel = first[:, 1].long() * canvas.stride + first[:, 0]
    if canvas.batch > 1:
        image = torch.div(source, canvas.n_faces, rounding_mode="floor")
        source = source - image * canvas.n_faces
        pixel = pixel + image * canvas.area
    return pixel, (_LAST - source).to(torch.int32)


def _block(planes: _Planes, side: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Test side × side pixels of every triangle at once; triangles innermost, for straight memory."""
    q, q_right, q_down = planes.nearness
    pixel = planes.pixel
    if side == 1:
        a, b, c = planes.start
        worst = torch.maximum(torch.maximum(a, b), c)
    else:
        step = torch.arange(side, dtype=planes.rank.dtype, device=pixel.device)[:, None]

        def plane(start: Tensor, right: Tensor, down: Tensor) -> Tensor:
            return (start + right * step) + (down * step)[:, None]

        a, b, c = (plane(*p) for p in zip(planes.start, planes.right, planes.down, strict=True))
        worst = torch.maximum(torch.maximum(a, b, out=a), c, out=a)
        q = plane(q, q_right, q_down)
        pixel = (pixel + step) + (step * stride)[:, None]
    covered = worst >> torch.iinfo(worst.dtype).bits - 1
    # Positive floats order like their bits. Rounding may push the plane of a sliver to 0 or below: keep it
    # drawn.
    bits = q.clamp(min=torch.finfo(torch.float32).tiny).view(torch.int32)
    return pixel, bits & covered.to(torch.int32), planes.rank
