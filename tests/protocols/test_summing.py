"""Opening sums, the manager's side: whoever leaves, hangs or comes late, what is opened is right."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import InvalidShare, PeerLeft
from mdl.party import MANAGER
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Group, Open
from mdl.protocols.rows import rows
from mdl.protocols.summing import Contribution, Desk, Opened, announce, open_sums
from mdl.protocols.versions import Closing, VersionOpener
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.settings import ElGamalSettings, PlainSettings, Requirements
from mdl.schemes.threshold import Context, KeyShare, ThresholdEncryption
from mdl.simulator import Network
from mdl.simulator.party import SimulatedParty
from tests.protocols.parties import now, play, star_of

WORKERS, BLOCKS, THRESHOLD, RUN = 5, 6, 3, b"run"
WITHIN = 10.0

WANTED = Requirements(
    workers=WORKERS, threshold=THRESHOLD, members=WORKERS, block=1, fixed_point=FixedPoint(4.0, 4)
)
ELGAMAL = ElGamalSettings(group="insecure64").build(WANTED)
PLAIN = PlainSettings().build(WANTED)


@dataclass
class Manner:
    """How a worker behaves.

    Attributes:
        kind: it answers; or hears everything and says nothing; or answers after it has been given up; or
            leaves in place of an answer.
        pause: before an answer, in seconds.
        answers: how many it gives before it leaves.
    """

    kind: Literal["prompt", "silent", "late", "leaves"] = "prompt"
    pause: float = 0.0
    answers: int = 0


@dataclass
class Stage:
    """A manager with a desk, and workers that keep the rules; everybody uploaded worker + block + version."""

    manners: dict[int, Manner]
    scheme: ThresholdEncryption = ELGAMAL
    members: int = THRESHOLD
    asked: list[tuple[int, int]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parties = star_of(WORKERS, [Open, Answer])
        self.desk = Desk(self.parties[MANAGER])
        everybody = range(1, WORKERS + 1)
        self.public_key, self.shares = self.scheme.deal(everybody, rng=SystemRandomness())
        self.openers = {worker: self.book(worker) for worker in everybody}

    def book(self, worker: int) -> VersionOpener:
        share = self.shares[worker] if self.shares else KeyShare(worker, b"")
        return VersionOpener(
            self.scheme,
            share,
            run=RUN,
            visibility_threshold=self.members,
            workers=WORKERS,
            window=3,
            versions=np.ones(BLOCKS, np.int64),
        )

    def upload(self, version: int) -> dict[int, Contribution]:
        blocks = np.arange(BLOCKS)
        uploads = {}
        for worker, opener in self.openers.items():
            plaintext = (worker + version + blocks)[:, None]
            context = Context(RUN, version, blocks.tolist())
            sent = self.scheme.encrypt(
                self.public_key, self.shares[worker], plaintext, context, rng=SystemRandomness()
            )
            opener.uploaded(blocks, version, sent.hint)
            bodies, hints = rows(sent.body, self.scheme.body_bytes), rows(sent.hint, self.scheme.hint_bytes)
            uploads[worker] = Contribution(blocks, bodies, hints if len(hints) else bodies[:, :0])
        return uploads

    async def open(self, version: int, sets: Sequence[tuple[int, ...]]) -> Sequence[Opened]:
        """Close all blocks with these sets, tell everybody, and have the sums opened."""
        uploads = self.upload(version)
        masks = np.array([sum(1 << (worker - 1) for worker in members) for members in sets], np.uint64)
        told = Closing(version, np.arange(BLOCKS, dtype="<u4").tobytes(), active.to_bytes(masks, WORKERS))
        for opener in self.openers.values():
            opener.closed(told)
        return await open_sums(
            self.desk,
            self.scheme,
            uploads,
            active.groups(masks),
            online=lambda: self.parties[MANAGER].peers,
            run=RUN,
            epoch=version,
            within=WITHIN,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The desk is served and the workers work; what goes wrong with one of them is raised at the end."""
        self.start(self.desk.serve())
        for worker in range(1, WORKERS + 1):
            self.start(self.serve(worker))
        try:
            yield
        finally:
            await stop(self.tasks)

    def start(self, errand: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(errand))

    async def serve(self, worker: int) -> None:
        """Be a worker. Whoever is asked what may not be asked, or twice, fails the test."""
        party, manner, answered = self.parties[worker], self.manners.get(worker, Manner()), 0
        with suppress(PeerLeft):
            while True:
                question = (await party.receive(Open, sender=MANAGER)).message
                self.asked.append((worker, question.epoch))
                requests = self.openers[worker].accept(question)
                if manner.kind == "leaves" and answered == manner.answers:
                    party.leave()
                answered += 1
                if manner.kind != "silent":
                    self.start(self.reply(worker, question, requests))

    async def reply(
        self, worker: int, question: Open, requests: Sequence[tuple[list[bytes], Context]]
    ) -> None:
        manner = self.manners.get(worker, Manner())
        await asyncio.sleep(manner.pause + (WITHIN if manner.kind == "late" else 0.0))
        answer = await self.openers[worker].give(self.parties[worker], question, requests)
        with suppress(PeerLeft):
            await self.parties[worker].send(MANAGER, answer)

    def asked_for(self, version: int) -> set[int]:
        return {worker for worker, epoch in self.asked if epoch == version}


