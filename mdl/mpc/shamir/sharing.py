"""Shamir's sharing of vectors over a field: dealt, opened, and of a product's degree brought down.

A dealer need not send all shares. t of them are drawn from keystreams that it has in common with their
holders, and fix the polynomial together with the secret; the others follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic

from torch import Tensor

from mdl.mpc.rounds import Exchange, Received, Wanted
from mdl.mpc.shamir.circle import Circle, Streams
from mdl.mpc.shamir.fields import Field, V
from mdl.mpc.shamir.scalars import Matrix, interpolation, powers
from mdl.party import PartyId

SHORT: Final = 512
"""Entries up to which rounds cost more than bytes: all parties are sent what else one of them would find."""


@dataclass(frozen=True)
class Hand(Generic[V]):
    """Sharings that are being dealt.

    Attributes:
        sends: what this party sends, in a round.
        wants: what it waits for in that round.
        drawn: by dealer, this party's share; None for those that come.
        field: of the shares.
    """

    sends: Sequence[tuple[PartyId, Tensor]]
    wants: Sequence[Wanted]
    drawn: Sequence[V | None]
    field: Field[V]

    def shares(self, received: Received) -> list[V]:
        """Give this party's share of each dealer's sharing, from what came for `wants`."""
        coming = iter(self.field.unpacked(received))
        return [next(coming) if share is None else share for share in self.drawn]


class Sharing(Generic[V]):
    """One party's side of what is done with shares over one field.

    Args:
        circle: the parties.
        field: of the shares.
        streams: the party's.
    """

    def __init__(self, circle: Circle, field: Field[V], streams: Streams) -> None:
        self._circle, self.field, self._streams = circle, field, streams

    # -------------------------------------------------------------------------------------- dealing

    def hand(self, dealers: Sequence[PartyId], secret: V, count: int) -> Hand[V]:
        """Have parties deal a vector each, of random polynomials of degree t.

        Args:
            dealers: who deals.
            secret: if this party deals, its vector; else any of the same type.
            count: the length of the vectors.
        """
        sends: list[tuple[PartyId, Tensor]] = []
        wants, drawn = [], []
        for dealer in dealers:
            share: V | None = None
            if dealer == self._circle.party:
                share, sends = self._dealt(secret, count)
            elif self._circle.party in self._circle.after(dealer):
                share = self.field.drawn(self._streams.of[dealer], count, secret)
            else:
                wants.append(self.field.wanted(dealer, count, secret))
            drawn.append(share)
        return Hand(sends, wants, drawn, self.field)

    def _dealt(self, secret: V, count: int) -> tuple[V, list[tuple[PartyId, Tensor]]]:
        drawing = [self._streams.to[party] for party in self._circle.after(self._circle.party)]
        values = [secret, *(self.field.drawn(stream, count, secret) for stream in drawing)]
        own, *others = self.field.combined(self._dealing, values)
        beyond = self._circle.beyond(self._circle.party)
        pairs = zip(beyond, others, strict=True)
        return own, [(party, self.field.packed(share, [_WHOLE])[0]) for party, share in pairs]

    @property
    def _dealing(self) -> Matrix:
        """From the secret and the shares that are drawn, to this party's own and those that it sends."""
        own = self._circle.party
        return interpolation(
            self.field.scalars,
            (0, *_points(self._circle.after(own))),
            _points([own, *self._circle.beyond(own)]),
        )

    # -------------------------------------------------------------------------------------- opening

    async def opened(self, share: V) -> V:
        """Let all parties know a vector: in one round if it is short or few collude, else in two."""
        circle, count = self._circle, self.field.size(share)
        if circle.threshold == 1 or count <= SHORT:
            return await self._gathered(
                share, share, [(party, slice(0, count)) for party in range(circle.holders)]
            )
        cuts = _cuts(count, range(circle.holders))
        own = await self._gathered(share, self.field.cut(share, cuts[circle.party][1]), cuts)
        others = [(king, part) for king, part in cuts if king != circle.party]
        found = await Exchange(
            self._sent(own, [(king, _WHOLE) for king, _ in others]),
            [self.field.wanted(king, part.stop - part.start, share) for king, part in others],
        )
        return self._placed(own, found)

    async def opened_to(self, receiver: PartyId, share: V) -> V | None:
        """Let one party know a vector; None for the others."""
        count = self.field.size(share)
        found = await self._gathered(share, share, [(receiver, slice(0, count))])
        return found if self._circle.party == receiver else None

    async def _gathered(self, share: V, own: V, asked: Sequence[tuple[PartyId, slice]]) -> V:
        """Have the t parties before some others send them their shares of some entries.

        Returns:
            The entries that this party asked for, of which `own` is its share.
        """
        circle, field = self._circle, self.field
        sends = self._sent(share, [each for each in asked if circle.party in circle.before(each[0])])
        before = circle.before(circle.party) if circle.party in (party for party, _ in asked) else []
        received = await Exchange(sends, [field.wanted(party, field.size(own), own) for party in before])
        if not before:
            return own
        (found,) = field.combined(self._opening, [own, *field.unpacked(received)])
        return found

    @property
    def _opening(self) -> Matrix:
        own = self._circle.party
        return interpolation(self.field.scalars, _points([own, *self._circle.before(own)]), (0,))

    def _placed(self, own: V, others: Received) -> V:
        """Put what this party has found between what the others have."""
        parts = [part for data in others for part in self.field.unpacked([data])]
        parts.insert(self._circle.party, own)
        return self.field.joined(parts)

    # -------------------------------------------------------------------------------------- products

    async def reduced(self, own: V) -> V:
        """Bring a vector's shares from degree 2t down to t [DN07], [ATLAS].

        With random r shared with degree t and with degree 2t, x - r is opened, and added to the former shares
        of r. The sharings of r are combinations of what 2t + 1 parties deal. Those of degree 2t need no
        message; those of degree t travel in the same round as the shares of x - r.

        Args:
            own: this party's shares of degree 2t; of a party that is no worker, any of that type.

        Returns:
            Shares of degree t; one round if the vector is short, else two.
        """
        circle, field, count = self._circle, self.field, self.field.size(own)
        hand, of_double = self._random(own, -(-count // (circle.threshold + 1)))
        masked = field.minus(own, self._extracted(of_double, count)) if of_double else own
        if count <= SHORT:
            cuts = [(party, slice(0, count)) for party in range(circle.holders)]
        else:
            cuts = _cuts(count, circle.workers)
        sends, wants = self._submitted(masked, cuts)
        received = await Exchange([*hand.sends, *sends], [*hand.wants, *wants])
        mask = self._extracted(hand.shares(received[: len(hand.wants)]), count)
        shares = field.unpacked(received[len(hand.wants) :])
        mine = dict(cuts).get(circle.party)
        found = own
        if mine is not None:
            if circle.party in circle.workers:
                shares.insert(circle.party, field.cut(masked, mine))
            (found,) = field.combined(self._finding, shares)
        # A public vector is its own share, of a constant polynomial.
        return field.plus(mask, found if count <= SHORT else await self._returned(found, cuts))

    def _random(self, like: V, count: int) -> tuple[Hand[V], list[V]]:
        """Have all workers deal random numbers twice: with degree t, and (to workers) with degree 2t."""
        circle, field = self._circle, self.field
        works = circle.party in circle.workers
        secret = field.drawn(self._streams.own, count, like) if works else like
        hand = self.hand(circle.workers, secret, count)
        if not works:
            return hand, []
        others = [worker for worker in circle.workers if worker != circle.party]
        told = [field.drawn(self._streams.to[worker], count, like) for worker in others]
        (own,) = field.combined(self._completing, [secret, *told])
        drawn = [field.drawn(self._streams.of[worker], count, like) for worker in others]
        drawn.insert(circle.party, own)
        return hand, drawn

    @property
    def _completing(self) -> Matrix:
        """From the secret and the others' shares of degree 2t, to this party's own."""
        own, workers = self._circle.party, self._circle.workers
        others = _points([worker for worker in workers if worker != own])
        return interpolation(self.field.scalars, (0, *others), _points([own]))

    def _extracted(self, shares: Sequence[V], count: int) -> V:
        """Combine what 2t + 1 parties dealt to t + 1 vectors of which t of them know nothing."""
        return self.field.cut(
            self.field.joined(self.field.combined(self._extracting, shares)), slice(0, count)
        )

    @property
    def _extracting(self) -> Matrix:
        return powers(self.field.scalars, _points(self._circle.workers), self._circle.threshold + 1)

    @property
    def _finding(self) -> Matrix:
        return interpolation(self.field.scalars, _points(self._circle.workers), (0,))

    def _submitted(
        self, masked: V, cuts: Sequence[tuple[PartyId, slice]]
    ) -> tuple[list[tuple[PartyId, Tensor]], list[Wanted]]:
        """Have workers send their shares of some entries to whoever is to find those."""
        own, workers, field = self._circle.party, self._circle.workers, self.field
        others = [(king, part) for king, part in cuts if king != own]
        sends = self._sent(masked, others) if own in workers else []
        mine = dict(cuts).get(own)
        if mine is None:
            return sends, []
        size = mine.stop - mine.start
        return sends, [field.wanted(worker, size, masked) for worker in workers if worker != own]

    async def _returned(self, found: V, cuts: Sequence[tuple[PartyId, slice]]) -> V:
        """Share what each worker has found: as it may be known, with zeros as shares of t parties."""
        circle, field = self._circle, self.field
        own = circle.party
        told = circle.beyond(own) if own in circle.workers else []
        telling = [(king, part) for king, part in cuts if own in circle.beyond(king)]
        wants = [field.wanted(king, part.stop - part.start, found) for king, part in telling]
        received = iter(await Exchange(self._sent(found, [(party, _WHOLE) for party in told]), wants))
        parts = []
        for king, part in cuts:
            if own in circle.after(king):
                parts.append(field.zeros(part.stop - part.start, found))
                continue
            (value,) = [found] if king == own else field.unpacked([next(received)])
            ((factor, *_),) = interpolation(field.scalars, (0, *_points(circle.after(king))), _points([own]))
            parts.extend(field.combined(((factor,),), [value]))
        return field.joined(parts)

    def _sent(self, vector: V, parts: Sequence[tuple[PartyId, slice]]) -> list[tuple[PartyId, Tensor]]:
        """Write what parties are sent of a vector; nothing for none."""
        if not parts:
            return []
        data = self.field.packed(vector, [part for _, part in parts])
        return [(party, each) for (party, _), each in zip(parts, data, strict=True)]


_WHOLE: Final = slice(None)


def _points(parties: Sequence[PartyId]) -> tuple[int, ...]:
    """Give where parties' shares are values of the polynomials; the secret is at zero."""
    return tuple(party + 1 for party in parties)


def _cuts(count: int, parties: Sequence[PartyId]) -> list[tuple[PartyId, slice]]:
    """Share entries out among parties."""
    ends = [count * index // len(parties) for index in range(len(parties) + 1)]
    return [(party, slice(ends[index], ends[index + 1])) for index, party in enumerate(parties)]
