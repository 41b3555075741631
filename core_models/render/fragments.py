"""Coverage: which pixels do triangles over snapped points touch, and how near are they there.

The integer half of `rasterize`. At the resolution of a face most triangles are about a pixel in size, so
triangles are sorted by the size of their bounding boxes and every size class is tested as one dense block of
(rows, columns, triangles). Bigger triangles are first cut into tiles of the largest class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

_BITS = 8
SUBPIXELS = 1 << _BITS
"""Points are snapped to this fraction of a pixel."""
LIMIT = 16000
"""Points must lie within this many pixels of the picture's corner: sums of two pixel indices fit 16 bits."""
LAST = 0x7FFFFFFF
"""The rank of face 0."""

_TILE = 8  # pixels: side of the largest dense block
_MEDIUM = 64  # pixels: up to this extent edge functions fit 32 bits: 2·(64 + 2·8)·64·256² < 2³¹
# Size classes: 0 nothing to draw; 1…_TILE the box's side; _TILE + 1 medium; _HUGE too large for 32 bits.
_HUGE = _TILE + 2
_FAR = 1 << 30  # an edge function that no step within a tile changes the sign of
_CHUNK, _CHUNK_GPU = (
    1 << 17,
    1 << 22,
)  # fragments tested at once: what stays in a CPU's cache, what fills a GPU

Block = tuple[Tensor, Tensor, Tensor]
"""Fragments (..., n) of n triangles: pixel of the canvas, int64; bits of the nearness, int32, 0 where not
covered; and the triangles' rank (n,), int32."""


@dataclass(frozen=True)
class Canvas:
    """The pictures of a batch one after the other in memory, each with a margin that a block may overhang."""

    batch: int
    n_faces: int  # of one picture
    height: int
    width: int
    device: torch.device

    @property
    def stride(self) -> int:
        """Pixels from row to row."""
        return self.width + _TILE - 1

    @property
    def area(self) -> int:
        """Pixels from picture to picture."""
        return (self.height + _TILE - 1) * self.stride

    @property
    def chunk(self) -> int:
        """Fragments to test at once."""
        return _CHUNK if self.device.type == "cpu" else _CHUNK_GPU

    def blank(self, dtype: torch.dtype) -> Tensor:
        """Zeros for every pixel of every picture: (batch·area,)."""
        return torch.zeros(self.batch * self.area, dtype=dtype, device=self.device)

    def crop(self, flat: Tensor) -> Tensor:
        """(batch·area, …) -> (batch, height, width, …)."""
        rows = flat.unflatten(0, (self.batch, -1, self.stride))
        return rows[:, : self.height, : self.width]


@dataclass(frozen=True)
class Soup:
    """T triangles over M snapped points."""

    position: Tensor  # (2, M) int32, 1/SUBPIXELS, (0, 0) at the first pixel's centre
    nearness: Tensor  # (M,) float32, positive: 1/depth, which is linear over the picture
    corners: Tensor  # (3, T) indices of points
    source: Tensor | None  # (T,) picture · n_faces + face; None: the triangle's own index
    canvas: Canvas
    cull: bool  # leave out triangles seen from behind


@dataclass(frozen=True)
class _Edges:
    """Edge functions and nearness of n triangles, relative to each one's first pixel.

    A pixel is covered where ``start + dy·column − dx·row`` is negative for all three edges. From pixel to pixel an edge
    function changes by multiples of SUBPIXELS, so it is kept divided by that: the floor has the same sign.
    """

    start: Tensor  # (3, n) int32; edge k runs from corner k to corner k + 1
    dx: Tensor
    dy: Tensor
    nearness: Tensor  # (n,) float32, at the first pixel
    slope: Tensor  # (3, n): its change with the edge functions
    pixel: Tensor  # (n,) int64: the first pixel's index in the canvas
    rank: Tensor  # (n,) int32: LAST − face, so that the largest is the lowest face

    def __getitem__(self, index: slice | Tensor) -> _Edges:
        return _Edges(*(getattr(self, field.name)[..., index] for field in fields(self)))


