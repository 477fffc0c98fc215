"""What takes the place of integers modulo 2^104, and modulo 2^127 - 1, where all randomness is enumerated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import Limbs
from mdl.mpc.wide import Wide

NUMBER: Final = torch.int8
"""The type as which such integers are drawn, and listed in a view."""


@dataclass(frozen=True)
class Narrow:
    """Integers modulo a small number, in a single limb; see `mdl.mpc.residues.Residues`.

    Attributes:
        modulus: up to 2^7.
        opened: integers are opened modulo this number.
    """

    modulus: int
    opened: int

    @property
    def size_bytes(self) -> int:
        """By which messages of integers are told from others, whose shapes end on a number of outcomes."""
        return 11

    @property
    def factor_bits(self) -> int:
        """As many as are multiplied by here."""
        return 16

    def split(self, values: Tensor) -> Limbs:
        return self.carried((values,))

    def carried(self, limbs: Limbs) -> Limbs:
        return (limbs[0] % self.modulus,)

    def settled(self, limbs: Limbs) -> Limbs:
        return self.carried(limbs)

    def times(self, one: Limbs, two: Limbs) -> Limbs:
        return self.carried((one[0] * two[0],))

    def bilinear(self, product: Callable[[Tensor, Tensor], Tensor], one: Limbs, two: Limbs) -> Limbs:
        return self.carried((product(one[0], two[0]),))

    def words(self, limbs: Limbs) -> tuple[Tensor, Tensor]:
        return limbs[0], torch.zeros_like(limbs[0])

    def of_words(self, low: Tensor, high: Tensor) -> Limbs:
        assert not high.any()
        return self.carried((low,))

    def signed(self, limbs: Limbs) -> Tensor:
        half = self.opened // 2
        return (limbs[0] + half) % self.opened - half

    def drawn(self, stream: Keystream, shape: torch.Size) -> Limbs:
        return self.carried((stream.draw(shape, NUMBER).to(torch.int64),))


def listed(message: Tensor, narrow: Narrow) -> Tensor:
    """Give a message's entries; of a packed one its integers, shape (...), of the type `NUMBER`."""
    if message.dtype == torch.uint8 and message.shape[-1:] == (narrow.size_bytes,):
        return Wide.unpacked(message, narrow).limbs[0].to(NUMBER)
    return message
