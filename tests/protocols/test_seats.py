"""The manager's book of seats: equal to lists and dicts that are gone through block by block."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from mdl.errors import ProtocolError
from mdl.protocols import sets as active
from mdl.protocols.policies import Admission, Deficit, FirstCome, ReservedSeats
from mdl.protocols.seats import Full, Seats, flags_of
from mdl.vectors import Flags

BLOCKS, WORKERS = 4, 5
PATIENCE = 10.0
EVERYBODY = flags_of(range(1, WORKERS + 1), WORKERS)

ADMISSIONS: list[Admission] = [
    FirstCome(),
    ReservedSeats(seats=1, patience_seconds=PATIENCE),
    ReservedSeats(seats=2, patience_seconds=PATIENCE),
    Deficit(slack=0.5, patience_seconds=PATIENCE),
]

workers = st.integers(1, WORKERS)
some_blocks = st.sets(st.integers(0, BLOCKS - 1), min_size=1).map(sorted)
present = st.sets(workers).map(lambda there: flags_of(sorted(there), WORKERS))


@dataclass
class Block:
    """The model of one block: who sits, who is held, since when, and which versions are being opened."""

    version: int = 1
    members: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    ahead: int = 0
    since: float = math.inf
    opening: set[int] = field(default_factory=set)


def ids(blocks: list[int]) -> NDArray[np.int64]:
    return np.array(blocks, np.int64)


class SeatsAgainstLists(RuleBasedStateMachine):
    @initialize(threshold=st.integers(2, 3), window=st.integers(1, 3), admission=st.sampled_from(ADMISSIONS))
    def begin(self, threshold: int, window: int, admission: Admission) -> None:
        self.threshold, self.window, self.admission = threshold, window, admission
        self.seats = Seats(BLOCKS, WORKERS, threshold=threshold, window=window, admission=admission)
        self.model = [Block() for _ in range(BLOCKS)]
        self.accepted = [0] * WORKERS
        self.granted = [0] * WORKERS
        self.now = 0.0
        self.closed: set[tuple[int, int]] = set()

    def is_behind(self, worker: int, online: Flags) -> bool:
        return self.admission.is_behind(np.array(self.granted), online, worker, BLOCKS)

    def sit(self, block: Block, worker: int, *, ahead: bool) -> None:
        block.members.append(worker)
        block.ahead += ahead
        self.granted[worker - 1] += 1

    @rule(seconds=st.sampled_from([1.0, PATIENCE]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=workers, chosen=some_blocks, late=st.sets(st.integers(0, BLOCKS - 1)), online=present)
    def arrive(self, worker: int, chosen: list[int], late: set[int], online: Flags) -> None:
        chosen = [
            at for at in chosen if at in late or worker not in self.model[at].members + self.model[at].held
        ]
        versions = [self.model[at].version - (at in late) for at in chosen]
        kept = self.seats.arrive(worker, ids(chosen), ids(versions), online=online, now=self.now)
        # Whoever is on time has a seat or is held for one: nobody is turned away.
        assert kept.tolist() == [at not in late for at in chosen]
        behind = self.is_behind(worker, online)
        for at in chosen:
            if at not in late:
                self.take(self.model[at], worker, behind=behind)

    def take(self, block: Block, worker: int, *, behind: bool) -> None:
        block.since = min(block.since, self.now)
        room = len(block.members) < self.threshold
        if room and (behind or self.for_all(block)):
            self.sit(block, worker, ahead=not behind)
        else:
            block.held.append(worker)

    def for_all(self, block: Block) -> bool:
        kept = self.admission.seats if isinstance(self.admission, ReservedSeats) else 0
        if isinstance(self.admission, Deficit):
            kept = self.threshold
        return not kept or block.ahead < self.threshold - kept

    @rule(order=st.permutations(range(1, WORKERS + 1)), count=st.integers(1, WORKERS))
    def come_one_after_the_other(self, order: list[int], count: int) -> None:
        for worker in order[:count]:
            self.arrive(worker, list(range(BLOCKS)), set(), EVERYBODY)

    @rule(chosen=some_blocks)
    def close(self, chosen: list[int]) -> None:
        found: dict[tuple[int, int], tuple[int, ...]] = {}
        for full in self.seats.close(ids(chosen)):
            found |= told(full)
        expected = {}
        for at in chosen:
            block = self.model[at]
            if len(block.members) == self.threshold and block.version - self.window not in block.opening:
                expected[at, block.version] = tuple(sorted(block.members))
                self.move_on(block)
        assert found == expected
        assert not self.closed & found.keys(), "a version closed twice"
        self.closed |= found.keys()

    def move_on(self, block: Block) -> None:
        for worker in block.members:
            self.accepted[worker - 1] += 1
        block.opening.add(block.version)
        block.version += 1
        block.members, block.held, block.ahead, block.since = [], [], 0, math.inf

    @precondition(lambda self: any(block.opening for block in self.model))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(set.union(*(b.opening for b in self.model)))))
        under_way = [at for at, block in enumerate(self.model) if version in block.opening]
        chosen = sorted(data.draw(st.sets(st.sampled_from(under_way), min_size=1)))
        self.seats.settled(version, ids(chosen))
        for at in chosen:
            self.model[at].opening.remove(version)

    @rule(online=present)
    def release(self, online: Flags) -> None:
        grown = self.seats.release(online=online, now=self.now)
        expected = set()
        for worker in sorted(range(1, WORKERS + 1), key=lambda who: self.granted[who - 1]):
            behind = self.is_behind(worker, online)
            for at, block in enumerate(self.model):
                patience = self.admission.patience_seconds or 0.0
                due = behind or self.now - block.since >= patience
                if worker in block.held and due and len(block.members) < self.threshold:
                    block.held.remove(worker)
                    self.sit(block, worker, ahead=False)
                    expected.add(at)
        assert grown.tolist() == sorted(expected)

    @rule(worker=workers)
    def evict(self, worker: int) -> None:
        self.seats.evict(worker)
        for block in self.model:
            self.stand_up(block, worker)

    @rule(worker=workers, chosen=some_blocks)
    def vacate(self, worker: int, chosen: list[int]) -> None:
        self.seats.vacate(worker, ids(chosen))
        for at in chosen:
            self.stand_up(self.model[at], worker)

    def stand_up(self, block: Block, worker: int) -> None:
        if worker in block.members:
            block.members.remove(worker)
            block.ahead = min(block.ahead, len(block.members))
            self.granted[worker - 1] -= 1
        if worker in block.held:
            block.held.remove(worker)
        if not block.members + block.held:
            block.since = math.inf

    @invariant()
    def nobody_comes_twice_or_too_early(self) -> None:
        for at, block in enumerate(self.model):
            for worker in block.members + block.held:
                self.check_refused(worker, at, block.version, "second contribution")
            self.check_refused(1, at, block.version + 1, "does not collect yet")

    def check_refused(self, worker: int, at: int, version: int, reason: str) -> None:
        with pytest.raises(ProtocolError, match=reason) as caught:
            self.seats.arrive(worker, ids([at]), ids([version]), online=EVERYBODY, now=self.now)
        assert caught.value.culprits == (worker,)

    @invariant()
    def the_books_agree(self) -> None:
        assert self.seats.versions.tolist() == [block.version for block in self.model]
        assert self.seats.accepted.tolist() == self.accepted
        assert self.seats.any_held == any(block.held for block in self.model)
        for worker in range(1, WORKERS + 1):
            expected = [worker in block.members + block.held for block in self.model]
            assert self.seats.seated(worker).tolist() == expected


def told(full: Full) -> dict[tuple[int, int], tuple[int, ...]]:
    assert (np.diff(full.blocks) > 0).all()
    return {
        (int(at), full.version): active.members(int(mask))
        for at, mask in zip(full.blocks, full.sets, strict=True)
    }


SeatsAgainstLists.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSeatsAgainstLists = SeatsAgainstLists.TestCase


def book(*, threshold: int = 2, window: int = 1, admission: Admission | None = None) -> Seats:
    return Seats(1, WORKERS, threshold=threshold, window=window, admission=admission or FirstCome())


def comes(seats: Seats, worker: int, *, version: int = 1, now: float = 0.0) -> bool:
    return bool(seats.arrive(worker, ids([0]), ids([version]), online=EVERYBODY, now=now)[0])


def closes(seats: Seats) -> list[tuple[int, tuple[int, ...]]]:
    return [(version, who) for full in seats.close(ids([0])) for (_, version), who in told(full).items()]


def test_the_mth_to_come_closes_the_set_and_the_next_is_too_late() -> None:
    seats = book()
    comes(seats, 4)
    assert closes(seats) == []
    comes(seats, 2)
    assert closes(seats) == [(1, (2, 4))]
    assert not comes(seats, 3)
    assert comes(seats, 3, version=2)


def test_a_full_set_waits_while_the_window_is_full_and_closes_once_it_is_not() -> None:
    seats = book(window=2)
    for version in (1, 2, 3):
        comes(seats, 1, version=version)
        comes(seats, 2, version=version)
        assert bool(closes(seats)) == (version < 3)
    seats.settled(2, ids([0]))
    assert closes(seats) == [], "the version two back is still under way"
    seats.settled(1, ids([0]))
    assert closes(seats) == [(3, (1, 2))]


def test_who_finds_a_full_set_that_waits_gets_the_seat_of_one_that_is_evicted() -> None:
    # It counts on the set and offers nothing else for the block: were it turned away, nobody might fill it.
    seats = book()
    for version in (1, 2):
        comes(seats, 1, version=version)
        comes(seats, 2, version=version)
        closes(seats)
    assert comes(seats, 3, version=2)
    seats.evict(1)
    assert seats.release(online=EVERYBODY, now=0.0).tolist() == [0]
    seats.settled(1, ids([0]))
    assert closes(seats) == [(2, (2, 3))]


def test_who_is_held_when_the_set_closes_is_not_in_it_and_may_come_for_the_next() -> None:
    seats = book(admission=ReservedSeats(seats=1, patience_seconds=PATIENCE))
    comes(seats, 1)
    comes(seats, 2)
    assert closes(seats) == [(1, (1, 2))]
    comes(seats, 1, version=2)
    assert comes(seats, 2, version=2)
    assert seats.seated(2).all()
    seats.settled(1, ids([0]))
    assert closes(seats) == []
    comes(seats, 3, version=2)
    assert closes(seats) == [(2, (1, 3))]
    assert not seats.any_held
    assert comes(seats, 2, version=3)


def test_patience_counts_from_the_first_that_is_still_there() -> None:
    seats = book(admission=Deficit(slack=0.5, patience_seconds=PATIENCE))
    for worker in (1, 2):
        comes(seats, worker)
    assert closes(seats) == [(1, (1, 2))]
    comes(seats, 3, version=2, now=0.0)
    seats.evict(3)
    comes(seats, 1, version=2, now=PATIENCE)
    assert seats.release(online=EVERYBODY, now=PATIENCE + 1).tolist() == []
    assert seats.release(online=EVERYBODY, now=2 * PATIENCE).tolist() == [0]


def test_a_book_goes_on_from_what_was_kept_of_another() -> None:
    first = book()
    comes(first, 1)
    comes(first, 2)
    closes(first)
    second = Seats(
        1,
        WORKERS,
        threshold=2,
        window=1,
        admission=FirstCome(),
        versions=first.versions,
        accepted=first.accepted,
    )
    comes(second, 2, version=2)
    comes(second, 5, version=2)
    assert closes(second) == [(2, (2, 5))]
    assert second.accepted.tolist() == [1, 2, 0, 0, 1]
    assert first.accepted.tolist() == [1, 1, 0, 0, 0]


def test_the_open_seat_of_one_that_is_evicted_is_open_again() -> None:
    seats = book(admission=ReservedSeats(seats=1, patience_seconds=PATIENCE))
    for worker in (1, 2):
        comes(seats, worker)
    assert closes(seats) == [(1, (1, 2))]
    seats.settled(1, ids([0]))
    comes(seats, 1, version=2)
    seats.evict(1)
    for worker in (2, 3):
        comes(seats, worker, version=2)
    assert closes(seats) == [(2, (2, 3))]
