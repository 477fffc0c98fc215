"""Federated averaging, and everybody alone."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import TooFewWorkers
from mdl.party import MANAGER
from mdl.protocols.pieces import receive_whole
from mdl.protocols.rows import parts
from mdl.simulator import MemoryJournal, Network, simulate
from mdl.system import Stop, Task
from mdl.systems.fedavg import FedAvg, Finish, Global, Local
from mdl.systems.standalone import Standalone
from tests.protocols.parties import play, star_of
from tests.tiny import TinyLearner, tiny


def test_federated_averaging_gives_the_mean_of_the_workers_parameters() -> None:
    simulation = simulate(FedAvg(), tiny(), workers=4)
    expected = np.mean([TinyLearner(worker).train(1).parameters for worker in range(1, 5)], axis=0)
    np.testing.assert_allclose(simulation.outcomes[MANAGER].parameters, expected, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(leaver=st.integers(1, 4), moment=st.floats(0, 2), schedule=st.integers(0, 2**32))
def test_federated_averaging_goes_on_with_whoever_is_left(leaver: int, moment: float, schedule: int) -> None:
    network = Network(latency_seconds=0.05, jitter_seconds=0.1)
    simulation = simulate(
        FedAvg(), tiny(), workers=4, epochs=4, leave={leaver: moment}, schedule=schedule, network=network
    )
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == 4


def test_federated_averaging_without_anybody_ends_by_name() -> None:
    simulation = simulate(
        FedAvg(), tiny(), workers=2, epochs=9, leave={1: 0.15, 2: 0.15}, network=Network(latency_seconds=0.1)
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)


def test_workers_are_told_that_the_manager_gave_up() -> None:
    """Two workers train for longer than it waits; one of them finds it gone when it has trained."""
    simulation = simulate(
        FedAvg(timeout_seconds=1.0),
        tiny(),
        workers=2,
        epochs=3,
        delays=lambda _party: [0.5, 9.0],
        network=Network(latency_seconds=0.1),
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    for worker in (1, 2):
        assert simulation.outcomes[worker].reason.startswith(
            "the manager gave up: epoch 2: no worker answered"
        )
        assert simulation.outcomes[worker].epochs == 1


def part() -> Task:
    """A party's part in a run of one worker."""
    return Task(
        run=b"run",
        seed=1,
        workers=1,
        epochs=9,
        evaluate_every=0,
        stop=None,
        delay_seconds=[1.0],
        resume=0,
        credentials=b"",
        journal=MemoryJournal(),
    )


def test_workers_are_told_that_the_manager_was_stopped() -> None:
    async def story() -> None:
        system = FedAvg()
        parties = star_of(1, [Global, Local, Finish])
        manager, worker = (
            asyncio.ensure_future(system.run(actor, TinyLearner(actor.id), part()))
            for actor in parties.values()
        )
        await asyncio.sleep(2.5)
        manager.cancel()
        outcome = await worker
        assert (outcome.epochs, outcome.reason) == (3, "the manager was stopped")

    play(story)


def test_a_worker_recovers_from_a_vector_that_was_broken_off() -> None:
    """The manager gives up an epoch between two pieces of the model, begins another, and ends in a third."""

    async def story() -> None:
        learner = TinyLearner(1, 270_000)  # two parts
        pieces = list(parts(270_000, 4))
        manager, worker = star_of(1, [Global, Local, Finish]).values()
        working = asyncio.ensure_future(FedAvg().run(worker, learner, part()))
        start = np.zeros(270_000, "<f4")

        async def hand_out(epoch: int, pieces: Sequence[slice]) -> None:
            for piece in pieces:
                await manager.send(1, Global(epoch, piece.start, start[piece].tobytes()))

        await hand_out(1, pieces[:1])
        await hand_out(2, pieces)
        answer = await receive_whole(manager, Local, sender=1, epoch=2, entries=270_000)
        await hand_out(3, pieces[:1])
        await manager.send(1, Finish("enough"))
        outcome = await working
        assert (outcome.epochs, outcome.reason) == (2, "enough")
        assert answer == outcome.parameters.tobytes()

    play(story)


