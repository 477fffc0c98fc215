"""The dealer of SMuLe: it hands out randomness that fits together, and receives nothing."""

import asyncio
from typing import Final

import numpy as np

from mdl.errors import PeerLeft, PeerTimeout
from mdl.mpc.blind.both_ways import Own
from mdl.party import Party
from mdl.schemes.randomness import SystemRandomness
from mdl.system import Outcome, Randomness, Task
from mdl.systems.mutual.messages import Announcement
from mdl.systems.mutual.settings import MutualSettings
from mdl.systems.mutual.teaching import Teaching

_RECORD: Final = "model"
"""What a resumed run goes on from; of a dealer there is nothing to keep."""

_NOTHING: Final = np.zeros(0, np.float32)


class Dealer:
    """Party 0. Its keys come from `rng`."""

    def __init__(
        self, system: MutualSettings, party: Party, task: Task, *, rng: Randomness = SystemRandomness()
    ) -> None:
        self._party, self._task = party, task
        self._teaching = Teaching(system, party, task, rng)

    async def run(self) -> Outcome:
        """Deal for every epoch; where one of the two is lost, wait for the other one to end.

        Whether that one comes to its own end nobody tells a dealer.
        """
        task, peers, dealt = self._task, list(self._party.peers), self._task.resume
        try:
            await self._teaching.begin(Announcement(b""))
            for epoch in range(task.resume + 1, task.epochs + 1):
                await self._teaching.teach(epoch, Own())
                await self._party.to_thread("record", task.journal.write, _RECORD, epoch, {})
                self._party.record("done", epoch)
                dealt = epoch
        except (PeerLeft, PeerTimeout):
            await asyncio.gather(*(self._party.departure(peer) for peer in peers))
            return Outcome(dealt, "a worker was lost", _NOTHING)
        return Outcome(task.epochs, "all epochs done", _NOTHING)
