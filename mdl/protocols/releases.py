"""What a party has released that costs privacy: counted on its own record, before anything of it leaves.

So the counts hold every release that somebody may have seen: also those of epochs that a resumed run trains
again, and of a party that dies before its epoch ends. There is one record of each kind for all of a party's
life in a run's folder, so they are filed under epoch 0.
"""

from typing import Final

import numpy as np

from mdl.system import Journal

_NOISED: Final = "noised"
_PRIVATE: Final = "private"

Counts = dict[str, int]
"""As they are told in the metrics: ``contributions`` and the ``parameters`` in them, ``private_epochs`` and
the ``examples`` of each."""


def count_contribution(journal: Journal, parameters: int) -> Counts:
    """Add a noisy contribution to those on record; give how many there are, this one included."""
    before = _read(journal, _NOISED)
    counts = {
        "contributions": before.get("contributions", 0) + 1,
        "parameters": before.get("parameters", 0) + parameters,
    }
    return _kept(journal, _NOISED, counts)


def count_private(journal: Journal, examples: int, *, epochs: int = 1) -> Counts:
    """Add private epochs over so many examples to those on record; give how many there are."""
    before = _read(journal, _PRIVATE)
    counts = {"examples": examples, "private_epochs": before.get("private_epochs", 0) + epochs}
    return _kept(journal, _PRIVATE, counts)


def counted(journal: Journal) -> Counts:
    """Give all counts on record; of what was never released there is none."""
    return _read(journal, _NOISED) | _read(journal, _PRIVATE)


def _read(journal: Journal, name: str) -> Counts:
    return {key: int(value[0]) for key, value in (journal.read(name, 0) or {}).items()}


def _kept(journal: Journal, name: str, counts: Counts) -> Counts:
    journal.write(name, 0, {key: np.array([value], np.int64) for key, value in counts.items()})
    return counts
