"""Whole runs are marked as such, and no process outlives its test."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.runs import archive, stop_all


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.whole_run)


@pytest.fixture(autouse=True)
async def _nothing_left_running() -> AsyncIterator[None]:
    yield
    await stop_all()


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of some of the digits."""
    return archive(tmp_path_factory.mktemp("data") / "few-digits.npz", train=200, test=50)
