"""Who the heads are: twelve people a split, two of each Fitzpatrick tone, with traits and shapes of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skin_optics import TYPOLOGY_RANGES

SPLITS = ("tune", "test")
HEADS = 12

_HAIR_COLOURS = {
    "black": (0.012, 0.010, 0.009),
    "dark": (0.030, 0.019, 0.013),
    "brown": (0.075, 0.042, 0.024),
    "blond": (0.36, 0.24, 0.12),
    "red": (0.26, 0.085, 0.03),
    "grey": (0.36, 0.35, 0.34),
}
_IRISES = {
    "black": (0.020, 0.011, 0.007),
    "brown": (0.060, 0.028, 0.012),
    "hazel": (0.11, 0.07, 0.025),
    "green": (0.095, 0.115, 0.060),
    "blue": (0.10, 0.16, 0.25),
    "grey": (0.16, 0.18, 0.19),
}
# tone, hair style, hair colour, iris, traits: heads 0…11 of each split. Interleaved so that half a set has all tones.
_CAST = {
    "tune": (
        (1, "long", "red", "green", ("freckles", "makeup")),
        (2, "short", "brown", "blue", ("stubble", "moles")),
        (3, "fringe", "dark", "brown", ("fringe", "makeup")),
        (4, "short", "black", "brown", ("beard", "glasses")),
        (5, "tied", "black", "black", ("moles",)),
        (6, "curly", "black", "black", ("scars",)),
        (1, "short", "grey", "blue", ("wrinkles", "glasses")),
        (2, "tied", "blond", "grey", ("acne",)),
        (3, "bald", "brown", "hazel", ("beard", "tattoo")),
        (4, "long", "dark", "brown", ("makeup", "moles")),
        (5, "shaved", "black", "brown", ("stubble", "scars")),
        (6, "tied", "black", "black", ("makeup", "glasses")),
    ),
    "test": (
        (1, "fringe", "blond", "blue", ("fringe", "freckles", "glasses")),
        (2, "bald", "grey", "hazel", ("wrinkles", "beard")),
        (3, "long", "brown", "green", ("moles", "freckles")),
        (4, "tied", "black", "brown", ("makeup", "scars")),
        (5, "short", "black", "brown", ("beard",)),
        (6, "shaved", "black", "black", ("stubble", "glasses")),
        (1, "short", "brown", "grey", ("acne", "stubble")),
        (2, "long", "dark", "green", ("makeup", "wrinkles")),
        (3, "short", "black", "brown", ("glasses", "moles")),
        (4, "curly", "dark", "hazel", ("tattoo", "stubble")),
        (5, "fringe", "black", "brown", ("fringe", "vitiligo")),
        (6, "long", "black", "brown", ("moles", "makeup")),
    ),
}


@dataclass(frozen=True)
class Person:
    """One head's nature. Colours are linear reflectances (3,)."""

    split: str
    head: int
    seed: int
    tone: int
    typology_angle: float
    """ITA of the bare skin, degrees"""
    blood: float
    """Volume fraction in the dermis"""
    hair_style: str
    hair: np.ndarray
    iris: np.ndarray
    sclera: np.ndarray
    traits: tuple[str, ...]

    def generator(self, purpose: int) -> np.random.Generator:
        """Randomness of this head for one purpose, the same in each of its photos."""
        return np.random.default_rng([self.seed, purpose])


def person(split: str, head: int) -> Person:
    """Number `head` of a split."""
    tone, style, hair, iris, traits = _CAST[split][head]
    seed = 1000 * (1 + SPLITS.index(split)) + head
    generator = np.random.default_rng(seed)
    low, high = TYPOLOGY_RANGES[tone]
    angle = generator.uniform(low + 0.15 * (high - low), high - 0.15 * (high - low))
    return Person(
        split=split,
        head=head,
        seed=seed,
        tone=tone,
        typology_angle=min(angle, 64.0),
        blood=float(np.exp(generator.normal(np.log(0.006 if tone == 1 else 0.009), 0.25))),
        hair_style=style,
        hair=np.array(_HAIR_COLOURS[hair]) * np.exp(generator.normal(0, 0.15)),
        iris=np.array(_IRISES[iris]) * np.exp(generator.normal(0, 0.12, 3)),
        sclera=generator.uniform(0.47, 0.70) * np.array((1.0, 0.94, 0.87)) ** generator.uniform(0.4, 1.5),
        traits=traits,
    )
