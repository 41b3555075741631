"""Files in the layouts of the published Basel Face Models, holding the embedded face instead of theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat
from scipy.spatial import cKDTree

from semblance.core_models.colour import linear_to_srgb
from semblance.core_models.geometry.subdivision import subdivide
from semblance.core_models.landmarks import RIGHT_EYE
from semblance.core_models.morphable.default import load_default_cage, load_default_model

EYE_RADIUS_DM = 0.122
MODES = ("identity", "expression", "albedo")


@dataclass(frozen=True)
class Specimen:
    """A face as Basel's are: lids and eyes one surface, the slit between the lips open. Decimetres, sRGB 0…1."""

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    faces: np.ndarray

    def part(self, kept: np.ndarray) -> Specimen:
        """The vertices `kept`, in that order, and the triangles between them."""
        number = np.full(len(self.mean), -1)
        number[kept] = np.arange(len(kept))
        faces = number[self.faces]
        values = {name: getattr(self, name)[..., kept, :] for name in (*MODES, "mean", "albedo_mean")}
        return Specimen(**values, faces=faces[(faces >= 0).all(1)])

    def with_modes(self, identity: int, expression: int, albedo: int) -> Specimen:
        """So many modes; those that the embedded face does not have repeat its own, smaller."""
        counts = dict(zip(MODES, (identity, expression, albedo), strict=True))
        return replace(self, **{name: _more(getattr(self, name), count) for name, count in counts.items()})


@lru_cache(maxsize=3)
def specimen(levels: int, n_vertices: int | None = None) -> Specimen:
    """The embedded face with `n_vertices`, by default 3 000, 12 000 or 49 000 (levels 1 … 3), in an order of no meaning
    and with triangles that differ from side to side."""
    cage, rng = load_default_cage(), np.random.default_rng(0)
    n, right = len(cage.mean), np.array(RIGHT_EYE)
    inside = np.concatenate([cage.eye_rings.ravel(), cage.mouth_rings.ravel()])
    skin = cage.faces[~np.isin(cage.faces, inside).any(1)]
    edges = {tuple(pair) for k in range(3) for pair in skin[:, [k, (k + 1) % 3]].tolist()}
    fans = []
    for side, loop in enumerate((right, cage.mirror[right])):
        loop = loop if (loop[1], loop[0]) in edges else loop[::-1]
        fans += [(loop[i], loop[(i + 1) % 16], n + side) for i in range(16)]
    fine = subdivide(np.concatenate([skin, fans]), n + 2, levels)
    mean = np.asarray(
        fine.matrix @ np.concatenate([cage.mean, np.add(cage.eye_centres, [0, 0, EYE_RADIUS_DM])])
    )
    lids, eyes = fine.faces[fine.parent < len(skin)], fine.faces[fine.parent >= len(skin)]
    on_eye = np.setdiff1d(eyes, lids)
    centre = cage.eye_centres[(mean[on_eye, 0] > 0).astype(int)]
    across = ((mean[on_eye] - centre)[:, :2] ** 2).sum(1)
    mean[on_eye, 2] = centre[:, 2] + np.sqrt(np.maximum(EYE_RADIUS_DM**2 - across, 1e-4))

    def dense(modes: np.ndarray) -> np.ndarray:
        padded = np.concatenate([modes, np.zeros((len(modes), 2, 3))], axis=1)
        return np.stack([np.asarray(fine.matrix @ mode) for mode in padded])

    shape = [mean, dense(cage.identity), dense(cage.expression)]
    used, numbers = np.unique(fine.faces, return_inverse=True)
    shape, faces = [values[..., used, :] for values in shape], numbers.reshape(-1, 3)
    more = len(faces) // 8 if n_vertices is None else n_vertices - len(used)
    shape, faces = _split(shape, faces, rng.permutation(len(faces))[:more])
    mean, identity, expression = shape
    whole = Specimen(mean, identity, expression, *_colours(mean), faces)
    return whole.part(rng.permutation(len(mean)))


