"""Quotients by numbers that are not small.

R. Goldschmidt, Applications of division by convergence, MIT 1964; in secret: O. Catrina, A. Saxena, Secure
computation with fixed-point numbers, FC 2010. There residuals are squared; here they are Chebyshev
polynomials, which are smaller: 2e-9 after four steps for numbers up to 10, where squares need five.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret

MOST_BELOW: Final = 1000
"""What is divided by is not above it: plans up to it are tested, and `quotients` is asked for no other."""

_FINE: Final = 23
"""Binary digits of fractions on the way: so few that products of numbers below 2 stay below 2^47."""

_SLOPE_DIGITS: Final = 64
"""A slope has so many units at least: the straight line need not be the best one, but it is one exactly."""

_FACTOR_BITS: Final = 20
"""Binary digits of the factor that makes a multiple of the inverse of that line."""

_WITHIN: Final = 2.0**-20


async def quotients(
    engine: Engine,
    above: Secret,
    below: Secret,
    most: int,
    bits: int = FRACTION_BITS,
    *,
    above_bits: int = FRACTION_BITS,
) -> Secret:
    """Give a/b, within two units of its last place and 2^-17 for b up to 100, 2^-14 up to 1000.

    x = s (most + 1 - b) is a straight line near 1/b, and its residual r = 1 - b x is within [-e, e]. With c =
    2 / (2 - e^2), that of c x (1 + r) is c r^2 - (c - 1), within c - 1: the doubling of Chebyshev
    polynomials, T_2n = 2 T_n^2 - 1. So 1/b is the product of x and a c (1 + r) for every residual in turn;
    each is made while the one before is multiplied.

    Args:
        engine: the party's.
        above: a in [-1, 1], shape (n, k).
        below: b in [1, most], shape (n,).
        most: at most `MOST_BELOW`.
        bits: of the quotient's fraction, between 16 and 24.
        above_bits: of a's fraction; b has `FRACTION_BITS`.

    Returns:
        Shape (n, k).
    """
    assert most <= MOST_BELOW
    plan = _planned(most)
    line = -below + ((most + 1) << FRACTION_BITS)
    found: list[Secret] = await together(
        engine.truncate(line * plan.factor, FRACTION_BITS + plan.factor_bits - _FINE),
        engine.scaled_product(
            multiply, below * plan.slope, line, 2 * FRACTION_BITS + plan.slope_bits - _FINE
        ),
    )
    inverse, residual = found[0], -found[1] + (1 << _FINE)
    *steps, last = plan.steps
    for step in steps:
        found = await together(
            engine.scaled_product(multiply, inverse, residual + step.one, _FINE - step.up),
            engine.scaled_product(multiply, residual, residual, _FINE - step.residual_up),
        )
        inverse, residual = found[0], found[1] - step.shift
    # At last with no more digits than the quotient is to have: it is one of many.
    inverse = await engine.scaled_product(multiply, inverse, residual + last.one, 2 * _FINE - last.up - bits)
    across = inverse.reshape(-1, 1).expand(*above.shape)
    return await engine.scaled_product(multiply, above, across, above_bits)


@dataclass(frozen=True)
class _Step:
    """From multiples of an inverse x and of its residual r, h x and l r, to the next ones.

    Attributes:
        one: l, at `_FINE` bits: what is added to l r makes it l (1 + r).
        up: binary digits by which the product with h x is raised, to be h' times the next inverse.
        residual_up: likewise of the square of l r.
        shift: what is then left to subtract from it, l' (c - 1).
    """

    one: int
    up: int
    residual_up: int
    shift: int


@dataclass(frozen=True)
class _Plan:
    """Public numbers of an iteration.

    Attributes:
        slope: s 2^slope_bits, exactly.
        slope_bits: its binary digits.
        factor: h s 2^factor_bits, for the first inverse's multiple.
        factor_bits: its binary digits.
        steps: the last of which needs no residual.
    """

    slope: int
    slope_bits: int
    factor: int
    factor_bits: int
    steps: tuple[_Step, ...]


@cache
def _planned(most: int) -> _Plan:
    """Choose multiples so that no constant is multiplied by: l in (1/2, 1], h in [1, 2) and at last 1."""
    slope, slope_bits = _slope(most)
    error, residual_multiple = 1 - most * slope / (1 << slope_bits), 1.0
    numbers: list[tuple[float, float, int, float]] = []
    while error > _WITHIN or not numbers:
        stretch = 2 / (2 - error * error)
        square = residual_multiple * residual_multiple / stretch
        residual_up = _digits_missing(square)
        following = math.ldexp(square, residual_up)
        error = stretch - 1
        numbers.append((residual_multiple, stretch, residual_up, following * error))
        residual_multiple = following
    steps: list[_Step] = []
    inverse_multiple = 1.0
    for one, stretch, residual_up, shift in reversed(numbers):
        before = inverse_multiple * stretch / one
        up = math.floor(math.log2(before))
        inverse_multiple = math.ldexp(before, -up)
        steps.append(_Step(constant(one, _FINE), up, residual_up, constant(shift, _FINE)))
    first = inverse_multiple * slope / (1 << slope_bits)
    factor_bits = _FACTOR_BITS + _digits_missing(first)
    return _Plan(slope, slope_bits, constant(first, factor_bits), factor_bits, tuple(reversed(steps)))


def _digits_missing(number: float) -> int:
    """Give k for which 2^k times a number is in (1/2, 1]."""
    return math.floor(-math.log2(number))


def _slope(most: int) -> tuple[int, int]:
    """Give the best line's slope, rounded down so that its error stays below one, and its binary digits."""
    best = 8 / (most * most + 6 * most + 1)
    bits = 0
    while best * (1 << bits) < _SLOPE_DIGITS:
        bits += 1
    return int(best * (1 << bits)), bits
