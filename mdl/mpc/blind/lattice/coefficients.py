"""Integers modulo q = 2^136, in three limbs: sums, and what of them goes over the wire."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream

LIMB_BITS: Final = 36
FRACTION_BITS: Final = 2 * LIMB_BITS
MODULUS_BITS: Final = FRACTION_BITS + 64

FRACTION_BYTES: Final = FRACTION_BITS // 8
WHOLE_BYTES: Final = MODULUS_BITS // 8

COMBINED_LIMIT: Final = 1 << 62 - LIMB_BITS
"""Integers that limbs are combined with add up to at most this in absolute value: no limb exceeds 2^62."""

_MASK: Final = (1 << LIMB_BITS) - 1
_WORD_BYTES: Final = 8


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Residues low + 2^36 middle + 2^72 high: of a multiple of Δ = 2^72, `high` is the multiple modulo 2^64.

    Attributes:
        low: in [0, 2^36), int64.
        middle: in [0, 2^36), int64.
        high: modulo 2^64, int64.
    """

    low: Tensor
    middle: Tensor
    high: Tensor

    @staticmethod
    def carried(low: Tensor, middle: Tensor, high: Tensor) -> "Coefficients":
        """Bring limbs below 2^62 in absolute value into their ranges; of the highest one all is right."""
        middle = middle + (low >> LIMB_BITS)
        return Coefficients(low & _MASK, middle & _MASK, high + (middle >> LIMB_BITS))

    @staticmethod
    def of(values: Tensor) -> "Coefficients":
        """Take up integers, int64."""
        return Coefficients(values & _MASK, values >> LIMB_BITS & _MASK, values >> 63)

    @staticmethod
    def drawn(stream: Keystream, shape: torch.Size) -> "Coefficients":
        """Draw uniform ones."""
        low, middle, high = stream.draw(torch.Size([3, *shape]))
        return Coefficients(low & _MASK, middle & _MASK, high)

    @property
    def shape(self) -> torch.Size:
        """Of the tensor."""
        return self.high.shape

    @property
    def limbs(self) -> tuple[Tensor, Tensor, Tensor]:
        """The lowest first."""
        return self.low, self.middle, self.high

    def map(self, moved: Callable[[Tensor], Tensor]) -> "Coefficients":
        """Apply a map that only moves, repeats or leaves out entries."""
        return Coefficients(*(moved(limb) for limb in self.limbs))

    def __getitem__(self, index: Any) -> "Coefficients":
        return self.map(lambda limb: limb[index])

    def __add__(self, other: "Coefficients") -> "Coefficients":
        return self.carried(*(one + two for one, two in zip(self.limbs, other.limbs, strict=True)))

    def __neg__(self) -> "Coefficients":
        return self.carried(*(-limb for limb in self.limbs))

    # -------------------------------------------------------------------------------------- on the wire

    def fractions(self) -> Tensor:
        """Write the residues modulo 2^72: shape (..., 9), uint8."""
        data = torch.empty(*self.shape, FRACTION_BYTES, dtype=torch.uint8)
        data[..., :_WORD_BYTES] = _bytes_of(self.low | self.middle << LIMB_BITS)
        data[..., _WORD_BYTES] = (self.middle >> 64 - LIMB_BITS).to(torch.uint8)
        return data

    def whole(self) -> Tensor:
        """Write the residues: shape (..., 17), uint8."""
        return torch.cat([self.fractions(), _bytes_of(self.high)], -1)

    @staticmethod
    def of_fractions(data: Tensor) -> "Coefficients":
        """Read what `fractions` wrote, or any other bytes: below 2^72."""
        word = _words_of(data[..., :_WORD_BYTES])
        above = data[..., _WORD_BYTES].to(torch.int64)
        middle = (word >> LIMB_BITS & (1 << 64 - LIMB_BITS) - 1) | above << 64 - LIMB_BITS
        return Coefficients(word & _MASK, middle, torch.zeros_like(word))

    @staticmethod
    def of_whole(data: Tensor) -> "Coefficients":
        """Read what `whole` wrote, or any other bytes."""
        found = Coefficients.of_fractions(data)
        return Coefficients(found.low, found.middle, _words_of(data[..., FRACTION_BYTES:]))


def joined(parts: Sequence[Coefficients]) -> Coefficients:
    """Put tensors one behind the other."""
    return Coefficients(*(torch.cat(limbs) for limbs in zip(*(part.limbs for part in parts), strict=True)))


def _bytes_of(words: Tensor) -> Tensor:
    return words.contiguous().unsqueeze(-1).view(torch.uint8)


def _words_of(data: Tensor) -> Tensor:
    # A copy, as words must be aligned.
    return data.clone(memory_format=torch.contiguous_format).view(torch.int64).squeeze(-1)
