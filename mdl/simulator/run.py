"""Run a whole system on virtual links."""

import asyncio
import os
import random
from collections import deque
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, TypeAlias

import numpy as np

from mdl.errors import MdlError, leaf, party_name
from mdl.ledger import Ledger, LedgerEntry
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.simulator.loop import Deadlock, VirtualLoop
from mdl.simulator.network import Network, Wire
from mdl.simulator.party import Sent, SimulatedParty, no_charge
from mdl.system import KEPT, Arrays, Learner, Outcome, Randomness, Stop, System, Task
from mdl.transport.codec import Codec

Absence: TypeAlias = tuple[float, float | None]
"""The virtual second at which a party vanishes, and that at which it is back; None for never."""


class MemoryJournal:
    """A journal that lasts as long as the process."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], Arrays] = {}

    def write(self, name: str, epoch: int, arrays: Arrays) -> None:
        """See `Journal`."""
        self._records[name, epoch] = {key: np.array(value) for key, value in arrays.items()}
        for old in self.epochs(name):
            if old <= epoch - KEPT:
                del self._records[name, old]

    def read(self, name: str, epoch: int) -> Arrays | None:
        """See `Journal`."""
        return self._records.get((name, epoch))

    def newest(self, name: str, until: int) -> Arrays | None:
        """See `Journal`."""
        epochs = [epoch for epoch in self.epochs(name) if epoch <= until]
        return self._records[name, epochs[-1]] if epochs else None

    def epochs(self, name: str) -> list[int]:
        """Give the epochs with a record of this name, in ascending order."""
        return sorted(epoch for kind, epoch in self._records if kind == name)


@dataclass(frozen=True)
class Simulation:
    """What came of it.

    Attributes:
        outcomes: by party; a party that left for good, or that an error stopped, has none.
        errors: by party, the error that stopped it.
        transcript: every message, in the order of sending; empty if they were not to be kept.
        records: what the parties recorded, with virtual seconds.
        ledgers: each party's account of the whole run.
        seconds: virtual time from the first epoch's beginning to the end.
        journals: what the parties kept.
    """

    outcomes: Mapping[PartyId, Outcome]
    errors: Mapping[PartyId, MdlError]
    transcript: Sequence[Sent]
    records: Sequence[Mapping[str, Any]]
    ledgers: Mapping[PartyId, LedgerEntry]
    seconds: float
    journals: Mapping[PartyId, MemoryJournal] = field(default_factory=dict)


def simulate(
    system: System,
    learners: Callable[[PartyId], Learner],
    *,
    workers: int,
    epochs: int = 1,
    seed: int = 0,
    schedule: int = 0,
    network: Network | None = None,
    leave: Mapping[PartyId, float] | None = None,
    absences: Mapping[PartyId, Sequence[Absence]] | None = None,
    charge: Callable[[str, float], float] = no_charge,
    delays: Callable[[PartyId], Sequence[float]] | None = None,
    stop: Stop | None = None,
    evaluate_every: int = 0,
    resume: int | Mapping[PartyId, int] = 0,
    journals: Mapping[PartyId, MemoryJournal] | None = None,
    rng: Randomness | None = None,
    on_record: Callable[[Mapping[str, Any]], None] | None = None,
    transcript: bool = True,
) -> Simulation:
    """Run `system` from the first epoch to the last in this thread.

    Args:
        system: what to run.
        learners: makes each party's learner.
        workers: n.
        epochs: how many.
        seed: the experiment's seed.
        schedule: the seed of the order in which ready callbacks run, and of the jitter.
        network: what links are like (by default: no latency, no limit).
        leave: parties that vanish for good, and the virtual second at which they do.
        absences: parties that vanish and come back, as real ones do that are killed and started again: with
            their journal, key share and ledger, a new learner, and links that carry nothing from before; one
            after the other. Who is done before it would vanish, or finds nobody to come back to, stays away.
        charge: what computing costs in virtual time.
        delays: each party's extra seconds a epoch.
        stop: end early.
        evaluate_every: as in `Task`.
        resume: the last epoch that `journals` has complete; by party where each goes on from its own.
        journals: records of an earlier simulation.
        rng: secret randomness of the trusted authority; the operating system's unless a test says otherwise.
        on_record: shown every record as it is made.
        transcript: whether messages are kept; those of long runs would fill the memory.

    Raises:
        Deadlock: nobody could go on.
    """
    loop = VirtualLoop(schedule)
    try:
        asyncio.set_event_loop(loop)
        stage = _Stage(
            system,
            workers,
            network=network or Network(),
            schedule=schedule,
            charge=charge,
            journals=journals,
            on_record=on_record,
            transcript=transcript,
        )
        task = Task(
            run=os.urandom(16),
            seed=seed,
            workers=workers,
            epochs=epochs,
            evaluate_every=evaluate_every,
            stop=stop,
            delay_seconds=(),
            resume=0,
            credentials=b"",
            journal=MemoryJournal(),
        )
        credentials = system.deal(workers, rng=rng or SystemRandomness())
        tasks = {
            party: replace(
                task,
                credentials=credentials.get(party, b""),
                journal=stage.journals[party],
                delay_seconds=delays(party) if delays else (),
                resume=resume if isinstance(resume, int) else resume.get(party, 0),
            )
            for party in stage.parties
        }
        try:
            loop.run_until_complete(stage.play(learners, tasks, _absences(leave or {}, absences or {})))
        except Deadlock as error:
            raise Deadlock(f"{error}: {stage.waits()}") from None
        return stage.simulation(loop.time())
    finally:
        _clear(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _absences(
    leave: Mapping[PartyId, float], absences: Mapping[PartyId, Sequence[Absence]]
) -> dict[PartyId, list[Absence]]:
    """When each party is away; leaving for good is the last of its absences."""
    away = {party: list(spans) for party, spans in absences.items()}
    for party, seconds in leave.items():
        away.setdefault(party, []).append((seconds, None))
    for spans in away.values():
        moments = [inf if moment is None else moment for span in spans for moment in span]
        assert moments == sorted(moments), "absences one after the other"
    return away


def _clear(loop: VirtualLoop) -> None:
    """Cancel what a deadlock left hanging, so that it is not reported a second time as lost."""
    hanging = asyncio.all_tasks(loop)
    for task in hanging:
        task.cancel()
    if hanging:
        loop.run_until_complete(asyncio.gather(*hanging, return_exceptions=True))


class _Stage:
    """The parties, their links and what is known of them."""

    def __init__(
        self,
        system: System,
        workers: int,
        *,
        network: Network,
        schedule: int,
        charge: Callable[[str, float], float],
        journals: Mapping[PartyId, MemoryJournal] | None,
        on_record: Callable[[Mapping[str, Any]], None] | None,
        transcript: bool,
    ) -> None:
        self._system, self._network, self._charge, self._on_record = system, network, charge, on_record
        self._transcript: MutableSequence[Sent] = [] if transcript else deque(maxlen=0)
        self._records: list[dict[str, Any]] = []
        self._outcomes: dict[PartyId, Outcome] = {}
        self._errors: dict[PartyId, MdlError] = {}
        roster = system.roster(workers)
        self.journals = {party: (journals or {}).get(party) or MemoryJournal() for party in roster}
        self._ledgers = {party: Ledger(party) for party in roster}
        self._jitter = random.Random(schedule)  # noqa: S311 - schedules are no secrets
        self._links = system.links(workers)
        self._there: dict[PartyId, SimulatedParty] = {}
        for party in roster:
            self._enter(party)
        self.parties = list(roster)

    def _enter(self, party: PartyId) -> SimulatedParty:
        """Put a party on the stage, with fresh links to those that are there."""
        actor = SimulatedParty(
            party,
            Codec(self._system.receives(party)),
            charge=self._charge,
            transcript=self._transcript,
            on_record=self._record,
            ledger=self._ledgers[party],
        )
        for peer in self._neighbours(party):
            if other := self._there.get(peer):
                actor.link(other, Wire(self._network, self._jitter))
                other.link(actor, Wire(self._network, self._jitter))
        self._there[party] = actor
        return actor

    def _neighbours(self, party: PartyId) -> list[PartyId]:
        return [peer for link in self._links if party in link for peer in link if peer != party]

    def _record(self, fact: dict[str, Any]) -> None:
        self._records.append(fact)
        if self._on_record is not None:
            self._on_record(fact)

    async def play(
        self,
        learners: Callable[[PartyId], Learner],
        tasks: Mapping[PartyId, Task],
        absences: Mapping[PartyId, Sequence[Absence]],
    ) -> None:
        loop = asyncio.get_running_loop()
        running = [
            loop.create_task(self._live(party, learners, tasks[party], absences.get(party, ())))
            for party in self.parties
        ]
        for error in await asyncio.gather(*running, return_exceptions=True):
            if error is not None:
                raise error

    async def _live(
        self,
        party: PartyId,
        learners: Callable[[PartyId], Learner],
        task: Task,
        absences: Sequence[Absence],
    ) -> None:
        """Play a party's part from its beginning to its end, and be away in between."""
        loop = asyncio.get_running_loop()
        for vanish, back in [*absences, (inf, None)]:
            performance = loop.create_task(self._perform(party, learners(party), task))
            await asyncio.wait([performance], timeout=None if vanish == inf else vanish - loop.time())
            if performance.done():
                return performance.result()  # None, or it raises what only a bug can
            self._there.pop(party).leave()
            performance.cancel()
            await asyncio.wait([performance])
            self._errors.pop(party, None)  # what it said while it was being killed
            if back is None:
                return
            await asyncio.sleep(back - loop.time())
            neighbours = self._neighbours(party)
            if neighbours and self._there.keys().isdisjoint(neighbours):
                return
            self._enter(party)
            epochs = self.journals[party].epochs("model")
            task = replace(task, rejoin=True, resume=epochs[-1] if epochs else 0)

    async def _perform(self, party: PartyId, learner: Learner, task: Task) -> None:
        actor = self._there[party]
        try:
            self._outcomes[party] = await self._system.run(actor, learner, task)
        except MdlError as error:
            self._errors[party] = error
        except ExceptionGroup as group:
            known, unknown = group.split(MdlError)
            if unknown is not None or known is None:
                raise
            first = leaf(known)
            assert isinstance(first, MdlError)
            self._errors[party] = first
        finally:
            self._there.pop(party, None)
            actor.hang_up()

    def waits(self) -> str:
        """Who waits for what."""
        return "; ".join(
            f"{party_name(party)} waits for {', '.join(actor.waits)}"
            for party, actor in self._there.items()
            if actor.waits
        )

    def simulation(self, seconds: float) -> Simulation:
        return Simulation(
            outcomes=self._outcomes,
            errors=self._errors,
            transcript=self._transcript,
            records=self._records,
            ledgers={party: ledger.turn(0) for party, ledger in self._ledgers.items()},
            seconds=seconds,
            journals=self.journals,
        )
