"""What computes, by name, and what is loaded for it and kept warm from photo to photo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .completion import analytic as analytic_completion
from .completion.completed import Complete
from .faces.find import FaceFinder
from .fitting.regressed import check_model, load_fast_regressor
from .fitting.samples import SurfaceSamples, sample_surface
from .intrinsic import analytic as analytic_separation
from .intrinsic.separated import Separate
from .morphable.basel import load_basel
from .morphable.default import load_default_model
from .morphable.model import MorphableModel
from .networks.regressor import Regressor
from .progress import Clock
from .texture.layout import Layout, build_layout

SEPARATIONS: Mapping[str, Separate] = {"analytic": analytic_separation.separate}
COMPLETIONS: Mapping[str, Complete] = {"analytic": analytic_completion.complete}
_LARGEST_KEPT = 2048
"""Texels a side; the atlas of a larger texture takes half a gigabyte and goes with its photo."""


class Models:
    """The face finder, and the last of each kind of model that was asked for."""

    device = "cpu"
    """What everything is computed on."""

    def __init__(self) -> None:
        """Load what every photo needs; takes about two seconds."""
        self.default = load_default_model()
        self.finder = FaceFinder()
        self._own: tuple[str, MorphableModel] | None = None
        self._regressor: tuple[str, Regressor] | None = None
        self._samples: tuple[str, SurfaceSamples] | None = None
        self._layout: tuple[tuple[str, int, bool], Layout] | None = None

    def close(self) -> None:
        """Free the networks."""
        self.finder.close()

    def face_model(self, path: str | None, clock: Clock) -> MorphableModel:
        """The model in the user's file; the embedded one for None. Raises ModelFileError."""
        if path is None:
            return self.default
        if self._own is None or self._own[0] != path:
            with clock.stage("model"):
                self._own = path, load_basel(Path(path), self.finder.largest)
        return self._own[1]

    def regressor(self, path: str | None, model: MorphableModel, clock: Clock) -> Regressor | None:
        """The network in the user's file, for `model`. Raises RegressorFileError and RegressorModelError."""
        if path is None:
            return None
        check_model(model)
        if self._regressor is None or self._regressor[0] != path:
            with clock.stage("regressor"):
                self._regressor = path, load_fast_regressor(path)
        return self._regressor[1]

    def surface_samples(self, model: MorphableModel) -> SurfaceSamples:
        """Where a photo's brightness is compared with the model's shading."""
        if self._samples is None or self._samples[0] != model.model_id:
            self._samples = model.model_id, sample_surface(model)
        return self._samples[1]

    def layout(self, model: MorphableModel, size: int, draft: bool) -> Layout:
        """The model's layout for textures of `size` texels a side."""
        key = model.model_id, size, draft
        if self._layout is not None and self._layout[0] == key:
            return self._layout[1]
        layout = build_layout(model, size, draft)
        if size <= _LARGEST_KEPT:
            self._layout = key, layout
        return layout
