"""A gradient as somebody holds it: what every attack begins with, and how it is read from a transcript."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.stage import Staged
from mdl.learning.partition import Rows
from mdl.party import PartyId
from mdl.protocols.pieces import Piece
from mdl.vectors import Flags, Floats

Role: TypeAlias = Literal["server", "manager", "worker", "eavesdropper", "coalition"]
"""Who looks: a plain parameter server, or a role of the experiment's own system."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A gradient as somebody holds it.

    Attributes:
        role: who.
        what: in a few words.
        epoch: from 1; in `dynamic` the version.
        parameters: the model that it belongs to, shape (t,).
        gradient: shape (t,).
        known: where the gradient is known, shape (t,).
        workers: those whose images are in it.
        rows: of the training set: the images in it, each once.
        mixed: whether one parameter's mean is over other workers than another's. The attacks here do not make
            use of the sets, so that their failure on such a view says little.
    """

    role: Role
    what: str
    epoch: int
    parameters: Floats
    gradient: Floats
    known: Flags
    workers: Sequence[PartyId]
    rows: Rows
    mixed: bool = False


def images_in(staged: Staged, epoch: int, workers: Iterable[PartyId]) -> Rows:
    """Give the rows of the training set that these workers trained on in an epoch, each once."""
    return np.unique(np.concatenate([staged.steps[worker, epoch].rows for worker in workers]))


def own_gradient(staged: Staged, worker: PartyId, epoch: int) -> NDArray[np.float64]:
    """Give the epoch gradient that a worker computed, and knows itself, shape (t,)."""
    step = staged.steps[worker, epoch]
    return (step.before.astype(np.float64) - step.after) / staged.learning_rate


def others(workers: Iterable[PartyId], but: PartyId) -> list[PartyId]:
    """Leave one out."""
    return [worker for worker in workers if worker != but]


def whole(
    staged: Staged,
    role: Role,
    what: str,
    epoch: int,
    before: Floats,
    gradient: Floats,
    workers: Sequence[PartyId],
) -> Seen:
    """Make a view in which all entries are known."""
    known = np.ones(len(before), np.bool_)
    rows = images_in(staged, epoch, workers)
    return Seen(role, what, epoch, before, gradient, known, tuple(workers), rows)


def crossed(staged: Staged, kind: type[Piece], epoch: int, sender: PartyId, receiver: PartyId) -> bytes:
    """Put together a vector that crossed a link, one way; nothing if none did."""
    return b"".join(
        sent.message.values
        for sent in staged.transcript
        if isinstance(sent.message, kind)
        and sent.message.epoch == epoch
        and (sent.sender, sent.receiver) == (sender, receiver)
    )


def as_numbers(data: bytes, entries: int) -> NDArray[np.float64]:
    """Read what nobody has a key for as numbers in [-1, 1): a word for each parameter, shape (entries,)."""
    return np.frombuffer(data[: 4 * entries], "<u4") / 2.0**31 - 1
