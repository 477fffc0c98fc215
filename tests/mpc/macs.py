"""Holders whose shares have MACs, and their dealer, whose randomness is enumerated: keys of MACs, too.

As in `tests.mpc.tapes` a vector has an entry for each outcome. Integers are modulo 2^(k + s), keys of s bits.
What holders tell each other in a verification is a random combination of what each one's share of a MAC lacks
for what was opened. Here they tell all of that, one by one: whatever the factors are, no more is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pytest
import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Exchange, Wanted, play
from mdl.mpc.secret import Bits, Secret, of_wide, wide_parts
from mdl.mpc.spdz2k import checks, dealer, holder, macs, sources
from mdl.mpc.spdz2k.checks import STEPS
from mdl.mpc.spdz2k.dealer import AuthenticatingDealer
from mdl.mpc.spdz2k.holder import AuthenticatedHolder
from mdl.mpc.spdz2k.macs import Key
from mdl.mpc.spdz2k.sources import Dealing, Dealt
from mdl.mpc.wide import Wide
from tests.mpc.narrow import NUMBER, Narrow, listed
from tests.mpc.tapes import Reader, Tape
from tests.mpc.tosses import Tosses

Kind: TypeAlias = Literal["integer", "bit", "word", "known"]
"""What is shared; or an integer that one holder knows."""

KEY = torch.uint16
"""The type as which keys are drawn."""

TYPES: Mapping[str, torch.dtype] = {"bit": torch.uint8, "word": torch.int32}


@dataclass(frozen=True)
class Setting:
    """What is computed, and with how much randomness.

    Attributes:
        program: a party's, from the engine, who is alone, and what the party has of the inputs.
        inputs: their kinds.
        ring: of the secrets.
        macs: s.
        holders: how many there are; the dealer comes after them.
        alone: the holder that shares, or that something is opened to.
        rounding: of quotients.
        by_digits: whether words of type uint8 have a bit for each digit, or one.
        ideal: whether shares of what is dealt are given by nobody.
    """

    program: Callable[..., Any]
    inputs: tuple[Kind, ...]
    ring: Ring
    macs: int = 1
    holders: int = 2
    alone: int = 0
    rounding: Rounding = "probabilistic"
    by_digits: bool = False
    ideal: bool = False

    @property
    def narrow(self) -> Narrow:
        """What integers are computed with."""
        return Narrow(1 << self.ring.word_bits + self.macs, 1 << self.ring.word_bits)

    @property
    def widths(self) -> Mapping[torch.dtype, int]:
        """How many bits of a word have a meaning."""
        return {
            NUMBER: self.ring.word_bits + self.macs,
            KEY: self.macs,
            torch.int64: self.ring.word_bits,
            torch.int32: self.ring.compared_bits,
            torch.int16: 1 << self.ring.digit_bits,
            torch.uint8: self.ring.digits if self.by_digits else 1,
        }

    def width(self, kind: Kind) -> int:
        """How many bits a secret has; of an integer also those above the ring's."""
        match kind:
            case "integer":
                return self.widths[NUMBER]
            case "known":
                return self.ring.word_bits
            case "bit":
                return 1
            case "word":
                return self.ring.compared_bits


@dataclass(frozen=True)
class Played:
    """What has happened.

    Attributes:
        secrets: by input.
        secret: how many secrets there are: all inputs, and keys of those who do not look on.
        held: by party, what it has of each input.
        tapes: by key.
        results: of the parties' programs.
        messages: (receiver, entries).
        handed: (receiver, shares) that were given by nobody.
    """

    secrets: Sequence[Tensor]
    secret: int
    held: Sequence[Sequence[Any]]
    tapes: Mapping[bytes, Tape]
    results: Mapping[int, Any]
    messages: Sequence[tuple[int, Tensor]]
    handed: Sequence[tuple[int, Tensor]]


