"""Parties with Shamir's shares whose randomness is enumerated, over small fields.

As in `tests.mpc.tapes` a vector has an entry for each outcome; an engine is given several such vectors, one
after the other, as one. Of what t viewers know samples are taken, and of all else all outcomes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, TypeAlias

import pytest
import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Exchange, Received, play
from mdl.mpc.secret import Bits, Secret, of_wide, wide_parts
from mdl.mpc.shamir import masks, sharing
from mdl.mpc.shamir.circle import Circle, Streams
from mdl.mpc.shamir.engine import Shamir
from mdl.mpc.shamir.fields import Binary, Prime
from mdl.mpc.shamir.scalars import interpolation
from mdl.mpc.wide import Wide
from tests.mpc.narrow import NUMBER, Narrow, listed
from tests.mpc.tapes import Reader, Tape
from tests.mpc.tosses import Tosses

Kind: TypeAlias = Literal["integer", "bit", "word", "known", "double", "double bit"]
"""What is shared; an integer that one party knows; what is shared with degree 2t."""

Key: TypeAlias = tuple[int, ...]
"""Of a keystream: a party's own, or of what the first deals and the second draws."""

SUMMAND = torch.int16
"""The type as which a summand of a mask is drawn."""


RING = Ring(2, 2)


@dataclass(frozen=True)
class Setting:
    """What is computed, and with how much randomness.

    Attributes:
        program: a party's, from the engine, who is alone, and the party's shares of the inputs.
        inputs: their kinds.
        holders: how many parties there are.
        prime: that integers are modulo.
        ring: see `Shamir`.
        values: of a secret integer; all, if there are none.
        entries: how many vectors an input has: bits of their own, multiples of one integer.
        alone: the party that shares, that something is opened to, or that finds all for the others.
        king: whether that one finds what is opened or reduced, as of long vectors, or each for itself.
        rounding: of quotients.
        ideal: whether what is dealt, and products, are shared afresh by nobody.
    """

    program: Callable[..., Any]
    inputs: tuple[Kind, ...]
    holders: int = 3
    prime: int = 5
    ring: Ring = RING
    values: tuple[int, ...] = ()
    entries: int = 1
    alone: int = 0
    king: bool = False
    rounding: Rounding = "probabilistic"
    ideal: bool = False

    @property
    def circle(self) -> Circle:
        """As party 0 sees it."""
        return Circle(0, self.holders)

    @property
    def narrow(self) -> Narrow:
        """What integers are computed with."""
        return Narrow(self.prime, self.prime)

    @property
    def binary(self) -> Binary:
        """The field of bits."""
        return Binary(self.holders.bit_length())

    @property
    def summand_bits(self) -> int:
        """B, of a dealer's summand of a mask."""
        return self.prime.bit_length() - (self.circle.threshold + 1).bit_length()

    @property
    def counts(self) -> Mapping[torch.dtype, int]:
        """How many values a word of a type has."""
        return {
            NUMBER: self.prime,
            SUMMAND: 1 << self.summand_bits,
            torch.int32: 1 << self.ring.compared_bits,
            torch.uint8: 1 << self.ring.compared_bits // 2,
        }

    def unused(self, key: Key) -> bool:
        """Tell if what is drawn goes nowhere: all draw summands of masks, but only dealers deal them."""
        return self.ideal and key[0] not in self.circle.dealers

    @property
    def integers(self) -> int:
        """How many values a secret integer has."""
        return len(self.values) or self.prime


@dataclass
class Played:
    """What has happened.

    Attributes:
        secrets: by input, of all entries.
        shares: by input and party.
        tapes: by key.
        results: of the parties' programs.
        messages: (receiver, entries), without empty ones.
        handed: by party, shares that it was given by nobody.
        secret: how often something has been tossed of secrets, or how many of them there are.
    """

    secrets: list[Tensor]
    shares: list[Sequence[Any]]
    tapes: Mapping[Key, Tape]
    results: Mapping[int, Any] = field(default_factory=dict)
    messages: Sequence[tuple[int, Tensor]] = ()
    handed: Sequence[list[Any]] = ()
    secret: int = 0


