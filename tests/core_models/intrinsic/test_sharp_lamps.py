"""The sharp lamps among the lights that the analytic separation finds."""

from __future__ import annotations

import numpy as np

from semblance.core_models.intrinsic.environment_light import Environment
from semblance.core_models.intrinsic.sharp_lamps import sharp_lamps
from semblance.core_models.render.transport import sphere_directions

DIRECTIONS = sphere_directions(128)


def environment(amounts: dict[int, np.ndarray]) -> Environment:
    """Lamps of such irradiance/π at these places of `DIRECTIONS`, and an even surrounding."""
    lamps = np.zeros((128, 3), np.float32)
    for place, amount in amounts.items():
        lamps[place] = amount * np.pi / DIRECTIONS.solid_angle[place]
    return Environment(DIRECTIONS, np.full((128, 3), 0.2), lamps, np.zeros(3), 0.0)


def neighbour(place: int) -> int:
    return int(np.argsort(-(DIRECTIONS.towards @ DIRECTIONS.towards[place]))[1])


def test_even_light_has_none() -> None:
    lamps = sharp_lamps(environment({}))
    assert lamps.directions.shape == lamps.irradiance.shape == (0, 3) and lamps.angle.shape == (0,)


def test_a_lamp_between_two_directions_is_one() -> None:
    first, colour = 5, np.array([0.6, 0.5, 0.4])
    lamps = sharp_lamps(environment({first: colour, neighbour(first): colour, 100: 0.3 * colour}))
    assert len(lamps.angle) == 2
    np.testing.assert_allclose(lamps.irradiance, [2 * colour, 0.3 * colour], rtol=1e-5)
    middle = DIRECTIONS.towards[[first, neighbour(first)]].sum(0)
    np.testing.assert_allclose(lamps.directions[0], middle / np.linalg.norm(middle), atol=1e-6)
    assert lamps.angle[0] > lamps.angle[1] > 0


def test_traces_of_lamps_are_left_out() -> None:
    lamps = sharp_lamps(environment({5: np.ones(3), 100: np.full(3, 0.1)}))
    np.testing.assert_allclose(lamps.directions, DIRECTIONS.towards[[5]], atol=1e-6)
