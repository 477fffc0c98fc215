"""What each role of ∝MDL holds after an epoch, as a gradient to invert.

Every view is read from the transcript of a run. To it a role adds what it knows of itself: a worker the
gradient that it computed, a coalition those of its members.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.epochs import Epoch
from mdl.audit.inversion.seen import Role, Seen, images_in, others
from mdl.audit.inversion.sums import contributions
from mdl.party import MANAGER, PartyId
from mdl.protocols import sets as active
from mdl.protocols.pooled import Opening, combined
from mdl.protocols.summing import Contribution
from mdl.schemes.threshold import Context
from mdl.systems import coordinated, dynamic
from mdl.vectors import Flags, Floats, unpack_flags

_BYTES_READ: Final = 2
"""Of a ciphertext so many bytes are taken for each parameter."""


def views(epoch: Epoch) -> Iterator[Seen]:
    """Give what each role holds after an epoch."""
    first, *_, last = members(epoch)
    yield from by_manager(epoch)
    yield by_worker(epoch, first)
    yield by_eavesdropper(epoch, first)
    yield by_coalition(epoch, last)


def members(epoch: Epoch) -> list[PartyId]:
    """Give everybody who is in some sum."""
    inside = range(1, epoch.staged.workers + 1)
    return [worker for worker in inside if active.contains(epoch.sums.sets, worker).any()]


def by_manager(epoch: Epoch) -> Iterator[Seen]:
    """What the manager holds: the sums that it opened, or each upload where nothing hides them."""
    if epoch.system.scheme.type != "plain":
        yield _view(epoch, "manager", _of_sums(epoch), epoch.mean, epoch.opened, members(epoch))
        return
    for worker in members(epoch):
        values, known = _read(epoch, worker)
        yield _view(epoch, "manager", f"upload of worker {worker}", values, known, [worker])


def by_worker(epoch: Epoch, worker: PartyId) -> Seen:
    """What a worker holds: new values of its blocks, hence the sum of the others' gradients there."""
    after, known = _downloaded(epoch, worker)
    if epoch.number > 1:
        # Of the blocks that it was not given the last time it does not know what they were before.
        known = known & _last_given(epoch, worker)
    mean = (epoch.before.astype(np.float32).astype(np.float64) - after) / epoch.staged.learning_rate
    inside = epoch.blocks.spread(active.contains(epoch.sums.sets, worker))
    rest = np.maximum(epoch.members - inside, 1)
    gradient = (epoch.members * mean - epoch.held_by([worker])) / rest
    what = f"{_of_sums(epoch)}, without worker {worker}'s own"
    return _view(epoch, "worker", what, gradient, known, others(members(epoch), worker))


def by_coalition(epoch: Epoch, victim: PartyId) -> Seen:
    """What the manager and m − 1 workers hold of another: its entries where they are the rest of the set.

    Those collude that are most often in a set with the victim.
    """
    m = epoch.system.visibility_threshold(epoch.staged.workers)
    beside = epoch.sums.sets[active.contains(epoch.sums.sets, victim)]
    often = active.counts(beside, epoch.staged.workers)
    among = others(range(1, epoch.staged.workers + 1), victim)
    colluders = sorted(among, key=lambda worker: -often[worker - 1])[: m - 1]
    mask = np.uint64(sum(1 << (worker - 1) for worker in (*colluders, victim)))
    alone = active.contains(epoch.sums.sets, victim) & (epoch.sums.sets & ~mask == 0)
    gradient = epoch.members * epoch.mean - epoch.held_by(colluders)
    what = f"worker {victim}'s own, at {alone.mean():.0%} of the parameters"
    return _view(epoch, "coalition", what, gradient, epoch.blocks.spread(alone), [victim])


