"""Three parties whose randomness is enumerated: an entry of every vector for each outcome of all coins.

Rings are so narrow that there are few outcomes; all operations work entry by entry. A word of a type stands
for as many bits as the protocol needs of it (`widths`): those above are of no meaning, and are cut off from
what is sent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.rep3.engine import Rep3, dealt
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import play
from mdl.mpc.secret import Bits, Secret

COMMON = b"common"
KEYS = (b"0", b"1", b"2")
"""By component."""

Kind = Literal["integer", "bit", "word"]
TYPES: Mapping[Kind, torch.dtype] = {"integer": torch.int64, "bit": torch.uint8, "word": torch.int32}


@dataclass(frozen=True)
class Setting:
    """What is computed, and with how much randomness.

    Attributes:
        program: a party's, from the engine and the party's components of the inputs.
        inputs: their kinds.
        ring: of integers; `compared_bits` are those of a word.
        drop: bits that are divided away, if any.
        rounding: of quotients.
        alone: the party that is alone, that shares, or that something is opened to.
    """

    program: Callable[..., Any]
    inputs: tuple[Kind, ...]
    ring: Ring
    drop: int = 1
    rounding: Rounding = "probabilistic"
    alone: int = 0

    @property
    def widths(self) -> Mapping[torch.dtype, int]:
        """How many bits of a word have a meaning."""
        bits = self.ring.compared_bits
        return {torch.int64: self.ring.word_bits, torch.int32: bits, torch.int16: self.drop, torch.uint8: 1}

    @property
    def secret_bits(self) -> int:
        """Of all inputs."""
        return sum(self.widths[TYPES[kind]] for kind in self.inputs)


class Coins:
    """All outcomes of so many coins, for each of some samples of all others.

    The first coins that are tossed change fastest from entry to entry.

    Args:
        bits: how many are enumerated.
        samples: of what is not.
    """

    def __init__(self, bits: int, samples: int = 1) -> None:
        self.bits, self.tossed, self.size = bits, 0, samples << bits
        self._samples, self._random = samples, torch.Generator().manual_seed(7)
        self._outcome = torch.arange(self.size)

    def enumerated(self, bits: int) -> Tensor:
        """Toss coins, shape (size,); those that are too many to be enumerated are sampled."""
        self.tossed += bits
        if self.tossed > self.bits:
            return self.sampled(bits)
        return self._outcome >> self.tossed - bits & (1 << bits) - 1

    def sampled(self, bits: int) -> Tensor:
        """Toss coins, shape (size,), that are the same for all outcomes of those enumerated."""
        tossed = torch.randint(1 << bits, (self._samples,), generator=self._random)
        return tossed.repeat_interleave(1 << self.bits)


@dataclass
class Tape:
    """What the holders of a key draw.

    Attributes:
        toss: gives coins.
        widths: see `Setting`.
        size: of a vector.
        omitted: a draw that gives zeros instead.
        words: those drawn.
    """

    toss: Callable[[int], Tensor]
    widths: Mapping[torch.dtype, int]
    size: int
    omitted: int | None = None
    words: list[Tensor] = field(default_factory=list)

    def at(self, place: int, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Give a draw; the one after the last is tossed."""
        if place == len(self.words):
            tossed = [self.toss(self.widths[dtype]) for _ in range(shape.numel() // self.size)]
            kept = place != self.omitted
            self.words.append((torch.stack(tossed) * kept).view(shape).to(dtype))
        word = self.words[place]
        assert (word.shape, word.dtype) == (shape, dtype)
        return word.clone()


class Reader:
    """In the place of a `Keystream`."""

    def __init__(self, tape: Tape) -> None:
        self._tape, self._place = tape, 0

    def draw(self, shape: torch.Size, dtype: torch.dtype = torch.int64) -> Tensor:
        if not shape.numel():
            return torch.empty(shape, dtype=dtype)
        self._place += 1
        return self._tape.at(self._place - 1, shape, dtype)


@dataclass(frozen=True)
class Played:
    """What has happened.

    Attributes:
        secrets: the inputs.
        components: of each input.
        tapes: by key.
        results: of the parties' programs.
        messages: (receiver, tensor), in order, without empty ones.
    """

    secrets: Sequence[Tensor]
    components: Sequence[Sequence[Tensor]]
    tapes: Mapping[bytes, Tape]
    results: Mapping[int, Any]
    messages: Sequence[tuple[int, Tensor]]


def played(
    setting: Setting, coins: Coins, *, viewer: int | None = None, omitted: tuple[bytes, int] | None = None
) -> Played:
    """Run the three parties.

    Args:
        setting: what.
        coins: to toss.
        viewer: a party; all that it does not know is enumerated, and what it knows is sampled. Otherwise
            all is enumerated.
        omitted: a draw that gives zeros instead: the key, and which one.
    """
    widths = setting.widths
    secrets = [coins.enumerated(widths[TYPES[kind]]) for kind in setting.inputs]
    mine = coins.enumerated if viewer is None else coins.sampled
    components = [
        _components(kind, secret, partial(mine, widths[TYPES[kind]]), viewer or 0)
        for kind, secret in zip(setting.inputs, secrets, strict=True)
    ]
    unknown = None if viewer is None else KEYS[(viewer + 2) % 3]
    tapes = {
        key: Tape(
            coins.enumerated if unknown in (None, key) else coins.sampled,
            widths,
            coins.size,
            omitted[1] if omitted and omitted[0] == key else None,
        )
        for key in (*KEYS, COMMON)
    }
    with _without_chance(tapes, setting.alone):
        engines = dealt(KEYS, COMMON, setting.rounding, setting.ring)
        results, traffic = play(
            {
                engine.party: setting.program(engine, setting.alone, *_held(engine, setting, components))
                for engine in engines
            }
        )
    messages = [(receiver, tensor) for _, _, receiver, tensor in traffic.messages if tensor.numel()]
    return Played(secrets, components, tapes, results, messages)


def tossed(setting: Setting, viewer: int | None = None) -> int:
    """Count the coins to be enumerated."""
    coins = Coins(0)
    played(setting, coins, viewer=viewer)
    return coins.tossed


def _components(kind: Kind, secret: Tensor, toss: Callable[[], Tensor], party: int) -> list[Tensor]:
    """Share a secret: the party's two components are tossed."""
    one, two = toss(), toss()
    last = secret - one - two if kind == "integer" else secret ^ one ^ two
    shares = {party: one, (party + 1) % 3: two, (party + 2) % 3: last}
    return [shares[number].to(TYPES[kind]) for number in range(3)]


def _held(engine: Rep3, setting: Setting, components: Sequence[Sequence[Tensor]]) -> Iterator[Secret | Bits]:
    party, units = engine.party, ((1, 0), (0, 0), (0, 1))[engine.party]
    for kind, shares in zip(setting.inputs, components, strict=True):
        made = Secret if kind == "integer" else Bits
        yield made((shares[party], shares[(party + 1) % 3]), units)


@contextmanager
def _without_chance(tapes: Mapping[bytes, Tape], alone: int) -> Iterator[None]:
    def whole(size: int) -> Sequence[slice]:
        return (*[slice(0, 0)] * alone, slice(0, size))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdl.mpc.rep3.engine.Keystream", lambda key: Reader(tapes[key]))
        patch.setattr("mdl.mpc.rep3.engine.thirds", whole)
        yield


def seen(setting: Setting, play: Played, party: int) -> Tensor:
    """Number a party's views: its components, what its keys draw, what it receives.

    Returns:
        Shape (secrets, outcomes): equal views have equal numbers, in order along the last axis.
    """
    after = (party + 1) % 3
    components = [shares[number] for shares in play.components for number in (party, after)]
    words = [word for key in (KEYS[party], KEYS[after], COMMON) for word in play.tapes[key].words]
    messages = [tensor for receiver, tensor in play.messages if receiver == party]
    numbers = _numbered([(each, setting.widths[each.dtype]) for each in components + words + messages])
    return numbers.view(-1, 1 << setting.secret_bits).t().sort(1).values


def reconstructed(setting: Setting, play: Played) -> tuple[Tensor, int]:
    """Give what the parties hold of a result together, without a sign, and of how many bits it is."""
    results = play.results
    if isinstance(results[0], Tensor):
        assert all(torch.equal(result, results[0]) for result in results.values())
        return results[0] & (1 << setting.ring.word_bits) - 1, setting.ring.word_bits
    width = setting.widths[results[0].parts[0].dtype]
    components = [[part.long() & (1 << width) - 1 for part in results[party].parts] for party in range(3)]
    for party in range(3):
        assert torch.equal(components[party][1], components[(party + 1) % 3][0])
    one, two, three = (each[0] for each in components)
    whole = one + two + three if isinstance(results[0], Secret) else one ^ two ^ three
    return whole & (1 << width) - 1, width


def _numbered(pieces: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Tell tuples apart by one number each, exactly."""
    rows = [(row, width) for piece, width in pieces for row in piece.reshape(-1, piece.shape[-1])]
    number, used = torch.zeros_like(rows[0][0], dtype=torch.int64), 0
    for row, width in rows:
        if used + width > 63:
            _, number = torch.unique(number, return_inverse=True)
            used = int(number.max()).bit_length()
        number = number << width | row.to(torch.int64) & (1 << width) - 1
        used += width
    return number
