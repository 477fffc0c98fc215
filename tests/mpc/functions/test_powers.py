"""Powers of e, and what they are made of."""

import math

import pytest
import torch

from mdl.mpc.engine import Engine
from mdl.mpc.fixed import decoded, encoded
from mdl.mpc.functions import binary_exponents, powers_of_two
from mdl.mpc.plain import Plain
from mdl.mpc.secret import Secret
from tests.mpc.parties import opened, plainly, replicated


@pytest.mark.parametrize("level", [-16_000.0, 0.0, 16_000.0])
def test_differences_of_binary_exponents_are_right_wherever_numbers_are(level: float) -> None:
    """As scores have them, before the largest is taken away."""
    given = encoded(level + torch.linspace(0, 20, 500, dtype=torch.float64))
    found, _ = replicated(opened(binary_exponents, given))
    steps, expected = decoded(found - found[0]), decoded(given - given[0]) * math.log2(math.e)
    # Two roundings; and log2(e), which has 16 bits.
    assert float((steps - expected).abs().max()) < (2 + 20 / 2) * 2.0**-16


@pytest.mark.parametrize("difference", [0.5, 10.0, 12.0, 100.0, 8000.0])
def test_what_is_rounded_stays_small_whatever_the_difference(
    difference: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larger numbers would be right, modulo 2^64; but statistical masks would not hide them."""
    largest = 0
    truncate = Plain.truncate

    async def watched(engine: Plain, secret: Secret, drop: int) -> Secret:
        nonlocal largest
        largest = max(largest, int(secret.parts[0].abs().max()))
        return await truncate(engine, secret, drop)

    monkeypatch.setattr(Plain, "truncate", watched)

    async def exponentials(engine: Engine, secret: Secret) -> Secret:
        return await powers_of_two(engine, await binary_exponents(engine, secret))

    given = encoded(torch.linspace(-difference, 0, 500, dtype=torch.float64))
    plainly(opened(exponentials, given))
    assert 0 < largest <= 1 << 47
