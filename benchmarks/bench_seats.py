"""CPU seconds that the books of ∝MDL^d take of the manager and of a worker, for an epoch of the paper's MLP.

One block a parameter, n workers that draw k = t/2 blocks each and upload parts of 2,048 rows by turns, with
tiny rows: all but the bytes and the cryptography.

python benchmarks/bench_seats.py --blocks 140106 --workers 8 --members 4
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np
from numpy.typing import NDArray

from mdl.protocols import selection as select
from mdl.protocols.aggregate import Aggregate
from mdl.protocols.policies import Admission, Deficit, FirstCome, QuotaDownload, ReservedSeats
from mdl.protocols.seats import Full, Seats, flags_of
from mdl.protocols.summing import Contribution
from mdl.protocols.uploads import Refreshes, Uploads
from mdl.protocols.versions import Closing, Offers, VersionOpener, closings
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.plain import Plain
from mdl.schemes.threshold import KeyShare
from mdl.vectors import Blocks

GRID = FixedPoint(range=16, fraction_bits=12)
ROWS = 2_048
"""Of one upload: what 512 bytes a row make of a message."""

POLICIES: list[Admission] = [
    FirstCome(),
    ReservedSeats(seats=2, patience_seconds=1e9),
    Deficit(slack=0.5, patience_seconds=1e9),
]


class Stopwatch:
    """CPU seconds, by what they were spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def on(self, errand: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.spent[errand] = self.spent.get(errand, 0.0) + time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=140_106)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--members", type=int, default=4, help="m")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    for policy in POLICIES:
        manager = Manager(options.blocks, options.workers, options.members, policy)
        worker = Worker(options.blocks, options.workers, options.members)
        for epoch in range(1, options.epochs + 1):
            one_epoch(manager, worker, epoch)
        report(f"{policy.type}: manager", manager.watch, options.epochs, manager.opened)
        report(f"{policy.type}: worker", worker.watch, options.epochs, manager.opened)


def report(name: str, watch: Stopwatch, epochs: int, opened: int) -> None:
    total = sum(watch.spent.values()) / epochs
    print(f"{name:26}{total:8.3f} s an epoch ({opened // epochs:,} blocks opened)")
    for errand, seconds in sorted(watch.spent.items(), key=lambda item: -item[1]):
        print(f"    {errand:22}{seconds / epochs:8.3f}")


class Manager:
    """The manager's books, and what it does with them on an upload."""

    def __init__(self, blocks: int, workers: int, members: int, admission: Admission) -> None:
        self.workers, self.members, self.watch, self.opened = workers, members, Stopwatch(), 0
        self.seats = Seats(blocks, workers, threshold=members, window=2, admission=admission)
        self.uploads = Uploads(blocks, 1, 1)
        self.refreshes, self.quota = Refreshes(workers, blocks), QuotaDownload(share=0.5)
        self.model = Aggregate(
            np.zeros(blocks, np.float32),
            Blocks(blocks, 1),
            fixed_point=GRID,
            members=members,
            learning_rate=0.1,
        )
        self.online = flags_of(range(1, workers + 1), workers)

    def take(self, worker: int, blocks: NDArray[np.int64], versions: NDArray[np.int64]) -> list[Closing]:
        """Take one upload; give the announcements of what closed."""
        told: list[Closing] = []
        with self.watch.on("arrivals"):
            kept = self.seats.arrive(worker, blocks, versions, online=self.online, now=0.0)
        with self.watch.on("uploads"):
            self.uploads.put(worker, blocks, bytes(len(blocks)), bytes(len(blocks)), kept)
        with self.watch.on("closing"):
            fulls = list(self.seats.close(blocks))
        for full in fulls:
            with self.watch.on("announcements"):
                told += closings(full, self.workers)
            with self.watch.on("uploads"):
                taken = self.uploads.take(full.blocks, full.sets)
            self.settle(full, taken)
        return told

    def settle(self, full: Full, taken: Mapping[int, Contribution]) -> None:
        assert len(taken) >= self.members
        with self.watch.on("settling"):
            self.seats.settled(full.version, full.blocks)
            self.model.apply(full.blocks, np.ones((len(full.blocks), 1), np.int64))
        with self.watch.on("handing out"):
            for theirs in taken.values():
                self.model.values(theirs.blocks).astype("<f4").tobytes()
        self.opened += len(full.blocks)


