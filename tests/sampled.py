"""Which cases `make test` tries, where `make test-exhaustive` tries all."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import pytest

SOME = 3


def some_of(cases: Iterable[tuple[Any, ...]], group: Callable[..., Hashable]) -> list[Any]:
    """List all cases; of each group only every third is tried where not all are, and one at least."""
    groups: dict[Hashable, list[tuple[Any, ...]]] = {}
    for case in cases:
        groups.setdefault(group(*case), []).append(case)
    found: list[Any] = []
    for number, members in enumerate(groups.values()):
        # In each group another one comes first: places in a group often mean the same.
        first = number % min(SOME, len(members))
        found += [
            case if place % SOME == first else pytest.param(*case, marks=pytest.mark.exhaustive)
            for place, case in enumerate(members)
        ]
    return found


def parts(count: int) -> list[Any]:
    """Cut a sequence into slices of each so-many-th element; but the first, where all are tried."""
    cut = [slice(first, None, count) for first in range(count)]
    rest = [pytest.param(part, marks=pytest.mark.exhaustive, id=f"{part.start}") for part in cut[1:]]
    return [pytest.param(cut[0], id="0"), *rest]
