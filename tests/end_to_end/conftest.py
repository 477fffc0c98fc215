"""No process outlives its test."""

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.runs import stop_all


@pytest.fixture(autouse=True)
async def _nothing_left_running() -> AsyncIterator[None]:
    yield
    await stop_all()