def held_by(key: Key, viewers: Sequence[int]) -> bool:
    """Tell if viewers have a key."""
    return not {*key}.isdisjoint(viewers)


def played(
    setting: Setting, tosses: Tosses, viewers: Sequence[int], omitted: tuple[Key, int] | None = None
) -> Played:
    """Run all parties.

    Args:
        setting: what.
        tosses: of all that is random; of what viewers know samples.
        viewers: t parties.
        omitted: a draw that gives zeros instead: the key, and which one.
    """
    parties = range(setting.holders)
    keys = [(party,) for party in parties] + [(a, b) for a in parties for b in parties if a != b]
    inputs = [_shared(setting, kind, tosses, viewers) for kind in setting.inputs]
    tapes: dict[Key, Tape] = {
        key: Tape(
            tosses.sampled if held_by(key, viewers) or setting.unused(key) else tosses.enumerated,
            setting.counts,
            tosses.size,
            omitted[1] if omitted and omitted[0] == key else None,
        )
        for key in keys
    }
    found = Played(
        [secret for secret, _ in inputs], [shares for _, shares in inputs], tapes, secret=tosses.tossed
    )
    engines = [_engine(setting, party, tapes) for party in parties]
    ideal = Ideal(setting, tosses, viewers)
    with _patched(setting, ideal):
        found.results, traffic = play(
            {
                engine.party: setting.program(
                    engine, setting.alone, *(shares[engine.party] for shares in found.shares)
                )
                for engine in engines
            }
        )
    found.messages = [
        (receiver, listed(tensor, setting.narrow))
        for _, _, receiver, tensor in traffic.messages
        if tensor.numel()
    ]
    found.handed = ideal.handed
    return found


def _engine(setting: Setting, party: int, tapes: Mapping[Key, Tape]) -> Shamir:
    others = [other for other in range(setting.holders) if other != party]
    streams: Any = (
        Reader(tapes[party,]),
        {other: Reader(tapes[party, other]) for other in others},
        {other: Reader(tapes[other, party]) for other in others},
    )
    return Shamir(
        party,
        setting.holders,
        Streams(*streams),
        setting.rounding,
        residues=setting.narrow,
        ring=setting.ring,
    )


@contextmanager
def _patched(setting: Setting, ideal: "Ideal") -> Iterator[None]:
    def below(stream: Reader, count: int, bits: int) -> tuple[Tensor, Tensor]:
        assert bits == setting.summand_bits
        low = stream.draw(torch.Size([count]), SUMMAND).to(torch.int64)
        return low, torch.zeros_like(low)

    def whole(count: int, parties: Sequence[int]) -> list[tuple[int, slice]]:
        return [(party, slice(0, count if party == setting.alone else 0)) for party in parties]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks, "words_below", below)
        patch.setattr(sharing, "SHORT", 0 if setting.king else 1 << 62)
        patch.setattr(sharing, "_cuts", whole)
        if setting.ideal:
            patch.setattr(sharing.Sharing, "hand", lambda own, *given: ideal.hand(own, *given))
            patch.setattr(sharing.Sharing, "reduced", lambda own, given: ideal.reduced(own, given))
        yield


# ------------------------------------------------------------------------------------------------
# shares


def _shared(
    setting: Setting, kind: Kind, tosses: Tosses, viewers: Sequence[int]
) -> tuple[Tensor, Sequence[Any]]:
    """Give a secret, and by party what it has of it."""
    if kind.startswith("double"):
        return _with_twice_the_degree(setting, kind, tosses, viewers)
    if kind in ("integer", "known"):
        secret = tosses.enumerated(setting.integers)
        if setting.values:
            secret = torch.tensor(setting.values)[secret]
        whole: Any = Wide.of(
            torch.cat([secret * (1 + entry) for entry in range(setting.entries)]), setting.narrow
        )
        if kind == "known":
            return whole.signed(), [
                whole.signed() if party == setting.alone else None for party in range(setting.holders)
            ]
        secret = whole.signed()
    else:
        dtype, count = (torch.uint8, 2) if kind == "bit" else (torch.int32, setting.counts[torch.int32])
        secret = torch.cat([tosses.enumerated(count) for _ in range(setting.entries)]).to(dtype)
        whole = torch.stack([secret, *[torch.zeros_like(secret)] * (setting.binary.degree - 1)])
    return secret, [_held(setting, share) for share in dealt(setting, whole, tosses.sampled, viewers)]


