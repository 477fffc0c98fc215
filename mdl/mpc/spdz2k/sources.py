"""Both ends of what the dealer deals: masks, functions of them, and the MACs of both."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.spdz2k.macs import Key, stacked
from mdl.mpc.wide import Wide
from mdl.party import PartyId


class Dealt:
    """A holder's end: all but the last holder derive what they are dealt.

    Args:
        party: this holder.
        holders: how many there are; this is the dealer's number too.
        key: in common with the dealer.
    """

    def __init__(self, party: PartyId, holders: int, key: bytes) -> None:
        self.stream: Final = Keystream(key)
        self.key: Final = Key.drawn(self.stream)
        self._dealer = holders
        self._last = party == holders - 1

    def mask(self, shape: torch.Size) -> Wide:
        """Draw a share of a fresh mask; its MAC is dealt."""
        return Wide.drawn(self.stream, shape, RING_104)

    def mask_of_words(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Draw a share of a fresh mask of bits; its MACs are dealt."""
        return self.stream.draw(shape, dtype)

    async def numbers(self, count: int, shape: torch.Size) -> Wide:
        """Receive shares of so many tensors of numbers of a shape: shape (count, ...)."""
        whole = torch.Size([count, *shape])
        if not self._last:
            shares = Wide.drawn(self.stream, whole, RING_104)
            await Exchange()
            return shares
        size = torch.Size([*whole, RING_104.size_bytes])
        (packed,) = await Exchange((), [Wanted(self._dealer, size, torch.uint8)])
        return Wide.unpacked(packed, RING_104)

    async def words(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Receive shares of words."""
        if self._last:
            (share,) = await Exchange((), [Wanted(self._dealer, shape, dtype)])
            return share
        share = self.stream.draw(shape, dtype)
        await Exchange()
        return share


class Dealing:
    """The dealer's end.

    Args:
        keys: of each holder, in common with the dealer.
        own: a key that nobody else has.
    """

    def __init__(self, keys: Sequence[bytes], own: bytes) -> None:
        self.streams: Final = [Keystream(key) for key in keys]
        self._own = Keystream(own)
        self.key: Final = Key.joined([Key.drawn(stream) for stream in self.streams])

    def mask(self, shape: torch.Size) -> Wide:
        """Draw a fresh mask."""
        first, *others = (Wide.drawn(stream, shape, RING_104) for stream in self.streams)
        for other in others:
            first = first + other
        return first

    def unknown(self, shape: torch.Size) -> Wide:
        """Draw numbers of which no holder has drawn anything."""
        return Wide.drawn(self._own, shape, RING_104)

    def own_mask(self, owner: PartyId, shape: torch.Size) -> Wide:
        """Draw a mask that one holder knows."""
        return Wide.drawn(self.streams[owner], shape, RING_104)

    def mask_of_words(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Draw a fresh mask of bits."""
        first, *others = (stream.draw(shape, dtype) for stream in self.streams)
        for other in others:
            first ^= other
        return first

    async def numbers(self, *values: Wide) -> None:
        """Deal tensors of numbers of one shape."""
        rest = stacked(values)
        for stream in self.streams[:-1]:
            rest = rest - Wide.drawn(stream, rest.shape, RING_104)
        await Exchange([(self._last, rest.packed())])

    async def words(self, value: Tensor) -> None:
        """Deal words."""
        for stream in self.streams[:-1]:
            value = value ^ stream.draw(value.shape, value.dtype)
        await Exchange([(self._last, value)])

    def authenticated(self, value: Wide) -> tuple[Wide, Wide]:
        """Give numbers with their MACs."""
        return value, self.key.of_number(value)

    def authenticated_words(self, value: Tensor) -> Tensor:
        """Give words with their MACs: shape (41, ...)."""
        return torch.cat((value.unsqueeze(0), self.key.of_words(value)))

    @property
    def _last(self) -> PartyId:
        return len(self.streams) - 1
