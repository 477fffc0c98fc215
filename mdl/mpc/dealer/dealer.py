"""The engine of the dealer. A secret's only part is its mask, of which every holder has a share."""

from collections.abc import Sequence
from functools import reduce
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.dealer import comparisons, masks
from mdl.mpc.dealer.openings import Join, Openings
from mdl.mpc.engine import Bilinear, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, together
from mdl.mpc.secret import Bits, Secret
from mdl.party import PartyId

_UNITS: Final = (0,)
INTEGERS: Final = "integers"


class Dealer(comparisons.Gates):
    """The dealer's side; see `mdl.mpc.engine.Engine`.

    It takes the same steps as `Holder`: in one it sends what the last holder's share lacks, while holders
    open it does nothing. It knows no value, so what it opens is all zeros. As it waits for nobody it may be
    ahead of the holders, by as much as its links hold.

    Args:
        keys: of each holder, in common with the dealer.
        public: a key that everybody has.
        rounding: of quotients.
        ring: that secrets are in.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        public: bytes,
        rounding: Rounding = "probabilistic",
        ring: Ring = RING_64,
    ) -> None:
        self.party = self.holders = len(keys)
        self._streams = [Keystream(key) for key in keys]
        self._public, self._openings = Keystream(public), Openings(self.party, self.holders)
        self._rounding, self.ring = rounding, ring

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return _secret(torch.zeros_like(values))

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`."""
        assert values is None
        mask = self._streams[owner].draw(shape)
        await Exchange()
        return _secret(mask)

    async def check(self) -> None:
        """See `Engine`: parties are trusted to follow the protocol."""

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`: zeros, as the dealer learns nothing."""
        await self._openings.awaited(secret.shape)
        return torch.zeros_like(secret.parts[0])

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        del receiver, secret
        await Exchange()
        return None

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: the dealer knows the mask of the coins, not their public part."""
        return _bits(self._drawn(shape, torch.uint8, torch.bitwise_xor) & 1)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        del plus
        product = bilinear(one.parts[0], two.parts[0])
        mask = self._mask(product.shape)
        await self._deal(product - mask)
        await self._openings.awaited(mask.shape)
        return _secret(mask)

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        if self._rounding == "probabilistic":
            return await self._quotient(secret.parts[0] - self._public.draw(secret.shape), drop)
        found: list[Secret] = await together(self._quotient(secret.parts[0], drop), self.borrow(secret, drop))
        quotient, borrow = found
        return quotient - borrow

    async def _quotient(self, mask: Tensor, drop: int) -> Secret:
        wrap = self._drawn(mask.shape, masks.wrap_word(drop), torch.add)
        quotient, topmost = masks.quotient(mask, drop, self.ring)
        await self._deal(quotient, topmost)
        await self._openings.awaited(mask.shape)
        return _secret(quotient + masks.wrapped(wrap, drop, self.ring))

    # -------------------------------------------------------------------------------------- bits

    async def looked_up(self, secret: Secret, places: int, *, signed: bool) -> tuple[Bits, Bits]:
        """See `comparisons.Gates`."""
        (mask,) = secret.parts
        g, p = self._drawn(torch.Size([2, *mask.shape]), torch.uint8, torch.bitwise_xor)
        await self._deal_bits(masks.tables(mask, places, signed=signed, ring=self.ring))
        await self._openings.awaited(torch.Size([2, *mask.shape]))
        return _bits(g), _bits(p)

    async def generated(self, secret: Secret) -> tuple[Bits, Bits]:
        """See `comparisons.Gates`."""
        (mask,) = secret.parts
        g = self._drawn(mask.shape, torch.int32, torch.bitwise_xor)
        binary = masks.binary(mask)
        await self._deal_bits(binary)
        await self._openings.awaited(mask.shape)
        return _bits(g), _bits(binary)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        both = one.parts[0] & two.parts[0]
        mask = self._drawn(both.shape, both.dtype, torch.bitwise_xor)
        await self._deal_bits(both ^ mask)
        await self._openings.awaited(mask.shape)
        return _bits(mask)

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`."""
        assert bit.shape == secret.shape
        of_bit = await self._integers(bit)
        mask = self._mask(secret.shape)
        await self._deal(of_bit * secret.parts[0])
        await self._openings.awaited(mask.shape)
        return _secret(mask)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        await self._integers(bit)
        mask = self._mask(bit.shape)
        await self._openings.awaited(mask.shape)
        return _secret(mask)

    async def _integers(self, bit: Bits) -> Tensor:
        """Share the mask of bits as integers, once."""
        of_bit = (bit.parts[0] & 1).to(torch.int64)
        if INTEGERS not in bit.kept:
            bit.kept[INTEGERS] = True
            await self._deal(of_bit)
        return of_bit

    # -------------------------------------------------------------------------------------- dealing

    def _mask(self, shape: torch.Size) -> Tensor:
        return self._drawn(shape, torch.int64, torch.add)

    def _drawn(self, shape: torch.Size, dtype: torch.dtype, join: Join) -> Tensor:
        """Give a mask of which all holders derive shares."""
        return reduce(join, (stream.draw(shape, dtype) for stream in self._streams))

    async def _deal(self, *values: Tensor) -> None:
        """Share numbers."""
        await self._send([self._rest(value, torch.sub) for value in values])

    async def _deal_bits(self, value: Tensor) -> None:
        """Share words of bits."""
        await self._send([self._rest(value, torch.bitwise_xor)])

    def _rest(self, value: Tensor, off: Join) -> Tensor:
        """Give the last holder's share: what is left when the others' shares are taken off."""
        drawn = (stream.draw(value.shape, value.dtype) for stream in self._streams[:-1])
        return reduce(off, drawn, value)

    async def _send(self, rests: Sequence[Tensor]) -> None:
        await Exchange([(self.holders - 1, rest) for rest in rests])


def _secret(mask: Tensor) -> Secret:
    return Secret((mask,), _UNITS)


def _bits(mask: Tensor) -> Bits:
    return Bits((mask,), _UNITS)
