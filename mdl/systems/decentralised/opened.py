"""Whose parameters are in the sums that a node has opened: of an epoch it opens no two with different ones.

A resumed run repeats epochs, and training repeats to the bit. The difference of two sums of an epoch would
then be the model of whoever is in one of them only.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from mdl.errors import MdlError
from mdl.party import PartyId
from mdl.system import Journal

_RECORD: Final = "opened"
_INSTEAD: Final = (
    "the difference would show parameters; begin a new run with another seed, as with this one it would "
    "train the same"
)


class OpenedSets:
    """A node's record of them, on disk. All methods block.

    Args:
        journal: the node's.
        neighbours: all of its neighbourhood.
    """

    def __init__(self, journal: Journal, neighbours: Sequence[PartyId]) -> None:
        self._journal, self._all = journal, sorted(neighbours)

    def check_may_resume(self, resume: int, epochs: int) -> None:
        """Refuse at the beginning what `note` would refuse later, where all are there again.

        Args:
            resume: the last epoch that is not repeated.
            epochs: how many the run has.

        Raises:
            MdlError: a later epoch was opened without somebody.
        """
        kept = self._journal.newest(_RECORD, epochs)
        if kept is None or (epoch := int(kept["epoch"])) <= resume:
            return
        if missing := sorted(set(self._all) - set(kept["included"].tolist())):
            raise MdlError(
                f"epoch {epoch} was opened without a worker that was lost, {_named(missing)}, and must not "
                f"be opened again with it: {_INSTEAD}"
            )

    def note(self, epoch: int, included: Collection[PartyId]) -> None:
        """Put on disk who is in a sum that is about to be opened.

        Raises:
            MdlError: the epoch was opened before, over others.
        """
        now, kept = sorted(included), self._journal.read(_RECORD, epoch)
        if kept is None:
            record = {"epoch": np.array(epoch), "included": np.array(now, np.int64)}
            self._journal.write(_RECORD, epoch, record)
        elif (before := kept["included"].tolist()) != now:
            raise MdlError(
                f"epoch {epoch} was opened before with the parameters of {_named(before)}, and must not be "
                f"opened again with those of {_named(now)}: {_INSTEAD}"
            )


def _named(workers: Sequence[PartyId]) -> str:
    return f"{'worker' if len(workers) == 1 else 'workers'} {', '.join(map(str, workers))}"
