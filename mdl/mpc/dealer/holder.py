"""The engine of a holder of shares. A secret's first part is public, the second this holder's share."""

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.dealer import comparisons, masks
from mdl.mpc.dealer.correlations import Correlations
from mdl.mpc.dealer.openings import Openings
from mdl.mpc.engine import Bilinear, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, Wanted, together
from mdl.mpc.secret import Bits, Secret
from mdl.party import PartyId

_UNITS: Final = (1, 0)
INTEGERS: Final = "integers"


class Holder(comparisons.Gates):
    """One holder's side; see `mdl.mpc.engine.Engine`.

    Args:
        party: in [0, n).
        source: of correlated randomness.
        pairs: by each other holder, a key in common with it alone.
        common: a key that the holders have, and the source of correlations has not.
        public: a key that everybody has.
        rounding: of quotients.
        ring: that secrets are in.
    """

    def __init__(
        self,
        party: PartyId,
        source: Correlations,
        pairs: Mapping[PartyId, bytes],
        *,
        common: bytes,
        public: bytes,
        rounding: Rounding = "probabilistic",
        ring: Ring = RING_64,
    ) -> None:
        self.party, self.holders = party, len(pairs) + 1
        self._source, self._openings = source, Openings(party, self.holders)
        self._pairs = {other: Keystream(key) for other, key in sorted(pairs.items())}
        self._common, self._public = Keystream(common), Keystream(public)
        self._rounding, self.ring = rounding, ring
        self._first = int(party == 0)

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        return Secret((values, torch.zeros_like(values)), _UNITS)

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`: the owner knows the whole mask, and tells the others the masked values."""
        if self.party == owner:
            assert values is not None
            mask = self._source.own_mask(shape)
            masked = values - mask
            await Exchange([(other, masked) for other in self._pairs])
        else:
            mask = self._source.others_mask(owner, shape)
            (masked,) = await Exchange((), [Wanted(owner, shape, torch.int64)])
        return Secret((masked, mask), _UNITS)

    async def check(self) -> None:
        """See `Engine`: parties are trusted to follow the protocol."""

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: shares are bound to no key."""
        return secrets

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`."""
        masked, share = secret.parts
        return self.ring.signed(masked + await self._openings.opened(self._refreshed(share)))

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`."""
        masked, share = secret.parts
        own = self._refreshed(share)
        if self.party != receiver:
            await Exchange([(receiver, own)])
            return None
        received = await Exchange((), [Wanted(other, own.shape, own.dtype) for other in self._pairs])
        return self.ring.signed(masked + sum(received, own))

    def _refreshed(self, share: Tensor) -> Tensor:
        """Add a sharing of zero, so that nothing but the sum can be told from what all holders send."""
        for other, stream in self._pairs.items():
            drawn = stream.draw(share.shape)
            share = share + drawn if self.party < other else share - drawn
        return share

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: the holders draw the public part, which whoever makes the masks does not know."""
        mask = self._source.mask(shape, torch.uint8)
        return _bits(self._common.draw(shape, torch.uint8) & 1, mask & 1)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`: (x' + a)(y' + b) + p - c is opened, of which a b - c is shared already."""
        (x, a), (y, b) = one.parts, two.parts
        own = bilinear(x, b + y if self._first else b) + bilinear(a, y)
        if plus is not None:
            own = own + (plus.parts[0] + plus.parts[1] if self._first else plus.parts[1])
        mask = self._source.mask(own.shape)
        own = own + await self._source.product(bilinear, a, b, mask)
        return Secret((await self._openings.opened(own), mask), _UNITS)

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        if self._rounding == "probabilistic":
            # Rounding is unbiased if the mask's low bits are uniform, which after public factors they need
            # not be.
            moved = self._public.draw(secret.shape)
            return await self._quotient(secret.parts[0] + moved, secret.parts[1] - self._first * moved, drop)
        half = 1 << drop - 1
        found: list[Secret] = await together(
            self._quotient(secret.parts[0], secret.parts[1], drop), self.borrow(secret + half, drop)
        )
        quotient, borrow = found
        # Half a unit, added to the low bits of x', may carry.
        return quotient - borrow + (secret.parts[0] >> drop - 1 & 1)

    async def _quotient(self, masked: Tensor, share: Tensor, drop: int) -> Secret:
        """Divide x = x' - λ by 2^drop, |x| < 2^62: up if the low bits of x' are less than λ's, else down.

        c = x' + 2^62 and λ are shifted each, as unsigned numbers. If x + 2^62 + λ has wrapped, the topmost
        bit of λ is one and that of c is not, and the quotient lacks 2^(64 - drop). This product of a secret
        bit and a public one is masked by a word of at least `drop` bits, and opened.
        """
        word = masks.wrap_word(drop)
        shifted = self.ring.signed(masked + self.ring.truncated_limit)
        mask = self._source.mask(masked.shape, word)
        quotient, topmost = await self._source.quotient(share, drop)
        lacking = await self._openings.opened((shifted >= 0).to(word) * topmost - mask)
        low = masks.shifted_down(shifted, drop, self.ring) - (self.ring.truncated_limit >> drop)
        corrections = (masks.wrapped(each, drop, self.ring) for each in (lacking, mask))
        parts = (one + two for one, two in zip((low, quotient), corrections, strict=True))
        return Secret(tuple(parts), _UNITS)

    # -------------------------------------------------------------------------------------- bits

    async def looked_up(self, secret: Secret, places: int, *, signed: bool) -> tuple[Bits, Bits]:
        """See `comparisons.Gates`: the digits of x' choose bits of tables that are shared."""
        masked, share = secret.parts
        mask = self._source.mask(torch.Size([2, *masked.shape]), torch.uint8)
        digits = masks.digits(masked, places, self.ring)
        tables = await self._source.tables(share, places, signed=signed)
        # Of x' less one: it is below all of λ's digits if x' is zero, or all goes round.
        of_less = tables << 1 | self._first
        if signed:
            of_less[-1] = tables[-1] << 1 | tables[-1] >> (1 << self.ring.digit_bits) - 1 & 1
        g, p = (comparisons.packed(each >> digits & 1) for each in (tables, tables ^ of_less))
        opened = await self._openings.opened(torch.stack((g, p)) ^ mask, torch.bitwise_xor)
        return _bits(opened[0], mask[0]), _bits(opened[1], mask[1])

    async def generated(self, secret: Secret) -> tuple[Bits, Bits]:
        """See `comparisons.Gates`."""
        masked, share = secret.parts
        mask = self._source.mask(masked.shape, torch.int32)
        binary = await self._source.binary(share)
        inverted = ~masked.to(torch.int32)
        opened = await self._openings.opened(inverted & binary ^ mask, torch.bitwise_xor)
        return _bits(opened, mask), _bits(inverted, binary)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        (x, a), (y, b) = one.parts, two.parts
        mask = self._source.mask(x.shape, x.dtype)
        own = x & (b ^ y if self._first else b) ^ a & y
        own ^= await self._source.conjunction(a, b, mask)
        return _bits(await self._openings.opened(own, torch.bitwise_xor), mask)

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`: a bit is b' + (1 - 2b') m, and its product with x' + k is opened, masked."""
        assert bit.shape == secret.shape
        x, share = secret.parts
        known, sign, of_bit = await self._integers(bit)
        mask = self._source.mask(x.shape)
        crossed = await self._source.selected(of_bit, share)
        own = known * (share + x if self._first else share) + sign * (x * of_bit + crossed) - mask
        return Secret((await self._openings.opened(own), mask), _UNITS)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        known, sign, of_bit = await self._integers(bit)
        mask = self._source.mask(bit.shape)
        own = self._first * known + sign * of_bit - mask
        return Secret((await self._openings.opened(own), mask), _UNITS)

    async def _integers(self, bit: Bits) -> tuple[Tensor, Tensor, Tensor]:
        """Give b', 1 - 2b', and this holder's share of m, as integers: b is b' + m (1 - 2b')."""
        known, mask = (part & 1 for part in bit.parts)
        if INTEGERS not in bit.kept:
            bit.kept[INTEGERS] = await self._source.integers(mask)
        public = known.to(torch.int64)
        return public, 1 - 2 * public, bit.kept[INTEGERS]


def _bits(masked: Tensor, share: Tensor) -> Bits:
    return Bits((masked, share), _UNITS)
