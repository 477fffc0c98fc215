"""∝MDL^d where a worker has a link but takes nothing: it is given up, as if it had left."""

import asyncio
from collections.abc import Mapping

import pytest

from mdl.errors import TooFewWorkers
from mdl.party import MANAGER, Party, PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.settings import ElGamalSettings, PlainSettings
from mdl.simulator import MemoryJournal, Network, simulate
from mdl.system import Outcome, Task
from mdl.systems.dynamic import Dynamic
from tests.protocols.parties import now, play, star_of
from tests.tiny import TinyLearner, tiny

WORKERS, EPOCHS = 4, 3
STUCK = Network(bandwidth_bytes_per_second=1.0)


def system(threshold: int) -> Dynamic:
    return Dynamic(
        threshold=threshold,
        scheme=ElGamalSettings(group="insecure64"),
        insecure=True,
        range=4.0,
        fraction_bits=6,
        timeout_seconds=20.0,
    )


async def run(what: Dynamic, networks: Mapping[PartyId, Network]) -> Outcome:
    """Have everybody play; give the manager's outcome, and be done with workers that hear nothing of it."""
    kinds = {kind for party in (MANAGER, 1) for kind in what.receives(party)}
    credentials = what.deal(WORKERS, rng=SystemRandomness())

    def part(actor: Party) -> asyncio.Task[Outcome]:
        task = Task(
            run=b"run",
            seed=1,
            workers=WORKERS,
            epochs=EPOCHS,
            evaluate_every=0,
            stop=None,
            delay_seconds=[1.0],
            resume=0,
            credentials=credentials[actor.id],
            journal=MemoryJournal(),
        )
        return asyncio.ensure_future(what.run(actor, TinyLearner(actor.id), task))

    parties = star_of(WORKERS, sorted(kinds, key=lambda kind: kind.__name__), networks=networks)
    parts = [part(actor) for actor in parties.values()]
    try:
        return await parts[MANAGER]
    finally:
        for other in parts:
            other.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


def test_a_worker_that_takes_nothing_holds_up_nobody() -> None:
    async def story() -> None:
        outcome = await run(system(threshold=2), {4: STUCK})
        assert outcome.epochs == EPOCHS

    play(story)


def test_where_too_few_are_left_that_take_something_the_run_ends_by_name() -> None:
    async def story() -> None:
        with pytest.raises(TooFewWorkers, match="2 of 4 workers remain"):
            await run(system(threshold=3), {2: STUCK, 3: STUCK})
        assert now() < 200

    play(story)


def test_a_worker_that_comes_back_and_leaves_again_before_it_has_joined_is_missed() -> None:
    """Worker 3 is counted on when worker 1 leaves; it goes while its `Join` is on its way."""
    simulation = simulate(
        Dynamic(threshold=2, insecure=True, scheme=PlainSettings()),
        tiny(1),
        workers=4,
        epochs=50,
        network=Network(latency_seconds=0.5),
        delays=lambda party: [3.0],
        absences={2: [(0.0, None)], 3: [(0.0, 2.0), (2.25, None)], 1: [(2.1, None)]},
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
