"""How few honest nodes stand behind a sum that a coalition learns.

Who is not exposed may still be one of two whose weighted sum is known. A coalition learns a sum over some
honest nodes T alone if the rank of what it learns falls when the columns of T are taken out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

import numpy as np

from mdl.protocols.exposure import Coalitions, Effort, Sized, affordable, members, spans
from mdl.protocols.observations import Observations
from mdl.vectors import Flags

_TOGETHER: Final = 4096
"""Coalitions and sets of honest nodes that are judged at once."""


@dataclass(frozen=True)
class Crowd:
    """The smallest number of honest nodes in a sum that some coalition of a size learns.

    Attributes:
        at_least: by search, or by a proof.
        at_most: by an example; the same where the search came to an end.
    """

    at_least: int
    at_most: int


def smallest_crowd(observed: Observations, sized: Sized, effort: Effort = Effort()) -> Crowd:
    """Find it, as far as the effort goes: all pairs of a coalition and a set of honest nodes are tried."""
    if sized.exposing:
        return Crowd(1, 1)
    count, size = len(observed.parties), sized.size
    # A node's sum, with as many of those in it as there are colluders left taken out.
    at_most = max(1, min(_others(observed)) - size + 1)
    if size * observed.rows.shape[1] == 1:
        return Crowd(at_most, at_most)
    # Twins have the same coefficient in every sum that is learnt: all that are honest are in it, or none.
    at_least = max(2 if sized.settled else 1, min(observed.twins()) + 1 - size)
    enough = affordable(observed, size, effort)
    while at_least < at_most and math.comb(count, size) * math.comb(count - size, at_least) <= enough:
        if _some_sum_of(observed, size, at_least):
            return Crowd(at_least, at_least)
        at_least += 1
    return Crowd(at_least, at_most)


def _others(observed: Observations) -> list[int]:
    """Give how many other nodes are in each node's first sum."""
    return [int(entries) - 1 for entries in (observed.rows[:, 0] != 0).sum(axis=1)]


def _some_sum_of(observed: Observations, size: int, honest: int) -> bool:
    """Tell whether some coalition of a size learns a sum over so many honest nodes."""
    for coalitions, without in _pairs(len(observed.parties), size, honest):
        inside = members(observed, coalitions)
        known = inside | observed.opened(inside)
        whole, left = (spans(observed, coalitions, columns).ranks for columns in (known, known | without))
        if (left < whole).any():
            return True
    return False


def _pairs(count: int, size: int, honest: int) -> Iterator[tuple[Coalitions, Flags]]:
    every = (
        (coalition, chosen)
        for coalition in combinations(range(count), size)
        for chosen in combinations([place for place in range(count) if place not in coalition], honest)
    )
    while some := list(islice(every, _TOGETHER)):
        without = np.zeros((len(some), count), np.bool_)
        for row, (_, chosen) in zip(without, some, strict=True):
            row[list(chosen)] = True
        yield np.array([coalition for coalition, _ in some]), without
