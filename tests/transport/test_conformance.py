"""`StreamParty` keeps the contract of `Party`, on asyncio's loop and on uvloop."""

import pytest

from tests.conformance.party import SCENARIOS, Scenario, title
from tests.transport.stage import LOOPS, run, streams


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=title)
def test_stream_parties_keep_the_contract(scenario: Scenario, loop: str) -> None:
    async def play() -> None:
        async with streams() as stage:
            await scenario(stage)

    run(play(), loop)
