"""Security models whose parties' randomness is enumerated (`tests.mpc.tapes`): who holds and knows what.

Of the components that make a secret each party lacks exactly one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.mpc.dealer.correlations import Dealt
from mdl.mpc.dealer.dealer import Dealer
from mdl.mpc.dealer.holder import Holder
from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.rep3 import engine as rep3
from mdl.mpc.rep4 import engine as rep4
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Exchange, Received, Wanted

Draws = Callable[[bytes], Any]
"""Gives what takes a keystream's place, by its key."""

Engines = Callable[[Draws, int, Rounding, Ring], AbstractContextManager[Mapping[int, Engine]]]

HASH = torch.zeros(32, dtype=torch.uint8)


@dataclass(frozen=True)
class Model:
    """A security model.

    Attributes:
        components: by party, the numbers of those that it holds, in the order of its parts.
        keys: who has each of them.
        engines: makes them, of what is drawn from the keys, for a party that is alone, and a ring.
        summing: parties that hold but the sum of their components.
    """

    components: Sequence[Sequence[int]]
    keys: Mapping[bytes, Sequence[int]]
    engines: Engines
    summing: Sequence[int] = ()

    @property
    def parties(self) -> range:
        """Their numbers."""
        return range(len(self.components))

    @property
    def holders(self) -> int:
        """How many parties share, and are told, secrets; they are numbered from 0."""
        return len(self.components) - len(self.summing)

    @property
    def count(self) -> int:
        """Of components."""
        return 1 + max(number for numbers in self.components for number in numbers)

    def is_hash(self, message: Tensor) -> bool:
        """Tell if a message is what stands for a hash."""
        return message is HASH


@contextmanager
def _three(draws: Draws, alone: int, rounding: Rounding, ring: Ring) -> Iterator[Mapping[int, Engine]]:
    def whole(size: int) -> Sequence[slice]:
        return (*[slice(0, 0)] * alone, slice(0, size))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdl.mpc.rep3.engine.Keystream", draws)
        patch.setattr("mdl.mpc.rep3.engine.thirds", whole)
        yield dict(enumerate(rep3.dealt([b"0", b"1", b"2"], b"common", rounding, ring)))


class Unhashed:
    """In the place of `mdl.mpc.transcripts.Transcripts`.

    If all follow the protocol, a hash is that of what its receiver has received, under a key drawn for it
    alone: it tells what is known. (That it is, the receiver verifies.)
    """

    def __init__(self, *_: object) -> None:
        """It keeps nothing."""

    async def exchange(self, sends: Sequence[tuple[int, Tensor]], wants: Sequence[Wanted]) -> Received:
        return await Exchange(sends, wants)

    def enter(self, *_: object) -> None:
        """Nothing is compared."""

    def enter_handed(self, *_: object) -> None:
        """Nothing is compared."""

    async def compare(self) -> None:
        """Nothing is."""


@contextmanager
def _four(draws: Draws, alone: int, rounding: Rounding, ring: Ring) -> Iterator[Mapping[int, Engine]]:
    """Make them; if a party with an odd number is alone, what sides tell takes the other route first."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("joint", "engine"):
            patch.setattr(f"mdl.mpc.rep4.{module}.Keystream", draws)
        patch.setattr("mdl.mpc.rep4.joint.Transcripts", Unhashed)
        patch.setattr("mdl.mpc.rep4.engine.hash_of", lambda _: HASH)
        engines = rep4.dealt([b"0", b"1", b"2", b"3"], b"common", rounding, ring)
        for engine in engines if alone % 2 else ():
            next(engine._joint._turns)
        yield dict(enumerate(engines))


@contextmanager
def _two_and_a_dealer(
    draws: Draws, alone: int, rounding: Rounding, ring: Ring
) -> Iterator[Mapping[int, Engine]]:
    del alone
    with pytest.MonkeyPatch.context() as patch:
        for module in ("holder", "correlations", "dealer"):
            patch.setattr(f"mdl.mpc.dealer.{module}.Keystream", draws)
        found: dict[int, Engine] = {
            party: Holder(
                party,
                Dealt(party, 2, key, ring),
                {1 - party: b"pair"},
                common=b"holders",
                public=b"common",
                rounding=rounding,
                ring=ring,
            )
            for party, key in enumerate((b"0", b"1"))
        }
        found[2] = Dealer([b"0", b"1"], public=b"common", rounding=rounding, ring=ring)
        yield found


MODELS: Mapping[str, Model] = {
    "rep3": Model(
        ((0, 1), (1, 2), (2, 0)), {b"0": (0, 2), b"1": (1, 0), b"2": (2, 1), b"common": (0, 1, 2)}, _three
    ),
    "rep4": Model(
        ((2, 3, 1), (2, 3, 0), (0, 1, 3), (0, 1, 2)),
        {
            **{bytes([48 + lacks]): [party for party in range(4) if party != lacks] for lacks in range(4)},
            b"common": range(4),
        },
        _four,
    ),
    # Component 0 is public to the holders; the others are their shares of the mask.
    "dealer": Model(
        ((0, 1), (0, 2), (1, 2)),
        {b"0": (0, 2), b"1": (1, 2), b"pair": (0, 1), b"holders": (0, 1), b"common": (0, 1, 2)},
        _two_and_a_dealer,
        summing=(2,),
    ),
}
