"""The worker's book of versions: what it refuses to be told and to open, and what it offers again."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from mdl.errors import ProtocolError
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Group, Open
from mdl.protocols.rows import MESSAGE_LIMIT_BYTES
from mdl.protocols.seats import Full
from mdl.protocols.versions import Closing, Offers, VersionOpener, _Hints, closings
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.settings import ElGamalSettings, PlainSettings, Requirements
from mdl.schemes.threshold import Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec

WORKERS, BLOCKS, WINDOW, STALENESS, RUN = 5, 4, 2, 2, b"run"
WANTED = Requirements(workers=WORKERS, threshold=3, members=WORKERS, block=1, fixed_point=FixedPoint(4.0, 4))
US = (1, 2, 3)


def ids(*blocks: int) -> NDArray[np.int64]:
    return np.array(blocks, np.int64)


def mask_of(members: Sequence[int]) -> int:
    return sum(1 << (member - 1) for member in members)


def closing(version: int, sets: Mapping[int, tuple[int, ...]]) -> Closing:
    masks = np.array([mask_of(members) for members in sets.values()], np.uint64)
    return Closing(version, np.array(list(sets), "<u4").tobytes(), active.to_bytes(masks, WORKERS))


@dataclass
class Scene:
    """Workers 1 to 5, each with its book, and what they encrypted: w times the version for worker w."""

    scheme: ThresholdEncryption
    public_key: bytes
    shares: dict[int, KeyShare]
    openers: dict[int, VersionOpener]
    uploads: dict[tuple[int, int, int], Ciphertext] = field(default_factory=dict)

    def upload(self, worker: int, version: int, *blocks: int) -> None:
        context = Context(RUN, version, blocks)
        plaintext = np.full((len(blocks), 1), worker * version)
        sent = self.scheme.encrypt(
            self.public_key, self.shares[worker], plaintext, context, rng=SystemRandomness()
        )
        self.openers[worker].uploaded(ids(*blocks), version, sent.hint)
        body, hint = self.scheme.body_bytes, self.scheme.hint_bytes
        for at, block in enumerate(blocks):
            self.uploads[worker, version, block] = Ciphertext(
                sent.body[at * body : (at + 1) * body], sent.hint[at * hint : (at + 1) * hint]
            )

    def tell(self, version: int, members: tuple[int, ...], *blocks: int) -> None:
        """Tell everybody that these blocks close with this set."""
        for opener in self.openers.values():
            opener.closed(closing(version, dict.fromkeys(blocks, members)))

    def fill(self, version: int, members: tuple[int, ...], *blocks: int) -> None:
        for member in members:
            self.upload(member, version, *blocks)
        self.tell(version, members, *blocks)

    def group(
        self,
        to: int,
        version: int,
        *blocks: int,
        members: tuple[int, ...] = US,
        openers: tuple[int, ...] = US,
    ) -> Group:
        hints = tuple(
            b"".join(self.uploads[member, version, block].hint for block in blocks)
            for member in members
            if member != to
        )
        return Group(np.array(blocks, "<u4").tobytes(), members, openers, hints)

    async def ask(self, worker: int, version: int, *groups: Group) -> Answer:
        return await self.openers[worker].answer(party(worker), Open(version, 1, groups))

    async def open(
        self,
        version: int,
        *blocks: int,
        members: tuple[int, ...] = US,
        openers: tuple[int, ...] = US,
    ) -> list[int]:
        """Be an honest manager: open the sums of these blocks."""
        answers = {
            worker: await self.ask(
                worker, version, self.group(worker, version, *blocks, members=members, openers=openers)
            )
            for worker in openers
        }
        return self.combine(version, *blocks, members=members, openers=openers, answers=answers)

    def combine(
        self,
        version: int,
        *blocks: int,
        members: tuple[int, ...],
        openers: tuple[int, ...],
        answers: dict[int, Answer],
    ) -> list[int]:
        context = Context(RUN, version, blocks, members, openers)
        bodies = [b"".join(self.uploads[who, version, block].body for block in blocks) for who in members]
        shares = {worker: answer.shares[0] for worker, answer in answers.items()}
        sums: list[int] = (
            self.scheme.combine(self.scheme.add(bodies, context), shares, context).ravel().tolist()
        )
        return sums

    def kept_rows(self, worker: int) -> int:
        """How many rows of hint a worker still has in memory."""
        hints = self.openers[worker]._hints
        return sum(len(chunk) for chunk in hints._chunks.values())


def party(worker: int) -> SimulatedParty:
    return SimulatedParty(
        worker, Codec([Open]), charge=no_charge, transcript=[], on_record=lambda _fact: None
    )


def scene(*, window: int = WINDOW) -> Scene:
    scheme = ElGamalSettings(group="insecure64").build(WANTED)
    public_key, shares = scheme.deal(range(1, WORKERS + 1), rng=SystemRandomness())
    openers = {worker: book_of(scheme, share, window=window) for worker, share in shares.items()}
    return Scene(scheme, public_key, dict(shares), openers)


def book_of(scheme: ThresholdEncryption, share: KeyShare, *, window: int = WINDOW) -> VersionOpener:
    return VersionOpener(
        scheme,
        share,
        run=RUN,
        visibility_threshold=3,
        workers=WORKERS,
        window=window,
        versions=np.ones(BLOCKS, np.int64),
    )


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop(None)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(story())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_version_after_version_opens_the_sum_of_what_was_contributed_to_it() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0, 2)
        stage.fill(2, (1, 4, 5), 0)
        # The first is opened while the second is closed already, with a helper; and the other way round.
        assert await stage.open(2, 0, members=(1, 4, 5), openers=(1, 2, 4)) == [2 * (1 + 4 + 5)]
        assert await stage.open(1, 0, 2, openers=(1, 2, 3)) == [1 + 2 + 3] * 2

    play(story)


def test_the_hint_that_stands_for_a_worker_is_the_one_it_kept() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0)
        kept = stage.uploads[1, 1, 0]
        # The manager would have it open something else in its place, and cannot tell it so.
        stage.uploads[1, 1, 0] = Ciphertext(kept.body, stage.uploads[2, 1, 0].hint)
        answer = await stage.ask(1, 1, stage.group(1, 1, 0))
        stage.uploads[1, 1, 0] = kept
        answers = {1: answer} | {who: await stage.ask(who, 1, stage.group(who, 1, 0)) for who in (2, 3)}
        assert stage.combine(1, 0, members=US, openers=US, answers=answers) == [6]

    play(story)


def test_where_it_is_a_member_it_is_not_shown_what_stands_for_it() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0)
        group = stage.group(1, 1, 0)
        shown = msgspec.structs.replace(group, hints=(stage.uploads[3, 1, 0].hint, *group.hints))
        with pytest.raises(ProtocolError, match="hints that do not fit"):
            await stage.ask(1, 1, shown)

    play(story)


REFUSED: dict[str, tuple[Callable[[Scene], Group], str]] = {
    "another set than the closed one": (
        lambda stage: stage.group(1, 1, 0, members=(1, 2, 4), openers=(1, 2, 4)),
        "another set",
    ),
    "a larger set than the closed one": (
        lambda stage: stage.group(1, 1, 0, members=(1, 2, 3, 4)),
        "another set",
    ),
    "itself alone": (lambda stage: stage.group(1, 1, 0, members=(1,)), "another set"),
    "nobody": (lambda stage: stage.group(1, 1, 0, members=()), "another set"),
    "a member that is none of the workers": (
        lambda stage: msgspec.structs.replace(stage.group(1, 1, 0), members=(1, 2, 3, 9)),
        "another set",
    ),
    "a block that has not closed": (lambda stage: stage.group(1, 1, 1), "before the sets were closed"),
    "a closed block and one that has not": (
        lambda stage: stage.group(1, 1, 0, 1),
        "before the sets were closed",
    ),
    "a block twice": (lambda stage: stage.group(1, 1, 0, 0), "or one twice"),
    "a block that does not exist": (
        lambda stage: msgspec.structs.replace(
            stage.group(1, 1, 0), blocks=np.array([BLOCKS], "<u4").tobytes()
        ),
        "blocks that are none",
    ),
    "no block": (lambda stage: msgspec.structs.replace(stage.group(1, 1, 0), blocks=b""), "that are none"),
    "too few openers": (lambda stage: stage.group(1, 1, 0, openers=(1, 2)), "must answer"),
    "too many openers": (lambda stage: stage.group(1, 1, 0, openers=(1, 2, 3, 4)), "must answer"),
    "openers without itself": (lambda stage: stage.group(1, 1, 0, openers=(2, 3, 4)), "must answer"),
    "an opener named twice": (lambda stage: stage.group(1, 1, 0, openers=(1, 2, 2)), "must answer"),
    "hints of too few members": (
        lambda stage: msgspec.structs.replace(stage.group(1, 1, 0), hints=stage.group(1, 1, 0).hints[:1]),
        "hints that do not fit",
    ),
    "hints of the wrong size": (
        lambda stage: msgspec.structs.replace(stage.group(1, 1, 0), hints=(b"\x01", b"\x02")),
        "hints that do not fit",
    ),
}


@pytest.mark.parametrize("asked", REFUSED)
def test_it_refuses_to_open(asked: str) -> None:
    make, reason = REFUSED[asked]

    async def story() -> None:
        stage = scene()
        for worker in range(1, WORKERS + 1):
            stage.upload(worker, 1, *range(BLOCKS))
        stage.tell(1, US, 0)
        with pytest.raises(ProtocolError, match=reason) as caught:
            await stage.ask(1, 1, make(stage))
        assert caught.value.culprits == (0,)

    play(story)


def test_it_answers_once_for_a_version_of_a_block() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0, 1)
        await stage.ask(1, 1, stage.group(1, 1, 0))
        again = {
            "alone": [stage.group(1, 1, 0)],
            "with another block": [stage.group(1, 1, 0, 1)],
            "with other openers": [stage.group(1, 1, 0, openers=(1, 4, 5))],
        }
        for groups in again.values():
            with pytest.raises(ProtocolError, match="asked twice"):
                await stage.ask(1, 1, *groups)
        twice = [stage.group(1, 1, 1), stage.group(1, 1, 1)]
        with pytest.raises(ProtocolError, match="asked twice"):
            await stage.ask(1, 1, *twice)

    play(story)


def test_a_helper_answers_once_too() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0)
        group = stage.group(4, 1, 0, openers=(1, 2, 4))
        await stage.ask(4, 1, group)
        with pytest.raises(ProtocolError, match="asked twice"):
            await stage.ask(4, 1, group)

    play(story)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_it_answers_for_the_last_versions_and_for_none_that_is_long_over(window: int) -> None:
    async def story() -> None:
        stage = scene(window=window)
        for version in range(1, window + 2):
            stage.fill(version, US, 0)
        with pytest.raises(ProtocolError, match="long over"):
            await stage.ask(1, 1, stage.group(1, 1, 0))
        for version in range(2, window + 2):
            assert await stage.open(version, 0) == [6 * version]
        for version in (0, -1, -(1 << 62)):
            with pytest.raises(ProtocolError, match="long over"):
                await stage.ask(1, version, msgspec.structs.replace(stage.group(1, 1, 0)))
        for version in (window + 2, 1 << 62):
            with pytest.raises(ProtocolError, match="before the sets were closed"):
                await stage.ask(1, version, stage.group(1, 1, 0))

    play(story)


def test_what_was_accepted_is_answered_though_later_versions_have_closed_meanwhile() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0)
        # A worker that hung hears all this at once.
        question = Open(1, 1, (stage.group(1, 1, 0),))
        accepted = stage.openers[1].accept(question)
        for version in range(2, WINDOW + 3):
            stage.fill(version, (2, 3, 4), 0)
        answers = {1: await stage.openers[1].give(party(1), question, accepted)}
        rows = [stage.uploads[who, 1, 0].hint for who in US]
        context = Context(RUN, 1, [0], US, US)
        for other in (2, 3):
            share = stage.scheme.decryption_share(stage.shares[other], rows, context, rng=SystemRandomness())
            answers[other] = Answer(1, 1, (share,))
        assert stage.combine(1, 0, members=US, openers=US, answers=answers) == [6]

    play(story)


BAD_CLOSINGS: dict[str, tuple[Closing, str]] = {
    "too small a set": (closing(1, {0: (1, 2)}), "not exactly m = 3"),
    "nobody": (closing(1, {0: ()}), "not exactly m = 3"),
    "too large a set": (closing(1, {0: (1, 2, 3, 4)}), "not exactly m = 3"),
    "one too small among others": (closing(1, {0: US, 1: (2, 3)}), "not exactly m = 3"),
    "a later version than collects": (closing(2, {0: US}), "does not collect"),
    "an earlier version": (closing(0, {0: US}), "does not collect"),
    "no version that could be": (closing(1 << 70, {0: US}), "does not collect"),
    "a block that does not exist": (closing(1, {BLOCKS: US}), "does not collect"),
    "a block twice": (
        msgspec.structs.replace(closing(1, {0: US, 1: US}), blocks=np.array([1, 1], "<u4").tobytes()),
        "do not fit",
    ),
    "blocks out of order": (closing(1, {1: US, 0: US}), "do not fit"),
    "no block": (closing(1, {}), "do not fit"),
    "more sets than blocks": (
        msgspec.structs.replace(closing(1, {0: US, 1: US}), blocks=b"\0\0\0\0"),
        "do not fit",
    ),
    "a list of blocks that is none": (
        msgspec.structs.replace(closing(1, {0: US}), blocks=b"abc"),
        "closed sets that are none",
    ),
    "a member that is none of the workers": (
        msgspec.structs.replace(closing(1, {0: US}), sets=b"\x27"),
        "beyond worker 5",
    ),
}


@pytest.mark.parametrize("told", BAD_CLOSINGS)
def test_it_refuses_to_be_told(told: str) -> None:
    message, reason = BAD_CLOSINGS[told]
    opener = scene().openers[5]
    with pytest.raises(ProtocolError, match=reason) as caught:
        opener.closed(message)
    assert caught.value.culprits == (0,)
    assert opener.versions.tolist() == [1] * BLOCKS
    opener.closed(closing(1, dict.fromkeys(range(BLOCKS), US)))


def test_it_refuses_to_be_told_of_a_version_twice() -> None:
    opener = scene().openers[5]
    opener.closed(closing(1, {0: US}))
    for again in (US, (2, 3, 4)):
        with pytest.raises(ProtocolError, match="told twice"):
            opener.closed(closing(1, {0: again}))


def test_it_refuses_to_be_counted_in_where_it_uploaded_nothing() -> None:
    stage = scene()
    stage.upload(1, 1, 1)
    for sets in ({0: US}, {0: US, 1: US}):
        with pytest.raises(ProtocolError, match="uploaded nothing"):
            stage.openers[1].closed(closing(1, sets))
    stage.openers[1].closed(closing(1, {1: US}))
    # What was uploaded for one version counts for no other.
    with pytest.raises(ProtocolError, match="uploaded nothing"):
        stage.openers[1].closed(closing(2, {1: US}))


def test_what_was_uploaded_for_a_version_that_closed_without_it_counts_for_no_later_one() -> None:
    stage = scene(window=1)
    for version in range(1, 5):
        stage.upload(1, version, 0)
        stage.openers[1].closed(closing(version, {0: (2, 3, 4)}))
    with pytest.raises(ProtocolError, match="uploaded nothing"):
        stage.openers[1].closed(closing(5, {0: US}))


def test_for_sets_it_joined_in_a_former_life_it_does_not_answer() -> None:
    async def story() -> None:
        stage = scene()
        stage.upload(1, 1, 0)
        reborn = stage.openers[1] = book_of(stage.scheme, stage.shares[1])
        reborn.uploaded_before(ids(0))
        for member in (2, 3):
            stage.upload(member, 1, 0)
        stage.tell(1, US, 0)
        assert reborn.awaits_values
        with pytest.raises(ProtocolError, match="former life"):
            await stage.ask(1, 1, stage.group(1, 1, 0))
        # Others open it, and in the next version all is well.
        assert await stage.open(1, 0, openers=(2, 3, 4)) == [6]
        stage.fill(2, US, 0)
        assert await stage.open(2, 0) == [12]

    play(story)


def test_a_former_life_counts_for_the_versions_that_collected_then_alone() -> None:
    opener = scene().openers[1]
    opener.uploaded_before(ids(0))
    opener.closed(closing(1, {0: (2, 3, 4)}))
    with pytest.raises(ProtocolError, match="uploaded nothing"):
        opener.closed(closing(2, {0: US}))


def test_it_awaits_values_of_closed_sets_it_is_in_until_they_settle() -> None:
    stage = scene()
    opener = stage.openers[1]
    stage.upload(1, 1, 0, 1)
    assert not opener.awaits_values
    blocks, mine, told = opener.closed(closing(1, {0: US, 1: US, 2: (2, 3, 4)}))
    assert blocks.tolist() == [0, 1, 2]
    assert mine.tolist() == [True, True, False]
    assert told.tolist() == [0b111, 0b111, 0b1110]
    opener.settled(1, ids(0))
    assert [opener.awaits_values] == [True]
    opener.settled(1, ids(1))
    assert [opener.awaits_values] == [False]


def test_hints_are_forgotten_once_they_are_answered_with() -> None:
    async def story() -> None:
        stage = scene()
        stage.fill(1, US, 0, 1, 2)
        assert stage.kept_rows(1) == 3
        await stage.open(1, 0, 1)
        await stage.open(1, 2)
        assert [stage.kept_rows(who) for who in US] == [0, 0, 0]

    play(story)


def test_hints_of_sets_that_closed_without_it_are_forgotten() -> None:
    stage = scene()
    stage.upload(1, 1, 0, 1)
    stage.openers[1].closed(closing(1, {0: (2, 3, 4), 1: (2, 3, 5)}))
    assert stage.kept_rows(1) == 0


def test_hints_that_nobody_asked_for_are_forgotten_with_their_version() -> None:
    stage = scene(window=2)
    for version in range(1, 8):
        stage.fill(version, US, *range(BLOCKS))
        assert stage.kept_rows(1) == min(version, 2) * BLOCKS


@given(chunks=st.lists(st.integers(1, 4), min_size=1, max_size=6), data=st.data())
def test_rows_of_hints_are_given_by_address_and_go_with_their_chunk(
    chunks: list[int], data: st.DataObject
) -> None:
    hints = _Hints(2)
    rows: dict[int, bytes] = {}
    for number, count in enumerate(chunks):
        chunk = [bytes([number, row]) for row in range(count)]
        rows |= zip(hints.keep(b"".join(chunk), count).tolist(), chunk, strict=True)
    while rows:
        asked = data.draw(st.lists(st.sampled_from(sorted(rows)), min_size=1))
        assert hints.rows(np.array(asked)).tobytes() == b"".join(rows[address] for address in asked)
        gone = data.draw(st.sets(st.sampled_from(sorted(rows)), min_size=1))
        hints.drop(np.array([-1, -2, *sorted(gone)]))
        for address in gone:
            del rows[address]
    assert not hints._chunks


def test_a_scheme_without_hints_needs_none() -> None:
    async def story() -> None:
        plain = PlainSettings().build(WANTED)
        opener = book_of(plain, KeyShare(1, b""))
        opener.uploaded(ids(0, 1), 1, b"")
        _, mine, _ = opener.closed(closing(1, {0: US, 1: US}))
        assert mine.all()

    play(story)


def test_closed_sets_are_told_in_messages_of_bounded_size() -> None:
    blocks = np.arange(500_000, dtype=np.int64) * 3
    full = Full(7, blocks, np.full(len(blocks), 0b111, np.uint64))
    messages = list(closings(full, WORKERS))
    assert all(len(m.blocks) + len(m.sets) <= MESSAGE_LIMIT_BYTES and m.version == 7 for m in messages)
    assert len(messages) == 3
    assert b"".join(m.blocks for m in messages) == blocks.astype("<u4").tobytes()
    assert b"".join(m.sets for m in messages) == b"\x07" * len(blocks)


@dataclass
class Offer:
    """The model of what a worker carries of one block."""

    value: int
    base: int
    late: bool = False


class OffersAgainstDict(RuleBasedStateMachine):
    """The model is a dict of what is carried; what is not in it is free."""

    @initialize(max_staleness=st.integers(0, 2))
    def begin(self, max_staleness: int) -> None:
        self.max_staleness = max_staleness
        self.offers = Offers(BLOCKS, 1, max_staleness=max_staleness)
        self.versions = np.ones(BLOCKS, np.int64)
        self.carried: dict[int, Offer] = {}
        self.count = 0

    @rule(chosen=st.sets(st.integers(0, BLOCKS - 1)), age=st.integers(0, 3))
    def put(self, chosen: set[int], age: int) -> None:
        blocks = ids(*sorted(chosen - self.carried.keys()))
        values = self.count + np.arange(len(blocks))
        bases = self.versions[blocks] - age
        self.count += len(blocks)
        self.offers.put(blocks, values[:, None], bases)
        for block, value, base in zip(blocks.tolist(), values.tolist(), bases.tolist(), strict=True):
            self.carried[block] = Offer(value, base)

    @precondition(lambda self: len(self.carried) < BLOCKS)
    @rule(data=st.data())
    def remember_a_former_life(self, data: st.DataObject) -> None:
        block = data.draw(st.sampled_from(sorted(set(range(BLOCKS)) - self.carried.keys())))
        self.offers.put_before(ids(block))
        self.carried[block] = Offer(-1, -1_000_000)

    @rule(chosen=st.sets(st.integers(0, BLOCKS - 1), min_size=1), mine=st.sets(st.integers(0, BLOCKS - 1)))
    def close(self, chosen: set[int], mine: set[int]) -> None:
        blocks = sorted(chosen)
        # Nobody is in a set that it handed in nothing for.
        mine = {block for block in mine if block in self.carried and not self.carried[block].late}
        self.offers.closed(ids(*blocks), np.array([block in mine for block in blocks]))
        self.versions[blocks] += 1
        for block in chosen & self.carried.keys():
            if block in mine:
                del self.carried[block]
            else:
                self.carried[block].late = True

    @rule()
    def offer_again(self) -> None:
        blocks, values = self.offers.take_late(self.versions)
        expected = {}
        for block, offer in list(self.carried.items()):
            if offer.late:
                if self.versions[block] - offer.base <= self.max_staleness:
                    expected[block] = offer.value
                    offer.late = False
                else:
                    del self.carried[block]
        assert dict(zip(blocks.tolist(), values.ravel().tolist(), strict=True)) == expected

    @invariant()
    def what_is_not_carried_is_free(self) -> None:
        assert np.flatnonzero(~self.offers.free).tolist() == sorted(self.carried)


OffersAgainstDict.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOffersAgainstDict = OffersAgainstDict.TestCase


@pytest.mark.parametrize("closed_meanwhile", range(5))
def test_a_gradient_is_fresh_until_more_versions_than_allowed_have_closed(closed_meanwhile: int) -> None:
    offers = Offers(1, 1, max_staleness=STALENESS)
    now, base = ids(1 + closed_meanwhile), ids(1)
    assert offers.fresh(now, base).tolist() == [closed_meanwhile <= STALENESS]


def test_what_waits_is_not_offered_again() -> None:
    offers = Offers(2, 1, max_staleness=STALENESS)
    offers.put(ids(0, 1), np.array([[5], [6]]), ids(1, 1))
    assert not len(offers.take_late(ids(1, 1))[0])
    offers.closed(ids(0), np.array([False]))
    again, values = offers.take_late(ids(2, 1))
    assert (again.tolist(), values.tolist()) == ([0], [[5]])
    assert not len(offers.take_late(ids(2, 1))[0])
    assert not offers.free.any()
