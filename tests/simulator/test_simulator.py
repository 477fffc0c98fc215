"""The virtual clock, the modelled links, and the deadlock report."""

import asyncio
import builtins
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.folder import FileJournal
from mdl.party import Message, Party
from mdl.simulator import Deadlock, MemoryJournal, Network, Simulation, simulate
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.network import Wire
from mdl.simulator.party import as_measured, from_table
from mdl.system import Learner, Outcome, Task
from mdl.systems.fedavg import FedAvg
from mdl.systems.standalone import Standalone
from tests.tiny import tiny


def play(coroutine: object, seed: int = 0) -> float:
    """Run a coroutine on a virtual loop; give the virtual time it took."""
    loop = VirtualLoop(seed)
    try:
        loop.run_until_complete(coroutine)  # type: ignore[arg-type]
        return loop.time()
    finally:
        loop.close()


def test_an_hour_passes_in_no_time() -> None:
    begun = time.perf_counter()
    assert play(asyncio.sleep(3600)) == pytest.approx(3600)
    assert time.perf_counter() - begun < 1


def test_time_outs_task_groups_and_queues_work_unchanged() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def produce() -> None:
            for number in range(3):
                await asyncio.sleep(1)
                await queue.put(number)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(produce())
            assert [await queue.get() for _ in range(3)] == [0, 1, 2]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()

    assert play(main()) == pytest.approx(8)


def order(seed: int) -> list[int]:
    seen: list[int] = []

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        seen.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(note(number))

    play(main(), seed)
    return seen


def test_a_seed_is_a_schedule_and_many_seeds_are_many() -> None:
    assert order(5) == order(5)
    assert len({tuple(order(seed)) for seed in range(50)}) > 20


@given(
    sizes=st.lists(st.integers(0, 1000), min_size=1, max_size=20),
    jitter=st.floats(0, 5),
    seed=st.integers(0, 2**32),
)
def test_messages_of_one_link_never_overtake(sizes: list[int], jitter: float, seed: int) -> None:
    arrived: list[int] = []

    async def main() -> None:
        wire = Wire(Network(0.1, 1000.0, jitter), random.Random(seed))
        for number, size in enumerate(sizes):
            wire.append(lambda number=number: arrived.append(number), size)  # type: ignore[misc]
        await asyncio.sleep(1000)

    play(main(), seed)
    assert arrived == list(range(len(sizes)))


def test_a_link_takes_its_bandwidth_and_latency() -> None:
    async def main() -> None:
        there = asyncio.Event()
        wire = Wire(Network(latency_seconds=0.5, bandwidth_bytes_per_second=100.0), random.Random(0))
        await wire.carry(200, there.set)
        assert asyncio.get_running_loop().time() == pytest.approx(2.0)
        await there.wait()

    assert play(main()) == pytest.approx(2.5)


class Ask(Message, frozen=True):
    """A question nobody answers."""


class Deaf(FedAvg):
    """A system whose parties all wait for one another."""

    def receives(self, party: int) -> list[builtins.type[Message]]:
        return [Ask]

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        await party.receive(Ask, sender=party.peers[0])
        raise AssertionError


def test_a_deadlock_is_reported_as_who_waits_for_what() -> None:
    with pytest.raises(Deadlock) as caught:
        simulate(Deaf(), tiny(), workers=2)
    assert "manager waits for Ask from 1" in str(caught.value)
    assert "worker 2 waits for Ask from 0" in str(caught.value)


class Tick(Message, frozen=True):
    number: int


class Ticking(FedAvg):
    """Each worker sends the manager a number a second, and keeps it; the manager is there for ten seconds."""

    def receives(self, party: int) -> list[builtins.type[Message]]:
        return [Tick]

    async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
        if party.id == 0:
            await asyncio.sleep(10)
        else:
            await self._tick(party, task)
        return Outcome(task.resume, "enough", learner.parameters())

    async def _tick(self, party: Party, task: Task) -> None:
        party.record("begins", task.resume, rejoin=task.rejoin)
        for number in range(task.resume + 1, 6):
            await asyncio.sleep(1)
            await party.send(0, Tick(number))
            await party.to_thread("record", task.journal.write, "model", number, {})


def begins(simulation: Simulation, party: int) -> list[tuple[float, int, bool]]:
    return [
        (record["seconds"], record["epoch"], record["rejoin"])
        for record in simulation.records
        if record["party"] == party
    ]


def ticks(simulation: Simulation, party: int) -> list[int]:
    return [sent.message.number for sent in simulation.transcript if sent.sender == party]  # type: ignore[attr-defined]


