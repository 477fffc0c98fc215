"""Who shares with whom in an epoch (SelectGroup), chosen so that every worker can check the choice.

The group follows from a seed that the trusted authority dealt to all parties, the epoch, and who is there:
the server chooses nothing. It could still name fewer workers than are there.

Two sums over groups that differ by one worker, under a model that has hardly moved, show about that worker's
update in their difference. So no set follows one that differs from it by a single worker: if a worker is
lost, one more is left out, and if one comes, it waits for another.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from mdl.party import PartyId

Members = tuple[PartyId, ...]
"""Distinct workers, in ascending order."""


@dataclass(frozen=True)
class Groups:
    """The choice of groups in one run.

    Attributes:
        seed: dealt to all parties.
        size: g, how many workers are wanted in a group, at least 2.
    """

    seed: bytes
    size: int

    def choose(self, epoch: int, present: Collection[PartyId], previous: Collection[PartyId]) -> Members:
        """Draw the group of an epoch, counted from 1.

        Args:
            epoch: which.
            present: who is there.
            previous: the set before; nobody, if there was none.

        Returns:
            `size` of those present, or all if these are fewer. Where that would differ by a single worker
            from the set before: the set before if all of it is there, else one fewer.
        """
        drawn = self._order(epoch, present)[: self.size]
        if not too_close(drawn, previous):
            return tuple(sorted(drawn))
        if set(previous) <= set(present):
            return tuple(sorted(previous))  # a set that was summed before says nothing new
        return self.without_one(epoch, drawn)

    def without_one(self, epoch: int, members: Collection[PartyId]) -> Members:
        """Leave out the member that comes last in the epoch's order."""
        return tuple(sorted(self._order(epoch, members)[:-1]))

    def _order(self, epoch: int, workers: Collection[PartyId]) -> list[PartyId]:
        def rank(worker: PartyId) -> bytes:
            return hashlib.sha256(self.seed + epoch.to_bytes(8, "big") + worker.to_bytes(8, "big")).digest()

        return sorted(set(workers), key=rank)


def too_close(members: Collection[PartyId], previous: Collection[PartyId]) -> bool:
    """Tell whether two sets differ by exactly one worker."""
    return bool(previous) and len(set(members) ^ set(previous)) == 1
