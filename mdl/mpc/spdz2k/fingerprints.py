"""A short linear hash of many bits: words folded over the field of 2^64 elements.

Who does not know the factors, drawn afterwards, finds two lists of words with the same fingerprint with a
probability below k 2^-64, for 2^k words. The fingerprint of an exclusive or is the exclusive or of the
fingerprints.
"""

from typing import Final

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream

_FIELD: Final = 0x1B
"""x^64 = x^4 + x^3 + x + 1."""

_BYTES: Final = 8


def fingerprint(words: Tensor, factors: Keystream) -> Tensor:
    """Fold words, shape (n,), int64, to a single one, shape ().

    The upper half, times a factor, is added to the lower half, until one word is left.
    """
    while len(words) > 1:
        half = (len(words) + 1) // 2
        upper = _times(words[half:], _multiples(factors))
        words = torch.cat((words[: len(upper)] ^ upper, words[len(upper) : half]))
    return words.sum()


def _multiples(factors: Keystream) -> Tensor:
    """Give a random factor times every byte at every place: shape (8, 256), int64."""
    value = int(factors.draw(torch.Size([1]))) & (1 << 64) - 1
    powers = []
    for _ in range(8 * _BYTES):
        powers.append(value - (value >> 63 << 64))
        value = (value << 1 & (1 << 64) - 1) ^ (_FIELD if value >> 63 else 0)
    table = torch.zeros(_BYTES, 1, dtype=torch.int64)
    for place in range(8):
        bit = torch.tensor(powers).reshape(_BYTES, 8)[:, place : place + 1]
        table = torch.cat((table, table ^ bit), 1)
    return table


def _times(words: Tensor, multiples: Tensor) -> Tensor:
    """Multiply by the factor whose multiples these are."""
    product = torch.zeros_like(words)
    for place in range(_BYTES):
        product ^= multiples[place][words >> 8 * place & 255]
    return product
