"""Which workers are there, for a manager to whom they may come and go at any time."""

import asyncio

from mdl.errors import PeerLeft, TooFewWorkers
from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols.outbox import Outbox
from mdl.protocols.seats import flags_of
from mdl.vectors import Flags


class Presence:
    """Knows who has joined, sends each what is put for it, and notices who leaves.

    A worker that takes no message for `within` seconds is given up: it counts as gone, though it has a link.

    Args:
        party: the manager.
        workers: n.
        needed: how many must be there, joined or about to.
        within: seconds.

    Attributes:
        outboxes: by worker that has joined and is there. Who comes back has a new one.
        errand: what fails when too few remain, for the error to say.
    """

    def __init__(self, party: Party, workers: int, *, needed: int, within: float) -> None:
        self._party, self._workers, self._within = party, workers, within
        self._needed = needed
        self._given_up: set[PartyId] = set()
        self._missed: set[PartyId] = set()  # whose departure is noticed, joined or not
        self.outboxes: dict[PartyId, Outbox] = {}
        self.errand = "the run cannot go on"

    @property
    def flags(self) -> Flags:
        """Who has joined and is there, shape (n,)."""
        return flags_of(sorted(self.outboxes), self._workers)

    def expect(self, tasks: asyncio.TaskGroup) -> None:
        """Notice from now on when too few are there, joined or about to; the task group is told so.

        Raises:
            TooFewWorkers: too few are there already.
        """
        self._tasks = tasks
        self._check_enough()

    def relax(self) -> None:
        """From now on anybody may leave."""
        self._needed = 0

    def admit(self, worker: PartyId) -> Outbox:
        """Let a worker in, for the first time or again; give its outbox."""
        if worker in self.outboxes:
            # It joined, left and is back before the first time was noticed; what is in there is for nobody.
            self.outboxes[worker].close()
        outbox = self.outboxes[worker] = Outbox(self._party, worker, within=self._within)
        self._tasks.create_task(self._watch(worker, outbox))
        return outbox

    def give_up(self, worker: PartyId) -> None:
        """Count a worker as gone, though it has a link, until it comes back."""
        if worker in self.outboxes:
            self.outboxes[worker].close()  # `_watch` notices

    async def put(self, worker: PartyId, message: Message) -> None:
        """Have a message sent after all that was put for the worker before.

        Raises:
            PeerLeft: it is not there.
        """
        if worker not in self.outboxes:
            raise PeerLeft("cannot send to a worker that is not there", [worker])
        self.outboxes[worker].put(message)

    async def _watch(self, worker: PartyId, outbox: Outbox) -> None:
        """Send a worker what is put for it, until it leaves; or until it is given up, which is the same."""
        sending = asyncio.ensure_future(outbox.run())
        gone = asyncio.ensure_future(self._party.departure(worker))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if self.outboxes.get(worker) is outbox:
                del self.outboxes[worker]
                if not gone.done():
                    await sending
                    self._given_up.add(worker)
                    self._check_enough()
                    await gone
                    self._given_up.discard(worker)
        finally:
            sending.cancel()
            gone.cancel()
            outbox.close()
        self._check_enough()

    async def _miss(self, worker: PartyId) -> None:
        await self._party.departure(worker)
        self._missed.discard(worker)
        self._check_enough()

    def _check_enough(self) -> None:
        here = [peer for peer in self._party.peers if peer not in (MANAGER, *self._given_up)]
        if len(here) < self._needed:
            raise TooFewWorkers(
                f"{self.errand}: {len(here)} of {self._workers} workers remain, m = {self._needed} are needed"
            )
        # Whoever is counted on is missed when it leaves, though it may never have joined, or not again.
        for worker in set(here) - self._missed if self._needed else ():
            self._missed.add(worker)
            self._tasks.create_task(self._miss(worker))
