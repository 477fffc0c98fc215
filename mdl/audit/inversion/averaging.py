"""What roles of `fedavg` hold: the yardstick. Its manager is the plain parameter server."""

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.seen import Role, Seen, crossed, others, own_gradient, whole
from mdl.audit.inversion.stage import Staged
from mdl.party import MANAGER, PartyId
from mdl.systems import fedavg


def by_server(staged: Staged, epoch: int, worker: PartyId, *, role: Role = "server") -> Seen:
    """What the server sees of one worker: the parameters it handed out, and those that came back."""
    before = _vector(staged, fedavg.Global, epoch, worker)
    after = _vector(staged, fedavg.Local, epoch, worker)
    gradient = (before.astype(np.float64) - after) / staged.learning_rate
    return whole(staged, role, f"update of worker {worker}", epoch, before, gradient, [worker])


def by_worker(staged: Staged, epoch: int, worker: PartyId) -> Seen:
    """What a worker sees of the others once the next epoch begins: the mean of all, without its own."""
    before = _vector(staged, fedavg.Global, epoch, worker)
    after = _vector(staged, fedavg.Global, epoch + 1, worker)
    mean = (before.astype(np.float64) - after) / staged.learning_rate
    rest = others(range(1, staged.workers + 1), worker)
    gradient = (staged.workers * mean - own_gradient(staged, worker, epoch)) / len(rest)
    what = f"mean of {staged.workers}, without worker {worker}'s own"
    return whole(staged, "worker", what, epoch, before, gradient, rest)


def _vector(
    staged: Staged, kind: type[fedavg.Global] | type[fedavg.Local], epoch: int, worker: PartyId
) -> NDArray[np.float32]:
    """Put together what crossed a worker's link, one way or the other."""
    sender, receiver = (MANAGER, worker) if kind is fedavg.Global else (worker, MANAGER)
    return np.frombuffer(crossed(staged, kind, epoch, sender, receiver), "<f4")