def test_a_party_that_was_away_goes_on_from_its_own_records_each_time_it_comes_back() -> None:
    simulation = simulate(Ticking(), tiny(), workers=2, absences={1: [(2.5, 3.5), (4.75, 6.0)]})
    assert not simulation.errors
    assert begins(simulation, 1) == [(0.0, 0, False), (3.5, 2, True), (6.0, 3, True)]
    assert begins(simulation, 2) == [(0.0, 0, False)]
    assert ticks(simulation, 1) == ticks(simulation, 2) == [1, 2, 3, 4, 5]
    assert simulation.ledgers[1].sent["Tick"].messages == 5
    assert simulation.outcomes[1].epochs == 3


def test_who_leaves_for_good_after_an_absence_has_no_outcome() -> None:
    simulation = simulate(Ticking(), tiny(), workers=2, absences={1: [(1.5, 2.0)]}, leave={1: 3.5})
    assert ticks(simulation, 1) == [1, 2]
    assert set(simulation.outcomes) == {0, 2}


def test_who_is_done_or_finds_nobody_to_come_back_to_stays_away() -> None:
    simulation = simulate(Ticking(), tiny(), workers=2, absences={1: [(5.5, 7.0)], 2: [(1.5, 11.0)]})
    assert [len(begins(simulation, party)) for party in (1, 2)] == [1, 1]
    assert set(simulation.outcomes) == {0, 1}


def test_who_needs_nobody_comes_back_to_nobody() -> None:
    simulation = simulate(
        Standalone(), tiny(), workers=2, epochs=4, absences={1: [(2.5, 3.0)]}, delays=lambda _party: [1.0]
    )
    assert {party: outcome.epochs for party, outcome in simulation.outcomes.items()} == {1: 4, 2: 4}
    assert max(record["seconds"] for record in simulation.records if record["party"] == 1) == 5.0


def test_a_bug_in_a_party_is_not_taken_for_its_end() -> None:
    class Broken(Ticking):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        simulate(Broken(), tiny(), workers=2)


def test_what_was_sent_before_a_party_left_does_not_reach_it_when_it_is_back() -> None:
    heard: list[int] = []

    class Echo(Ticking):
        async def run(self, party: Party, learner: Learner, task: Task) -> Outcome:
            if party.id == 0:
                await party.send(1, Tick(1))
                await party.departure(1)
                await asyncio.sleep(3)
                await party.send(1, Tick(2))
                await party.departure(1)
            elif party.id == 1:
                heard.append((await party.receive(Tick)).message.number)
            return Outcome(0, "", learner.parameters())

    simulate(Echo(), tiny(), workers=2, network=Network(latency_seconds=5.0), absences={1: [(0.5, 2.5)]})
    assert heard == [2]


def test_each_record_is_shown_as_it_is_made() -> None:
    shown: list[object] = []
    simulation = simulate(Ticking(), tiny(), workers=2, on_record=shown.append)
    assert shown == simulation.records
    assert len(shown) == 2


def test_computing_can_be_charged_as_measured_or_from_a_table() -> None:
    table = simulate(FedAvg(), tiny(), workers=2, epochs=3, charge=from_table({"training": 10.0}))
    assert table.seconds == pytest.approx(30.0)
    measured = simulate(FedAvg(), tiny(), workers=2, epochs=3, charge=as_measured)
    assert 0 < measured.seconds < 1


def test_a_journal_gives_back_copies_of_the_newest_records() -> None:
    journal = MemoryJournal()
    assert journal.newest("model", 9) is None
    for epoch in (1, 2, 3):
        journal.write("model", epoch, {"epoch": np.array([epoch])})
    found = journal.newest("model", 2)
    assert found is not None
    assert found["epoch"][0] == 2
    assert journal.read("model", 4) is None


@given(written=st.lists(st.tuples(st.sampled_from(["model", "sets"]), st.integers(0, 6)), max_size=20))
def test_a_journal_keeps_what_one_on_disk_keeps(written: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        here, on_disk = MemoryJournal(), FileJournal(Path(folder), 1)
        for number, (name, epoch) in enumerate(written):
            for journal in (here, on_disk):
                journal.write(name, epoch, {"number": np.array([number])})
        for name in ("model", "sets"):
            assert here.epochs(name) == on_disk.epochs(name)
            for epoch in here.epochs(name):
                assert here.read(name, epoch) == on_disk.read(name, epoch)


def test_time_waited_for_several_messages_at_once_counts_once() -> None:
    simulation = simulate(FedAvg(), tiny(), workers=4, delays=lambda party: [5.0 * party])
    assert simulation.ledgers[0].seconds["waiting"] == pytest.approx(20.0)
