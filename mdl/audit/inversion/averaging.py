"""What roles of `fedavg` hold: the yardstick. Its manager is the plain parameter server."""

from collections.abc import Sequence

import numpy as np

from mdl.audit.inversion.seen import Role, Seen, images_in, others, own_gradient
from mdl.audit.inversion.stage import Staged
from mdl.party import MANAGER, PartyId
from mdl.systems import fedavg
from mdl.vectors import Floats


def by_server(staged: Staged, epoch: int, worker: PartyId, *, role: Role = "server") -> Seen:
    """What the server sees of one worker: the parameters it handed out, and those that came back."""
    before = _vector(staged, fedavg.Global, epoch, worker)
    after = _vector(staged, fedavg.Local, epoch, worker)
    gradient = (before.astype(np.float64) - after) / staged.learning_rate
    return _whole(staged, role, f"update of worker {worker}", epoch, before, gradient, [worker])


def by_worker(staged: Staged, epoch: int, worker: PartyId) -> Seen:
    """What a worker sees of the others once the next epoch begins: the mean of all, without its own."""
    before = _vector(staged, fedavg.Global, epoch, worker)
    after = _vector(staged, fedavg.Global, epoch + 1, worker)
    mean = (before.astype(np.float64) - after) / staged.learning_rate
    rest = others(range(1, staged.workers + 1), worker)
    gradient = (staged.workers * mean - own_gradient(staged, worker, epoch)) / len(rest)
    what = f"mean of {staged.workers}, without worker {worker}'s own"
    return _whole(staged, "worker", what, epoch, before, gradient, rest)


def _whole(
    staged: Staged,
    role: Role,
    what: str,
    epoch: int,
    before: Floats,
    gradient: Floats,
    workers: Sequence[PartyId],
) -> Seen:
    known = np.ones(len(before), np.bool_)
    rows = images_in(staged, epoch, workers)
    return Seen(role, what, epoch, before, gradient, known, tuple(workers), rows)


def _vector(
    staged: Staged, kind: type[fedavg.Global] | type[fedavg.Local], epoch: int, worker: PartyId
) -> Floats:
    """Put together what crossed a worker's link, one way or the other."""
    ends = (MANAGER, worker) if kind is fedavg.Global else (worker, MANAGER)
    parts = [
        np.frombuffer(sent.message.values, "<f4")
        for sent in staged.transcript
        if isinstance(sent.message, kind)
        and sent.message.epoch == epoch
        and (sent.sender, sent.receiver) == ends
    ]
    return np.concatenate(parts)
