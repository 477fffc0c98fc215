"""Which cases `make test` tries, where `make test-exhaustive` tries all."""

from collections.abc import Iterable
from typing import Any

import pytest

SOME = 3


def some_of(cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """List all cases; but only one of `SOME` is tried where not all are."""
    return [
        case if number % SOME == 0 else pytest.param(*case, marks=pytest.mark.exhaustive)
        for number, case in enumerate(cases)
    ]


def parts(step: int) -> list[Any]:
    """List two parts of a sequence as slices: each `step`-th element, and all where all are tried."""
    every = pytest.param(slice(None), marks=pytest.mark.exhaustive, id="all")
    return [pytest.param(slice(None, None, step), id="some"), every]