def fragments(soup: Soup) -> Iterator[Block]:
    """Every pixel that a triangle may cover, in blocks."""
    box, size = _boxes(soup)
    order, begin = _sort(size)
    small = order[begin[1] : begin[_TILE + 1]]
    edges = _edges(soup, small, box[0].index_select(0, small).int(), box[1].index_select(0, small).int())
    for side in range(1, _TILE + 1):
        start, stop = begin[side] - begin[1], begin[side + 1] - begin[1]
        step = soup.canvas.chunk // side**2
        for i in range(start, stop, step):
            yield _block(edges[i : min(i + step, stop)], side, soup.canvas.stride)
    for size_class, dtype in ((_TILE + 1, torch.int32), (_HUGE, torch.int64)):
        large = order[begin[size_class] : begin[size_class + 1]]
        if len(large):
            yield from _tiles(soup, large, box, dtype)


def _boxes(soup: Soup) -> tuple[list[Tensor], Tensor]:
    """Boxes in the picture: first x and y, negated last x and y, pixels, 4 × (T,) int16. Size class (T,) uint8."""
    # The four sides of every point's own box as 16-bit numbers in one 64-bit word: one gather and one minimum
    # a corner serve all of them.
    low, high = (soup.position + (SUBPIXELS - 1)) >> _BITS, -(soup.position >> _BITS)
    words = torch.stack([*low.short(), *high.short()], dim=1).view(torch.int64).view(-1)
    a, b, c = (words.index_select(0, corner).view(torch.int16).view(-1, 4) for corner in soup.corners)
    box = list(torch.minimum(torch.minimum(a, b), c).unbind(1))
    across, along = box[0] + box[2], box[1] + box[3]  # 1 − pixels; positive: no pixel's centre inside
    huge = _mask(torch.minimum(across, along) + (_MEDIUM - 1))
    borders = [0, 0, 1 - soup.canvas.width, 1 - soup.canvas.height]
    lowest = torch.stack([*low.amin(1), *high.amin(1)]).tolist()
    if any(side < border for side, border in zip(lowest, borders, strict=True)):
        box = [side.clamp(min=border) for side, border in zip(box, borders, strict=True)]
        across, along = box[0] + box[2], box[1] + box[3]
    size = torch.maximum((1 - torch.minimum(across, along)).clamp(max=_TILE + 1), huge & _HUGE)
    return box, (size & _mask(torch.maximum(across, along) - 1)).to(torch.uint8)


def _mask(value: Tensor) -> Tensor:
    """−1 (all bits) where an integer is negative, else 0: much faster than comparison and `where`."""
    return value >> (torch.iinfo(value.dtype).bits - 1)


def _sort(size: Tensor) -> tuple[Tensor, list[int]]:
    """Order (T,) of triangles by size class, stable, and where in it each class begins, and the last ends."""
    if size.device.type == "cpu":
        keys = size.numpy()
        order = np.argsort(keys, kind="stable")  # a radix sort
        classes = np.arange(_HUGE + 2, dtype=np.uint8)
        return torch.from_numpy(order), np.searchsorted(keys, classes, sorter=order).tolist()
    ordered, indices = torch.sort(size.int(), stable=True)
    return indices, torch.searchsorted(ordered, torch.arange(_HUGE + 2, device=size.device).int()).tolist()


def _tiles(soup: Soup, chosen: Tensor, box: list[Tensor], dtype: torch.dtype) -> Iterator[Block]:
    """Blocks of large triangles (n,): their boxes cut into tiles, tiles that they do not touch left out."""
    left, top, right, bottom = (side.index_select(0, chosen).int() for side in box)
    columns, rows = (-right - left) // _TILE + 1, (-bottom - top) // _TILE + 1
    end = (columns * rows).cumsum(0)
    begin = end - columns * rows
    total, step = int(end[-1]), soup.canvas.chunk // _TILE**2
    for i in range(0, total, step):
        tile = torch.arange(i, min(i + step, total), device=end.device)
        owner = torch.searchsorted(end, tile, right=True)
        index, across = tile - begin[owner], columns[owner]
        x, y = left[owner] + index % across * _TILE, top[owner] + index // across * _TILE
        edges = _edges(soup, chosen[owner], x.to(dtype), y.to(dtype))
        yield _block(edges[_touched(edges)], _TILE, soup.canvas.stride)


