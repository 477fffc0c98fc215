"""The engine of the dealer that authenticates. A secret's only part is its mask."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.dealer import comparisons, masks
from mdl.mpc.engine import Bilinear, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, together
from mdl.mpc.secret import Bits, Secret, of_wide, wide_parts
from mdl.mpc.spdz2k import kept
from mdl.mpc.spdz2k.checks import STEPS
from mdl.mpc.spdz2k.macs import CHECKED_ENTRIES
from mdl.mpc.spdz2k.sources import Dealing
from mdl.mpc.wide import Wide, bilinear
from mdl.party import PartyId

_UNITS: Final = (0,)
_INTEGERS: Final = "integers"


class AuthenticatingDealer(comparisons.Gates):
    """The dealer's side; see `mdl.mpc.engine.Engine`, and `mdl.mpc.dealer.Dealer`.

    Args:
        keys: of each holder, in common with the dealer.
        own: a key that nobody else has.
        public: a key that everybody has.
        rounding: of quotients.
        ring: of the secrets.
    """

    def __init__(
        self, keys: Sequence[bytes], *, own: bytes, public: bytes, rounding: Rounding, ring: Ring = RING_64
    ) -> None:
        self.party = self.holders = len(keys)
        self._hand, self._public = Dealing(keys, own), Keystream(public)
        self._rounding, self.ring = rounding, ring
        self._entries = 0

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return _secret(Wide.of(torch.zeros_like(values), RING_104))

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`."""
        assert values is None
        mask = self._hand.own_mask(owner, shape)
        await self._hand.numbers(self._mac(mask))
        await Exchange()
        return _secret(mask)

    async def check(self) -> None:
        """See `Engine`: the holders verify; the dealer waits."""
        self._entries = 0
        for _ in range(STEPS):
            await Exchange()

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`: zeros, as the dealer learns nothing."""
        above = self._hand.unknown(secret.shape) << self.ring.word_bits
        await self._hand.numbers(*self._hand.authenticated(above))
        await self._waited()
        return torch.zeros(secret.shape, dtype=torch.int64)

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        mask = self._hand.own_mask(receiver, secret.shape)
        # The receiver learns the lowest 64 bits, and nothing of those above: they may hold what it has added.
        above = self._hand.unknown(secret.shape) << self.ring.word_bits
        await self._hand.numbers(*self._hand.authenticated(mask + above))
        await self._waited()
        return None

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: it deals MACs of the masks it has kept; see `mdl.mpc.spdz2k.kept`."""
        (mask,) = kept.joined(secrets)
        await self._hand.numbers(self._mac(kept.extended(mask, self._hand.mask(kept.ONE))))
        await Exchange()
        await self.check()
        return secrets

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: the dealer knows the mask of the coins, not their public part."""
        return _bits(await self._mask_of_words(shape, torch.uint8) & 1)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        del plus
        product = _multiplied(bilinear, *wide_parts(one), *wide_parts(two))
        mask = self._hand.mask(product.shape)
        await self._hand.numbers(self._mac(mask), *self._hand.authenticated(product - mask))
        await self._awaited(mask.shape)
        return _secret(mask)

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        low = wide_parts(secret)[0].signed()
        if self._rounding == "probabilistic":
            return await self._quotient(low - self._public.draw(secret.shape), drop)
        found: list[Secret] = await together(self._quotient(low, drop), self.borrow(secret, drop))
        quotient, borrow = found
        return quotient - borrow

    async def _quotient(self, low: Tensor, drop: int) -> Secret:
        mask = self._hand.mask(low.shape)
        quotient, topmost = (
            Wide.of(each.to(torch.int64), RING_104) for each in masks.quotient(low, drop, self.ring)
        )
        await self._hand.numbers(
            self._mac(mask), *self._hand.authenticated(quotient), *self._hand.authenticated(topmost)
        )
        await self._awaited(mask.shape)
        return _secret(quotient + (mask << self.ring.word_bits - drop))

    # -------------------------------------------------------------------------------------- bits

    async def looked_up(self, secret: Secret, places: int, *, signed: bool) -> tuple[Bits, Bits]:
        """See `mdl.mpc.dealer.comparisons.Gates`."""
        low = wide_parts(secret)[0].signed()
        mask = await self._mask_of_words(torch.Size([2, *low.shape]), torch.uint8)
        tables = masks.tables(low, places, signed=signed, ring=self.ring)
        await self._hand.words(self._hand.authenticated_words(tables).transpose(0, 1))
        await self._awaited(mask.shape)
        return _bits(mask[0]), _bits(mask[1])

    async def generated(self, secret: Secret) -> tuple[Bits, Bits]:
        """See `mdl.mpc.dealer.comparisons.Gates`."""
        mask = await self._mask_of_words(secret.shape, torch.int32)
        binary = masks.binary(wide_parts(secret)[0].signed())
        await self._hand.words(self._hand.authenticated_words(binary))
        await self._awaited(mask.shape)
        return _bits(mask), _bits(binary)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        both = one.parts[0] & two.parts[0]
        mask = await self._mask_of_words(both.shape, both.dtype)
        await self._hand.words(self._hand.authenticated_words(both ^ mask))
        await self._awaited(mask.shape)
        return _bits(mask)

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`."""
        assert bit.shape == secret.shape
        of_bit = await self._integers(bit)
        mask = self._hand.mask(secret.shape)
        crossed = wide_parts(secret)[0] * of_bit
        await self._hand.numbers(self._mac(mask), *self._hand.authenticated(crossed))
        await self._awaited(mask.shape)
        return _secret(mask)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        await self._integers(bit)
        mask = self._hand.mask(bit.shape)
        await self._hand.numbers(self._mac(mask))
        await self._awaited(mask.shape)
        return _secret(mask)

    async def _integers(self, bit: Bits) -> Tensor:
        """Deal the mask of bits as integers, once."""
        of_bit = (bit.parts[0] & 1).to(torch.int64)
        if _INTEGERS not in bit.kept:
            bit.kept[_INTEGERS] = True
            await self._hand.numbers(*self._hand.authenticated(Wide.of(of_bit, RING_104)))
        return of_bit

    # -------------------------------------------------------------------------------------- steps

    def _mac(self, mask: Wide) -> Wide:
        return self._hand.key.of_number(mask)

    async def _mask_of_words(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        mask = self._hand.mask_of_words(shape, dtype)
        await self._hand.words(self._hand.key.of_words(mask))
        return mask

    async def _awaited(self, shape: torch.Size) -> None:
        """Let the holders open a tensor, and verify if it is time."""
        await Exchange()
        self._entries += shape.numel()
        if self._entries >= CHECKED_ENTRIES:
            await self.check()

    async def _waited(self) -> None:
        """Let the holders verify, open a result, and verify that."""
        await self.check()
        await Exchange()
        await self.check()


def _multiplied(product: Bilinear, one: Wide, two: Wide) -> Wide:
    return bilinear(product, one, two)


def _secret(mask: Wide) -> Secret:
    return of_wide((mask,), _UNITS)


def _bits(mask: Tensor) -> Bits:
    return Bits((mask,), _UNITS)
