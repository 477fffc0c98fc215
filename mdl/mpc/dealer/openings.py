"""How holders come to know the sum of what each of them has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final, TypeAlias

import torch
from torch import Tensor

from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId

Join: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Puts shares together: addition, or exclusive or."""

_FEW: Final = 3
"""Holders that tell each other everything."""

_SHORT: Final = 1024
"""Entries below which a round is dearer than the bytes it spares."""


@dataclass(frozen=True)
class Openings:
    """One holder's side, or that of a dealer, who takes the same steps in silence.

    Few holders tell each other all. Among many each one sums a part of the entries, and then tells the others
    the result: two rounds, and 2 (n - 1) / n words sent by each, instead of n - 1.

    Attributes:
        party: this one.
        holders: n, numbered from 0.
    """

    party: PartyId
    holders: int

    async def opened(self, own: Tensor, join: Join = torch.add) -> Tensor:
        """Give the sum of all holders' shares.

        What a holder tells must be uniform, whatever the others know, but for the sum.
        """
        if not self._in_parts(own.shape):
            return reduce(join, await self._told([own] * self.holders, own.shape), own)
        parts = own.reshape(-1).tensor_split(self.holders)
        mine = parts[self.party]
        mine = reduce(join, await self._told(parts, mine.shape), mine)
        others = self._others()
        found = await Exchange(
            [(other, mine) for other in others],
            [Wanted(other, parts[other].shape, own.dtype) for other in others],
        )
        found.insert(self.party, mine)
        return torch.cat(found).reshape(own.shape)

    async def awaited(self, shape: torch.Size) -> None:
        """Let the holders open a tensor of that shape."""
        await Exchange()
        if self._in_parts(shape):
            await Exchange()

    async def _told(self, by_holder: Sequence[Tensor], shape: torch.Size) -> list[Tensor]:
        """Send each other holder what is its; give what they send, all of a shape."""
        others, dtype = self._others(), by_holder[0].dtype
        return await Exchange(
            [(other, by_holder[other]) for other in others], [Wanted(other, shape, dtype) for other in others]
        )

    def _others(self) -> list[PartyId]:
        return [holder for holder in range(self.holders) if holder != self.party]

    def _in_parts(self, shape: torch.Size) -> bool:
        return self.holders > _FEW and shape.numel() >= _SHORT