def _touched(edges: _Edges) -> Tensor:
    """Indices of the tiles in which each edge function is negative somewhere."""
    lowest = edges.start + (_TILE - 1) * (edges.dy.clamp(max=0) - edges.dx.clamp(min=0))
    return (lowest.amax(0) < 0).nonzero().squeeze(1)


def _edges(soup: Soup, chosen: Tensor, left: Tensor, top: Tensor) -> _Edges:
    """Edge functions of chosen triangles (n,) relative to pixels (left, top), in the integer type of those."""
    dtype = left.dtype
    # Row by row: along the second axis look-ups are four times slower.
    corners = torch.stack([row.index_select(0, chosen) for row in soup.corners])
    x, y = (
        axis.index_select(0, corners.view(-1)).view(corners.shape).to(dtype) - origin * SUBPIXELS
        for axis, origin in zip(soup.position, (left, top), strict=True)
    )
    dx, dy = (torch.cat([axis[1:] - axis[:-1], axis[:1] - axis[-1:]]) for axis in (x, y))
    area = dy[0] * dx[2] - dx[0] * dy[2]
    # y points down, so a face that is counter-clockwise seen from outside has negative area. Edges are turned so that
    # the inside is on one side for both windings; culled and flat triangles get zero edges, which cover nothing.
    sign = _mask(area) if soup.cull else area.sign()
    dx, dy = dx.mul_(sign), dy.mul_(sign)
    value = dx * y - dy * x

    # Edge k over the area is the weight of corner k + 2. Weighing what exceeds the farthest corner loses no digits in a
    # triangle that reaches from the near plane to the horizon, and is exact where all are equal.
    q = torch.stack([soup.nearness.index_select(0, corners[k]) for k in (2, 0, 1)])
    farthest = torch.minimum(torch.minimum(q[0], q[1]), q[2])
    slope = (farthest - q).mul_(area.mul_(sign).clamp_(min=1).float().reciprocal_())
    nearness = (value * slope).sum(0).add_(farthest)

    # −1 on top and left edges (dy < 0, or dy = 0 and dx > 0): the pixels on them belong to the triangle.
    start = value.add_(_mask((dy << torch.iinfo(dtype).bits // 2) - dx)).bitwise_right_shift_(_BITS)
    if dtype == torch.int64:  # what is cut off lies outside the tile
        start, dx, dy = start.clamp(-_FAR, _FAR).int(), dx.int(), dy.int()
    return _Edges(start, dx, dy, nearness, slope.mul_(SUBPIXELS), *_address(soup, chosen, left, top))


def _address(soup: Soup, chosen: Tensor, left: Tensor, top: Tensor) -> tuple[Tensor, Tensor]:
    """Index (n,) int64 in the canvas of the pixels (left, top), and rank (n,) int32 of the triangles."""
    canvas = soup.canvas
    source = chosen if soup.source is None else soup.source.index_select(0, chosen)
    pixel = (top * canvas.stride + left).long()
    if canvas.batch > 1:
        picture = source // canvas.n_faces
        source = source - picture * canvas.n_faces
        pixel = pixel + picture * canvas.area
    return pixel, (LAST - source).int()


def _block(edges: _Edges, side: int, stride: int) -> Block:
    """Test side × side pixels of every triangle at once; triangles innermost, for straight memory."""
    pixel, q, value = edges.pixel, edges.nearness, edges.start
    if side > 1:
        step = torch.arange(side, dtype=torch.int32, device=pixel.device)[:, None]
        right, down = edges.dy[:, None] * step, edges.dx[:, None] * step  # (3, side, n)
        value = (value[:, None] + right)[:, None] - down[:, :, None]
        q = q + (edges.slope[:, None] * right).sum(0) - (edges.slope[:, None] * down).sum(0)[:, None]
        pixel = (pixel + step) + (step * stride)[:, None]
    outermost = torch.maximum(torch.maximum(value[0], value[1]), value[2])
    # Positive floats order like their bits. Rounding may push the plane of a sliver to 0 or below: keep it drawn.
    bits = q.clamp(min=torch.finfo(torch.float32).tiny).view(torch.int32)
    return pixel, bits & _mask(outermost), edges.rank
