"""Parties whose randomness is enumerated: an entry of every vector for each outcome of all coins.

Rings are so narrow that there are few outcomes; all operations work entry by entry. A word of a type stands
for as many bits as the protocol needs of it (`widths`): those above are of no meaning, and are cut off from
what is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import play
from mdl.mpc.secret import Bits, Secret
from tests.mpc.models import Model

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
        spare: bits of an integer's word above the ring's, which are of no meaning, and random too.
        by_digits: whether words are of a bit for each digit, and tables of one for each digit's value.
        alone: the party that is alone, that shares, or that something is opened to.
    """

    program: Callable[..., Any]
    inputs: tuple[Kind, ...]
    ring: Ring
    drop: int = 1
    rounding: Rounding = "probabilistic"
    spare: int = 0
    by_digits: bool = False
    alone: int = 0

    @property
    def widths(self) -> Mapping[torch.dtype, int]:
        """How many bits of a word are looked at."""
        bits = self.ring.compared_bits
        table, digits = (1 << self.ring.digit_bits, self.ring.digits) if self.by_digits else (0, 1)
        return {
            torch.int64: self.ring.word_bits + self.spare,
            torch.int32: bits,
            torch.int16: max(self.drop, table),
            torch.uint8: digits,
        }

    def width(self, kind: Kind) -> int:
        """How many bits an input has."""
        return 1 if kind == "bit" else self.widths[TYPES[kind]]

    @property
    def secret_bits(self) -> int:
        """Of all inputs."""
        return sum(map(self.width, self.inputs))


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

    def draw_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self.draw(torch.Size(shape), torch_type(dtype)).numpy()


def torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    """Give the type of a tensor of an array."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


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
    model: Model,
    setting: Setting,
    coins: Coins,
    *,
    viewer: int | None = None,
    omitted: tuple[bytes, int] | None = None,
) -> Played:
    """Run all parties.

    Args:
        model: whose.
        setting: what.
        coins: to toss.
        viewer: a party; all that it does not know is enumerated, and what it knows is sampled. Otherwise
            all is enumerated.
        omitted: a draw that gives zeros instead: the key, and which one.
    """
    secrets = [coins.enumerated(setting.width(kind)) for kind in setting.inputs]
    mine = coins.enumerated if viewer is None else coins.sampled
    components = [
        _components(model, kind, secret, partial(mine, setting.width(kind)), viewer or 0)
        for kind, secret in zip(setting.inputs, secrets, strict=True)
    ]
    tapes = {
        key: Tape(
            coins.sampled if viewer in holders else coins.enumerated,
            setting.widths,
            coins.size,
            omitted[1] if omitted and omitted[0] == key else None,
        )
        for key, holders in model.keys.items()
    }
    with model.engines(
        lambda key: Reader(tapes[key]), setting.alone, setting.rounding, setting.ring
    ) as engines:
        results, traffic = play(
            {
                party: setting.program(engine, setting.alone, *_held(model, party, setting, components))
                for party, engine in engines.items()
            }
        )
    messages = [
        (receiver, tensor)
        for _, _, receiver, tensor in traffic.messages
        if tensor.numel() and not model.is_hash(tensor)
    ]
    return Played(secrets, components, tapes, results, messages)


def tossed(model: Model, setting: Setting, viewer: int | None = None) -> int:
    """Count the coins to be enumerated."""
    coins = Coins(0)
    played(model, setting, coins, viewer=viewer)
    return coins.tossed


def _components(
    model: Model, kind: Kind, secret: Tensor, toss: Callable[[], Tensor], party: int
) -> list[Tensor]:
    """Share a secret: the party's components are tossed; of all others there is but one."""
    known = {number: toss() for number in model.components[party]}
    (last,) = set(range(model.count)) - known.keys()
    rest = secret
    for share in known.values():
        rest = rest - share if kind == "integer" else rest ^ share
    return [{**known, last: rest}[number].to(TYPES[kind]) for number in range(model.count)]


def _held(
    model: Model, party: int, setting: Setting, components: Sequence[Sequence[Tensor]]
) -> Sequence[Secret | Bits]:
    """Give a party its components of each input; to who holds but their sum, that."""
    numbers = model.components[party]
    units = tuple(int(number == 0) for number in numbers)
    found: list[Secret | Bits] = []
    for kind, shares in zip(setting.inputs, components, strict=True):
        parts = [shares[number] for number in numbers]
        if party in model.summing:
            parts, units = [_sum(parts, exclusive=kind != "integer")], (0,)
        found.append((Secret if kind == "integer" else Bits)(tuple(parts), units))
    return found


def _sum(parts: Sequence[Tensor], *, exclusive: bool) -> Tensor:
    found = parts[0]
    for part in parts[1:]:
        found = found ^ part if exclusive else found + part
    return found


def seen(model: Model, setting: Setting, play: Played, party: int) -> Tensor:
    """Number a party's views: its components, what its keys draw, what it receives.

    Returns:
        Shape (secrets, outcomes): equal views have equal numbers, in order along the last axis.
    """
    components = [shares[number] for shares in play.components for number in model.components[party]]
    words = [word for key, tape in play.tapes.items() if party in model.keys[key] for word in tape.words]
    messages = [tensor for receiver, tensor in play.messages if receiver == party]
    numbers = _numbered([(each, setting.widths[each.dtype]) for each in components + words + messages])
    return numbers.view(-1, 1 << setting.secret_bits).t().sort(1).values


def reconstructed(model: Model, setting: Setting, play: Played) -> tuple[Tensor, int]:
    """Give what the parties hold of a result together, without a sign, and of how many bits it is."""
    holders = [party for party in play.results if party not in model.summing]
    first = play.results[holders[0]]
    if isinstance(first, Tensor):
        assert all(torch.equal(play.results[party], first) for party in holders)
        return first & (1 << setting.ring.word_bits) - 1, setting.ring.word_bits
    exclusive, dtype = isinstance(first, Bits), first.parts[0].dtype
    width = 1 if exclusive and dtype == torch.uint8 else setting.widths[dtype]
    width -= 0 if exclusive else setting.spare
    mask = (1 << width) - 1
    components: dict[int, Tensor] = {}
    for party in holders:
        for number, part in zip(model.components[party], play.results[party].parts, strict=True):
            assert torch.equal(components.setdefault(number, part.long() & mask), part.long() & mask)
    for party in model.summing:
        (part,) = play.results[party].parts
        whole = _sum([components[number] for number in model.components[party]], exclusive=exclusive)
        assert torch.equal(part.long() & mask, whole & mask)
    return _sum(list(components.values()), exclusive=exclusive) & mask, width


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