def _with_twice_the_degree(
    setting: Setting, kind: Kind, tosses: Tosses, viewers: Sequence[int]
) -> tuple[Tensor, Sequence[Any]]:
    """Share with degree 2t; all that viewers do not know of the polynomial is the secret."""
    parties, threshold = range(setting.holders), setting.circle.threshold
    free = [party for party in parties if party not in viewers][: threshold + 1]
    field: Any = Prime(setting.narrow) if kind == "double" else setting.binary
    shares = {
        party: _tossed(setting, field, toss, setting.entries, torch.uint8)
        for group, toss in ((free, tosses.enumerated), (viewers, tosses.sampled))
        for party in group
    }
    return torch.zeros(setting.entries * tosses.size), _extended(field, shares, parties)


def dealt(setting: Setting, secret: Any, toss: Callable[[int], Tensor], viewers: Sequence[int]) -> list[Any]:
    """Share a vector with degree t: what viewers get is tossed, and all else follows."""
    wide = isinstance(secret, Wide)
    field: Any = Prime(setting.narrow) if wide else setting.binary
    dtype = NUMBER if wide else secret.dtype
    size = len(toss(1))
    known = {party: _tossed(setting, field, toss, field.size(secret) // size, dtype) for party in viewers}
    points = (0, *(party + 1 for party in known))
    parties = range(setting.holders)
    matrix = interpolation(field.scalars, points, tuple(party + 1 for party in parties))
    found: list[Any] = field.combined(matrix, [secret, *known.values()])
    return found


def _tossed(setting: Setting, field: Any, toss: Callable[[int], Tensor], entries: int, dtype: Any) -> Any:
    """Toss a vector."""
    if isinstance(field, Prime):
        return Wide.of(torch.cat([toss(setting.prime) for _ in range(entries)]), setting.narrow)
    count = setting.counts[dtype]
    planes = [torch.cat([toss(count) for _ in range(entries)]) for _ in range(setting.binary.degree)]
    return torch.stack(planes).to(dtype)


def _extended(field: Any, shares: Mapping[int, Any], parties: Sequence[int]) -> list[Any]:
    """Give the shares of all, from as many as the polynomial needs."""
    points = tuple(party + 1 for party in shares)
    matrix = interpolation(field.scalars, points, tuple(party + 1 for party in parties))
    found: list[Any] = field.combined(matrix, list(shares.values()))
    return found


def _held(setting: Setting, share: Any) -> Secret | Bits:
    if isinstance(share, Wide):
        return of_wide([share], (1,))
    return Bits(tuple(share), (1, *[0] * (setting.binary.degree - 1)))


def reconstructed(setting: Setting, play: Played) -> Any:
    """Give what the parties share as a result, or have been told; it is a polynomial of degree t."""
    results = [play.results[party] for party in range(setting.holders)]
    first = results[0]
    if isinstance(first, Tensor):
        assert all(torch.equal(each, first) for each in results)
        return first
    known, everybody = range(setting.circle.threshold + 1), range(-1, setting.holders)
    if isinstance(first, Secret):
        numbers = [wide_parts(each)[0].reshape(-1) for each in results]
        found = _extended(Prime(setting.narrow), dict(zip(known, numbers, strict=False)), everybody)
        for one, two in zip(found[1:], numbers, strict=True):
            assert torch.equal(one.signed(), two.signed())
        return found[0].signed()
    words = [torch.stack([part.reshape(-1) for part in each.parts]) for each in results]
    planes = _extended(setting.binary, dict(zip(known, words, strict=False)), everybody)
    mask = setting.counts[words[0].dtype] - 1
    for plane, word in zip(planes[1:], words, strict=True):
        assert torch.equal(plane & mask, word & mask)
    assert not (planes[0][1:] & mask).any()
    return planes[0][0] & mask


# ------------------------------------------------------------------------------------------------
# what nobody does


class Ideal:
    """In the place of dealing and of reduction: shares given by nobody, of what parties hand in.

    That real ones are no different is shown of each by itself.
    """

    def __init__(self, setting: Setting, tosses: Tosses, viewers: Sequence[int]) -> None:
        self._setting, self._tosses, self._viewers = setting, tosses, viewers
        self._calls: dict[tuple[int, type], int] = {}
        self._given: dict[tuple[Any, ...], dict[int, Any]] = {}
        self._made: dict[tuple[Any, ...], list[Any]] = {}
        self.handed: list[list[Any]] = [[] for _ in range(setting.holders)]

    def hand(self, own: Any, dealers: Sequence[int], secret: Any, count: int) -> Any:
        """See `Sharing.hand`."""
        call = self._call(own)
        party = own._circle.party
        if party in dealers:
            assert own.field.size(secret) == count
            self._given.setdefault(call, {})[party] = secret
        return _Handed(lambda: [self._of(party, (*call, each), self._given[call][each]) for each in dealers])

    async def reduced(self, own: Any, share: Any) -> Any:
        """See `Sharing.reduced`."""
        call, party, workers = self._call(own), own._circle.party, own._circle.workers
        if party in workers:
            self._given.setdefault(call, {})[party] = share
        await Exchange()
        (secret,) = own.field.combined(own._finding, [self._given[call][each] for each in workers])
        return self._of(party, call, secret)

    def _call(self, own: Any) -> tuple[Any, ...]:
        key = own._circle.party, type(own.field)
        self._calls[key] = self._calls.get(key, 0) + 1
        return key[1], self._calls[key]

    def _of(self, party: int, call: tuple[Any, ...], secret: Any) -> Any:
        if call not in self._made:
            self._made[call] = dealt(self._setting, secret, self._tosses.sampled, self._viewers)
        self.handed[party].append(self._made[call][party])
        return self._made[call][party]


@dataclass(frozen=True)
class _Handed:
    """See `mdl.mpc.shamir.sharing.Hand`."""

    made: Callable[[], list[Any]]
    sends: tuple[()] = ()
    wants: tuple[()] = ()

    def shares(self, received: Received) -> list[Any]:
        assert not received
        return self.made()


# ------------------------------------------------------------------------------------------------
# what parties see


def rows_of(setting: Setting, play: Played, viewers: Sequence[int]) -> list[tuple[Tensor, int]]:
    """List what parties see together: their shares, what their keys draw, what they receive.

    Returns:
        Vectors of a value for each outcome, and how many bits these have.
    """
    shares = [each[party] for each in play.shares for party in viewers if each[party] is not None]
    drawn = [word for key, tape in play.tapes.items() if held_by(key, viewers) for word in tape.words]
    messages = [tensor for receiver, tensor in play.messages if receiver in viewers]
    handed = chain.from_iterable(play.handed[party] for party in viewers)
    tensors = [*chain.from_iterable(map(_tensors, (*shares, *handed))), *drawn, *messages]
    size = play.secrets[0].numel() // setting.entries
    return [
        (row, (setting.counts[each.dtype] - 1).bit_length())
        for each in tensors
        for row in each.reshape(-1, size)
    ]


def _tensors(share: Any) -> list[Tensor]:
    match share:
        case Secret():
            return [part.limbs[0].to(NUMBER) for part in wide_parts(share)]
        case Bits():
            return list(share.parts)
        case Wide():
            return [share.limbs[0].to(NUMBER)]
        case _:
            return [share]
