"""What roles of SSDDL hold of an epoch: its server, a member of the group, who reads a link, a coalition."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.seen import Role, Seen, as_numbers, crossed, others, whole
from mdl.audit.inversion.stage import Staged
from mdl.party import MANAGER, PartyId
from mdl.systems.secret_shared import SecretShared
from mdl.systems.secret_shared.messages import Ended, Global, Upload
from mdl.vectors import Integers


def views(staged: Staged, epoch: int) -> Iterator[Seen]:
    """Give what each role holds; of a member only if it was handed the model of the next epoch too."""
    group = members(staged, epoch)
    yield from by_server(staged, epoch)
    for worker in group:
        if crossed(staged, Global, epoch + 1, MANAGER, worker):
            yield by_worker(staged, epoch, worker)
            break
    yield by_eavesdropper(staged, epoch, group[0])
    yield by_coalition(staged, epoch, group[-1])


def members(staged: Staged, epoch: int) -> list[PartyId]:
    """Give those whose updates were summed, as the server told all."""
    (asked,) = {
        sent.message.asked
        for sent in staged.transcript
        if isinstance(sent.message, Ended) and sent.message.epoch == epoch
    }
    return list(asked)


def by_server(staged: Staged, epoch: int) -> Iterator[Seen]:
    """What the server holds: the sum of the updates, opened from the uploads; or each if none is hidden."""
    system, group = _system(staged), members(staged, epoch)
    if system.mode == "plain":
        for worker in group:
            update = system.fixed_point.decode_mean(_uploaded(staged, epoch, worker), 1)
            yield _seen(staged, "manager", f"upload of worker {worker}", epoch, update, [worker])
        return
    mean = system.fixed_point.decode_mean(_total(staged, epoch), len(group))
    yield _seen(staged, "manager", f"mean of {len(group)}", epoch, mean, group)


def by_worker(staged: Staged, epoch: int, worker: PartyId) -> Seen:
    """What a member holds when the next epoch begins: the mean of the others' updates."""
    group = members(staged, epoch)
    before, after = (_handed(staged, number, worker) for number in (epoch, epoch + 1))
    rest = others(group, worker)
    total = len(group) * (after.astype(np.float64) - before) - _own(staged, epoch, worker)
    what = f"mean of {len(group)}, without worker {worker}'s own"
    return _seen(staged, "worker", what, epoch, total / len(rest), rest)


def by_coalition(staged: Staged, epoch: int, victim: PartyId) -> Seen:
    """What the server and all other members hold of one: its update."""
    system, group = _system(staged), members(staged, epoch)
    known = sum(system.fixed_point.encode(_own(staged, epoch, each))[0] for each in others(group, victim))
    update = system.fixed_point.decode_mean(_total(staged, epoch) - known, 1)
    return _seen(staged, "coalition", f"worker {victim}'s own", epoch, update, [victim])


def by_eavesdropper(staged: Staged, epoch: int, worker: PartyId) -> Seen:
    """What crosses one member's link to the server: read as numbers, or as it is where it is not hidden."""
    system = _system(staged)
    if system.mode == "plain":
        update = system.fixed_point.decode_mean(_uploaded(staged, epoch, worker), 1)
        return _seen(staged, "eavesdropper", f"upload of worker {worker}", epoch, update, [worker])
    words = as_numbers(crossed(staged, Upload, epoch, worker, MANAGER), len(staged.start))
    what = f"upload of worker {worker}, read as numbers"
    return _seen(staged, "eavesdropper", what, epoch, words, [worker])


def _seen(
    staged: Staged,
    role: Role,
    what: str,
    epoch: int,
    update: NDArray[np.float64],
    workers: list[PartyId],
) -> Seen:
    """An update is what is added to the model: as a gradient, its negative over λ."""
    before = _handed(staged, epoch, workers[0])
    return whole(staged, role, what, epoch, before, -update / staged.learning_rate, workers)


def _handed(staged: Staged, epoch: int, worker: PartyId) -> NDArray[np.float32]:
    return np.frombuffer(crossed(staged, Global, epoch, MANAGER, worker), "<f4")


def _own(staged: Staged, epoch: int, worker: PartyId) -> NDArray[np.float64]:
    """Give a member's update, which it knows itself."""
    step = staged.steps[worker, epoch]
    return step.after.astype(np.float64) - step.before


def _uploaded(staged: Staged, epoch: int, worker: PartyId) -> Integers:
    """Read an upload that is not masked."""
    return np.frombuffer(crossed(staged, Upload, epoch, worker, MANAGER), "<i4").astype(np.int64)


def _total(staged: Staged, epoch: int) -> Integers:
    """Open the sum as the server does, with nothing but what it received."""
    system, group = _system(staged), members(staged, epoch)
    answers = {worker: crossed(staged, Upload, epoch, worker, MANAGER) for worker in group}
    return system.sharing(staged.workers).open(
        answers, len(staged.start), members=len(group), bound=system.fixed_point.bound(len(group))
    )


def _system(staged: Staged) -> SecretShared:
    assert isinstance(staged.system, SecretShared)
    return staged.system
