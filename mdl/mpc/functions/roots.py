"""The inverse square root.

W. Lu, Y. Fang, Z. Huang, C. Hong, C. Chen, H. Qu, Y. Zhou, K. Ren, Faster secure multiparty computation of
adaptive gradient descent, PPMLP 2020; and Keller and Sun, ICML 2022. Theirs finds the highest digit and fits
a polynomial to [1/4, 1/2]. Here every other digit is looked at, which halves what must be made integers of,
and the polynomial fits all of [1/4, 1].
"""

from typing import Final

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.functions.words import lacking, magnitudes
from mdl.mpc.secret import Secret

ROOT_BITS: Final = 22
"""Binary digits of an inverse root's fraction: of the smallest number it is 2^8, of the largest 2^-7.5."""

_COEFFICIENTS: Final = (3.498031, -8.984595, 14.65770, -11.97346, 3.804443)
"""Of the polynomial of degree 4 that is nearest to u^-1/2 on [1/4, 1], relatively: within 0.22 %."""

_COEFFICIENT_BITS: Final = 12

_HALF_DIGITS: Final = 16
"""Numbers are below 4^16."""


async def inverse_square_root(engine: Engine, secret: Secret, *, newton: int = 0) -> Secret:
    """Give x^-1/2, within 0.3 %.

    With k the least for which the integer x 2^16 is below 4^k, u = x 2^16 / 4^k is in [1/4, 1), and the
    result is u^-1/2 2^(8 - k).

    Args:
        engine: the party's.
        secret: numbers in [2^-16, 2^15); of zero the result is near 1.7 2^8.
        newton: steps of Newton's iteration, each of which squares the error; after one it is within 0.01 %.

    Returns:
        The same shape, 22 fraction bits.
    """
    reached = await magnitudes(engine, secret, 2)
    drop = 2 * _HALF_DIGITS - FRACTION_BITS
    u = await engine.scaled_product(multiply, secret, lacking(reached, 4), drop)
    root = await _normalised(engine, u)
    for _ in range(newton):
        square = await engine.scaled_product(multiply, root, root, FRACTION_BITS)
        rest = -await engine.scaled_product(multiply, square, u, FRACTION_BITS) + (3 << FRACTION_BITS)
        root = await engine.scaled_product(multiply, root, rest, FRACTION_BITS + 1)
    # u^-1/2 2^(8 - k) 2^22 is what `root` stands for, 2^16 u^-1/2, times 2^(16 - k), by 2^2.
    drop = FRACTION_BITS // 2 + _HALF_DIGITS - ROOT_BITS
    return await engine.scaled_product(multiply, root, lacking(reached, 2), drop)


async def _normalised(engine: Engine, u: Secret) -> Secret:
    """Give u^-1/2 for u in [1/4, 1): c_0 + c_1 u + u^2 (c_2 + c_3 u + c_4 u^2)."""
    c = [constant(value, _COEFFICIENT_BITS) for value in _COEFFICIENTS]
    square = await engine.scaled_product(multiply, u, u, FRACTION_BITS)
    outer = u * c[1] + (c[0] << FRACTION_BITS)
    inner = u * c[3] + square * c[4] + (c[2] << FRACTION_BITS)
    return await engine.scaled_product(
        multiply, inner, square, FRACTION_BITS + _COEFFICIENT_BITS, plus=outer << FRACTION_BITS
    )
