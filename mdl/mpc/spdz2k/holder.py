"""The engine of a holder of authenticated shares.

Of a secret's parts the first is public, the second this holder's share of the mask, the third that of its
MAC; of bits there are 40 MACs. Every opening is of numbers or words with their MACs, and noted.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from mdl.mpc.dealer import comparisons, masks
from mdl.mpc.engine import Bilinear, Rounding
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import RING_104
from mdl.mpc.ring import RING_64, Ring
from mdl.mpc.rounds import Exchange, Wanted, together
from mdl.mpc.secret import Bits, Secret, of_wide, wide_parts
from mdl.mpc.spdz2k import kept
from mdl.mpc.spdz2k.checks import Opened
from mdl.mpc.spdz2k.macs import CHECKED_ENTRIES, MAC_BITS, chosen, multiplied, unstacked
from mdl.mpc.spdz2k.sources import Dealt
from mdl.mpc.wide import Wide
from mdl.party import PartyId
from mdl.system import Randomness

_UNITS: Final = (1, 0, 0)
_UNITS_OF_BITS: Final = (1, *(0,) * (1 + MAC_BITS))
_INTEGERS: Final = "integers"


class AuthenticatedHolder(comparisons.Gates):
    """One holder's side; see `mdl.mpc.engine.Engine`.

    Args:
        party: in [0, n).
        holders: n.
        source: what the dealer deals.
        common: a key that the holders have, and the dealer has not.
        public: a key that everybody has.
        rounding: of quotients.
        rng: of seeds and commitments.
        ring: of the secrets.
    """

    def __init__(
        self,
        party: PartyId,
        holders: int,
        source: Dealt,
        *,
        common: bytes,
        public: bytes,
        rounding: Rounding,
        rng: Randomness,
        ring: Ring = RING_64,
    ) -> None:
        self.party, self.holders = party, holders
        self._source, self._key, self._rng = source, source.key, rng
        self._common, self._public = Keystream(common), Keystream(public)
        self._rounding, self.ring = rounding, ring
        self._first = int(party == 0)
        self._others = [other for other in range(holders) if other != party]
        self._opened, self._entries = Opened(self._key), 0
        self._opened.said(torch.frombuffer(bytearray(common), dtype=torch.uint8))

    # -------------------------------------------------------------------------------------- in and out

    def public(self, values: Tensor) -> Secret:
        """See `Engine`."""
        nothing = Wide.of(torch.zeros_like(values), RING_104)
        return of_wide((Wide.of(values, RING_104), nothing, nothing), _UNITS)

    async def share(self, owner: PartyId, values: Tensor | None, shape: torch.Size) -> Secret:
        """See `Engine`: the owner knows the whole mask, and tells the others the masked values."""
        nothing = Wide.of(torch.zeros(shape, dtype=torch.int64), RING_104)
        mask = self._source.mask(shape) if self.party == owner else nothing
        (mac,) = unstacked(await self._source.numbers(1, shape))
        if self.party == owner:
            assert values is not None
            packed = (Wide.of(values, RING_104) - mask).packed()
            await Exchange([(other, packed) for other in self._others])
        else:
            (packed,) = await Exchange(
                (), [Wanted(owner, torch.Size([*shape, RING_104.size_bytes]), torch.uint8)]
            )
        self._opened.said(packed)
        return of_wide((Wide.unpacked(packed, RING_104), mask, mac), _UNITS)

    async def check(self) -> None:
        """See `Engine`."""
        self._entries = 0
        await self._opened.verified(self.party, self.holders, self._rng)

    async def open(self, secret: Secret) -> Tensor:
        """See `Engine`: the mask is opened, with random bits above the lowest 64.

        These are shared afresh, so that of the mask nothing but the sum can be told from what all send.
        """
        masked, share, mac = wide_parts(secret)
        above, code_above = unstacked(await self._source.numbers(2, secret.shape))
        await self.check()
        mask = await self._summed(share + above, mac + code_above)
        await self.check()
        return (masked + mask).signed()

    async def open_to(self, receiver: PartyId, secret: Secret) -> Tensor | None:
        """See `Engine`: the mask is opened, with another one that only the receiver knows."""
        masked, share, mac = wide_parts(secret)
        own = self._source.mask(secret.shape) if self.party == receiver else None
        of_own, mac_of_own = unstacked(await self._source.numbers(2, secret.shape))
        await self.check()
        mask = await self._summed(share + of_own, mac + mac_of_own)
        await self.check()
        return None if own is None else (masked + mask - own).signed()

    async def resumed(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        """See `Engine`: they get MACs under this start's key; see `mdl.mpc.spdz2k.kept`."""
        masked, share, _ = kept.joined(secrets)
        whole = kept.extended(share, self._source.mask(kept.ONE))
        (mac,) = unstacked(await self._source.numbers(1, whole.shape))
        self._opened.said(masked.packed())
        await self._summed(*kept.combinations(self._common, whole, mac))
        await kept.verified(self.check())
        return kept.parted((masked, share, mac), secrets)

    async def random_bits(self, shape: torch.Size) -> Bits:
        """See `Engine`: the holders draw the public part, which the dealer does not know."""
        mask = await self._mask_of_words(shape, torch.uint8)
        return _bits(self._common.draw(shape, torch.uint8) & 1, mask & 1)

    # -------------------------------------------------------------------------------------- products

    async def product(
        self, bilinear: Bilinear, one: Secret, two: Secret, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`: as without MACs; of the public part the MAC is the key's share times it."""
        x, a, mac_of_a = wide_parts(one)
        y, b, mac_of_b = self._whole(two)
        own, mac = (multiplied(bilinear, x, each, of_x, y) for each, of_x in ((b, a), (mac_of_b, mac_of_a)))
        if plus is not None:
            _, p, mac_of_p = self._whole(plus)
            own, mac = own + p, mac + mac_of_p
        mask = self._source.mask(own.shape)
        mac_of_mask, rest, mac_of_rest = unstacked(await self._source.numbers(3, own.shape))
        return of_wide((await self._number(own + rest, mac + mac_of_rest), mask, mac_of_mask), _UNITS)

    async def scaled_product(
        self, bilinear: Bilinear, one: Secret, two: Secret, drop: int, *, plus: Secret | None = None
    ) -> Secret:
        """See `Engine`."""
        return await self.truncate(await self.product(bilinear, one, two, plus=plus), drop)

    async def truncate(self, secret: Secret, drop: int) -> Secret:
        """See `Engine`."""
        low = wide_parts(secret)[0].signed()
        if self._rounding == "probabilistic":
            return await self._quotient(low + self._public.draw(secret.shape), drop)
        half = 1 << drop - 1
        found: list[Secret] = await together(self._quotient(low, drop), self.borrow(secret + half, drop))
        quotient, borrow = found
        return quotient - borrow + (low >> drop - 1 & 1)

    async def _quotient(self, masked: Tensor, drop: int) -> Secret:
        """See `mdl.mpc.dealer.Holder`: of the lowest 64 bits, which are all that is of meaning."""
        shifted = self.ring.signed(masked + self.ring.truncated_limit)
        mask = self._source.mask(masked.shape)
        mac, quotient, mac_of_quotient, topmost, mac_of_topmost = unstacked(
            await self._source.numbers(5, masked.shape)
        )
        below = (shifted >= 0).to(torch.int64)
        lacking = await self._number(chosen(below, topmost) - mask, chosen(below, mac_of_topmost) - mac)
        low = Wide.of(
            masks.shifted_down(shifted, drop, self.ring) - (self.ring.truncated_limit >> drop), RING_104
        )
        places = self.ring.word_bits - drop
        parts = low + (lacking << places), quotient + (mask << places), mac_of_quotient + (mac << places)
        return of_wide(parts, _UNITS)

    # -------------------------------------------------------------------------------------- bits

    async def looked_up(self, secret: Secret, places: int, *, signed: bool) -> tuple[Bits, Bits]:
        """See `mdl.mpc.dealer.comparisons.Gates`."""
        masked = wide_parts(secret)[0].signed()
        mask = await self._mask_of_words(torch.Size([2, *masked.shape]), torch.uint8)
        digits = masks.digits(masked, places, self.ring).unsqueeze(1)
        whole = torch.Size([self.ring.digits, 1 + MAC_BITS, *masked.shape])
        tables = await self._source.words(whole, torch.int16)
        of_less = tables << 1 | self._ones(torch.int16, masked.dim()) & 1
        if signed:
            of_less[-1] = tables[-1] << 1 | tables[-1] >> (1 << self.ring.digit_bits) - 1 & 1
        g, p = (comparisons.packed(each >> digits & 1) for each in (tables, tables ^ of_less))
        opened = await self._word(torch.stack((g, p), 1) ^ mask)
        return _bits(opened[0], mask[:, 0]), _bits(opened[1], mask[:, 1])

    async def generated(self, secret: Secret) -> tuple[Bits, Bits]:
        """See `mdl.mpc.dealer.comparisons.Gates`."""
        inverted = ~wide_parts(secret)[0].signed().to(torch.int32)
        mask = await self._mask_of_words(secret.shape, torch.int32)
        binary = await self._source.words(mask.shape, torch.int32)
        opened = await self._word(inverted & binary ^ mask)
        return _bits(opened, mask), _bits(inverted, binary)

    async def conjunction(self, one: Bits, two: Bits) -> Bits:
        """See `Engine`."""
        (x, a), (y, b) = _joined(one), _joined(two)
        mask = await self._mask_of_words(x.shape, x.dtype)
        rest = await self._source.words(mask.shape, x.dtype)
        own = x & (b ^ self._ones(y.dtype, y.dim()) & y) ^ a & y ^ rest
        return _bits(await self._word(own), mask)

    async def select(self, bit: Bits, secret: Secret) -> Secret:
        """See `Engine`."""
        assert bit.shape == secret.shape
        x, *whole = self._whole(secret)
        known, sign, of_bit = await self._integers(bit)
        mask = self._source.mask(secret.shape)
        mac, *crossed = unstacked(await self._source.numbers(3, secret.shape))
        own, mac_of_own = (
            chosen(known, each) + chosen(sign, x * of_bit[index] + crossed[index])
            for index, each in enumerate(whole)
        )
        return of_wide((await self._number(own - mask, mac_of_own - mac), mask, mac), _UNITS)

    async def integers(self, bit: Bits) -> Secret:
        """See `Engine`."""
        known, sign, of_bit = await self._integers(bit)
        mask = self._source.mask(bit.shape)
        (mac,) = unstacked(await self._source.numbers(1, bit.shape))
        own = chosen(sign, of_bit[0]) - mask + self._first * known
        of_known = self._key.of_number(Wide.of(known, RING_104))
        opened = await self._number(own, chosen(sign, of_bit[1]) - mac + of_known)
        return of_wide((opened, mask, mac), _UNITS)

    async def _integers(self, bit: Bits) -> tuple[Tensor, Tensor, Wide]:
        """Give b', 1 - 2b', and this holder's shares of m as integers and of their MACs; see `Holder`."""
        if _INTEGERS not in bit.kept:
            bit.kept[_INTEGERS] = await self._source.numbers(2, bit.shape)
        known = (bit.parts[0] & 1).to(torch.int64)
        return known, 1 - 2 * known, bit.kept[_INTEGERS]

    # -------------------------------------------------------------------------------------- openings

    def _whole(self, secret: Secret) -> tuple[Wide, Wide, Wide]:
        """Give the public part, and this holder's shares of the secret itself and of its MAC."""
        x, share, mac = wide_parts(secret)
        return x, share + x if self._first else share, mac + self._key.of_number(x)

    def _ones(self, dtype: torch.dtype, dimensions: int) -> Tensor:
        """Give this holder's shares of a word of ones, and of its MACs: shape (41, 1, ...)."""
        own = torch.full((1,) * (1 + dimensions), -self._first).to(dtype)
        return torch.cat((own, self._key.words(dtype, dimensions)))

    async def _mask_of_words(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Give shares of a fresh mask and of its MACs, shape (41, ...)."""
        mask = self._source.mask_of_words(shape, dtype)
        macs = await self._source.words(torch.Size([MAC_BITS, *shape]), dtype)
        return torch.cat((mask.unsqueeze(0), macs))

    async def _number(self, own: Wide, mac: Wide) -> Wide:
        """Open a number, and verify what there is if it is much."""
        opened = await self._summed(own, mac)
        await self._checked(own.shape)
        return opened

    async def _summed(self, own: Wide, mac: Wide) -> Wide:
        packed = own.packed()
        for other in await self._swapped(packed):
            own = own + Wide.unpacked(other, RING_104)
        self._opened.number(own, mac)
        return own

    async def _word(self, own: Tensor) -> Tensor:
        """Open words, given with their MACs, shape (41, ...) or (41, 2, ...); and verify."""
        opened = own[0]
        for other in await self._swapped(opened):
            opened = opened ^ other
        self._opened.words(opened, own[1:])
        await self._checked(opened.shape)
        return opened

    async def _swapped(self, own: Tensor) -> list[Tensor]:
        return await Exchange(
            [(other, own) for other in self._others],
            [Wanted(other, own.shape, own.dtype) for other in self._others],
        )

    async def _checked(self, shape: torch.Size) -> None:
        self._entries += shape.numel()
        if self._entries >= CHECKED_ENTRIES:
            await self.check()


def _joined(bits: Bits) -> tuple[Tensor, Tensor]:
    """Give the public part, and this holder's shares, shape (41, ...)."""
    return bits.parts[0], torch.stack(bits.parts[1:])


def _bits(masked: Tensor, shares: Tensor) -> Bits:
    return Bits((masked, *shares), _UNITS_OF_BITS)
