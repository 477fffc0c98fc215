"""Sharing and opening numbers modulo 2^104, many in one message.

A party's summand of a product is masked by its share of zero, F_i - F_{i+1}, with F_i drawn by the holders of
component i, and becomes component i of the product. Where factors are known to two parties, as components
are, a party may know nothing of the product: it does not speak. Then F_{i+1} is left out, and with it the
need for a message: the party before has F_i. What others send stays masked: who speaks masks by
F_{i+1}, which the receiver lacks. Whoever speaks sends to the party before (`mdl.mpc.rep3_malicious.member`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch

from mdl.mpc.keystream import Keystream
from mdl.mpc.rep3_malicious.member import HOLDERS, Member
from mdl.mpc.residues import RING_104
from mdl.mpc.wide import Wide
from mdl.party import PartyId

WidePair: TypeAlias = tuple[Wide, Wide]
"""Component i, component i + 1."""

Components: TypeAlias = frozenset[PartyId]
"""The numbers of those that are not known to be zero."""

ALL: Final[Components] = frozenset(range(HOLDERS))

Held: TypeAlias = tuple[WidePair, Components]


@dataclass(frozen=True)
class Summand:
    """What a party knows of a product, which is the sum of all parties' summands.

    Attributes:
        own: the party's; None if it does not speak.
        shape: of the product.
        speakers: who knows something of it.
    """

    own: Wide | None
    shape: torch.Size
    speakers: Components


class Sharing:
    """One party's side.

    Args:
        member: the party.
    """

    def __init__(self, member: Member) -> None:
        self._member = member

    def drawn(self, shape: torch.Size, components: Components) -> WidePair:
        """Draw numbers that nobody knows but the holders of these components."""
        member = self._member
        mine, following = (
            Wide.drawn(stream, shape, RING_104) if component in components else _zeros(shape)
            for stream, component in zip((member.mine, member.next), member.components, strict=True)
        )
        return mine, following

    def summand(self, product: Callable[[Wide, Wide], Wide], one: Held, two: Held) -> Summand:
        """Give x_i (y_i + y_{i+1}) + x_{i+1} y_i. If components lack, the product is one of entries."""
        ((x, after_x), of_x), ((y, after_y), of_y) = one, two
        i, after = self._member.components
        terms = []
        if i in of_x and of_y & {i, after}:
            terms.append(product(x, y + after_y))
        if after in of_x and i in of_y:
            terms.append(product(after_x, y))
        own = sum(terms[1:], start=terms[0]) if terms else None
        return Summand(own, x.shape if own is None else own.shape, speakers(of_x, of_y))

    async def shared(self, summands: Sequence[Summand]) -> list[WidePair]:
        """Share products: one round, of 13 bytes for each entry from each that speaks."""
        member = self._member
        speaking = {
            party: [each.shape for each in summands if party in each.speakers] for party in range(HOLDERS)
        }
        first = _drawn(member.mine, speaking[member.before])
        second = _drawn(member.next, speaking[member.party])
        said, mine, following = [], [], []
        for each in summands:
            component = next(first) if member.before in each.speakers else _zeros(each.shape)
            mask = _zeros(each.shape)
            if each.own is not None:
                mask = next(second)
                component = component + each.own - mask
                said.append(component)
            mine.append(component)
            following.append(mask)
        due = _entries(speaking[member.after])
        received = await member.passed(joined(said).packed(), torch.Size([due, RING_104.size_bytes]))
        theirs = _parted(Wide.unpacked(received, RING_104), speaking[member.after])
        return [
            (component, next(theirs) if member.after in each.speakers else mask)
            for each, component, mask in zip(summands, mine, following, strict=True)
        ]

    async def opened(self, secrets: Sequence[Held]) -> list[Wide]:
        """Let all know numbers: one round.

        Raises:
            CheatingDetected: the two holders of a component do not say the same.
        """
        member = self._member
        held = [
            joined([pair[place] for pair, components in secrets if component in components]).packed()
            for place, component in enumerate(member.components)
        ]
        shapes = [pair[0].shape for pair, components in secrets if member.before in components]
        due = torch.Size([_entries(shapes), RING_104.size_bytes])
        lacking = await member.lacking(held[0], held[1], due)
        theirs = _parted(Wide.unpacked(lacking, RING_104), shapes)
        return [
            mine + following + next(theirs) if member.before in components else mine + following
            for (mine, following), components in secrets
        ]


def speakers(one: Components, two: Components) -> Components:
    """Give the parties that know something of a product, by the components of its factors."""
    return frozenset(
        party
        for party in range(HOLDERS)
        for after in [(party + 1) % HOLDERS]
        if (party in one and two & {party, after}) or (after in one and party in two)
    )


def joined(numbers: Sequence[Wide]) -> Wide:
    """Put the entries of tensors into one vector."""
    rows = [number.reshape(-1).limbs for number in numbers] or [_zeros(torch.Size([0])).limbs]
    return Wide(tuple(torch.cat(column) for column in zip(*rows, strict=True)), RING_104)


def _parted(numbers: Wide, shapes: Sequence[torch.Size]) -> Iterator[Wide]:
    """Cut a vector into tensors of these shapes."""
    first = 0
    for shape in shapes:
        yield numbers[first : first + shape.numel()].reshape(*shape)
        first += shape.numel()


def _drawn(stream: Keystream, shapes: Sequence[torch.Size]) -> Iterator[Wide]:
    return _parted(Wide.drawn(stream, torch.Size([_entries(shapes)]), RING_104), shapes)


def _entries(shapes: Sequence[torch.Size]) -> int:
    return sum(shape.numel() for shape in shapes)


def _zeros(shape: torch.Size) -> Wide:
    return Wide.of(torch.zeros(shape, dtype=torch.int64), RING_104)
