"""Quotients by numbers that are not small.

R. Goldschmidt, Applications of division by convergence, MIT 1964; in secret: O. Catrina, A. Saxena, Secure
computation with fixed-point numbers, FC 2010.
"""

from typing import Final

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS
from mdl.mpc.rounds import together
from mdl.mpc.secret import Secret

MOST_BELOW: Final = 1000
"""What is divided by is not above it."""

_FINE: Final = 23
"""Binary digits of fractions on the way: so few that products of numbers below 2 stay below 2^47."""

_SLOPE_DIGITS: Final = 64
"""A slope has so many units at least: the straight line need not be the best one, but it is one exactly."""

_WITHIN: Final = 2.0**-20


async def quotients(
    engine: Engine, above: Secret, below: Secret, most: int, bits: int = FRACTION_BITS
) -> Secret:
    """Give a/b, within two units of its last place and 2^-18 for b up to 100, 2^-16 up to 1000.

    x = s (most + 1 - b) is a straight line near 1/b, and h = 1 - b x is small. Then 1/b is the product of x,
    1 + h, 1 + h^2, 1 + h^4 ...: each factor is made while the one before is multiplied.

    Args:
        engine: the party's.
        above: a in [-1, 1], shape (n, k).
        below: b in [1, most], shape (n,).
        most: at most `MOST_BELOW`.
        bits: of the quotient's fraction, between 16 and 24.

    Returns:
        Shape (n, k).
    """
    slope, slope_bits = _slope(most)
    line = -below + ((most + 1) << FRACTION_BITS)
    found: list[Secret] = await together(
        engine.truncate(line * slope, FRACTION_BITS + slope_bits - _FINE),
        engine.scaled_product(multiply, below * slope, line, 2 * FRACTION_BITS + slope_bits - _FINE),
    )
    inverse, rest = found[0], -found[1] + (1 << _FINE)
    error = 1 - most * slope / (1 << slope_bits)
    while (error := error * error) > _WITHIN:
        found = await together(
            engine.scaled_product(multiply, inverse, rest + (1 << _FINE), _FINE),
            engine.scaled_product(multiply, rest, rest, _FINE),
        )
        inverse, rest = found
    # At last with no more digits than the quotient is to have: it is one of many.
    inverse = await engine.scaled_product(multiply, inverse, rest + (1 << _FINE), 2 * _FINE - bits)
    across = inverse.reshape(-1, 1).expand(*above.shape)
    return await engine.scaled_product(multiply, above, across, FRACTION_BITS)


def _slope(most: int) -> tuple[int, int]:
    """Give the best line's slope, rounded down so that its error stays below one, and its binary digits."""
    best = 8 / (most * most + 6 * most + 1)
    bits = 0
    while best * (1 << bits) < _SLOPE_DIGITS:
        bits += 1
    return int(best * (1 << bits)), bits