def played(
    setting: Setting, tosses: Tosses, viewers: Sequence[int], omitted: tuple[bytes, int] | None = None
) -> Played:
    """Run all parties.

    Args:
        setting: what.
        tosses: of all that is random; of what viewers know samples.
        viewers: holders.
        omitted: a draw that gives zeros instead: the key, and which one.
    """
    parties = range(setting.holders)
    tapes = {
        key: Tape(
            tosses.sampled if known else tosses.enumerated,
            {dtype: 1 << width for dtype, width in setting.widths.items()},
            tosses.size,
            omitted[1] if omitted and omitted[0] == key else None,
        )
        for key, known in [
            *((_key(party), party in viewers) for party in parties),
            (b"own", False),
            (b"common", True),
            (b"public", True),
        ]
    }
    with _patched(setting, tosses.size) as keys:
        secrets = [tosses.enumerated(1 << setting.width(kind)) for kind in setting.inputs]
        whole = keys.joined([keys.drawn(Reader(tapes[_key(party)])) for party in parties])
        secret = tosses.tossed
        shared = [
            _shared(setting, kind, each, whole, tosses, viewers)
            for kind, each in zip(setting.inputs, secrets, strict=True)
        ]
        held = [list(column) for column in zip(*shared, strict=True)]
        engines = _engines(setting, tapes)
        ideal = Ideal(engines, _Sharing(setting, tosses, viewers))
        with ideal.patched() if setting.ideal else nullcontext():
            results, traffic = play(
                {
                    engine.party: setting.program(engine, setting.alone, *each)
                    for engine, each in zip(engines, held, strict=True)
                }
            )
    messages = [
        (receiver, listed(tensor, setting.narrow).reshape(-1, tosses.size))
        for _, _, receiver, tensor in traffic.messages
    ]
    return Played(secrets, secret, held, tapes, results, messages, ideal.handed)


def _key(party: int) -> bytes:
    return b"%d" % party


Authenticated: TypeAlias = AuthenticatedHolder | AuthenticatingDealer


def _engines(setting: Setting, tapes: Mapping[bytes, Tape]) -> list[Authenticated]:
    rng: Any = None
    with pytest.MonkeyPatch.context() as patch:
        for module in (sources, holder, dealer):
            patch.setattr(module, "Keystream", lambda key: Reader(tapes[key]))
        parties = range(setting.holders)
        return [
            *(
                AuthenticatedHolder(
                    party,
                    setting.holders,
                    Dealt(party, setting.holders, _key(party)),
                    common=b"common",
                    public=b"public",
                    rounding=setting.rounding,
                    rng=rng,
                    ring=setting.ring,
                )
                for party in parties
            ),
            AuthenticatingDealer(
                [_key(party) for party in parties],
                own=b"own",
                public=b"public",
                rounding=setting.rounding,
                ring=setting.ring,
            ),
        ]


@contextmanager
def _patched(setting: Setting, size: int) -> Iterator[Any]:
    """Make all as narrow as is said; give the class of keys."""

    def ones(own: AuthenticatedHolder, dtype: torch.dtype, dimensions: int) -> Tensor:
        share = torch.full((1,) * dimensions + (size,), -own._first).to(dtype)
        return torch.cat((share, own._key.words(dtype, dimensions)))

    class ByOutcome(Key):
        """A key for each outcome: `number` of shape (size,), `word` of shape (s, size)."""

        @classmethod
        def drawn(cls, stream: Any) -> "ByOutcome":
            number, word = (stream.draw(torch.Size([size]), KEY).to(torch.int64) for _ in range(2))
            places = torch.arange(setting.macs).unsqueeze(1)
            return cls(Wide.of(number, setting.narrow), -(word >> places & 1))

        def words(self, dtype: torch.dtype, dimensions: int) -> Tensor:
            return self.word.to(dtype).reshape(setting.macs, *(1,) * (dimensions - 1), size)

    with pytest.MonkeyPatch.context() as patch:
        for module in (checks, dealer, holder, macs, sources):
            patch.setattr(module, "RING_104", setting.narrow)
        for module in (checks, holder, macs):
            patch.setattr(module, "MAC_BITS", setting.macs)
        for module in (dealer, holder):
            patch.setattr(module, "CHECKED_ENTRIES", 1 << 62)
        patch.setattr(holder, "_UNITS_OF_BITS", (1, *(0,) * (1 + setting.macs)))
        patch.setattr(AuthenticatedHolder, "_ones", ones)
        patch.setattr(holder, "Opened", Revealed)
        patch.setattr(sources, "Key", ByOutcome)
        yield ByOutcome


