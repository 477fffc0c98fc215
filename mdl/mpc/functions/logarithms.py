"""The natural logarithm."""

import math

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.functions.quotients import quotients
from mdl.mpc.functions.words import lacking, magnitudes
from mdl.mpc.secret import Secret, stacked

_FINE = 24
"""Binary digits of the fraction before the last rounding."""

_PLACES = 31
"""Numbers are below 2^31."""


async def logarithms(engine: Engine, secret: Secret) -> Secret:
    """Give ln x, within 2^-13.

    x is z 2^(n - 16.5) with z in [2^-1/2, 2^1/2), and ln z the quotient of two cubics (Pade's at 1):
    (11 z^3 + 27 z^2 - 27 z - 11) / (3 z^3 + 27 z^2 + 27 z + 3), within 10^-6.

    Args:
        engine: the party's.
        secret: numbers in [2^-16, 2^15).

    Returns:
        The same shape.
    """
    reached = await magnitudes(engine, secret, 1)
    half = await engine.scaled_product(multiply, secret, lacking(reached, 2), _PLACES - FRACTION_BITS)
    z = await engine.truncate(half * constant(math.sqrt(2)), FRACTION_BITS)
    square = await engine.scaled_product(multiply, z, z, FRACTION_BITS)
    cube = await engine.scaled_product(multiply, square, z, FRACTION_BITS)
    one = 1 << FRACTION_BITS
    above, below = cube * 11 + square * 27 - z * 27 - 11 * one, (cube + square * 9 + z * 9 + one) * 3
    # The denominator is in [36.7, 103.7]: by 36 it is in [1, 3].
    scaled = await engine.truncate(stacked([above, below]) * constant(1 / 36), FRACTION_BITS)
    quotient = await quotients(engine, scaled[0].reshape(-1, 1), scaled[1].reshape(-1), 3, _FINE)
    # n - 16.5, twice: n is one more than there are powers of two that are reached.
    exponent = reached.sum(0) * 2 + (2 - 2 * FRACTION_BITS - 1)
    whole = exponent * constant(math.log(2) / 2, _FINE)
    return await engine.truncate(quotient.reshape(*secret.shape) + whole, _FINE - FRACTION_BITS)
