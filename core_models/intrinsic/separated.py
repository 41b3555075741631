"""What every separation into albedo and light gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..images import extend
from ..skin_colour import ALBEDO_RANGE
from ..texture.observation import TexelObservation
from .eyes import held_to
from .group_light import GroupLight
from .sharp_lamps import SharpLamps


@dataclass(frozen=True, eq=False)
class Separated:
    """Albedo and light of the observation's M texels: albedo · shading is the appearance where that is seen."""

    observation: TexelObservation
    shading: np.ndarray
    """(M, 3) linear, smooth: skin's detail is the albedo's."""
    expected: np.ndarray
    """(M, 3) linear: the face model's albedo in this skin's tone, for what is not seen."""
    vertex_expected: np.ndarray
    """(N, 3): the same at the vertices."""
    sh: np.ndarray
    """(3, 9) irradiance/π in the camera frame, as in `render.lighting`."""
    sh_map: np.ndarray | None
    """(Q, Q, 27) light of each texel, channel-major, from a separation that knows it."""
    lamps: SharpLamps
    """The sharp ones among the lights, camera frame."""
    albedo_coefficients: np.ndarray
    """(Ka,) standard deviations: the model's albedo nearest to the skin's."""
    facial_hair: np.ndarray
    """(M,) 0…1: beard and stubble among what is seen."""
    is_grey: bool
    """The photo is black and white."""
    residual: float
    """Weighted RMS of (photo − model albedo × light) ÷ photo on skin: how far the light model is from the truth."""

    @cached_property
    def albedo(self) -> np.ndarray:
        """(M, 3) linear: appearance ÷ shading."""
        return divide_out(self.observation.appearance, self.shading)

    @cached_property
    def shading_map(self) -> np.ndarray:
        """(P, P, 3) over the plan, continued outside the layout."""
        atlas = self.observation.atlas
        return extend(atlas.image(self.shading), atlas.covered())

    @cached_property
    def full_shading(self) -> np.ndarray:
        """(Mf, 3) at the texels of the full size."""
        return self.observation.layout.full.gather(self.shading_map)

    def full_albedo(self) -> np.ndarray:
        """(Mf, 3) linear at the texels of the full size: detail is the photo's. Arbitrary where nothing is seen."""
        mesh, full, plan = self.observation.mesh, self.observation.layout.full, self.observation.atlas
        albedo = divide_out(self.observation.full_appearance(), self.full_shading)
        eyes = np.isin(mesh.face_region[full.triangles], mesh.regions("eyes"))
        expected = extend(plan.image(self.expected), plan.covered())
        albedo[eyes] = held_to(full.gather(expected)[eyes], albedo[eyes])
        return albedo


Separate = Callable[[TexelObservation, GroupLight], Separated]
"""A separation. The second argument is what earlier faces of the photo have shown of its light; it may learn more."""


def divide_out(appearance: np.ndarray, shading: np.ndarray) -> np.ndarray:
    """Albedo (M, 3) = appearance ÷ shading, inside `ALBEDO_RANGE`."""
    return np.clip(appearance / shading, *ALBEDO_RANGE)