async def stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel whoever still waits; raise what went wrong with the others."""
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception):
            raise end


def check_sums(opened: Sequence[Opened], version: int, sets: Sequence[tuple[int, ...]]) -> set[int]:
    """Check every sum; give the blocks that were opened."""
    seen: set[int] = set()
    for result in opened:
        for block, total in zip(result.blocks.tolist(), result.sums.ravel().tolist(), strict=True):
            assert block not in seen
            seen.add(block)
            assert result.members == sets[block]
            assert total == sum(worker + version + block for worker in sets[block])
    return seen


def sets_of(members: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """An active set of so many members for each block."""
    one = st.permutations(range(1, WORKERS + 1)).map(lambda found: tuple(sorted(found[:members])))
    return st.lists(one, min_size=BLOCKS, max_size=BLOCKS)


pairs_of_sets = st.integers(THRESHOLD, WORKERS).flatmap(lambda m: st.tuples(sets_of(m), sets_of(m)))
manners = st.builds(
    Manner,
    st.sampled_from(["prompt", "prompt", "silent", "late", "leaves"]),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.integers(0, 2),
)


@given(
    manners=st.fixed_dictionaries(dict.fromkeys(range(1, WORKERS + 1), manners)),
    pair=pairs_of_sets,
    schedule=st.integers(0, 2**32),
)
def test_as_long_as_enough_answer_everything_is_opened_and_nobody_answers_twice(
    manners: dict[int, Manner],
    pair: tuple[list[tuple[int, ...]], list[tuple[int, ...]]],
    schedule: int,
) -> None:
    prompt = {worker for worker, manner in manners.items() if manner.kind == "prompt"}
    sometimes = {worker for worker, m in manners.items() if m.kind == "leaves" and m.answers}

    async def story() -> None:
        stage = Stage(manners, members=len(pair[0][0]))
        async with stage.at_work():
            for version, sets in enumerate(pair, 1):
                # What the late say about the first version comes in the midst of the second.
                mute = {worker for worker in stage.desk.silent if manners[worker].kind == "silent"}
                opened = check_sums(await stage.open(version, sets), version, sets)
                if len(prompt) >= THRESHOLD:
                    assert opened == set(range(BLOCKS))
                    assert not mute & stage.asked_for(version), "the silent are asked last"
                if len(prompt | sometimes) < THRESHOLD:
                    assert not opened

    play(story, schedule=schedule)


def test_members_are_asked_first() -> None:
    async def story() -> None:
        stage = Stage({})
        async with stage.at_work():
            sets = [(1, 2, 4)] * BLOCKS
            assert len(check_sums(await stage.open(1, sets), 1, sets)) == BLOCKS
            assert stage.asked_for(1) == {1, 2, 4}

    play(story)


def test_all_members_have_their_turn_where_they_are_more_than_are_needed() -> None:
    async def story() -> None:
        stage = Stage({}, members=4)
        async with stage.at_work():
            sets = [(1, 2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 5), (1, 2, 4, 5), (1, 3, 4, 5), (1, 2, 3, 4)]
            check_sums(await stage.open(1, sets), 1, sets)
            assert stage.asked_for(1) == {1, 2, 3, 4, 5}

    play(story)


def test_who_is_silent_is_replaced_after_a_while_and_asked_last_until_it_is_heard_of() -> None:
    async def story() -> None:
        stage = Stage({2: Manner("late", pause=5.0)})
        async with stage.at_work():
            sets = [(1, 2, 3)] * BLOCKS
            check_sums(await stage.open(1, sets), 1, sets)
            assert now() == WITHIN
            assert stage.asked_for(1) == {1, 2, 3, 4}
            assert stage.desk.silent == {2}
            check_sums(await stage.open(2, sets), 2, sets)
            assert stage.asked_for(2) == {1, 3, 4}
            assert now() == WITHIN
            await asyncio.sleep(6)
            assert stage.desk.silent == set()

    play(story)


def test_who_replaces_a_lost_opener_is_not_one_that_was_silent_if_another_is_there() -> None:
    async def story() -> None:
        stage = Stage({1: Manner("silent"), 4: Manner("leaves", answers=1)})
        async with stage.at_work():
            first, second = [(1, 3, 4)] * BLOCKS, [(3, 4, 5)] * BLOCKS
            check_sums(await stage.open(1, first), 1, first)
            assert now() == WITHIN
            assert len(check_sums(await stage.open(2, second), 2, second)) == BLOCKS
            assert stage.asked_for(2) == {2, 3, 4, 5}
            assert now() == WITHIN

    play(story)


def test_without_enough_workers_nothing_is_opened_and_nobody_is_asked() -> None:
    async def story() -> None:
        stage = Stage({})
        async with stage.at_work():
            for worker in (1, 2, 3):
                stage.parties[worker].leave()
            assert await stage.open(1, [(1, 2, 3)] * BLOCKS) == []
            assert stage.asked == []

    play(story)


def test_where_nothing_is_hidden_nobody_is_asked() -> None:
    async def story() -> None:
        stage = Stage({}, PLAIN)
        async with stage.at_work():
            sets = [(1, 3, 5)] * BLOCKS
            assert len(check_sums(await stage.open(1, sets), 1, sets)) == BLOCKS
            assert stage.asked == []

    play(story)


# ---------------------------------------------------------------------------------------------------------
# the desk

QUESTION = (Group(b"", (), (), ()),)


async def desk_of_two() -> tuple[Desk, dict[int, SimulatedParty], asyncio.Task[None]]:
    parties = star_of(2, [Open, Answer])
    desk = Desk(parties[MANAGER])
    return desk, parties, asyncio.ensure_future(desk.serve())


async def number_of(party: SimulatedParty) -> int:
    """Hear a question; give its number."""
    return (await party.receive(Open)).message.request


def test_a_late_answer_fits_no_other_question() -> None:
    async def story() -> None:
        desk, parties, serving = await desk_of_two()
        with pytest.raises(TimeoutError):
            await desk.ask(1, 1, QUESTION, within=WITHIN)
        assert desk.silent == {1}
        late = await number_of(parties[1])
        second = asyncio.ensure_future(desk.ask(1, 1, QUESTION, within=WITHIN))
        fresh = await number_of(parties[1])
        await parties[1].send(MANAGER, Answer(1, late, (b"late",)))
        await asyncio.sleep(1)
        assert not second.done()
        assert not desk.silent, "it has been heard of"
        # Nor does another worker's with the right number.
        await parties[2].send(MANAGER, Answer(1, fresh, (b"another's",)))
        await asyncio.sleep(1)
        assert not second.done()
        await parties[1].send(MANAGER, Answer(1, fresh, (b"fresh",)))
        assert await second == (b"fresh",)
        # Said twice is said once.
        await parties[1].send(MANAGER, Answer(1, fresh, (b"again",)))
        await asyncio.sleep(1)
        await stop([serving])

    play(story)


def test_many_questions_are_under_way_at_once() -> None:
    async def story() -> None:
        desk, parties, serving = await desk_of_two()
        asking = [asyncio.ensure_future(desk.ask(1, 1, QUESTION, within=WITHIN)) for _ in range(3)]
        numbers = [await number_of(parties[1]) for _ in asking]
        for number in reversed(numbers):
            await parties[1].send(MANAGER, Answer(1, number, (str(number).encode(),)))
        assert [await share for share in asking] == [(str(number).encode(),) for number in numbers]
        await stop([serving])

    play(story)


def test_desks_with_one_source_of_numbers_never_use_one_twice() -> None:
    async def story() -> None:
        parties, numbers = star_of(1, [Open, Answer]), count(7)
        for expected in (7, 8, 9):
            desk = Desk(parties[MANAGER], numbers=numbers)
            asking = asyncio.ensure_future(desk.ask(1, 1, QUESTION, within=WITHIN))
            assert await number_of(parties[1]) == expected
            asking.cancel()

    play(story)


def test_who_leaves_is_named_at_once() -> None:
    async def story() -> None:
        desk, parties, serving = await desk_of_two()
        asking = asyncio.ensure_future(desk.ask(1, 1, QUESTION, within=WITHIN))
        await asyncio.sleep(1)
        parties[1].leave()
        with pytest.raises(PeerLeft) as caught:
            await asking
        assert caught.value.culprits == (1,)
        assert now() == 1
        with pytest.raises(PeerLeft):
            await desk.ask(1, 1, QUESTION, within=WITHIN)
        assert desk.silent == set()
        await stop([serving])

    play(story)


def test_what_a_worker_said_before_it_left_counts() -> None:
    async def story() -> None:
        desk, parties, serving = await desk_of_two()
        asking = asyncio.ensure_future(desk.ask(1, 1, QUESTION, within=WITHIN))
        number = await number_of(parties[1])
        desk.take(1, number, Answer(1, number, (b"share",)))
        parties[1].leave()
        assert await asking == (b"share",)
        await stop([serving])

    play(story)


@pytest.mark.parametrize("shares", [(), (b"a", b"b")])
def test_another_number_of_shares_than_was_asked_for_is_refused(shares: tuple[bytes, ...]) -> None:
    async def story() -> None:
        desk, parties, serving = await desk_of_two()
        asking = asyncio.ensure_future(desk.ask(2, 1, QUESTION, within=WITHIN))
        await parties[2].send(MANAGER, Answer(1, await number_of(parties[2]), shares))
        with pytest.raises(InvalidShare, match="too few or too many") as caught:
            await asking
        assert caught.value.culprits == (2,)
        await stop([serving])

    play(story)


def test_a_share_of_the_wrong_size_is_refused_by_name() -> None:
    async def story() -> None:
        stage = Stage({})
        serving = asyncio.ensure_future(stage.desk.serve())
        opening = asyncio.ensure_future(stage.open(1, [(1, 2, 3)] * BLOCKS))
        question = (await stage.parties[1].receive(Open)).message
        await stage.parties[1].send(MANAGER, Answer(1, question.request, (b"short",)))
        with pytest.raises(InvalidShare, match="wrong size") as caught:
            await opening
        assert caught.value.culprits == (1,)
        await stop([serving])

    play(story)


def test_sets_are_announced_to_whoever_takes_them_in_time() -> None:
    async def story() -> None:
        networks = {1: Network(bandwidth_bytes_per_second=1.0)}
        parties = star_of(3, [Closed], networks=networks)
        parties[3].leave()
        told = await announce(
            parties[MANAGER], np.array([7, 0], np.uint64), epoch=4, workers=3, to=[1, 2, 3], within=WITHIN
        )
        assert told == [2]
        assert (await parties[2].receive(Closed)).message == Closed(4, 0, b"\x07\x00")

    play(story)
