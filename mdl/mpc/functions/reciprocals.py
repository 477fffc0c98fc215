"""Reciprocals of numbers that are not small."""

from typing import Final

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.secret import Secret

RECIPROCAL_BITS: Final = 22
"""Binary digits of a reciprocal's fraction."""


async def reciprocal(engine: Engine, secret: Secret, most: int) -> Secret:
    """Give 1/x for x in [1, most], at 22 bits, within 1e-5: Newton's iteration from the best straight line.

    That is off by (most - 1)^2 / (most^2 + 6 most + 1) at the worst, relatively; each step squares the error.
    """
    bits = RECIPROCAL_BITS
    slope = 8 / (most * most + 6 * most + 1)
    start = constant(slope * (most + 1), bits)
    found = -await engine.truncate(secret * constant(slope, bits), FRACTION_BITS) + start
    fine = secret << (bits - FRACTION_BITS)
    error = (most - 1) ** 2 / (most * most + 6 * most + 1)
    while error > 2.0**-bits:
        rest = -await engine.scaled_product(multiply, fine, found, bits) + (2 << bits)
        found = await engine.scaled_product(multiply, found, rest, bits)
        error *= error
    return found