def by_eavesdropper(epoch: Epoch, worker: PartyId) -> Seen:
    """What crosses one worker's link, taken for a gradient: bytes of the ciphertext, read as numbers."""
    if epoch.system.scheme.type == "plain":
        values, known = _read(epoch, worker)
        return _view(epoch, "eavesdropper", f"upload of worker {worker}", values, known, [worker])
    scheme = epoch.system.build_scheme(epoch.staged.workers)
    uploaded = _contribution(epoch, worker)
    size, width = epoch.blocks.size, scheme.body_bytes
    places = (np.arange(size) * width) // size
    taken = np.minimum(places[:, None] + np.arange(_BYTES_READ), width - 1)
    words = uploaded.body[:, taken].astype(np.float64) @ np.array([256.0, 1.0])
    values = np.zeros((epoch.blocks.count, size))
    values[uploaded.blocks] = words / 32768 - 1
    known = np.zeros(epoch.blocks.count, np.bool_)
    known[uploaded.blocks] = True
    what = f"ciphertext of worker {worker}, read as numbers"
    vector = epoch.blocks.join(values)
    return _view(epoch, "eavesdropper", what, vector, epoch.blocks.spread(known), [worker])


def _of_sums(epoch: Epoch) -> str:
    sizes = active.sizes(epoch.sums.sets[epoch.sums.sets != 0])
    among = len(members(epoch))
    least, most = int(sizes.min()), int(sizes.max())
    size = str(least) if least == most else f"{least} to {most}"
    return f"means of {size}" if most == among else f"means of {size} of {among}"


def _view(
    epoch: Epoch, role: Role, what: str, gradient: Floats, known: Flags, workers: Sequence[PartyId]
) -> Seen:
    before = epoch.before.astype(np.float32)
    rows = images_in(epoch.staged, epoch.number, workers)
    mixed = len(workers) > 1 and len(np.unique(epoch.sums.sets[epoch.sums.sets != 0])) > 1
    return Seen(role, what, epoch.number, before, gradient, known, tuple(workers), rows, mixed)


def _contribution(epoch: Epoch, worker: PartyId) -> Contribution:
    scheme = epoch.system.build_scheme(epoch.staged.workers)
    return contributions(scheme, epoch.staged.transcript, blocks=epoch.blocks, epoch=epoch.number)[worker]


def _read(epoch: Epoch, worker: PartyId) -> tuple[NDArray[np.float64], Flags]:
    """Read an upload that nothing hides: the gradient as encoded, shape (t,), and where there is one."""
    scheme, uploaded = epoch.system.build_scheme(epoch.staged.workers), _contribution(epoch, worker)
    context = Context(b"", epoch.number, uploaded.blocks.tolist(), (worker,))
    (entries,) = combined(scheme, [Opening([uploaded.body.tobytes()], {}, context)])
    values = np.zeros((epoch.blocks.count, epoch.blocks.size))
    values[uploaded.blocks] = epoch.grid.decode_mean(entries, 1)
    known = np.zeros(epoch.blocks.count, np.bool_)
    known[uploaded.blocks] = True
    return epoch.blocks.join(values), epoch.blocks.spread(known)


def _downloaded(epoch: Epoch, worker: PartyId) -> tuple[NDArray[np.float64], Flags]:
    """Give the global values that a worker was handed after an epoch, shape (t,), and where it was."""
    values = np.zeros((epoch.blocks.count, epoch.blocks.size))
    given, places = np.zeros(epoch.blocks.count, np.bool_), np.empty(0, np.int64)
    for sent in epoch.staged.transcript:
        if (sent.sender, sent.receiver) != (MANAGER, worker):
            continue
        match sent.message:
            case coordinated.CallbackDownload(number, updated) if number == epoch.number:
                given = unpack_flags(updated, epoch.blocks.count)
                places = np.flatnonzero(given)
            case coordinated.Download(number, first, packed) if number == epoch.number:
                part = np.frombuffer(packed, "<f4").reshape(-1, epoch.blocks.size)
                values[places[first : first + len(part)]] = part
            case dynamic.Values(number, packed_ids, packed) if number == epoch.number:
                ids = np.frombuffer(packed_ids, "<u4").astype(np.int64)
                values[ids] = np.frombuffer(packed, "<f4").reshape(-1, epoch.blocks.size)
                given[ids] = True
    return epoch.blocks.join(values), epoch.blocks.spread(given)


def _last_given(epoch: Epoch, worker: PartyId) -> Flags:
    """Where a worker was handed the global values after the epoch before this one, shape (t,)."""
    for sent in epoch.staged.transcript:
        match sent.message:
            case coordinated.CallbackDownload(number, updated) if (
                number == epoch.number - 1 and sent.receiver == worker
            ):
                return epoch.blocks.spread(unpack_flags(updated, epoch.blocks.count))
    return np.zeros(epoch.blocks.parameters, np.bool_)
