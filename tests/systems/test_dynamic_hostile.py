"""∝MDL^d where everything goes wrong at once: crashes before the start, lives that overlap, old records."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdl.authority import deal_keys
from mdl.config import Experiment, parse
from mdl.errors import OutOfRange, PeerLeft, TooFewWorkers
from mdl.folder import FileJournal
from mdl.node import _task
from mdl.orders import Orders
from mdl.party import MANAGER, Message, PartyId
from mdl.protocols import sets as active
from mdl.protocols.aggregate import Aggregate
from mdl.protocols.on_arrival import RaisedOwn
from mdl.protocols.opening import Answer, Open
from mdl.protocols.summing import Desk
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.settings import PlainSettings
from mdl.simulator import Network, Simulation, simulate
from mdl.simulator.party import SimulatedParty, from_table
from mdl.system import Training
from mdl.systems.dynamic import Finish, Join, Upload, Welcome
from mdl.systems.dynamic.manager import Manager
from mdl.systems.dynamic.worker import Worker
from mdl.vectors import Blocks
from tests.protocols.parties import play, star_of
from tests.systems.schedules import (
    EXAMPLES,
    Case,
    NoisyLearner,
    cases,
    closed_sets,
    no_gradient_is_in_two_sums,
    uploads,
)
from tests.systems.test_dynamic import PLAIN, PRINTED, SLOW, TOY, at_pace, messages, with_
from tests.tiny import tiny

ANY = settings(
    deadline=None,
    max_examples=max(20, EXAMPLES // 3),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# ------------------------------------------------------------------------------- one gradient, one sum


def taken_up(tmp_path: Path, party: PartyId, *, resume: int) -> int:
    """The epoch from which a party of a resumed run goes on that has records of epochs 4 and 5."""
    experiment: Experiment = parse(
        {"name": "x", "workers": 4, "epochs": 9, "system": {"type": "dynamic", "threshold": 3}}
    )
    journal = FileJournal(tmp_path, party)
    for epoch in (4, 5):
        journal.write("model", epoch, {"parameters": np.zeros(3, np.float32)})
    orders = Orders(
        experiment=experiment.model_dump(exclude_none=True),
        party=party,
        keys=deal_keys(experiment)[party],
        sockets="",
        run_folder=str(tmp_path),
        resume=resume,
    )
    return _task(experiment, orders).resume


@pytest.mark.parametrize("resume", [3, 4])
def test_a_worker_never_repeats_an_epoch_whose_gradient_it_has_offered(tmp_path: Path, resume: int) -> None:
    """From an older checkpoint the same gradient would come again, to be opened over another set."""
    assert taken_up(tmp_path, 1, resume=resume) == 5


def test_the_manager_goes_on_from_where_it_is_told(tmp_path: Path) -> None:
    assert taken_up(tmp_path, MANAGER, resume=4) == 4


MANY = 60
"""Epochs, of which no part of a run here sees the last."""


Trained: TypeAlias = dict[tuple[PartyId, int, bytes], set[int]]
"""By worker, block, and the encoded gradient of the block: the epochs that gave it."""


class Repeatable(NoisyLearner):
    """An epoch repeated from the same parameters gives the same gradient; any other one is unlike it.

    Where a block is one value, two epochs may agree in it by chance. So it is noted which epochs gave it.
    """

    def __init__(self, party: PartyId, case: Case, trained: Trained) -> None:
        super().__init__(party, case.size)
        self._grid, self._trained = case.system.grid(case.workers), trained
        self._blocks = Blocks(case.size, case.system.block)

    def train(self, epoch: int) -> Training:
        start = self._values.astype(np.float64)
        noise = np.random.default_rng([self._party, epoch]).normal(0, 0.3, len(self._values))
        self._values = (self._values * 0.9 + noise).astype(np.float32)
        encoded, _ = self._grid.encode((start - self._values) / self.learning_rate)
        for block, row in enumerate(self._blocks.split(encoded).astype("<i4")):
            self._trained.setdefault((self._party, block, row.tobytes()), set()).add(epoch)
        return Training(self._values.copy(), 0.0, 1)


def part_of_run(
    case: Case, earlier: Simulation | None, ends: Sequence[float], trained: Trained
) -> Simulation:
    """Run until every party is killed, each at its moment; go on from what they kept of an earlier part."""
    kept = earlier.journals if earlier else {}
    return simulate(
        case.system,
        lambda party: Repeatable(party, case, trained),
        workers=case.workers,
        epochs=MANY,
        schedule=case.schedule,
        network=case.network,
        delays=lambda party: case.delays.get(party, [0.0]),
        leave={party: ends[party] for party in range(case.workers + 1)},
        resume={party: max(journal.epochs("model"), default=0) for party, journal in kept.items()},
        journals=kept,
        charge=from_table({"cryptography": 0.3, "record": 0.1}),
    )


@ANY
@given(
    case=cases(),
    parts=st.lists(st.lists(st.floats(2, 20), min_size=9, max_size=9), min_size=2, max_size=3),
)
def test_whenever_all_are_killed_and_the_run_is_taken_up_no_gradient_is_in_two_sums(
    case: Case, parts: list[list[float]]
) -> None:
    used: Counter[tuple[PartyId, int, bytes]] = Counter()
    trained: Trained = {}
    simulation: Simulation | None = None
    for ends in parts:
        simulation = part_of_run(case, simulation, ends, trained)
        assert all(isinstance(error, PeerLeft | TooFewWorkers) for error in simulation.errors.values())
        gradients = uploads(case, simulation, lambda row: row)
        for (version, block), mask in closed_sets(case, simulation).items():
            for worker in active.members(mask):
                used[worker, block, gradients[version, block, worker]] += 1
        assert all(count <= len(trained[gradient]) for gradient, count in used.items())
        if not 0 < max(simulation.journals[MANAGER].epochs("model"), default=0) < MANY:
            return  # there is nothing to go on from, or nothing left to do


# --------------------------------------------------------------------------------- who leaves too early


def test_workers_lost_before_the_manager_serves_are_missed_too() -> None:
    """Reading its checkpoint takes the manager a second; two of four workers die meanwhile, unannounced."""
    first = simulate(PLAIN, tiny(), workers=4, epochs=2, delays=at_pace())
    simulation = simulate(
        PLAIN,
        tiny(),
        workers=4,
        epochs=4,
        delays=at_pace(),
        resume={party: outcome.epochs for party, outcome in first.outcomes.items()},
        journals=first.journals,
        charge=from_table({"record": 1.0}),
        leave={1: 0.5, 2: 0.5},
    )
    assert isinstance(simulation.errors[MANAGER], TooFewWorkers)


@dataclass(frozen=True)
class Hang:
    """A worker is stopped, as by SIGSTOP, and goes on later.

    Attributes:
        begins: virtual second.
        ends: virtual second.
        full: whether its link takes nothing meanwhile, so that whoever sends has to wait.
    """

    begins: float
    ends: float
    full: bool

    def left(self) -> float:
        """For how long it still hangs, in seconds."""
        now = asyncio.get_running_loop().time()
        return self.ends - now if self.begins <= now < self.ends else 0.0


NEVER = Hang(0.0, 0.0, full=False)


def hang(patch: pytest.MonkeyPatch, hangs: Mapping[PartyId, Hang]) -> None:
    """While a worker hangs it hears nothing, says nothing and computes nothing."""
    deliver, send, compute = SimulatedParty.deliver, SimulatedParty.send, SimulatedParty._compute
    unheard: dict[SimulatedParty, list[tuple[SimulatedParty, bytes]]] = {}

    def catch_up(party: SimulatedParty) -> None:
        for sender, data in unheard.pop(party):
            deliver(party, sender, data)

    def late(self: SimulatedParty, sender: SimulatedParty, data: bytes) -> None:
        left = hangs.get(self.id, NEVER).left()
        if left and self not in unheard:
            asyncio.get_running_loop().call_later(left, catch_up, self)
        if left or self in unheard:
            unheard.setdefault(self, []).append((sender, data))
        else:
            deliver(self, sender, data)

    async def held_up(self: SimulatedParty, to: PartyId, message: Message) -> None:
        await asyncio.sleep(hangs.get(self.id, NEVER).left())
        await send(self, to, message)
        if hangs.get(to, NEVER).full:
            await asyncio.sleep(hangs[to].left())

    async def stopped(self: SimulatedParty, activity: str, work: Callable[[], Any]) -> Any:
        result = await compute(self, activity, work)
        await asyncio.sleep(hangs.get(self.id, NEVER).left())
        return result

    patch.setattr(SimulatedParty, "deliver", late)
    patch.setattr(SimulatedParty, "send", held_up)
    patch.setattr(SimulatedParty, "_compute", stopped)


def hidden() -> st.SearchStrategy[Case]:
    def safe(case: Case) -> Case:
        return replace(case, system=with_(case.system, mode="safe"))

    return cases(leavers=True, plain=False).map(safe)


@st.composite
def some_hangs(draw: st.DrawFn) -> dict[PartyId, Hang]:
    moment, length = st.floats(0, 10), st.sampled_from([1.0, 15.0, 30.0, 100.0])
    found = {}
    for worker in draw(st.sets(st.integers(1, 8), min_size=1, max_size=4)):
        begins = draw(moment)
        found[worker] = Hang(begins, begins + draw(length), full=draw(st.booleans()))
    return found


@ANY
@given(case=cases(leavers=True) | hidden(), hangs=some_hangs())
def test_whoever_hangs_blames_nobody_when_it_goes_on_and_no_gradient_is_in_two_sums(
    case: Case, hangs: dict[PartyId, Hang]
) -> None:
    """Patience is 20 seconds: some are given up, others only late. What is hidden must be opened, too."""
    with pytest.MonkeyPatch.context() as patch:
        hang(patch, hangs)
        simulation = case.run()
    assert all(isinstance(error, PeerLeft | TooFewWorkers) for error in simulation.errors.values())
    closed = closed_sets(case, simulation)
    if isinstance(case.system.scheme, PlainSettings):  # where it can be told what was uploaded
        no_gradient_is_in_two_sums(closed, uploads(case, simulation, lambda row: row))


# ------------------------------------------------------------------------------------ lives that overlap


def test_a_worker_that_comes_back_before_it_was_ever_welcomed_is_welcomed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It joins, dies and joins again while the manager reads its checkpoint; a welcome has two parts."""

    def fours(count: int, _width: int) -> list[slice]:
        return [slice(first, min(first + 4, count)) for first in range(0, count, 4)]

    monkeypatch.setattr("mdl.systems.dynamic.manager.parts", fours)
    restore = Manager._restore

    async def slow(self: Manager) -> None:
        await asyncio.sleep(1.0)
        await restore(self)

    monkeypatch.setattr(Manager, "_restore", slow)
    simulation = simulate(
        PLAIN,
        tiny(),
        workers=4,
        epochs=4,
        delays=at_pace(),
        network=Network(bandwidth_bytes_per_second=1e4),
        absences={1: [(0.3, 0.5)]},
    )
    joined = [sent for sent in messages(simulation, Join) if sent.sender == 1]
    assert len(joined) == 2
    assert not simulation.errors
    welcomed = [sent.message.first for sent in messages(simulation, Welcome) if sent.receiver == 1]
    assert welcomed == [0, 4]


