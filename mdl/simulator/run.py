"""Run a whole system on virtual links."""

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mdl.errors import MdlError, party_name
from mdl.ledger import LedgerEntry
from mdl.party import PartyId
from mdl.schemes.randomness import SystemRandomness
from mdl.simulator.loop import Deadlock, VirtualLoop
from mdl.simulator.network import Network, Wire
from mdl.simulator.party import Sent, SimulatedParty, no_charge
from mdl.system import Arrays, Learner, Outcome, Randomness, Stop, System, Task
from mdl.transport.codec import Codec


class MemoryJournal:
    """A journal that lasts as long as the process."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], Arrays] = {}

    def write(self, name: str, epoch: int, arrays: Arrays) -> None:
        """See `Journal`."""
        self._records[name, epoch] = {key: np.array(value) for key, value in arrays.items()}

    def read(self, name: str, epoch: int) -> Arrays | None:
        """See `Journal`."""
        return self._records.get((name, epoch))

    def newest(self, name: str, until: int) -> Arrays | None:
        """See `Journal`."""
        epochs = [epoch for kind, epoch in self._records if kind == name and epoch <= until]
        return self._records[name, max(epochs)] if epochs else None


@dataclass(frozen=True)
class Simulation:
    """What came of it.

    Attributes:
        outcomes: by party; a party that left, or that an error stopped, has none.
        errors: by party, the error that stopped it.
        transcript: every message, in the order of sending.
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
    charge: Callable[[str, float], float] = no_charge,
    delays: Callable[[PartyId], Sequence[float]] | None = None,
    stop: Stop | None = None,
    evaluate_every: int = 0,
    resume: int = 0,
    journals: Mapping[PartyId, MemoryJournal] | None = None,
    rng: Randomness | None = None,
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
        leave: parties that vanish, and the virtual second at which they do.
        charge: what computing costs in virtual time.
        delays: each party's extra seconds a epoch.
        stop: end early.
        evaluate_every: as in `Task`.
        resume: the last epoch that `journals` has complete.
        journals: records of an earlier simulation.
        rng: secret randomness of the trusted authority; the operating system's unless a test says otherwise.

    Raises:
        Deadlock: nobody could go on.
    """
    loop = VirtualLoop(schedule)
    try:
        asyncio.set_event_loop(loop)
        stage = _Stage(
            system, workers, network=network or Network(), schedule=schedule, charge=charge, journals=journals
        )
        task = Task(
            run=os.urandom(16),
            seed=seed,
            workers=workers,
            epochs=epochs,
            evaluate_every=evaluate_every,
            stop=stop,
            delay_seconds=(),
            resume=resume,
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
            )
            for party in stage.parties
        }
        try:
            loop.run_until_complete(stage.play(learners, tasks, leave or {}))
        except Deadlock as error:
            raise Deadlock(f"{error}: {stage.waits()}") from None
        return stage.simulation(loop.time())
    finally:
        _clear(loop)
        asyncio.set_event_loop(None)
        loop.close()


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
    ) -> None:
        self._system = system
        self._transcript: list[Sent] = []
        self._records: list[dict[str, Any]] = []
        self._outcomes: dict[PartyId, Outcome] = {}
        self._errors: dict[PartyId, MdlError] = {}
        roster = system.roster(workers)
        self.journals = {party: (journals or {}).get(party) or MemoryJournal() for party in roster}
        self.parties = {
            party: SimulatedParty(
                party,
                Codec(system.receives(party)),
                charge=charge,
                transcript=self._transcript,
                records=self._records,
            )
            for party in roster
        }
        jitter = random.Random(schedule)  # noqa: S311 - schedules are no secrets
        for one, other in system.links(workers):
            self.parties[one].link(self.parties[other], Wire(network, jitter))
            self.parties[other].link(self.parties[one], Wire(network, jitter))

    async def play(
        self,
        learners: Callable[[PartyId], Learner],
        tasks: Mapping[PartyId, Task],
        leave: Mapping[PartyId, float],
    ) -> None:
        loop = asyncio.get_running_loop()
        running = {
            party: loop.create_task(self._perform(party, learners(party), tasks[party]))
            for party in self.parties
        }
        for party, seconds in leave.items():
            loop.call_at(seconds, self._vanish, party, running[party])
        try:
            await asyncio.gather(*running.values(), return_exceptions=True)
        finally:
            for task in running.values():
                task.cancel()
        for task in running.values():
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _perform(self, party: PartyId, learner: Learner, task: Task) -> None:
        actor = self.parties[party]
        try:
            self._outcomes[party] = await self._system.run(actor, learner, task)
        except MdlError as error:
            self._errors[party] = error
        except ExceptionGroup as group:
            known, unknown = group.split(MdlError)
            if unknown is not None or known is None:
                raise
            self._errors[party] = _first(known)
        finally:
            actor.hang_up()

    def _vanish(self, party: PartyId, task: "asyncio.Task[None]") -> None:
        if not task.done():
            self.parties[party].leave()
            task.cancel()

    def waits(self) -> str:
        """Who waits for what."""
        return "; ".join(
            f"{party_name(party)} waits for {', '.join(actor.waits)}"
            for party, actor in self.parties.items()
            if actor.waits
        )

    def simulation(self, seconds: float) -> Simulation:
        return Simulation(
            outcomes=self._outcomes,
            errors=self._errors,
            transcript=self._transcript,
            records=self._records,
            ledgers={party: actor.ledger.turn(0) for party, actor in self.parties.items()},
            seconds=seconds,
            journals=self.journals,
        )


def _first(group: BaseExceptionGroup[MdlError]) -> MdlError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MdlError)
    return error
