"""Which coalitions of nodes single somebody out, whatever the encryption.

A coalition puts together the sums of its members and takes off what it knows, its own values. Node h is
exposed if its value follows: if the unit vector e_h is in the span of what is left of the rows. That is all
that can follow, as the values of honest nodes may be anything. It is decided exactly (`elimination`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.party import PartyId
from mdl.protocols.elimination import Spans, agreed, minors_bound, moduli
from mdl.protocols.observations import Observations
from mdl.protocols.telling import telling
from mdl.vectors import Flags

Coalitions: TypeAlias = NDArray[np.int64]
"""Places of nodes, shape (coalitions, size)."""

Search: TypeAlias = Literal["all", "proof", "some"]

_QUICK: Final = 5_000
"""So many coalitions are judged in no time."""

_ENTRIES: Final = 1 << 20
"""Of matrices that are reduced together: a few megabytes."""


@dataclass(frozen=True)
class Effort:
    """How much is searched of what may be too much.

    Attributes:
        all_of: all coalitions of a size are judged if there are no more.
        drawn: so many are drawn at random otherwise, at least one.
        entries: so many entries of matrices are computed for a size at most. It takes some seconds.
    """

    all_of: int = 250_000
    drawn: int = 2_000
    entries: int = 1_500_000_000


@dataclass(frozen=True)
class Example:
    """A coalition and whom it exposes."""

    coalition: tuple[PartyId, ...]
    exposed: tuple[PartyId, ...]


@dataclass(frozen=True)
class Sized:
    """All coalitions of one size.

    Attributes:
        size: how many nodes collude.
        total: how many such coalitions there are.
        searched: ``"all"`` of them; ``"proof"``: all at once, as whoever exposes a node has its twins in the
            coalition; ``"some"``: those of `telling`, and some drawn at random.
        judged: of how many it is known.
        exposing: how many of these expose somebody.
        victims: how many of these expose each node.
        example: the first that does.
    """

    size: int
    total: int
    searched: Search
    judged: int
    exposing: int
    victims: Mapping[PartyId, int]
    example: Example | None

    @property
    def settled(self) -> bool:
        """Whether it is known of each coalition of this size."""
        return self.searched != "some"


def by_size(observed: Observations, sizes: Sequence[int], effort: Effort = Effort()) -> Iterator[Sized]:
    """Judge coalitions, size by size."""
    parties, twins = observed.parties, observed.twins()
    likely: Mapping[int, Sequence[tuple[int, ...]]] = {}
    for size in sizes:
        total = math.comb(len(parties), size)
        if size < min(twins):
            yield Sized(size, total, "proof", total, 0, dict.fromkeys(parties, 0), None)
        elif total <= (most := affordable(observed, size, effort)):
            everyone = np.array(list(combinations(range(len(parties)), size)))
            yield _judged(observed, everyone, total, "all")
        else:
            likely = likely or telling(observed)
            some = [*likely.get(size, ()), *_drawn(len(parties), size, min(effort.drawn, most))]
            yield _judged(observed, np.array(some), total, "some")


def until_exposed(observed: Observations, effort: Effort = Effort()) -> Iterator[Sized]:
    """Judge larger and larger coalitions, until some expose somebody.

    The largest that are judged are all nodes but two. All but one learn the last one's value.
    """
    for sized in by_size(observed, range(1, len(observed.parties) - 1), effort):
        yield sized
        if sized.exposing:
            return


def explain_exposure(observed: Observations) -> str:
    """Say in a sentence how many nodes learn another's value, as far as that is found in no time."""
    count, twins = len(observed.parties), min(observed.twins())
    quick = takewhile(lambda size: size < twins or math.comb(count, size) <= _QUICK, range(1, count - 1))
    last = 0
    for sized in by_size(observed, list(quick)):
        if sized.exposing:
            return explain_exposing(sized)
        last = sized.size
    if last == count - 2:
        return f"No coalition of up to n - 2 = {last} nodes learns the parameters of another in an epoch."
    return (
        f"No coalition of up to {last} nodes learns the parameters of another in an epoch, whatever the "
        "encryption; `mdl audit topology` looks at larger ones."
    )


