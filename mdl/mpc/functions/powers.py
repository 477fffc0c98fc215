"""Powers of two, and of e by them.

[KS22] M. Keller, K. Sun, Secure quantized training for deep learning, ICML 2022.
"""

import math
from functools import cache
from typing import Final

import numpy as np

from mdl.mpc.engine import COMPARED_BITS, Engine, multiply
from mdl.mpc.fixed import FRACTION_BITS, constant
from mdl.mpc.rounds import together
from mdl.mpc.secret import Bits, Secret, stacked, stacked_bits

_FINE: Final = 23
"""Binary digits of the fraction while a power of two is evaluated: so few that products stay below 2^47."""

_POWER_BITS: Final = 4
"""Powers of two are taken of arguments below 2^4 = 16: 2^-16 is the smallest there is."""


async def binary_exponents(engine: Engine, secret: Secret) -> Secret:
    """Give y for which 2^y is e^x: x log2(e), |x| < 2^14.

    log2(e) has 16 bits, and is off by half a unit: y is so for each unit of x, and by its rounding. So
    differences of near numbers are right, of whatever size they are.
    """
    return await engine.truncate(secret * constant(math.log2(math.e)), FRACTION_BITS)


async def powers_of_two(engine: Engine, secret: Secret) -> Secret:
    """Give 2^y for y in (-2^14, 1), within 1.5 units of the last place; zero where it is below 2^-15.

    2^y is 2^(s - 15), s = y + 15. Where s is negative the result is zero; else 2^s is the product of a power
    for each of its four integer bits and of a polynomial of its fraction ([KS22], Algorithm 2).
    """
    shift = (1 << _POWER_BITS) - 1
    exponent = secret + (shift << FRACTION_BITS)
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
    return await engine.scaled_product(multiply, whole, part, _FINE + shift - FRACTION_BITS)


async def _kept(engine: Engine, bit: Bits, secret: Secret) -> tuple[Secret, Secret]:
    """Give a secret where a bit is one, else zero, and that bit as an integer."""
    kept = await engine.select(bit, secret)
    return kept, await engine.integers(bit)


async def _digits(engine: Engine, bit: Bits, digits: Bits) -> Secret:
    """Give digits, shape (k, ...), where a bit is one, else zero, as integers."""
    return await engine.integers(await engine.conjunction(stacked_bits([bit] * digits.shape[0]), digits))


async def _whole_power(engine: Engine, digits: Secret, weight: Secret) -> Secret:
    """Give 2 to a number of four binary digits, shape (4, ...), times a weight.

    It is the product of 1 + d_j (2^(2^j) - 1).
    """
    factors = stacked([digits[index] * ((1 << (1 << index)) - 1) + 1 for index in range(_POWER_BITS)])
    pairs = await engine.product(multiply, factors[:2], factors[2:])
    power = await engine.product(multiply, pairs[0], pairs[1])
    return await engine.product(multiply, power, weight)


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
