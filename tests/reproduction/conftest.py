"""Measurements of which only the shape of the result is of interest: one run of each step will do."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _in_a_hurry() -> Iterator[None]:
    """Repeat no step for its shortness."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdl.bench.clock.ENOUGH_SECONDS", 0.0)
        yield
