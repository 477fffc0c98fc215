"""The virtual clock, the modelled links, and the deadlock report."""

import asyncio
import builtins
import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.party import Message, Party
from mdl.simulator import Deadlock, MemoryJournal, Network, simulate
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.network import Wire
from mdl.simulator.party import as_measured, from_table
from mdl.system import Learner, Outcome, Task
from mdl.systems.fedavg import FedAvg
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
