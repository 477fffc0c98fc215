"""The ring that secrets live in; narrow in tests, where all its randomness can be enumerated."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeVar

from numpy.typing import NDArray
from torch import Tensor

W = TypeVar("W", Tensor, NDArray[Any])


@dataclass(frozen=True)
class Ring:
    """Integers modulo 2^word_bits, as int64 whose higher bits are of no meaning.

    Sums and products of such words are right whatever the higher bits are; whoever reads a word's sign or
    shifts it to the right asks for it `signed` first.

    Attributes:
        word_bits: k.
        compared_bits: c; signs are taken of values in [-2^(c-1), 2^(c-1)).
        digit_bits: of a digit, where words are compared by digits, in tables.
    """

    word_bits: int = 64
    compared_bits: int = 32
    digit_bits: int = 4

    @property
    def digits(self) -> int:
        """Of a word that is compared; a power of two."""
        return self.compared_bits // self.digit_bits

    @cached_property
    def doubled(self) -> "Ring":
        """The one that twice a secret is in: of one more bit."""
        return replace(self, word_bits=self.word_bits + 1)

    @property
    def truncated_limit(self) -> int:
        """Values that are truncated are below this in absolute value."""
        return 1 << self.word_bits - 2

    def reduced(self, words: W) -> W:
        """Take away the bits of no meaning."""
        return words if self.word_bits == WORD_BITS else words & (1 << self.word_bits) - 1

    def signed(self, words: W) -> W:
        """Read words as integers in [-2^(k-1), 2^(k-1))."""
        if self.word_bits == WORD_BITS:
            return words
        above = WORD_BITS - self.word_bits
        return words << above >> above


def shaped(vector: Tensor, shape: tuple[int, ...]) -> Tensor:
    """View a vector in a shape: by its numbers, which torch reads faster than a `Size`."""
    match len(shape):
        case 1:
            return vector
        case 0:
            return vector.view(shape)
        case _:
            return vector.view(*shape)


WORD_BITS: Final = 64

RING_64: Final = Ring()
"""What most security models compute in."""

RING_63: Final = Ring(63)
"""Where products are computed twice as large, in words of 64 bits."""
