"""The light of a group photo: faces that stand in the same light share it, each other keeps its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..render.transport import Directions
from .environment_light import Environment, SkinSamples, fit_environment, weighted_quantile

_AGREEMENT, _SLACK = 1.1, 0.01
"""A face shares the others' light when that leaves at most so many times its own misfit, and so much more."""
_MISFIT_SHARE = 0.7
"""Of the skin; the rest is highlights and shadows beside themselves."""
_ROUNDS = 2


class GroupLight:
    """The lights of one photo, as its faces have shown them so far."""

    def __init__(self) -> None:
        """No face yet."""
        self._lights: list[_Light] = []

    def fit(self, samples: SkinSamples, directions: Directions) -> Environment:
        """The light on the next face: one with earlier faces where they agree. All faces with the same directions."""
        alone = fit_environment(samples, directions)
        if not (samples.weights > 0).any():
            return alone
        limit = _AGREEMENT * misfit(alone, samples) + _SLACK
        for number, light in enumerate(self._lights):
            joined = light.with_face(samples, directions)
            if misfit(joined.environment, samples) <= limit:
                self._lights[number] = joined
                return joined.environment.scaled(_gain(joined.environment, samples))
        self._lights.append(_Light(alone, (samples,)))
        return alone


@dataclass(frozen=True)
class _Light:
    """A light, in the level and colour that its first face's skin gives it, and the faces that stand in it."""

    environment: Environment
    faces: tuple[SkinSamples, ...]

    def with_face(self, samples: SkinSamples, directions: Directions) -> _Light:
        """The light that explains one face more, of whatever skin."""
        faces = (*self.faces, samples)
        fewer = [face.every(len(faces)) for face in faces]
        light = self.environment
        for _ in range(_ROUNDS):
            gains = [_gain(light, face) for face in fewer]
            light = fit_environment(_stacked(fewer, gains), directions)
        return _Light(light, faces)


def misfit(light: Environment, samples: SkinSamples) -> float:
    """Relative difference between photo and model that most of the skin stays within."""
    predicted = np.maximum(light.shading(samples.transport), 1e-6)
    relative = samples.appearance / samples.reflectance / predicted / _gain(light, samples)
    return weighted_quantile(
        np.abs(np.log(np.maximum(relative.mean(1), 1e-3))), samples.weights, _MISFIT_SHARE
    )


def _gain(light: Environment, face: SkinSamples) -> np.ndarray:
    """(3,) what a face shows more than the light says."""
    ratio = face.appearance / face.reflectance / np.maximum(light.shading(face.transport), 1e-6)
    return np.maximum([weighted_quantile(channel, face.weights) for channel in ratio.T], 1e-6)


def _stacked(faces: Sequence[SkinSamples], gains: Sequence[np.ndarray]) -> SkinSamples:
    """All faces' samples, as if of one skin in one light."""
    return SkinSamples(
        appearance=np.concatenate([face.appearance / gain for face, gain in zip(faces, gains, strict=True)]),
        reflectance=np.concatenate([face.reflectance for face in faces]),
        transport=np.concatenate([face.transport for face in faces]),
        weights=np.concatenate([face.weights for face in faces]),
    )