def explain_exposing(sized: Sized) -> str:
    """Say of coalitions that expose somebody how many do, and give the example."""
    assert sized.example is not None
    coalition, victims = (listed(nodes) for nodes in (sized.example.coalition, sized.example.exposed))
    if sized.size == 1:
        return (
            f"A single node learns the parameters of another, whatever the encryption: {sized.exposing} of "
            f"{sized.total} do, such as {coalition} those of {victims}."
        )
    groups = "pairs" if sized.size == 2 else f"coalitions of {sized.size}"
    judged = groups if sized.settled else f"{groups} that were judged"
    return (
        f"{sized.size} nodes that collude learn the parameters of another, whatever the encryption: "
        f"{sized.exposing} of {sized.judged} {judged} do, such as {coalition} those of {victims}."
    )


def listed(nodes: Sequence[PartyId]) -> str:
    """Write ids as in a sentence."""
    *most, last = map(str, nodes)
    return f"{', '.join(most)} and {last}" if most else last


def _judged(observed: Observations, coalitions: Coalitions, total: int, searched: Search) -> Sized:
    parties, found = observed.parties, exposed(observed, coalitions)
    exposing = found.any(axis=1)
    example = None
    if exposing.any():
        first = int(exposing.argmax())
        example = Example(_named(parties, coalitions[first]), _named(parties, np.flatnonzero(found[first])))
    victims = dict(zip(parties, found.sum(axis=0).tolist(), strict=True))
    size = coalitions.shape[1]
    return Sized(size, total, searched, len(coalitions), int(exposing.sum()), victims, example)


def _drawn(count: int, size: int, number: int) -> Coalitions:
    """Draw coalitions at random, always the same; one may come twice."""
    order = np.random.default_rng(size).random((number, count)).argsort(axis=1)
    return np.sort(order[:, :size], axis=1)


def exposed(observed: Observations, coalitions: Coalitions) -> Flags:
    """Say whom each coalition exposes, shape (coalitions, n)."""
    inside = members(observed, coalitions)
    opened = observed.opened(inside)
    found: Flags = opened | spans(observed, coalitions, inside | opened).units
    return found


def spans(observed: Observations, coalitions: Coalitions, known: Flags) -> Spans:
    """Give the span of what coalitions learn.

    Args:
        observed: by all nodes.
        coalitions: who puts it together.
        known: whose values they know besides, shape (coalitions, n): their columns are zero.
    """
    count, learnt, size = len(observed.parties), observed.rows.shape[1], coalitions.shape[1]
    residues: dict[int, NDArray[np.int64]] = {}

    def span(some: NDArray[np.int64]) -> Spans:
        def rows(left: NDArray[np.int64], prime: int) -> NDArray[np.int64]:
            if prime not in residues:
                residues[prime] = (observed.rows % prime).astype(np.int64)
            chosen = some[left]
            taken = residues[prime][coalitions[chosen]].reshape(len(chosen), size * learnt, count)
            return taken * ~known[chosen, None, :]

        most = np.minimum(size * learnt, (~known[some]).sum(axis=1))
        return agreed(rows, most, _bound(observed, size))

    step = max(1, _ENTRIES // (size * learnt * count))
    parts = [
        span(np.arange(len(coalitions))[first : first + step]) for first in range(0, len(coalitions), step)
    ]
    ranks, units = zip(*((part.ranks, part.units) for part in parts), strict=True)
    return Spans(np.concatenate(ranks), np.concatenate(units))


def affordable(observed: Observations, size: int, effort: Effort) -> int:
    """Say how many coalitions of a size can be judged, at least one."""
    count, rows = len(observed.parties), size * observed.rows.shape[1]
    each: int = len(moduli(_bound(observed, size))) * rows**2 * count
    return max(1, min(effort.all_of, effort.entries // each))


def _bound(observed: Observations, size: int) -> int:
    order = min(size * observed.rows.shape[1], len(observed.parties))
    return minors_bound(observed.squared_norms, order)


def _named(parties: Sequence[PartyId], places: NDArray[np.int64]) -> tuple[PartyId, ...]:
    return tuple(parties[place] for place in places)


def members(observed: Observations, coalitions: Coalitions) -> Flags:
    """Say who is in each coalition, shape (coalitions, n)."""
    inside = np.zeros((len(coalitions), len(observed.parties)), np.bool_)
    inside[np.arange(len(coalitions))[:, None], coalitions] = True
    return inside