@pytest.mark.parametrize("system", [FedAvg(), Standalone(), Standalone(pooled=True)])
def test_a_resumed_run_ends_like_an_uninterrupted_one(system: FedAvg | Standalone) -> None:
    whole = simulate(system, tiny(), workers=3, epochs=4)
    first = simulate(system, tiny(), workers=3, epochs=2)
    rest = simulate(system, tiny(), workers=3, epochs=4, resume=2, journals=first.journals)
    for party, outcome in whole.outcomes.items():
        np.testing.assert_array_equal(outcome.parameters, rest.outcomes[party].parameters)


def test_alone_means_that_nothing_is_sent() -> None:
    simulation = simulate(Standalone(), tiny(), workers=3, epochs=2)
    assert not simulation.transcript
    assert set(simulation.outcomes) == {1, 2, 3}
    for worker in (1, 2, 3):
        learner = TinyLearner(worker)
        learner.train(1)
        np.testing.assert_array_equal(simulation.outcomes[worker].parameters, learner.train(2).parameters)


def test_with_pooled_data_the_manager_has_a_model_too() -> None:
    simulation = simulate(Standalone(pooled=True), tiny(), workers=2)
    models = {record["model"] for record in simulation.records if record["kind"] == "evaluated"}
    assert set(simulation.outcomes) == {0, 1, 2}
    assert models == {"own", "pooled"}


def test_alone_each_stops_when_it_no_longer_improves() -> None:
    simulation = simulate(Standalone(), tiny(), workers=2, epochs=60, stop=Stop(2))
    assert all(outcome.epochs < 60 for outcome in simulation.outcomes.values())


@pytest.mark.parametrize("every", [0, 1, 2])
def test_alone_each_scores_its_own_model_and_that_once_an_epoch(every: int) -> None:
    simulation = simulate(
        Standalone(pooled=True), tiny(), workers=2, epochs=60, stop=Stop(2), evaluate_every=every
    )
    scored = [
        (record["party"], record["model"], record["epoch"])
        for record in simulation.records
        if record["kind"] == "evaluated"
    ]
    assert sorted(scored) == [
        (party, "own" if party else "pooled", epoch)
        for party, outcome in sorted(simulation.outcomes.items())
        for epoch in range(1, outcome.epochs + 1)
    ]


@pytest.mark.parametrize("cut", [1, 2, 4, 5])
def test_alone_a_resumed_run_stops_where_an_uninterrupted_one_does(cut: int) -> None:
    whole, first = (
        simulate(Standalone(), tiny(), workers=3, epochs=epochs, stop=Stop(2)) for epochs in (60, cut)
    )
    done = {worker: outcome.epochs for worker, outcome in first.outcomes.items()}
    rest = simulate(
        Standalone(), tiny(), workers=3, epochs=60, stop=Stop(2), resume=done, journals=first.journals
    )
    for worker, outcome in whole.outcomes.items():
        again = rest.outcomes[worker]
        assert (again.epochs, again.reason) == (outcome.epochs, outcome.reason)


def test_alone_a_record_that_says_nothing_of_when_to_stop_is_taken_up_all_the_same() -> None:
    whole = simulate(Standalone(), tiny(), workers=1, epochs=3)
    journal = MemoryJournal()
    first = simulate(Standalone(), tiny(), workers=1, epochs=2).outcomes[1]
    journal.write("model", 2, {"parameters": first.parameters})
    rest = simulate(Standalone(), tiny(), workers=1, epochs=3, stop=Stop(2), resume=2, journals={1: journal})
    np.testing.assert_array_equal(rest.outcomes[1].parameters, whole.outcomes[1].parameters)


@settings(deadline=None, max_examples=8)
@given(leaves=st.floats(0.01, 3), away=st.floats(0.01, 2.5), schedule=st.integers(0, 2**32))
def test_a_worker_that_comes_back_takes_part_in_averaging_again(
    leaves: float, away: float, schedule: int
) -> None:
    simulation = simulate(
        FedAvg(),
        tiny(270_000),  # two parts
        workers=3,
        epochs=8,
        absences={2: [(leaves, leaves + away)]},
        delays=lambda _party: [1.0],
        network=Network(latency_seconds=0.05, bandwidth_bytes_per_second=2e7),
        schedule=schedule,
    )
    assert not simulation.errors
    assert {party: outcome.epochs for party, outcome in simulation.outcomes.items()} == dict.fromkeys(
        range(4), 8
    )
