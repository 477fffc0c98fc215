import numpy as np
import pytest

from mdl.errors import OutOfRange
from mdl.privacy.settings import LaplaceNoise
from mdl.protocols.contribution import Contribution, Encoder
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded
from mdl.vectors import Blocks, Floats
from tests.protocols.parties import play, star_of

BLOCKS = Blocks(parameters=7, size=2)
GRID = FixedPoint(64.0, 8)
GRADIENT = np.linspace(-3, 3, 7)
CHOSEN = np.array([True, False, False, True])
NOISE = LaplaceNoise(epsilon=1.0)


def contribution(noise: LaplaceNoise | None, gradient: Floats = GRADIENT) -> Contribution:
    encoder = Encoder(BLOCKS, GRID, noise.mechanism(GRID) if noise else None, insecure_seeded(1))
    found = []

    async def story() -> None:
        found.append(await encoder.contribution(star_of(1, [])[1], gradient, CHOSEN))

    play(story)
    return found[0]


def test_without_noise_it_is_the_whole_gradient_on_the_grid() -> None:
    made = contribution(None)
    np.testing.assert_array_equal(made.values, BLOCKS.split(GRID.encode(GRADIENT)[0]))
    assert made.facts == {"saturated": 0}
    assert contribution(None, GRADIENT * 100).facts == {"saturated": 6}


def test_with_noise_nothing_else_is_in_it_than_what_is_contributed() -> None:
    made = contribution(NOISE)
    assert made.values.shape == (4, 2)
    assert not made.values[~CHOSEN].any()
    assert (made.values[CHOSEN] != BLOCKS.split(GRID.encode(GRADIENT)[0])[CHOSEN]).all()
    # Of the seven parameters the first two and the last, all beyond the clip; the padding is none.
    assert made.facts == {"saturated": 0, "clipped": 3, "noised": 3}


@pytest.mark.parametrize("noise", [None, NOISE])
def test_a_gradient_that_is_not_finite_is_refused(noise: LaplaceNoise | None) -> None:
    with pytest.raises(OutOfRange, match="not finite"):
        contribution(noise, GRADIENT * np.nan)
