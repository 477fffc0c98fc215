"""Coalitions that expose somebody for sure, found without search: all but one who stand in a sum.

Where coalitions are too many to be judged one by one, these are tried: a node with all of its neighbours but
one; and two nodes with all but one who remain when one of their two sums, times a number, is taken off the
other so that some honest node falls out. What three sums or more give is not looked for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mdl.protocols.observations import Observations

Places = tuple[int, ...]
"""Of nodes, ascending."""


def telling(observed: Observations) -> Mapping[int, list[Places]]:
    """Give such coalitions by size, each once."""
    found: dict[int, set[Places]] = defaultdict(set)
    for authors, row in _combined(observed.rows[:, 0]):
        others = set(np.flatnonzero(row != 0).tolist()) - set(authors)
        for victim in others:
            coalition = tuple(sorted({*authors, *others} - {victim}))
            found[len(coalition)].add(coalition)
    return {size: sorted(coalitions) for size, coalitions in found.items()}


def _combined(rows: NDArray[np.object_]) -> Iterator[tuple[Places, NDArray[np.object_]]]:
    """Give sums, and combinations of two in which a node cancels, with those who learn them."""
    for one, row in enumerate(rows):
        yield (one,), row
    for one, other in combinations(range(len(rows)), 2):
        for place in np.flatnonzero((rows[one] != 0) & (rows[other] != 0)):
            if place not in (one, other):
                yield (one, other), rows[other, place] * rows[one] - rows[one, place] * rows[other]
