"""What the manager holds between messages: rows that wait, who has which values, who works on a block."""

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from numpy.typing import NDArray

from mdl.protocols.policies import QuotaDownload, StaleFirstDownload
from mdl.protocols.seats import Full
from mdl.protocols.summing import Contribution
from mdl.protocols.uploads import Closed, Exclusive, Refreshes, Uploads, take_alike
from tests.protocols.parties import play

BLOCKS, WORKERS = 6, 3


def ids(*blocks: int) -> NDArray[np.int64]:
    return np.array(blocks, np.int64)


class UploadsAgainstDict(RuleBasedStateMachine):
    """The model is a dict from (worker, block) to the row that was kept last."""

    @initialize(hint_bytes=st.sampled_from([0, 3]))
    def begin(self, hint_bytes: int) -> None:
        self.hint_bytes = hint_bytes
        self.uploads = Uploads(BLOCKS, 2, hint_bytes)
        self.rows: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self.count = 0

    @rule(worker=st.integers(1, WORKERS), chosen=st.dictionaries(st.integers(0, BLOCKS - 1), st.booleans()))
    def put(self, worker: int, chosen: dict[int, bool]) -> None:
        blocks = sorted(chosen) or [0]
        kept = np.array([chosen.get(block, False) for block in blocks])
        rows = []
        for _ in blocks:
            self.count += 1
            rows.append(
                (self.count.to_bytes(2), self.count.to_bytes(self.hint_bytes or 2)[: self.hint_bytes])
            )
        body, hint = (b"".join(part) for part in zip(*rows, strict=True))
        self.uploads.put(worker, ids(*blocks), body, hint, kept)
        for block, row, keep in zip(blocks, rows, kept.tolist(), strict=True):
            if keep:
                self.rows[worker, block] = row

    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        members = {
            block: data.draw(st.sets(st.sampled_from(there), min_size=1))
            for block in range(BLOCKS)
            if (there := [worker for worker in range(1, WORKERS + 1) if (worker, block) in self.rows])
        }
        masks = [sum(1 << (worker - 1) for worker in found) for found in members.values()]
        taken = self.uploads.take(ids(*members), np.array(masks, np.uint64))
        assert set(taken) == set().union(*members.values())
        for worker, contribution in taken.items():
            theirs = [block for block, found in members.items() if worker in found]
            assert contribution.blocks.tolist() == theirs
            assert contribution.body_of(ids(*theirs)) == b"".join(self.rows[worker, b][0] for b in theirs)
            assert contribution.hint_of(ids(*theirs)) == b"".join(self.rows[worker, b][1] for b in theirs)


UploadsAgainstDict.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestUploadsAgainstDict = UploadsAgainstDict.TestCase


def test_what_was_taken_is_a_copy() -> None:
    uploads = Uploads(BLOCKS, 1, 1)
    both = np.array([True, True])
    uploads.put(1, ids(0, 1), b"ab", b"AB", both)
    taken = uploads.take(ids(0, 1), np.array([1, 1], np.uint64))
    uploads.put(1, ids(0, 1), b"xy", b"XY", both)
    assert (taken[1].body_of(ids(1)), taken[1].hint_of(ids(0))) == (b"b", b"A")


@pytest.mark.parametrize(
    ("body", "hint"),
    [(b"a", b"AB"), (b"ab", b"A"), (b"ab", b""), (b"abc", b"ABC"), (b"", b"")],
)
def test_an_upload_of_another_number_of_rows_than_blocks_is_refused(body: bytes, hint: bytes) -> None:
    with pytest.raises(ValueError, match="for 2 blocks"):
        Uploads(BLOCKS, 1, 1).put(1, ids(0, 1), body, hint, np.array([True, True]))


def test_an_upload_of_half_rows_or_of_hints_where_there_are_none_is_refused() -> None:
    everything = np.array([True])
    with pytest.raises(ValueError, match="whole number of rows"):
        Uploads(BLOCKS, 2, 2).put(1, ids(0), b"abc", b"AB", everything)
    with pytest.raises(ValueError, match="where none belong"):
        Uploads(BLOCKS, 1, 0).put(1, ids(0), b"a", b"A", everything)


class RefreshesAgainstDict(RuleBasedStateMachine):
    """The model knows for every worker and block which update it has, and in which turn it got it."""

    @initialize(policy=st.sampled_from([QuotaDownload(share=0.5), StaleFirstDownload(share=0.3)]))
    def begin(self, policy: QuotaDownload | StaleFirstDownload) -> None:
        self.policy, self.quota = policy, {0.5: 3, 0.3: 2}[policy.share]
        self.refreshes = Refreshes(WORKERS, BLOCKS)
        self.updates = np.zeros(BLOCKS, np.int64)
        self.seen = {worker: [0] * BLOCKS for worker in range(1, WORKERS + 1)}
        self.when = {worker: [0] * BLOCKS for worker in range(1, WORKERS + 1)}
        self.turn = 0

    @rule(chosen=st.lists(st.integers(0, BLOCKS - 1), max_size=6))
    def update(self, chosen: list[int]) -> None:
        np.add.at(self.updates, chosen, 1)

    @rule(worker=st.integers(1, WORKERS))
    def forget(self, worker: int) -> None:
        self.refreshes.forget(worker)
        self.seen[worker], self.when[worker] = [0] * BLOCKS, [0] * BLOCKS

    @rule(worker=st.integers(1, WORKERS))
    def choose(self, worker: int) -> None:
        seen, when = self.seen[worker], self.when[worker]
        new = [block for block in range(BLOCKS) if self.updates[block] > seen[block]]
        if isinstance(self.policy, QuotaDownload):
            new.sort(key=lambda block: seen[block] - self.updates[block])
        else:
            new.sort(key=lambda block: when[block])
        chosen = self.refreshes.choose(worker, self.updates, self.policy)
        assert chosen.tolist() == sorted(new[: self.quota])
        self.turn += 1
        for block in chosen.tolist():
            seen[block], when[block] = int(self.updates[block]), self.turn


