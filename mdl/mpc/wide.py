"""Tensors of integers that no machine word holds: modulo 2^104, and modulo the prime 2^127 - 1."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import Limbs, Residues

_WORDS_BYTES: Final = 16


@dataclass(frozen=True, eq=False)
class Wide:
    """Residues, as tensors of their limbs; computed with as an int64 tensor is.

    Attributes:
        limbs: carried; int64, all of the same shape.
        residues: what they are limbs of.
    """

    limbs: Limbs
    residues: Residues

    def __repr__(self) -> str:
        return f"Wide(shape={tuple(self.shape)}, modulus={self.residues.modulus})"

    @property
    def shape(self) -> torch.Size:
        """Of the tensor."""
        return self.limbs[0].shape

    # -------------------------------------------------------------------------------------- in and out

    @classmethod
    def of(cls, values: Tensor, residues: Residues) -> "Wide":
        """Take up signed integers, int64."""
        return cls(residues.split(values), residues)

    @classmethod
    def constants(cls, values: Sequence[int], residues: Residues) -> "Wide":
        """Take up integers of any size, shape (n,)."""
        reduced = [value % residues.modulus for value in values]
        low = torch.tensor([value & (1 << 64) - 1 for value in reduced], dtype=torch.uint64)
        high = torch.tensor([value >> 64 for value in reduced], dtype=torch.int64)
        return cls(residues.of_words(low.view(torch.int64), high), residues)

    @classmethod
    def drawn(cls, stream: Keystream, shape: torch.Size, residues: Residues) -> "Wide":
        """Draw from a keystream, uniformly (modulo 2^127 - 1 within 2^-127): 16 bytes for each."""
        return cls(residues.drawn(stream, shape), residues)

    @classmethod
    def unpacked(cls, data: Tensor, residues: Residues) -> "Wide":
        """Read what `packed` has written, shape (..., size_bytes), uint8; any bytes are some residue's."""
        padded = torch.zeros(*data.shape[:-1], _WORDS_BYTES, dtype=torch.uint8)
        padded[..., : residues.size_bytes] = data
        low, high = padded.view(torch.int64).unbind(-1)
        return cls(residues.of_words(low, high), residues)

    def packed(self) -> Tensor:
        """Write each residue as so few bytes as it needs: shape (..., size_bytes), uint8; one-to-one."""
        data = torch.stack(self.residues.words(self.limbs), -1).view(torch.uint8)
        return data[..., : self.residues.size_bytes].contiguous()

    def signed(self) -> Tensor:
        """Give the residues nearest to zero, modulo 2^64; int64."""
        return self.residues.signed(self.limbs)

    def words(self) -> tuple[Tensor, Tensor]:
        """Give the residues in [0, modulus): their 64 lowest bits, and those above; int64."""
        return self.residues.words(self.limbs)

    # -------------------------------------------------------------------------------------- linear maps

    def map(self, linear: Callable[[Tensor], Tensor]) -> "Wide":
        """Apply a linear map: for each entry, its coefficients add up to at most 2^F in absolute value.

        F are the residues' `factor_bits`.
        """
        return Wide(self.residues.carried(tuple(linear(limb) for limb in self.limbs)), self.residues)

    def moved(self, view: Callable[[Tensor], Tensor]) -> "Wide":
        """Apply a map that only moves, repeats or leaves out entries."""
        return Wide(tuple(view(limb) for limb in self.limbs), self.residues)

    def __add__(self, other: "Wide | Tensor | int") -> "Wide":
        added = self._taken(other)
        return self._settled(one + two for one, two in zip(self.limbs, added.limbs, strict=True))

    def __sub__(self, other: "Wide | Tensor | int") -> "Wide":
        taken = self._taken(other)
        return self._settled(one - two for one, two in zip(self.limbs, taken.limbs, strict=True))

    def __neg__(self) -> "Wide":
        return self._settled(-limb for limb in self.limbs)

    def __mul__(self, factor: "Wide | Tensor | int") -> "Wide":
        """Multiply entries: by residues, or by integers; those of an int64 tensor of any size."""
        if isinstance(factor, int) and abs(factor) <= 1 << self.residues.factor_bits:
            return self.map(lambda limb: limb * factor)
        return Wide(self.residues.times(self.limbs, self._taken(factor).limbs), self.residues)

    def __lshift__(self, bits: int) -> "Wide":
        return self * (1 << bits)

    def __getitem__(self, index: Any) -> "Wide":
        return self.moved(lambda limb: limb[index])

    def reshape(self, *shape: int) -> "Wide":
        """Reshape it."""
        return self.moved(lambda limb: limb.reshape(shape))

    def expand(self, *shape: int) -> "Wide":
        """Repeat it along axes of length one."""
        return self.moved(lambda limb: limb.expand(*shape))

    def sum(self, axis: int) -> "Wide":
        """Add along an axis."""
        return self.map(lambda limb: limb.sum(axis))

    def _taken(self, other: "Wide | Tensor | int") -> "Wide":
        if isinstance(other, Wide):
            return other
        if isinstance(other, int):
            return Wide.constants([other], self.residues).reshape()
        return Wide.of(other, self.residues)

    def _settled(self, limbs: Iterable[Tensor]) -> "Wide":
        return Wide(self.residues.settled(tuple(limbs)), self.residues)


def bilinear(product: Callable[[Tensor, Tensor], Tensor], one: Wide, two: Wide) -> Wide:
    """Apply a bilinear map that adds up at most 2^17 products for each entry of its result."""
    return Wide(one.residues.bilinear(product, one.limbs, two.limbs), one.residues)


def combined(parts: Sequence[Wide], linear: Callable[[Sequence[Tensor]], Tensor]) -> Wide:
    """Apply a map that is linear in several tensors together, bounded as in `Wide.map`."""
    residues = parts[0].residues
    limbs = tuple(linear(each) for each in zip(*(part.limbs for part in parts), strict=True))
    return Wide(residues.carried(limbs), residues)
