"""What holders need besides each other: shares of functions of masks that none of them knows."""

from typing import Final, Protocol

import torch
from torch import Tensor

from mdl.mpc.dealer import masks
from mdl.mpc.engine import Bilinear
from mdl.mpc.keystream import Keystream
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.rounds import Protocol as Run
from mdl.party import PartyId


class Correlations(Protocol):
    """A source of correlated randomness, as one holder has it.

    Masks are given and returned as this holder's shares. Masks of integers are sums of shares modulo 2^(bits
    of their type), masks of bits the exclusive or of shares. All holders ask for the same in the same order.
    """

    def mask(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        """Give a share of a mask that is uniform and was never used."""

    def own_mask(self, shape: torch.Size) -> Tensor:
        """Give a mask that this holder knows: its share is the mask, the others' are zero."""

    def others_mask(self, owner: PartyId, shape: torch.Size) -> Tensor:
        """Give a share of a mask that `owner` knows: zero."""

    def product(self, bilinear: Bilinear, one: Tensor, two: Tensor, mask: Tensor) -> Run[Tensor]:
        """Share the product of two masks, less a third."""

    def conjunction(self, one: Tensor, two: Tensor, mask: Tensor) -> Run[Tensor]:
        """Share the bitwise and of two masks of bits, xor a third."""

    def quotient(self, mask: Tensor, drop: int) -> Run[tuple[Tensor, Tensor]]:
        """Share `masks.quotient`, both of them as integers."""

    def tables(self, mask: Tensor, places: int, *, signed: bool) -> Run[Tensor]:
        """Share `masks.tables`, as bits."""

    def binary(self, mask: Tensor) -> Run[Tensor]:
        """Share `masks.binary`, as bits."""

    def integers(self, mask: Tensor) -> Run[Tensor]:
        """Share masks of one bit, uint8, as integers modulo 2^64."""

    def selected(self, integers: Tensor, mask: Tensor) -> Run[Tensor]:
        """Share the products of masks of one bit, given as integers, and of masks."""


class Dealt:
    """Correlations that a dealer makes; see `Correlations`.

    Of everything a dealer shares each holder but the last derives its share from the key that it has in
    common with the dealer; the last is sent what is missing.

    Args:
        party: this holder.
        holders: how many there are; this is the dealer's number too.
        key: in common with the dealer.
        ring: of the secrets.
    """

    def __init__(self, party: PartyId, holders: int, key: bytes, ring: Ring = RING_64) -> None:
        self.stream, self._ring = Keystream(key), ring
        self._dealer: Final = holders
        self._last = party == holders - 1

    def mask(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        """See `Correlations`."""
        return self.stream.draw(shape, dtype)

    def own_mask(self, shape: torch.Size) -> Tensor:
        """See `Correlations`."""
        return self.stream.draw(shape)

    def others_mask(self, owner: PartyId, shape: torch.Size) -> Tensor:
        """See `Correlations`."""
        del owner
        return torch.zeros(shape, dtype=torch.int64)

    async def product(self, bilinear: Bilinear, one: Tensor, two: Tensor, mask: Tensor) -> Tensor:
        """See `Correlations`."""
        del bilinear, one, two
        return await self._share(mask.shape, mask.dtype)

    async def conjunction(self, one: Tensor, two: Tensor, mask: Tensor) -> Tensor:
        """See `Correlations`."""
        del one, two
        return await self._share(mask.shape, mask.dtype)

    async def quotient(self, mask: Tensor, drop: int) -> tuple[Tensor, Tensor]:
        """See `Correlations`."""
        types = torch.int64, masks.wrap_word(drop)
        quotient, topmost = await self._shares(*((mask.shape, dtype) for dtype in types))
        return quotient, topmost

    async def tables(self, mask: Tensor, places: int, *, signed: bool) -> Tensor:
        """See `Correlations`."""
        del places, signed
        return await self._share(torch.Size([self._ring.digits, *mask.shape]), torch.int16)

    async def binary(self, mask: Tensor) -> Tensor:
        """See `Correlations`."""
        return await self._share(mask.shape, torch.int32)

    async def integers(self, mask: Tensor) -> Tensor:
        """See `Correlations`."""
        return await self._share(mask.shape, torch.int64)

    async def selected(self, integers: Tensor, mask: Tensor) -> Tensor:
        """See `Correlations`."""
        del integers
        return await self._share(mask.shape, torch.int64)

    async def _share(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        (share,) = await self._shares((shape, dtype))
        return share

    async def _shares(self, *kinds: tuple[torch.Size, torch.dtype]) -> list[Tensor]:
        if self._last:
            return await Exchange((), [Wanted(self._dealer, *kind) for kind in kinds])
        shares = [self.stream.draw(*kind) for kind in kinds]
        await Exchange()
        return shares