RefreshesAgainstDict.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestRefreshesAgainstDict = RefreshesAgainstDict.TestCase


@pytest.mark.parametrize(
    ("share", "blocks", "quota"), [(0.07, 100, 7), (0.01, 10, 1), (1.0, 10, 10), (0.5, 5, 3)]
)
def test_a_quota_is_the_share_of_all_blocks_rounded_up(share: float, blocks: int, quota: int) -> None:
    chosen = Refreshes(1, blocks).choose(1, np.ones(blocks, np.int64), QuotaDownload(share=share))
    assert len(chosen) == quota


@pytest.mark.parametrize("policy", [QuotaDownload(share=0.34), StaleFirstDownload(share=0.34)])
def test_who_asks_often_enough_gets_everything(policy: QuotaDownload | StaleFirstDownload) -> None:
    refreshes, updates = Refreshes(1, BLOCKS), np.ones(BLOCKS, np.int64)
    got = np.concatenate([refreshes.choose(1, updates, policy) for _ in range(3)])
    assert sorted(got.tolist()) == list(range(BLOCKS))


jobs = st.lists(
    st.tuples(st.sets(st.integers(0, BLOCKS - 1), min_size=1).map(sorted), st.integers(0, 3), st.booleans()),
    max_size=12,
)


@given(jobs=jobs, schedule=st.integers(0, 2**32), seed=st.integers(0, 2**32))
def test_one_at_a_time_works_on_a_block_and_nobody_waits_for_ever(
    jobs: list[tuple[list[int], int, bool]], schedule: int, seed: int
) -> None:
    async def story() -> None:
        exclusive, busy, done = Exclusive(BLOCKS), set[int](), list[int]()

        async def work(number: int, blocks: list[int], seconds: int) -> None:
            async with exclusive.of(ids(*blocks)):
                assert not busy & set(blocks)
                busy.update(blocks)
                try:
                    await asyncio.sleep(seconds)
                finally:
                    busy.difference_update(blocks)
            done.append(number)

        tasks = [
            asyncio.ensure_future(work(number, blocks, seconds))
            for number, (blocks, seconds, _) in enumerate(jobs)
        ]
        # Some are cancelled, at any moment: while they wait, while they work, or when they have just ended.
        rng = random.Random(seed)
        for task, (_, _, cancelled) in zip(tasks, jobs, strict=True):
            if cancelled:
                asyncio.get_running_loop().call_later(rng.choice([0, 1, 2, 3]), task.cancel)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert not busy
        for number, (end, (_, _, cancelled)) in enumerate(zip(ends, jobs, strict=True)):
            assert end is None or (cancelled and isinstance(end, asyncio.CancelledError))
            assert (end is None) == (number in done)
        async with exclusive.of(np.arange(BLOCKS)):
            pass

    play(story, schedule=schedule)


def test_blocks_are_free_again_when_the_work_fails() -> None:
    async def story() -> None:
        exclusive = Exclusive(BLOCKS)
        with pytest.raises(KeyError):
            async with exclusive.of(ids(1, 2)):
                raise KeyError
        async with exclusive.of(ids(2, 3)):
            pass

    play(story)


def test_who_works_on_other_blocks_does_not_wait() -> None:
    async def story() -> None:
        exclusive = Exclusive(BLOCKS)
        async with exclusive.of(ids(0, 1)), exclusive.of(ids(2)):
            pass

    play(story)


def test_what_closed_bit_by_bit_is_opened_together_where_version_and_witnesses_are_the_same() -> None:
    outboxes: dict[int, Any] = {1: object(), 2: object()}

    def closed(version: int, blocks: list[int], told: dict[int, Any]) -> Closed:
        ids = np.array(blocks)
        rows = np.array([[version, block] for block in blocks], np.uint8)
        sets = np.full(len(blocks), 0b11, np.uint64)
        uploads = {worker: Contribution(ids, rows, rows + worker) for worker in (1, 2)}
        return Closed(Full(version, ids, sets), uploads, told)

    waiting = [
        closed(1, [4, 9], outboxes),
        closed(2, [4], outboxes),
        closed(1, [0, 7], outboxes),
        closed(1, [5], {1: outboxes[1]}),  # worker 2 was away when these closed
    ]
    together, rest = take_alike(waiting)
    assert (together.full.version, together.full.blocks.tolist()) == (1, [0, 4, 7, 9])
    assert rest == [waiting[1], waiting[3]]
    for worker in (1, 2):
        mine = together.uploads[worker]
        assert mine.body_of(np.array([4, 7])) == bytes([1, 4, 1, 7])
        assert mine.hint_of(np.array([9])) == bytes([1 + worker, 9 + worker])
    alone, rest = take_alike(rest)
    assert alone is waiting[1]
    assert rest == [waiting[3]]
