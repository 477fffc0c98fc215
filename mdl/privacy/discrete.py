"""Noise on the integers, from a secure source: the discrete Laplace and the discrete Gaussian.

[CKS20] C. Canonne, G. Kamath, T. Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020.

Both are whole numbers, drawn without knowledge of what they will hide. So no rounding of a sum tells anything
of its summands, as it does where floating-point noise is added to a floating-point value (I. Mironov, "On
Significance of the Least Significant Bits for Differential Privacy", CCS 2012).
"""

import decimal
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.schemes.prf import KEY_BYTES, stream, stream_pieces
from mdl.system import Randomness
from mdl.vectors import Flags, Integers

Words = NDArray[np.uint64]

SCALE_LIMIT: Final = 1 << 40
"""No scale may be larger. A draw is below 2^47 then, exact as a double, and sums of 2^16 fit 64 bits."""

_WORD_BITS: Final = 64
_WORD_BYTES: Final = 8
_CHUNK: Final = 1 << 13
"""Values drawn at a time: so few that their words stay in the cache."""


def laplace(scale: Fraction | float, count: int, *, rng: Randomness) -> Integers:
    """Draw from the discrete Laplace distribution: P(k) proportional to e^(-|k|/b).

    A value is the difference of two geometric ones. The binary digits of a geometric value are independent,
    as e^(-g/b) is a product over the digits of g: digit j is 1 with probability 1 / (1 + e^(2^j / b)). Each
    is one comparison of a uniform word of 64 bits with a threshold, and which are made does not depend on
    what comes out.

    A threshold is rounded to a multiple of 2^-64, and digits whose threshold would be 0 are left out. So the
    distance in total variation from the exact distribution is at most (digits + 1) * 2^-64 a value: below
    2^-58, as the largest scale has 46 digits.

    Args:
        scale: b, in (0, 2^40]; a float stands for the rational number that it is.
        count: how many values.
        rng: secret randomness. A seed of AES-128-CTR is drawn from it for every few thousand values.

    Returns:
        Shape (count,), independent.
    """
    assert 0 < scale <= SCALE_LIMIT
    thresholds = _digit_thresholds(Fraction(scale))
    return _chunks(count, lambda size: _laplace(thresholds, size, rng))


def gaussian(sigma: float, count: int, *, rng: Randomness) -> Integers:
    """Draw from the discrete Gaussian distribution: P(k) proportional to e^(-k^2 / (2 sigma^2)).

    Laplace values of scale t = floor(sigma) + 1 are kept with probability e^(-(|k| - sigma^2/t)^2 / (2
    sigma^2)), about three of four [CKS20, Algorithm 3].

    That probability is computed in double precision, with a relative error below 2^-44 wherever it exceeds
    2^-64, and compared with 63 uniform bits. So every P(k) is within a factor of 1 ± 2^-42 of the exact one,
    but for a part of total variation 2^-56 a value. This concerns noise alone: no rounding depends on what
    the noise will hide.

    Args:
        sigma: in (0, 2^40).
        count: how many values.
        rng: secret randomness, as for `laplace`.

    Returns:
        Shape (count,), independent.
    """
    assert 0 < sigma < SCALE_LIMIT
    return _chunks(count, lambda size: _gaussian(sigma, size, rng))


def uniform_words(count: int, *, rng: Randomness) -> Words:
    """Expand one seed drawn from `rng` into uniform words of 64 bits, shape (count,)."""
    return stream(rng.bytes(KEY_BYTES), _WORD_BYTES * count).view("<u8")


def _chunks(count: int, draw: Callable[[int], Integers]) -> Integers:
    drawn = np.empty(count, np.int64)
    for start in range(0, count, _CHUNK):
        part = drawn[start : start + _CHUNK]
        part[:] = draw(len(part))
    return drawn


@lru_cache(maxsize=8)
def _digit_thresholds(scale: Fraction) -> tuple[np.uint64, ...]:
    """Give 2^64 / (1 + e^(2^j / b)) rounded, for j = 0, 1, ... while it is not 0."""
    found: list[np.uint64] = []
    with decimal.localcontext(prec=60):
        inverse = Decimal(scale.denominator) / Decimal(scale.numerator)
        while True:
            # Beyond 64 the chance is 0 when rounded, and e^power may be more than a Decimal holds.
            power = min(2 ** len(found) * inverse, Decimal(_WORD_BITS))
            threshold = int((2**_WORD_BITS / (1 + power.exp())).to_integral_value())
            if not threshold:
                return tuple(found)
            found.append(np.uint64(threshold))


def _laplace(thresholds: tuple[np.uint64, ...], count: int, rng: Randomness) -> Integers:
    geometric = np.zeros((2, count), np.int64)
    size = _WORD_BYTES * geometric.size
    pieces = stream_pieces(rng.bytes(KEY_BYTES), size * len(thresholds), size)
    for digit, (threshold, piece) in enumerate(zip(thresholds, pieces, strict=True)):
        ones = piece.view("<u8").reshape(2, count) < threshold
        geometric |= ones.astype(np.int64) << digit
    return np.asarray(geometric[0] - geometric[1])


def _gaussian(sigma: float, count: int, rng: Randomness) -> Integers:
    scale = int(sigma) + 1
    thresholds = _digit_thresholds(Fraction(scale))
    kept: list[Integers] = []
    missing = count
    while missing:
        drawn = _laplace(thresholds, 2 + missing + missing // 2, rng)
        drawn = drawn[_accepted(np.abs(drawn), sigma, scale, rng)][:missing]
        kept.append(drawn)
        missing -= len(drawn)
    return np.concatenate([np.empty(0, np.int64), *kept])


def _accepted(sizes: Integers, sigma: float, scale: int, rng: Randomness) -> Flags:
    chance = np.exp(-0.5 * np.square(sizes / sigma - sigma / scale))
    bits = uniform_words(len(sizes), rng=rng) >> np.uint64(1)
    return np.asarray(bits < np.ldexp(chance, _WORD_BITS - 1).astype(np.uint64))