class Revealed:
    """In the place of `mdl.mpc.spdz2k.checks.Opened`.

    Args:
        key: this holder's share.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._rests: list[Tensor] = []

    def said(self, data: Tensor) -> None:
        """It is known to all."""

    def number(self, values: Wide, macs: Wide) -> None:
        self._rests.append((macs - self._key.of_number(values)).limbs[0].to(NUMBER))

    def words(self, values: Tensor, macs: Tensor) -> None:
        self._rests.append(macs ^ self._key.of_words(values))

    async def verified(self, party: int, holders: int, rng: Any) -> None:
        """Tell all rests, which together are zero."""
        del rng
        own, self._rests = self._rests, []
        others = [other for other in range(holders) if other != party]
        received = await Exchange(
            [(other, rest) for other in others for rest in own],
            [Wanted(other, rest.shape, rest.dtype) for other in others for rest in own],
        )
        for place, rest in enumerate(own):
            total = rest.clone()
            for theirs in received[place :: len(own)]:
                total = total + theirs if rest.dtype == NUMBER else total ^ theirs
            modulus = self._key.number.residues.modulus if rest.dtype == NUMBER else 1
            assert not (total % modulus if rest.dtype == NUMBER else total & 1).any()
        for _ in range(STEPS - 1):
            await Exchange()


# ------------------------------------------------------------------------------------------------
# shares


def _shared(
    setting: Setting, kind: Kind, secret: Tensor, key: Key, tosses: Tosses, viewers: Sequence[int]
) -> list[Any]:
    """Give by party what it has of a secret; last the dealer."""
    parties = range(setting.holders)
    if kind == "known":
        values = setting.ring.signed(secret)
        return [values if party == setting.alone else None for party in (*parties, setting.holders)]
    shares = _Sharing(setting, tosses, viewers)
    if kind == "integer":
        public = Wide.of(tosses.sampled(setting.narrow.modulus), setting.narrow)
        mask = Wide.of(secret, setting.narrow) - public
        pairs = zip(shares.numbers(mask), shares.numbers(key.of_number(mask)), strict=True)
        return [*(of_wide([public, *pair], (1, 0, 0)) for pair in pairs), of_wide([mask], (0,))]
    dtype = TYPES[kind]
    masked = tosses.sampled(1 << setting.width(kind)).to(dtype)
    hiding = secret.to(dtype) ^ masked
    columns = zip(shares.words(hiding), *map(shares.words, key.of_words(hiding)), strict=True)
    units = (1, *(0,) * (1 + setting.macs))
    return [*(Bits((masked, *each), units) for each in columns), Bits((hiding,), (0,))]


@dataclass(frozen=True)
class _Sharing:
    """Shares so that viewers know nothing but samples, and of the others' shares all but one are tossed."""

    setting: Setting
    tosses: Tosses
    viewers: Sequence[int]

    def numbers(self, whole: Wide) -> list[Wide]:
        """Share numbers, shape (..., size)."""
        narrow = self.setting.narrow
        tossed = {
            party: Wide.of(each, narrow) for party, each in self._tossed(whole.shape, narrow.modulus).items()
        }
        rest = whole
        for share in tossed.values():
            rest = rest - share
        return [tossed.get(party, rest) for party in range(self.setting.holders)]

    def words(self, whole: Tensor) -> list[Tensor]:
        """Share words, shape (..., size)."""
        count = 1 << self.setting.widths[whole.dtype]
        tossed = {party: each.to(whole.dtype) for party, each in self._tossed(whole.shape, count).items()}
        rest = whole
        for share in tossed.values():
            rest = rest ^ share
        return [tossed.get(party, rest) for party in range(self.setting.holders)]

    def _tossed(self, shape: torch.Size, count: int) -> dict[int, Tensor]:
        others = [party for party in range(self.setting.holders) if party not in self.viewers]
        rows = range(shape.numel() // self.tosses.size)
        return {
            party: torch.stack([toss(count) for _ in rows]).reshape(shape)
            for group, toss in ((self.viewers, self.tosses.sampled), (others[1:], self.tosses.enumerated))
            for party in group
        }


class Ideal:
    """In the place of what the dealer sends, and of what holders draw of it: shares given by nobody.

    That real ones are no different is shown of what is dealt for a product, a conjunction, a table.
    """

    def __init__(self, engines: Sequence[Authenticated], sharing: _Sharing) -> None:
        self._sharing = sharing
        self._parties = {
            id(engine._source): engine.party for engine in engines if isinstance(engine, AuthenticatedHolder)
        }
        self._asked = dict.fromkeys(self._parties.values(), 0)
        self._shares: list[list[Any]] = []
        self.handed: list[tuple[int, Tensor]] = []

    @contextmanager
    def patched(self) -> Iterator[None]:
        async def deal_numbers(_: Dealing, *values: Wide) -> None:
            self._shares.append(self._sharing.numbers(macs.stacked(values)))
            await Exchange()

        async def deal_words(_: Dealing, value: Tensor) -> None:
            self._shares.append(self._sharing.words(value))
            await Exchange()

        async def asked(source: Dealt, *_: Any) -> Any:
            party = self._parties[id(source)]
            number, self._asked[party] = self._asked[party], self._asked[party] + 1
            await Exchange()
            share = self._shares[number][party]
            self.handed.append((party, share.limbs[0].to(NUMBER) if isinstance(share, Wide) else share))
            return share

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Dealing, "numbers", deal_numbers)
            patch.setattr(Dealing, "words", deal_words)
            for name in ("numbers", "words"):
                patch.setattr(Dealt, name, asked)
            yield


