import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

_PLACES: Final[Mapping[str, Sequence[str]]] = {
    "whole_run": ("end_to_end", "studies"),
    "alone": ("reproduction", "bench"),
}
"""Where the Makefile looks for tests of these marks: to collect all tests takes ten seconds."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        place = item.path.relative_to(Path(__file__).parent).parts[0]
        for mark, places in _PLACES.items():
            if item.get_closest_marker(mark) and place not in places:
                raise pytest.UsageError(
                    f"{item.nodeid}: `make test` looks for `{mark}` in {', '.join(places)}"
                )


def pytest_collection_finish() -> None:
    """Leave what thousands of tests are made of out of all later collections, which it would slow down."""
    gc.collect()
    gc.freeze()
