"""What a photo shows of a posed face, texel by texel: what every separation into albedo and light starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..morphable.model import MorphableModel
from ..photo.exposure import photo_exposure
from ..render.visibility import view_depth
from .atlas import Atlas
from .layout import Layout
from .posed_mesh import PosedMesh, pose_mesh
from .sampling import PhotoPyramid, build_pyramid, sample_pyramid
from .seams import head_texels
from .unwrap import SurfacePoints, drop_slivers, place_texels, see_texels


@dataclass(frozen=True, eq=False)
class TexelObservation:
    """A face as its photo shows it: M texels of the layout's plan, and the photo for those of its full size."""

    mesh: PosedMesh
    layout: Layout
    K: np.ndarray
    """(3, 3), pixels of the photo."""
    surface: SurfacePoints
    """Of the plan's texels."""
    appearance: np.ndarray
    """(M, 3) linear."""
    seen: np.ndarray
    """(M,) confidence 0…1."""
    pyramid: PhotoPyramid
    exposure: float
    """Logarithm, 0 or less, of how dark the whole photo is."""

    @property
    def atlas(self) -> Atlas:
        """The plan's."""
        return self.layout.plan

    def pixels(self, texels: np.ndarray) -> np.ndarray:
        """(m,) area in the photo of the `texels` (m,), by place."""
        return self.surface.footprint[texels] ** 2

    def where(self, *regions: str) -> np.ndarray:
        """(M,) bool."""
        return np.isin(self.surface.region, self.mesh.regions(*regions))

    def full_appearance(self) -> np.ndarray:
        """The photo's linear colours (Mf, 3) at the texels of the full size."""
        full = self.layout.full
        colours = np.empty((len(full.texels), 3), np.float32)
        start = 0
        for band in full.bands():
            surface = _place(band, self.mesh, self.K)
            stop = start + len(band.texels)
            colours[start:stop] = sample_pyramid(self.pyramid, surface.pixels, surface.footprint)
            start = stop
        return colours


def observe(
    photo_srgb: np.ndarray,
    face_mask: np.ndarray,
    model: MorphableModel,
    layout: Layout,
    vertices_camera: np.ndarray,
    K: np.ndarray,
) -> TexelObservation:
    """Unwrap a photo onto a posed model.

    Args:
        photo_srgb: (H, W, 3) uint8.
        face_mask: (H, W) float 0…1, soft: where this face's skin, lips, brows and eyes are.
        model: gives triangles, regions and the albedo prior.
        layout: of that model.
        vertices_camera: (N, 3) decimetres, camera frame.
        K: (3, 3), pixels of the photo.
    """
    mesh, atlas = pose_mesh(model, vertices_camera), layout.plan
    surface = _place(atlas, mesh, K)
    pyramid = build_pyramid(photo_srgb, surface.pixels, surface.footprint * (atlas.size / layout.size))
    return TexelObservation(
        mesh=mesh,
        layout=layout,
        K=K,
        surface=surface,
        appearance=sample_pyramid(pyramid, surface.pixels, surface.footprint),
        seen=see_face(mesh, atlas, surface, face_mask, K),
        pyramid=pyramid,
        exposure=photo_exposure(photo_srgb),
    )


def see_face(
    mesh: PosedMesh, atlas: Atlas, surface: SurfacePoints, face_mask: np.ndarray, K: np.ndarray
) -> np.ndarray:
    """Confidence (M,) that the photo shows each texel; face_mask (H, W) 0…1. None on the head behind the face."""
    eyes = mesh.regions("eyes")
    view = view_depth(mesh.vertices, mesh.faces, K, np.isin(mesh.face_region, eyes))
    seen = see_texels(surface, view, face_mask, eyes)
    seen[head_texels(atlas, mesh)] = 0.0
    return drop_slivers(atlas, seen, keep=np.isin(surface.region, mesh.regions("eyes", "mouth")))


def _place(atlas: Atlas, mesh: PosedMesh, K: np.ndarray) -> SurfacePoints:
    return place_texels(atlas, mesh.vertices, mesh.normals, mesh.faces, mesh.uv, mesh.face_region, K)