def reconstructed(setting: Setting, play: Played) -> tuple[Tensor, int]:
    """Give a result, without a sign, and of how many bits it is; MACs are right for all keys.

    The dealer's mask is that of which the holders have shares.
    """
    *results, dealt = [play.results[party] for party in range(setting.holders + 1)]
    first = next(each for each in results if each is not None)
    if isinstance(first, Tensor):
        assert all(each is None or torch.equal(each, first) for each in results)
        return first & (1 << setting.ring.word_bits) - 1, setting.ring.word_bits
    if isinstance(first, Secret):
        publics, masks, of_masks = (
            torch.stack([part.limbs[0] for part in column])
            for column in zip(*map(wide_parts, results), strict=True)
        )
        mask = wide_parts(dealt)[0]
        with _patched(setting, mask.shape.numel()) as keys:
            shares = [keys.drawn(Reader(play.tapes[_key(each)])) for each in range(setting.holders)]
        assert torch.equal(publics, publics[:1].expand_as(publics))
        assert torch.equal(masks.sum(0) % setting.narrow.modulus, mask.limbs[0])
        macs = keys.joined(shares).of_number(mask)
        assert torch.equal(of_masks.sum(0) % setting.narrow.modulus, macs.limbs[0])
        return (publics[0] + mask.limbs[0]) % (1 << setting.ring.word_bits), setting.ring.word_bits
    dtype = first.parts[0].dtype
    width = 1 if dtype == torch.uint8 else setting.widths[dtype]
    ones = (1 << width) - 1
    mask = results[0].parts[1]
    for each in results[1:]:
        assert torch.equal(each.parts[0] & ones, first.parts[0] & ones)
        mask = mask ^ each.parts[1]
    assert torch.equal(mask & ones, dealt.parts[0] & ones)
    return (first.parts[0] ^ mask) & ones, width


# ------------------------------------------------------------------------------------------------
# what holders see


def rows_of(setting: Setting, play: Played, viewers: Sequence[int]) -> list[tuple[Tensor, int]]:
    """List what holders see together: their shares, what their keys draw, what they receive.

    Returns:
        Vectors of a value for each outcome, and how many bits these have.
    """
    known = [_key(party) for party in viewers] + [b"common", b"public"]
    shares = [tensor for party in viewers for each in play.held[party] for tensor in _tensors(each)]
    drawn = [word for key in known for word in play.tapes[key].words]
    messages = [tensor for receiver, tensor in (*play.messages, *play.handed) if receiver in viewers]
    return [
        (row, setting.widths[each.dtype])
        for each in [*shares, *drawn, *messages]
        for row in each.reshape(-1, play.secrets[0].numel())
    ]


def _tensors(share: Any) -> list[Tensor]:
    match share:
        case Secret():
            return [part.limbs[0].to(NUMBER) for part in wide_parts(share)]
        case Bits():
            return list(share.parts)
        case Tensor():
            return [share]
        case _:
            return []
