"""A worker's conscience: what it refuses to open, whatever it is asked."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest

from mdl.errors import InvalidShare, ProtocolError
from mdl.protocols import sets as active
from mdl.protocols.opening import Answer, Closed, Group, Open, Opener
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.settings import ElGamalSettings, Requirements
from mdl.schemes.threshold import Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.simulator import MemoryJournal
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec

WORKERS, BLOCKS, RUN = 5, 4, b"run"
SETS = np.array([0b00111, 0b10110, 0, 0b00111], np.uint64)
"""Blocks 0 and 3 are shared by workers 1, 2, 3; block 1 by 2, 3, 5; block 2 is missed."""


@dataclass
class Scene:
    """Worker 1 in epoch 1, all sets told; and what an honest manager would ask of it."""

    opener: Opener
    party: SimulatedParty
    scheme: ThresholdEncryption
    shares: dict[int, KeyShare]
    uploads: dict[int, Ciphertext]
    journal: MemoryJournal

    def hint(self, worker: int, block: int) -> bytes:
        width = self.scheme.hint_bytes
        return self.uploads[worker].hint[block * width : (block + 1) * width]

    def group(
        self, *blocks: int, members: tuple[int, ...] = (1, 2, 3), openers: tuple[int, ...] = (1, 2, 3)
    ) -> Group:
        others = [member for member in members if member != 1]
        hints = tuple(b"".join(self.hint(member, block) for block in blocks) for member in others)
        return Group(np.array(blocks, "<u4").tobytes(), members, openers, hints)

    async def ask(self, *groups: Group, epoch: int = 1) -> Answer:
        return await self.opener.answer(self.party, Open(epoch, 1, groups))

    async def tell(self, sets: active.Sets = SETS, first: int = 0, epoch: int = 1) -> None:
        await self.opener.closed(self.party, Closed(epoch, first, active.to_bytes(sets, WORKERS)))


def scene(journal: MemoryJournal | None = None) -> Scene:
    journal = journal or MemoryJournal()
    rng = SystemRandomness()
    scheme = ElGamalSettings(group="insecure64").build(
        Requirements(workers=WORKERS, threshold=3, members=WORKERS, block=1, fixed_point=FixedPoint(2.0, 4))
    )
    public_key, shares = scheme.deal(range(1, WORKERS + 1), rng=rng)
    plaintext = np.arange(BLOCKS, dtype=np.int64)[:, None]
    context = Context(RUN, 1, range(BLOCKS))
    uploads = {
        worker: scheme.encrypt(public_key, shares[worker], plaintext * worker, context, rng=rng)
        for worker in range(1, WORKERS + 1)
    }
    opener = Opener(
        scheme,
        shares[1],
        run=RUN,
        visibility_threshold=3,
        workers=WORKERS,
        blocks=BLOCKS,
        journal=journal,
    )
    opener.begin(1)
    opener.uploaded(np.arange(BLOCKS), uploads[1].hint)
    party = SimulatedParty(1, Codec([Open]), charge=no_charge, transcript=[], on_record=lambda _fact: None)
    return Scene(opener, party, scheme, dict(shares), uploads, journal)


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop(None)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(story())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_what_an_honest_manager_asks_is_answered_and_opens_the_sum() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        answer = await stage.ask(stage.group(0, 3))
        context = Context(RUN, 1, [0, 3], (1, 2, 3), (1, 2, 3))
        width = stage.scheme.hint_bytes
        rows = [b"".join(stage.hint(member, block) for block in (0, 3)) for member in (1, 2, 3)]
        bodies = [
            b"".join(stage.uploads[member].body[block * width : (block + 1) * width] for block in (0, 3))
            for member in (1, 2, 3)
        ]
        shares = {1: answer.shares[0]} | {
            other: stage.scheme.decryption_share(stage.shares[other], rows, context, rng=SystemRandomness())
            for other in (2, 3)
        }
        opened = stage.scheme.combine(stage.scheme.add(bodies, context), shares, context)
        assert opened.ravel().tolist() == [0, 3 * (1 + 2 + 3)]

    play(story)


def test_a_helper_outside_the_set_answers_too() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        answer = await stage.ask(stage.group(1, members=(2, 3, 5), openers=(1, 2, 3)))
        assert len(answer.shares) == 1

    play(story)


REFUSED: dict[str, tuple[Callable[[Scene], Group], str]] = {
    "another set than the closed one": (
        lambda stage: stage.group(0, members=(1, 2, 4), openers=(1, 2, 4)),
        "another set",
    ),
    "a larger set than the closed one": (
        lambda stage: stage.group(0, members=(1, 2, 3, 4), openers=(1, 2, 3)),
        "another set",
    ),
    "a missed block": (lambda stage: stage.group(2), "another set"),
    "a missed block as the empty set": (lambda stage: stage.group(2, members=()), "another set"),
    "blocks of two sets at once": (lambda stage: stage.group(0, 1), "another set"),
    "itself alone": (lambda stage: stage.group(0, members=(1,)), "another set"),
    "a member named twice": (lambda stage: stage.group(0, members=(1, 2, 2, 3)), "another set"),
    "a block twice": (lambda stage: stage.group(0, 0), "or one twice"),
    "a block that does not exist": (
        lambda stage: msgspec.structs.replace(stage.group(3), blocks=np.array([9], "<u4").tobytes()),
        "blocks that are none",
    ),
    "a list of blocks that is none": (
        lambda stage: msgspec.structs.replace(stage.group(0), blocks=b"abc"),
        "list of blocks that is none",
    ),
    "no block": (lambda stage: msgspec.structs.replace(stage.group(), blocks=b""), "blocks that are none"),
    "too few openers": (lambda stage: stage.group(0, openers=(1, 2)), "must answer"),
    "openers without itself": (lambda stage: stage.group(0, openers=(2, 3, 4)), "must answer"),
    "an opener named twice": (lambda stage: stage.group(0, openers=(1, 2, 2)), "must answer"),
    "hints of too few members": (
        lambda stage: msgspec.structs.replace(stage.group(0), hints=stage.group(0).hints[:1]),
        "hints that do not fit",
    ),
    "its own hint shown in place of another's": (
        lambda stage: msgspec.structs.replace(
            stage.group(0), hints=(*stage.group(0).hints, stage.hint(1, 0))
        ),
        "hints that do not fit",
    ),
    "hints of the wrong size": (
        lambda stage: msgspec.structs.replace(stage.group(0), hints=(b"\x01", stage.hint(3, 0))),
        "hints that do not fit",
    ),
}


@pytest.mark.parametrize("asked", REFUSED)
def test_it_refuses_to_open(asked: str) -> None:
    make, reason = REFUSED[asked]

    async def story() -> None:
        stage = scene()
        await stage.tell()
        with pytest.raises(ProtocolError, match=reason) as caught:
            await stage.ask(make(stage))
        assert caught.value.culprits == (0,)

    play(story)


def test_it_refuses_to_open_nothing() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        with pytest.raises(ProtocolError, match="asked to open nothing") as caught:
            await stage.ask()
        assert caught.value.culprits == (0,)

    play(story)


def test_it_refuses_to_upload_twice_in_an_epoch() -> None:
    stage = scene()
    with pytest.raises(ProtocolError, match="upload twice"):
        stage.opener.uploaded(np.arange(BLOCKS), stage.uploads[1].hint)


def test_it_answers_once_for_an_epoch_and_block() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        await stage.ask(stage.group(0))
        with pytest.raises(ProtocolError, match="asked twice"):
            await stage.ask(stage.group(0, 3))

    play(story)


def test_it_gives_no_share_before_all_sets_are_closed() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell(SETS[:3])
        with pytest.raises(ProtocolError, match="before all sets were closed"):
            await stage.ask(stage.group(0))

    play(story)


def test_it_gives_no_share_for_another_epoch() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        for epoch in (0, 2):
            with pytest.raises(ProtocolError, match="in epoch 1"):
                await stage.ask(stage.group(0), epoch=epoch)

    play(story)


def test_the_sets_are_on_disk_before_any_share_is_given() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        kept = stage.journal.read("sets", 1)
        assert kept is not None
        assert (active.from_bytes(kept["sets"].tobytes(), WORKERS) == SETS).all()

    play(story)


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ([0b00011, 0, 0, 0], "fewer than m = 3"),
        ([0b00001, 0, 0, 0], "fewer than m = 3"),
        ([0b100111, 0, 0, 0], "beyond worker 5"),
        ([0, 0, 0, 0, 0], "out of order"),
    ],
)
def test_it_refuses_sets_that_may_not_be_closed(sets: list[int], reason: str) -> None:
    async def story() -> None:
        stage = scene()
        with pytest.raises(ProtocolError, match=reason):
            await stage.tell(np.array(sets, np.uint64))

    play(story)


def test_it_refuses_to_be_counted_in_where_it_uploaded_nothing() -> None:
    async def story() -> None:
        stage = scene()
        stage.opener.begin(2)
        stage.opener.uploaded(np.array([0]), stage.hint(1, 0))
        with pytest.raises(ProtocolError, match="uploaded nothing"):
            await stage.tell(epoch=2)

    play(story)


def test_it_refuses_to_be_told_twice() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        with pytest.raises(ProtocolError, match="told twice"):
            await stage.tell()

    play(story)


def test_a_repeated_epoch_is_held_to_the_sets_on_disk() -> None:
    async def story() -> None:
        first = scene()
        await first.tell()
        again = scene(first.journal)
        other = SETS.copy()
        other[0] = 0b01011
        with pytest.raises(ProtocolError, match="another set than the first time"):
            await again.tell(other)
        fewer = SETS.copy()
        fewer[0] = 0
        third = scene(first.journal)
        await third.tell(fewer)
        kept = first.journal.read("sets", 1)
        assert kept is not None
        # What is missed the second time stays bound to the set of the first, for a third attempt.
        assert (active.from_bytes(kept["sets"].tobytes(), WORKERS) == SETS).all()

    play(story)


def test_an_element_outside_the_group_is_refused_before_the_key_touches_it() -> None:
    async def story() -> None:
        stage = scene()
        await stage.tell()
        nothing = b"\x00" * stage.scheme.hint_bytes
        with pytest.raises(InvalidShare):
            await stage.ask(msgspec.structs.replace(stage.group(0), hints=(nothing, stage.hint(3, 0))))

    play(story)
