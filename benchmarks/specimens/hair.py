"""Strands of hair (n, k, 3) in the model's frame: roots on the scalp, combed by style, kept outside the head."""

from __future__ import annotations

import numpy as np

from .people import Person

_POINTS = 7
_CENTRE, _RADII = np.array((0.0, 0.36, -0.55)), np.array((0.79, 1.12, 1.02))
"""An ellipsoid just outside the skull, in the frame of the mean head."""


def strands(someone: Person, vertices: np.ndarray, faces: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A person's hair: the scalp's `faces` (F, 3) on `vertices` (N, 3), `mean` (N, 3) in rest."""
    generator = someone.generator(20)
    style = someone.hair_style
    if style in ("bald", "shaved"):
        return np.zeros((0, _POINTS, 3))
    count = {"short": 9000, "curly": 8000}.get(style, 9000)
    roots, normals, rest = _roots(vertices, faces, mean, count, generator)
    shift = roots - rest
    paths = _curls(rest, normals, generator) if style == "curly" else _combed(style, rest, normals, generator)
    x, y, z = np.moveaxis(paths[:, 1:], -1, 0)
    on_face = ((np.abs(x) < 0.72) & (y < 0.75) & (z > -0.45)).any(1)
    return (paths + shift[:, None])[~on_face]


def _roots(
    vertices: np.ndarray, faces: np.ndarray, mean: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    chosen = generator.choice(len(faces), count, p=area / area.sum())
    share = generator.dirichlet((1, 1, 1), count)[..., None]
    rest = (mean[faces][chosen] * share).sum(1)
    outward = normal[chosen] / area[chosen, None]
    outward *= np.sign(((rest - _CENTRE) * outward).sum(1, keepdims=True))
    return (corners[chosen] * share).sum(1), outward, rest


def _curls(rest: np.ndarray, normals: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A cloud of coils that stand off the head."""
    length = generator.uniform(0.25, 0.42)
    steps = np.linspace(0, 1, _POINTS)
    outward = normals + 0.25 * generator.normal(size=normals.shape)
    across = np.cross(outward, generator.normal(size=normals.shape))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(outward, across)
    turn = 9 * steps + generator.uniform(0, 6.3, (len(rest), 1))
    coil = 0.045 * (np.cos(turn)[..., None] * across[:, None] + np.sin(turn)[..., None] * other[:, None])
    reach = length * generator.uniform(0.5, 1, (len(rest), 1)) * steps
    return rest[:, None] + reach[..., None] * outward[:, None] + coil * steps[:, None] ** 0.5


def _combed(style: str, rest: np.ndarray, normals: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Strands that leave along the normal, turn into the comb's direction and fall."""
    count = len(rest)
    parting = generator.uniform(-0.25, 0.25)
    sideways = np.sign(rest[:, 0] - parting)[:, None] * np.array((1.0, 0, 0))
    back, down = np.array((0, 0.15, -1.0)), np.array((0, -1.0, 0))
    front = np.clip((rest[:, 2:3] + 0.5) / 0.5, 0, 1)
    length, lift, comb, fall = {
        "short": (
            generator.uniform(0.15, 0.32),
            0.45,
            0.5 * (1 - front) * sideways + (0.5 + 0.6 * front) * back + 0.45 * (1 - front) * down,
            0.0,
        ),
        "tied": (1.0, 0.12, back + 0.25 * (1 - front) * down, 0.0),
        "long": (generator.uniform(1.6, 2.4), 0.18, 1.0 * sideways + 0.55 * back, 0.75),
        "fringe": (generator.uniform(1.3, 2.0), 0.18, 0.8 * sideways + 0.55 * back, 0.75),
    }[style]
    lengths = length * generator.uniform(0.8, 1.05, count)[:, None] / (_POINTS - 1)
    wave = generator.normal(0, 0.10, (count, 3))
    path, paths = rest.copy(), [rest]
    for i in range(_POINTS - 1):
        share = (i + 1) / (_POINTS - 1)
        direction = lift * (1 - share) * normals + comb * (1 - fall * share) + wave + fall * 4 * share * down
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        path = _outside(path + lengths * direction, 0.02 + 0.05 * share)
        paths.append(path)
    return np.stack(paths, 1)


def _outside(points: np.ndarray, margin: float) -> np.ndarray:
    """Points pushed out of the head, and out of the neck's upper part."""
    relative = (points - _CENTRE) / (_RADII + margin)
    distance = np.linalg.norm(relative, axis=1, keepdims=True)
    return np.where(distance < 1, _CENTRE + relative / np.maximum(distance, 1e-6) * (_RADII + margin), points)


def fringe(face: np.ndarray, someone: Person, hairline: float, generator: np.random.Generator) -> np.ndarray:
    """Strands from the hairline down over the forehead, following the face (N, 3) at a little distance."""
    count = 1800
    start_x = generator.uniform(-0.56, 0.56, count)
    length = np.clip(generator.normal(0.37, 0.05, count), 0.2, 0.48) - 0.1 * (np.abs(start_x) < 0.02)
    sweep = someone.generator(21).normal(0, 0.18)
    steps = np.linspace(0, 1, _POINTS)
    clump = 0.04 * np.sin(40 * start_x)[:, None] * steps
    x = start_x[:, None] + sweep * steps + clump + generator.normal(0, 0.02, (count, 1)) * steps
    y = hairline + 0.10 - 0.12 * start_x[:, None] ** 2 - length[:, None] * steps
    front = face[face[:, 2] > -0.6]
    index = np.round(np.stack([x, y], -1) * 40).astype(int)
    cells: dict[tuple[int, int], float] = {}
    for column, row, z in zip(*np.round(front[:, :2] * 40).astype(int).T, front[:, 2], strict=True):
        cells[column, row] = max(z, cells.get((column, row), -9.0))
    flat = np.array([cells.get((c, r), np.nan) for c, r in index.reshape(-1, 2)]).reshape(x.shape)
    depth = np.where(np.isfinite(flat), flat, np.nanmedian(flat))
    depth = np.apply_along_axis(
        lambda row: np.convolve(np.pad(row, 1, "edge"), np.ones(3) / 3, "valid"), 1, depth
    )
    off = 0.03 + 0.05 * np.sin(np.pi * steps) + generator.uniform(0, 0.03, (count, 1))
    return np.stack([x, y, depth + off], -1)
