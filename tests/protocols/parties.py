"""A manager and workers on virtual links, for tests of conversations that are not a whole system."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from mdl.party import MANAGER, Message, PartyId
from mdl.simulator import Network
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.network import Wire
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec


def play(story: Callable[[], Coroutine[Any, Any, None]], *, schedule: int | None = None) -> None:
    """Run a story in virtual time; whoever waits for what cannot come fails it."""
    loop = VirtualLoop(schedule)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(story())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def star_of(
    workers: int, kinds: Sequence[type[Message]], *, networks: Mapping[PartyId, Network] | None = None
) -> dict[PartyId, SimulatedParty]:
    """Link a manager with workers, over links that are instant unless `networks` says what one is like."""
    codec, rng = Codec(kinds), random.Random(0)
    parties = {
        party: SimulatedParty(party, codec, charge=no_charge, transcript=[], on_record=lambda _fact: None)
        for party in range(workers + 1)
    }
    for worker in range(1, workers + 1):
        network = (networks or {}).get(worker, Network())
        parties[MANAGER].link(parties[worker], Wire(network, rng))
        parties[worker].link(parties[MANAGER], Wire(network, rng))
    return parties


def now() -> float:
    """Virtual seconds since the story began."""
    return asyncio.get_running_loop().time()
