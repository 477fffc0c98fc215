"""Powers of two, and of e by them.

[KS22] M. Keller, K. Sun, Secure quantized training for deep learning, ICML 2022.
"""

import math
from functools import cache
from typing import Final

import numpy as np
from torch import Tensor

from mdl.mpc.engine import COMPARED_BITS, Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.rounds import together
from mdl.mpc.secret import Bits, Secret, stacked, stacked_bits

_FINE: Final = 23
"""Binary digits of the fraction while a power of two is evaluated: so few that products stay below 2^47."""

_SHIFT: Final = 18
"""What is added to an argument: where that is not enough, its power counts as zero."""

_POWER_BITS: Final = 5
"""Binary digits of the integer part of what comes out."""

SUMMAND_BITS: Final = 18
"""Binary digits of a power's fraction, where it is one of several that are compared with their sum."""


async def binary_exponents(engine: Engine, secret: Secret) -> Secret:
    """Give y for which 2^y is e^x: x log2(e), |x| < 2^14.

    log2(e) has 16 bits, and is off by half a unit: y is so for each unit of x, and by its rounding. So
    differences of near numbers are right, of whatever size they are.
    """
    return await engine.truncate(secret * constant(math.log2(math.e)), FRACTION_BITS)


async def powers_of_two(engine: Engine, secret: Secret) -> Secret:
    """Give 2^y for y in (-2^14, 1), within 1.5 units of the last place; zero where it is below 2^-18.

    2^y is 2^(s - 18), s = y + 18. Where s is negative the result is zero; else 2^s is the product of a power
    for each of its five integer bits and of a polynomial of its fraction ([KS22], Algorithm 2).
    """
    whole, part = await _factors(engine, secret)
    return await engine.scaled_product(multiply, whole, part, _dropped(FRACTION_BITS))


async def powers_of_two_and_totals(engine: Engine, rows: Secret) -> tuple[Secret, Secret]:
    """Give 2^y as `powers_of_two`, of `SUMMAND_BITS`, and their sums over rows, which are rounded once.

    Args:
        engine: the party's.
        rows: shape (n, k).

    Returns:
        Shapes (n, k) and (n,).
    """
    whole, part = await _factors(engine, rows)
    powers, totals = await together(
        engine.scaled_product(multiply, whole, part, _dropped(SUMMAND_BITS)),
        engine.scaled_product(_inner_products, whole, part, _dropped(FRACTION_BITS)),
    )
    return powers, totals


def _inner_products(one: Tensor, two: Tensor) -> Tensor:
    return (one * two).sum(1)


def _dropped(bits: int) -> int:
    """Give how many digits the product of `_factors` has too many, if so many are to be left."""
    return _FINE + _SHIFT - bits


async def _factors(engine: Engine, secret: Secret) -> tuple[Secret, Secret]:
    """Give an integer, zero where 2^y is, and a power of a fraction: their product is 2^(y + 18)."""
    exponent = secret + (_SHIFT << FRACTION_BITS)
    word = await engine.bits(exponent)
    places = range(FRACTION_BITS, FRACTION_BITS + _POWER_BITS)
    positive = word.digit(COMPARED_BITS - 1) ^ 1
    # Where the exponent is negative it has no fraction in [0, 1): zero takes the place of all there is of it.
    found = await together(
        _kept(engine, positive, exponent),
        _digits(engine, positive, stacked_bits([word.digit(place) for place in places])),
    )
    (fraction, weight), digits = found
    for index, place in enumerate(places):
        fraction = fraction - (digits[index] << place)
    whole, part = await together(_whole_power(engine, digits, weight), _fractional_power(engine, fraction))
    return whole, part


async def _kept(engine: Engine, bit: Bits, secret: Secret) -> tuple[Secret, Secret]:
    """Give a secret where a bit is one, else zero, and that bit as an integer."""
    kept = await engine.select(bit, secret)
    return kept, await engine.integers(bit)


async def _digits(engine: Engine, bit: Bits, digits: Bits) -> Secret:
    """Give digits, shape (k, ...), where a bit is one, else zero, as integers."""
    return await engine.integers(await engine.conjunction(stacked_bits([bit] * digits.shape[0]), digits))


async def _whole_power(engine: Engine, digits: Secret, weight: Secret) -> Secret:
    """Give 2 to a number of five binary digits, shape (5, ...), times a weight; where that is 0, so are they.

    It is the product of 1 + d_j (2^(2^j) - 1), of which the last one is taken times the weight w: w + d_4
    (2^16 - 1), as w d_4 is d_4.
    """
    *factors, last = (digits[index] * ((1 << (1 << index)) - 1) for index in range(_POWER_BITS))
    first = stacked(factors) + 1
    pairs = await engine.product(multiply, first[:2], first[2:])
    power = await engine.product(multiply, pairs[0], pairs[1])
    return await engine.product(multiply, power, weight + last)


async def _fractional_power(engine: Engine, fraction: Secret) -> Secret:
    """Give 2^r for r in [0, 1), at 23 bits: a polynomial of degree 5, within 2^-20.

    It is l_0 + r^2 l_1 + r^4 l_2, with straight lines l_k.
    """
    c = _power_coefficients()
    lines = stacked([fraction * c[2 * k + 1] + (c[2 * k] << FRACTION_BITS) for k in range(3)])
    found: list[Secret] = await together(
        engine.truncate(lines, FRACTION_BITS),
        engine.scaled_product(multiply, fraction, fraction, 2 * FRACTION_BITS - _FINE),
    )
    line, square = found
    factors = stacked([line[1], square])
    products = await engine.scaled_product(multiply, stacked([square, square]), factors, _FINE)
    return line[0] + products[0] + await engine.scaled_product(multiply, products[1], line[2], _FINE)


@cache
def _power_coefficients() -> tuple[int, ...]:
    """Fit 2^r on [0, 1] at Chebyshev's nodes; the constant first, at 23 bits."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, 5, domain=[0, 1])
    coefficients = fit.convert(kind=np.polynomial.Polynomial).coef.astype(np.float64)
    return tuple(constant(value, _FINE) for value in coefficients.tolist())