def _split(
    shape: list[np.ndarray], faces: np.ndarray, chosen: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """A vertex more in the middle of each `chosen` triangle."""
    shape = [np.concatenate([v, v[..., faces[chosen], :].mean(-2)], axis=-2) for v in shape]
    new = shape[0].shape[0] - len(chosen) + np.arange(len(chosen))
    a, b, c = faces[chosen].T
    pieces = [np.stack(corners, axis=1) for corners in ((a, b, new), (b, c, new), (c, a, new))]
    return shape, np.concatenate([np.delete(faces, chosen, axis=0), *pieces])


def _colours(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Encoded colours (N, 3) and modes (80, N, 3) of the embedded face's nearest visible places."""
    model = load_default_model()
    outside = np.unique(model.faces[model.region_faces("skin", "lips", "brows", "eyes", "rim")].numpy())
    nearest = outside[cKDTree(model.mean.numpy()[outside]).query(points)[1]]
    linear, modes = model.albedo_mean.numpy()[nearest], model.albedo_basis.numpy()[:, nearest]
    mean = linear_to_srgb(linear)
    return mean, linear_to_srgb(np.clip(linear + modes, 0, 1)) - mean


def _more(modes: np.ndarray, count: int) -> np.ndarray:
    rows = np.arange(count)
    return modes[rows % len(modes)] * (0.1 ** (rows // len(modes)))[:, None, None]


def front_of(face: Specimen, n_vertices: int) -> np.ndarray:
    """The `n_vertices` vertices nearest to a point in the face, from above to below."""
    nearest = np.argsort(((face.mean - [0, 0.1, 0]) ** 2).sum(1))[:n_vertices]
    return nearest[np.argsort(-face.mean[nearest, 1])]


def columns(modes: np.ndarray) -> np.ndarray:
    """(K, N, 3) → (3N, K), coordinates interleaved."""
    return modes.reshape(len(modes), -1).T


def write_front(path: Path, face: Specimen) -> None:
    """`BFM_model_front.mat` of Deng et al. 2019."""
    savemat(
        path,
        {
            "meanshape": face.mean.reshape(1, -1).astype(np.float32),
            "meantex": 255 * face.albedo_mean.reshape(1, -1).astype(np.float32),
            "idBase": columns(face.identity).astype(np.float32),
            "exBase": columns(face.expression).astype(np.float64),
            "texBase": 255 * columns(face.albedo).astype(np.float32),
            "tri": (face.faces[:, ::-1] + 1).astype(np.int32),
            "point_buf": np.ones((len(face.mean), 8), np.int32),
            "tri_mask2": np.ones((10, 1), np.int32),
            "keypoints": np.ones((1, 68), np.int32),
            "frontmask2_idx": np.ones((10, 1), np.int32),
            "skinmask": np.ones((1, len(face.mean)), np.uint8),
        },
    )


def write_raw(folder: Path, face: Specimen, with_expressions: np.ndarray, front: np.ndarray) -> Path:
    """The model of 2009 and what belongs to it.

    `with_expressions`: vertices of `face` that the expressions move; `front`: those among them that the crop keeps.
    """
    deviations = {name: np.linspace(3, 1, len(getattr(face, name))) for name in MODES}
    unit = {
        name: columns(getattr(face, name) / deviations[name][:, None, None]).astype(np.float32)
        for name in MODES
    }
    path = folder / "01_MorphableModel.mat"
    savemat(
        path,
        {
            "shapeMU": 1e5 * face.mean.reshape(-1, 1).astype(np.float32),
            "shapePC": 1e5 * unit["identity"],
            "shapeEV": deviations["identity"].reshape(-1, 1).astype(np.float32),
            "texMU": 255 * face.albedo_mean.reshape(-1, 1).astype(np.float32),
            "texPC": 255 * unit["albedo"],
            "texEV": deviations["albedo"].reshape(-1, 1).astype(np.float32),
            "tl": (face.faces[:, ::-1] + 1).astype(np.float64),
            "segbin": np.zeros((len(face.mean), 4), np.uint8),
        },
    )
    moved = face.expression[:, with_expressions] / deviations["expression"][:, None, None]
    with open(folder / "Exp_Pca.bin", "wb") as file:
        np.array([len(moved)], np.int32).tofile(file)
        np.full(3 * len(with_expressions), 7e4, np.float32).tofile(file)
        (1e5 * moved).astype(np.float32).tofile(file)
    (folder / "std_exp.txt").write_text("".join(f"{value:.7f}\n" for value in deviations["expression"]))
    savemat(
        folder / "BFM_exp_idx.mat",
        {"trimIndex": (with_expressions + 1).reshape(-1, 1).astype(np.int32)},
    )
    savemat(folder / "BFM_front_idx.mat", {"idx": (front + 1).reshape(-1, 1).astype(np.int32)})
    return path


def write_hdf5(path: Path, face: Specimen, minor_version: int = 9) -> None:
    """A model of 2017 or 2019 in statismo's layout; version 0.8 keeps the deviations in the bases."""
    smile = face.expression[0]
    means = {
        "shape": 100 * (face.mean - smile),
        "expression": 100 * smile,
        "color": face.albedo_mean,
    }
    modes = {"shape": 100 * face.identity, "expression": 100 * face.expression, "color": face.albedo}
    with h5py.File(path, "w") as file:
        for name, mean in means.items():
            basis = columns(modes[name])
            sigma = np.maximum(np.linalg.norm(basis, axis=0), 1e-3)
            group = file.create_group(name)
            group["model/mean"] = mean.ravel().astype(np.float32)
            group["model/pcaBasis"] = (basis if minor_version == 8 else basis / sigma).astype(np.float32)
            group["model/pcaVariance"] = (sigma**2).astype(np.float32)
            group["model/noiseVariance"] = np.float32(0)
            group["representer/points"] = (100 * face.mean.T).astype(np.float32)
            group["representer/cells"] = face.faces.T.astype(np.int32)
            group["version/majorVersion"] = np.int32(0)
            group["version/minorVersion"] = np.int32(minor_version)
        file["metadata/landmarks/json"] = "[]"
