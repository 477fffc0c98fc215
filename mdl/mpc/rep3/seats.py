"""Three parties in three roles: for one of them a secret is a number it knows plus one that the others know.

With x = x_r + x_{r+1} + x_{r+2}, party r ("alone") knows a = x_r + x_{r+1}; parties r + 1 and r + 2 (the
"pair", the "near" and the "far" one) both know b = x_{r+2}. Much that is hard for three parties is easy for
two numbers of which each is known to somebody. Roles go round over the thirds of a vector, so that all
parties work and send alike.

A number w that party r alone knows becomes the sharing (F, w - F, 0), F drawn by r and the far one from
their common key: one message, to the near one. A product of u, known to r, and v, known to the pair, is then
local to each of the pair, as u is additively shared between them; they mask it with what each has in common
with r, and swap: two messages, one round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from mdl.mpc.keystream import Keystream
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Wanted, Words, swapped
from mdl.party import PartyId

PARTIES = (0, 1, 2)

Role: TypeAlias = Literal["alone", "near", "far"]
_ROLES: tuple[Role, Role, Role] = ("alone", "near", "far")

Pair: TypeAlias = tuple[Words, Words]
"""What a party holds of a secret: component i, component i + 1."""

Into: TypeAlias = Pair | None
"""Where a pair is to be written; fresh memory, if None."""

Apart: TypeAlias = Callable[[Words, Words], Words]

WHOLE: Final = np.dtype(np.int64)
"""Of components of integers."""


@dataclass(frozen=True)
class Seat:
    """A party in its role.

    Attributes:
        role: which.
        alone: who is alone.
        mine: the keystream of this party's own component's key, which it has in common with the one before.
        next: that of the next component's, in common with the one after.
        ring: of the secrets.
    """

    role: Role
    alone: PartyId
    mine: Keystream
    next: Keystream
    ring: Ring

    @property
    def near(self) -> PartyId:
        """The one after `alone`."""
        return (self.alone + 1) % 3

    @property
    def far(self) -> PartyId:
        """The one before `alone`."""
        return (self.alone + 2) % 3

    @property
    def other(self) -> PartyId:
        """For one of the pair: the other one."""
        return self.far if self.role == "near" else self.near

    def with_far(self, like: Words) -> Words:
        """Draw what `alone` and `far` have in common, of the shape and type of what it is to mask."""
        return (self.mine if self.role == "alone" else self.next).draw_array(like.shape, like.dtype)

    def with_near(self, like: Words) -> Words:
        """Draw what `alone` and `near` have in common, likewise."""
        return (self.next if self.role == "alone" else self.mine).draw_array(like.shape, like.dtype)

    def masked(self, part: Words) -> Words:
        """Mask this party's summand of a secret, in place, so that what the pair swap tells them nothing.

        `alone` and `near` have one mask in common, `alone` and `far` another one: each of the pair adds its
        own, and `alone` takes both away.
        """
        match self.role:
            case "alone":
                part -= self.with_far(part)
                part -= self.with_near(part)
            case "near":
                part += self.with_near(part)
            case "far":
                part += self.with_far(part)
        return part

    def pair(self, told: Pair, third: Words) -> Pair:
        """Give the components that this party holds, from those told and the one that the pair knows."""
        match self.role:
            case "alone":
                return told
            case "near":
                return told[1], third
            case "far":
                return third, told[0]

    async def told(
        self, *values: Words, apart: Apart = np.subtract, swap: Words | None = None
    ) -> tuple[list[Pair], Words | None]:
        """Share numbers that `alone` knows between it and each of the pair; in one round.

        Args:
            values: for `alone` the numbers; for the pair any of the same shapes and types.
            apart: takes a mask off: subtraction, or exclusive or.
            swap: for the pair, what each hands the other in the same round.

        Returns:
            Of each value w, with a mask F that `near` does not know: (F, w - F) for `alone`, (w - F, w - F)
            for `near`, (F, F) for `far`. And the other one's `swap`.
        """
        sends: list[tuple[PartyId, Words]] = []
        wants: list[Wanted] = []
        parts: list[Pair] = []
        for value in values:
            if self.role == "near":
                wants.append(Wanted(self.alone, value.shape, value.dtype))
                continue
            mask = self.with_far(value)
            rest = apart(value, mask) if self.role == "alone" else mask
            parts.append((mask, rest))
            if self.role == "alone":
                sends.append((self.near, rest))
        if swap is not None:
            sends.append((self.other, swap))
            wants.append(Wanted(self.other, swap.shape, swap.dtype))
        received = await swapped(sends, wants)
        others = received.pop() if swap is not None else None
        return parts or [(rest, rest) for rest in received], others

    async def crossed(self, product: Words, *, apart: Apart = np.subtract) -> Pair:
        """Share the sum of what `near` and `far` have computed locally; in one round.

        Args:
            product: for the pair; for `alone` any words of the same shape and type.
            apart: takes a mask off: subtraction, or exclusive or.

        Returns:
            The components that this party holds.
        """
        if self.role == "alone":
            masks = self.with_far(product), self.with_near(product)
            await swapped(())
            return masks
        mask = (self.with_near if self.role == "near" else self.with_far)(product)
        third = apart(product, mask)
        wanted = Wanted(self.other, product.shape, product.dtype)
        (others,) = await swapped([(self.other, third)], [wanted])
        if apart is np.bitwise_xor:
            third ^= others
        else:
            third += others
        return (mask, third) if self.role == "near" else (third, mask)


def total(one: Pair, two: Pair, into: Into, *, times: int = 1) -> Pair:
    """Add one pair, of 64 bits, and a multiple of another, of whatever type."""
    first, second = into or (None, None)
    return _total(one[0], two[0], first, times), _total(one[1], two[1], second, times)


def _total(one: Words, two: Words, into: Words | None, times: int) -> Words:
    if times == 1:
        return np.add(one, two, out=into)
    found: Words = np.multiply(two, times, out=into, dtype=WHOLE)
    found += one
    return found


def thirds(size: int) -> Sequence[slice]:
    """Cut a vector into three parts, by who is alone in them; a short one is left whole."""
    if size < SHORT:
        return (slice(0, size),)
    third = size // 3
    return (slice(0, third), slice(third, 2 * third), slice(2 * third, size))


SHORT = 20_000
"""Entries below which it does not pay to share the work out."""


def seats_of(party: PartyId, mine: Keystream, following: Keystream, ring: Ring) -> tuple[Seat, ...]:
    """Give a party's seats, by who is alone."""
    return tuple(Seat(_ROLES[(party - alone) % 3], alone, mine, following, ring) for alone in PARTIES)