class Worker:
    """The books of worker 1."""

    def __init__(self, blocks: int, workers: int, members: int) -> None:
        self.watch = Stopwatch()
        plain = Plain(block=1, bound=GRID.bound(members), members_limit=members)
        self.offers = Offers(blocks, 1, max_staleness=4)
        self.opener = VersionOpener(
            plain,
            KeyShare(1, b""),
            run=b"bench",
            visibility_threshold=members,
            workers=workers,
            window=2,
            versions=np.ones(blocks, np.int64),
        )

    def hear(self, told: Closing) -> None:
        with self.watch.on("closed sets"):
            blocks, mine, _ = self.opener.closed(told)
            self.offers.closed(blocks, mine)
            self.opener.settled(told.version, blocks)


def one_epoch(manager: Manager, worker: Worker, epoch: int) -> None:
    """All workers draw and upload, part by part and by turns; what came too late of worker 1 comes again."""
    blocks = len(manager.seats.versions)
    known = manager.seats.versions.copy()
    drawn = [draw(manager, worker, each, epoch) for each in range(1, manager.workers + 1)]
    mine = drawn[0]
    with worker.watch.on("offers"):
        worker.offers.put(mine, np.ones((len(mine), 1), np.int64), known[mine])
    for first in range(0, blocks, ROWS):
        for each, ids in enumerate(drawn, 1):
            upload(manager, worker, each, ids[first : first + ROWS], known)
    with worker.watch.on("offers"):
        late, _ = worker.offers.take_late(worker.opener.versions)
    known = manager.seats.versions.copy()
    for first in range(0, len(late), ROWS):
        upload(manager, worker, 1, late[first : first + ROWS], known)
    release(manager, worker)
    for each in range(1, manager.workers + 1):
        with manager.watch.on("quotas (where chosen)"):
            manager.refreshes.choose(each, manager.model.updates, manager.quota)


def draw(manager: Manager, worker: Worker, each: int, epoch: int) -> NDArray[np.int64]:
    """Choose what one worker uploads, of the blocks in which it has no seat."""
    among = worker.offers.free if each == 1 else ~manager.seats.seated(each)
    with worker.watch.on("selection") if each == 1 else nullcontext():
        flags = select.drawn(0, epoch, worker=each, among=among, take=len(among) // 2)
        return np.flatnonzero(flags)


def upload(
    manager: Manager, worker: Worker, each: int, blocks: NDArray[np.int64], known: NDArray[np.int64]
) -> None:
    """One part of an upload, for the versions that the worker knows to collect."""
    if each == 1:
        blocks = blocks[worker.opener.versions[blocks] == known[blocks]]
    for version in np.unique(known[blocks]).tolist():
        part = blocks[known[blocks] == version]
        if each == 1:
            with worker.watch.on("uploads"):
                worker.opener.uploaded(part, version, b"")
        for told in manager.take(each, part, np.full(len(part), version)):
            worker.hear(told)


def release(manager: Manager, worker: Worker) -> None:
    with manager.watch.on("releases"):
        grown = manager.seats.release(online=manager.online, now=2e9)
    with manager.watch.on("closing"):
        fulls = list(manager.seats.close(grown))
    for full in fulls:
        taken = manager.uploads.take(full.blocks, full.sets)
        manager.settle(full, taken)
        for told in closings(full, manager.workers):
            worker.hear(told)


if __name__ == "__main__":
    main()