def test_as_printed_what_a_former_life_uploaded_is_not_taken_up_in_the_next() -> None:
    """Worker 2's upload waits for another's exchange; it dies, and is back before its turn comes."""
    everything = with_(PRINTED, share=1.0)
    pace = at_pace(w1=1.0, w2=1.1, w3=20.0, w4=20.0)
    network = Network(latency_seconds=0.5)
    simulation = simulate(
        everything,
        tiny(),
        workers=4,
        epochs=2,
        delays=pace,
        network=network,
        absences={2: [(2.8, 2.85)]},
    )
    exchanged = [sent.seconds + 0.5 for sent in messages(simulation, RaisedOwn) if sent.sender == 1]
    uploaded = [sent.seconds for sent in messages(simulation, Upload) if sent.sender == 2]
    assert uploaded[0] + 0.5 < 2.8 < min(exchanged)
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == 2


def test_who_was_silent_and_comes_back_is_asked_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker 2 hears everything and answers nothing for twelve seconds; it is killed, and started again."""
    answer = Worker._answer

    async def silent(self: Worker, question: Any) -> None:
        if self._party.id != 2 or asyncio.get_running_loop().time() > 12.0:
            await answer(self, question)

    monkeypatch.setattr(Worker, "_answer", silent)
    system = with_(TOY, timeout_seconds=5.0)
    simulation = simulate(
        system, tiny(), workers=5, epochs=40, delays=at_pace(), network=SLOW, absences={2: [(12.0, 13.0)]}
    )
    assert not simulation.errors
    asked = [sent.seconds for sent in messages(simulation, Open) if sent.receiver == 2]
    assert not [seconds for seconds in asked if 7.0 < seconds < 12.0]
    assert [seconds for seconds in asked if seconds > 13.0]


# -------------------------------------------------------------------------------------------- time-outs


def test_who_answers_one_question_after_the_other_is_not_silent() -> None:
    """Four questions wait for one worker, which takes three seconds for each; patience is five."""

    async def story() -> None:
        parties = star_of(1, [Open, Answer])
        desk = Desk(parties[MANAGER])

        async def answer_all() -> None:
            for _ in range(4):
                message = (await parties[1].receive(Open)).message
                await asyncio.sleep(3.0)
                await parties[1].send(MANAGER, Answer(message.epoch, message.request, ()))

        at_work = [asyncio.ensure_future(work) for work in (desk.serve(), answer_all())]
        answers = [desk.ask(1, epoch, (), within=5.0) for epoch in (1, 2, 3, 4)]
        assert await asyncio.gather(*answers) == [()] * 4
        assert not desk.silent
        for task in at_work:
            task.cancel()

    play(story)


def test_a_worker_that_takes_messages_slower_than_they_come_does_not_keep_the_run_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes one message in three seconds, within the time for each; its outbox is never empty again."""
    send = SimulatedParty.send

    async def slowly(self: SimulatedParty, to: PartyId, message: Message) -> None:
        if to == 4 and not isinstance(message, Finish):
            await asyncio.sleep(3.0)
        await send(self, to, message)

    monkeypatch.setattr(SimulatedParty, "send", slowly)
    system = with_(PLAIN, timeout_seconds=5.0)
    simulation = simulate(
        system, tiny(40), workers=5, epochs=6, delays=at_pace(), network=SLOW, leave={4: 2000.0}
    )
    done = max(record["seconds"] for record in simulation.records if record["kind"] == "epoch")
    assert not simulation.errors
    assert simulation.seconds < done + 10.0


# ---------------------------------------------------------------------------------------- the model's sums


def test_sums_that_would_overflow_are_refused_and_do_not_wrap() -> None:
    blocks, grid = Blocks(1, 1), FixedPoint(2.0**19, 32)
    model = Aggregate(np.zeros(1, np.float32), blocks, fixed_point=grid, members=64, learning_rate=0.1)
    largest = np.array([[grid.bound(64)]])

    def too_often() -> None:
        for _ in range(100):
            model.apply(np.array([0]), largest)

    with pytest.raises(OutOfRange, match="diverged"):
        too_often()
    assert model.values(np.array([0]))[0, 0] < 0
