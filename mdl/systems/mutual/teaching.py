"""What all parties of SMuLe do in the same rounds: they ask, answer, or deal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import prod
from typing import Final

import msgspec

from mdl.errors import ConfigError, ProtocolError
from mdl.mpc.blind import encrypted
from mdl.mpc.blind.both_ways import Own, Question, asked
from mdl.mpc.blind.encrypted_bytes import check_fits
from mdl.mpc.blind.plan import Step, compares, steps
from mdl.mpc.blind.setup import dealt
from mdl.mpc.tally import Cost
from mdl.party import MANAGER, Party, PartyId
from mdl.system import Randomness, Task
from mdl.systems.meeting import meet
from mdl.systems.mutual.messages import Announcement, Ready
from mdl.systems.mutual.opinions import due
from mdl.systems.mutual.settings import MutualSettings
from mdl.vectors import Floats

PAIR: Final = (0, 1)
"""The two owners' numbers in the computation; a dealer's comes after them."""

MOST_AT_ONCE: Final = 1 << 28
"""Numbers in a layer, over all questions of an epoch: 2 GiB."""


class Teaching:
    """One party's side. Its keys come from `rng`.

    Attributes:
        number: this party's.
        answered: how many answers each of the two has given, by its number.
    """

    def __init__(self, system: MutualSettings, party: Party, task: Task, rng: Randomness) -> None:
        self._system, self._party, self._task, self._rng = system, party, task, rng
        self._told: Mapping[str, Cost] = {}

    async def begin(self, mine: Announcement) -> None:
        """Meet the others, and come to a source of randomness.

        Args:
            mine: what is to be told, but for the key.

        Raises:
            PeerLeft: another party has left.
            PeerTimeout: one is silent.
            ConfigError: a network compares, and nothing here can.
            ProtocolError: what another party announces is no network for this one's examples.
        """
        met = await meet(
            self._party,
            self._task,
            lambda signed: msgspec.structs.replace(mine, signed=signed),
            within=self._system.timeout_seconds,
            rng=self._rng,
        )
        self._links, self.number = met.links, met.order.index(self._party.id)
        self._workers = met.order[: len(PAIR)]
        self._pair = [met.announced[worker] for worker in self._workers]
        self.answered = [each.answered for each in self._pair]
        self._steps = [self._checked(owner, self._workers[owner]) for owner in PAIR]
        if self._steps[0][-1].output != self._steps[1][-1].output:
            raise ProtocolError(
                "the two networks do not tell the same number of classes apart", self._workers
            )
        begun = dealt if self._system.dealt else encrypted.begun
        self._source = await self._links.drive(begun(self.number, self._rng))

    def _checked(self, owner: PartyId, worker: PartyId) -> Sequence[Step]:
        """Cut an owner's plan into steps, for examples of the other one."""
        plan, asker = self._pair[owner].plan, self._pair[1 - owner]
        if compares(plan) and not self._system.dealt:
            raise ConfigError(
                [
                    f"learning.model: the network of worker {worker} compares (ReLU, MaxPool2d), which needs "
                    'system.randomness = "dealer"; Quadratic does not'
                ]
            )
        try:
            found = steps(plan, asker.shape)
            if not self._system.dealt:
                check_fits(found)
        except ValueError as error:
            raise ProtocolError(f"no network to be asked about these examples: {error}", [worker]) from None
        return found

    def due(self, epoch: int, asker: PartyId) -> int:
        """Give how many examples one of the two asks about in an epoch."""
        return due(
            epoch,
            self._pair[asker].examples,
            refresh=self._system.refresh,
            answered=self.answered[1 - asker],
            limit=self._system.answers_limit,
        )

    async def teach(self, epoch: int, own: Own) -> Floats | None:
        """Ask and answer what is due in an epoch. A dealer waits for both.

        Args:
            epoch: which.
            own: what this party brings.

        Returns:
            The answers to this party, shape (rows, classes); None if it has asked nothing.

        Raises:
            PeerLeft: another party has left.
            PeerTimeout: one is silent.
        """
        await self._wait_for_each_other(epoch)
        rows = [self._bounded(self.due(epoch, asker), asker) for asker in PAIR]
        questions = [
            Question(asker, count, self._pair[asker].shape, self._steps[1 - asker], self._system.answers)
            for asker, count in enumerate(rows)
            if count
        ]
        for asker, count in enumerate(rows):
            self.answered[1 - asker] += count
        if not questions:
            return None
        found = await self._links.drive(asked(self.number, self._source, questions, own))
        self._tell_costs(epoch)
        mine = found.get(self.number)
        return None if mine is None else mine.numpy()

    def _bounded(self, rows: int, asker: PartyId) -> int:
        """Refuse what would not fit a machine's memory, whoever has announced so many examples."""
        largest = max(prod(shape) for step in self._steps[1 - asker] for shape in (step.masked, step.product))
        if rows * largest > MOST_AT_ONCE:
            raise ProtocolError(
                f"asks about {rows:,} examples at once, of up to {largest:,} numbers in a layer: lower "
                "system.refresh",
                [self._workers[asker]],
            )
        return rows

    async def _wait_for_each_other(self, epoch: int) -> None:
        """Keep a dealer to the epoch that the two are in."""
        if not self._system.dealt:
            return
        if self.number in PAIR:
            await self._party.send(MANAGER, Ready(epoch))
            return
        for worker in self._workers:
            while (await self._party.receive(Ready, sender=worker)).message.epoch < epoch:
                pass

    def _tell_costs(self, epoch: int) -> None:
        """Record what each phase has cost in this epoch."""
        costs = self._links.costs
        for phase, cost in costs.items():
            since = cost - self._told.get(phase, Cost())
            if since.rounds:
                self._party.record("cost", epoch, phase=phase, steps=1, **asdict(since))
        self._told = costs
