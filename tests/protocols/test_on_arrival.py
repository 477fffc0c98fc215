"""Shares on arrival, both halves together: exact sums, the paper's cost, and nothing half done."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare, NotEnoughShares, PeerLeft, ProtocolError, UnexpectedMessage
from mdl.party import Message
from mdl.protocols import rows as rows_module
from mdl.protocols.on_arrival import Arrivals, ArrivalWorker, Question, Raise, Raised, RaisedOwn, RaiseOwn
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import EncodingName
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import modular_group
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.threshold import Ciphertext, Context
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec
from mdl.vectors import Integers

WORKERS = 8


def elgamal(name: str, encoding: EncodingName, block: int, threshold: int) -> ElGamal:
    grid = FixedPoint(range=2, fraction_bits=6)
    return ElGamal(name, encoding, block, threshold, grid, members_limit=WORKERS)


@cache
def keys(scheme: ElGamal) -> Any:
    return scheme.deal(range(1, WORKERS + 1), rng=insecure_seeded(1))


@dataclass
class Stage:
    """A manager, all workers, and every message that passed."""

    scheme: ElGamal
    arrivals: Arrivals
    workers: dict[int, ArrivalWorker]
    party: SimulatedParty
    messages: list[Message] = field(default_factory=list)

    async def upload(
        self, worker: int, plaintext: Integers, blocks: Sequence[int], version: int
    ) -> Ciphertext:
        versions = np.full(len(blocks), version)
        context = Context(b"run", version, blocks)
        return await self.workers[worker].encrypt(self.party, plaintext, context, versions)

    async def ask(self, worker: int, question: Question) -> Message:
        reply = await self.workers[worker].answer(self.party, question)
        self.messages += [question, reply]
        return reply

    async def join(self, worker: int, plaintext: Integers, blocks: Sequence[int], version: int = 1) -> None:
        sent = await self.upload(worker, plaintext, blocks, version)
        await self.hand_in(worker, sent, blocks)

    async def hand_in(
        self, worker: int, sent: Ciphertext, blocks: Sequence[int], ask: Callable[..., Any] | None = None
    ) -> None:
        async def put(question: Question) -> Message:
            return await self.ask(worker, question)

        ids = np.array(blocks, np.int64)
        await self.arrivals.join(self.party, ask or put, worker, ids, sent.body, sent.hint)

    async def open(self, blocks: Sequence[int]) -> Integers:
        return await self.arrivals.open(self.party, np.array(blocks, np.int64))


def stage(scheme: ElGamal) -> Stage:
    public_key, shares = keys(scheme)
    workers = {point: ArrivalWorker(scheme, public_key, share) for point, share in shares.items()}
    party = SimulatedParty(0, Codec([Raise]), charge=no_charge, transcript=[], on_record=lambda _fact: None)
    return Stage(scheme, Arrivals(scheme, public_key), workers, party)


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop(None)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(story())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


SCHEMES = [("insecure64", "lifted"), ("insecure256", "exponential"), ("insecure_schnorr96", "lifted")]


@pytest.mark.parametrize("names", SCHEMES, ids=" ".join)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_opened_sums_are_the_plain_ones(names: tuple[str, EncodingName], data: st.DataObject) -> None:
    m, block, count = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    scheme = elgamal(*names, block, m)
    orders = [data.draw(st.permutations(range(1, WORKERS + 1)))[:m] for _ in range(count)]
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    entries = rng.integers(-scheme.fixed_point.limit, scheme.fixed_point.limit + 1, (m, count, block))

    async def story() -> None:
        scene = stage(scheme)
        # At rank l, every block's l-th worker comes; one that comes to several blocks uploads them together.
        # So blocks of one upload may have been reached by different earlier members.
        for rank in range(m):
            for worker in sorted({order[rank] for order in orders}):
                blocks = [block for block, order in enumerate(orders) if order[rank] == worker]
                await scene.join(worker, entries[rank, blocks], blocks)
        np.testing.assert_array_equal(await scene.open(range(count)), entries.sum(axis=0))

    play(story)


def test_blocks_of_one_upload_may_have_different_numbers_of_earlier_members() -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 2, 3))
        await scene.join(4, np.array([[1, 2]]), [1])
        await scene.join(7, np.array([[3, 4], [5, 6]]), [1, 9])
        await scene.join(2, np.array([[10, 10], [20, 20], [30, 30]]), [0, 1, 9])
        assert (await scene.open([1])).tolist() == [[24, 26]]
        await scene.join(5, np.array([[100, -100]]), [9])
        assert (await scene.open([9])).tolist() == [[135, -64]]

    play(story)


@pytest.mark.parametrize("m", [1, 2, 4, 8])
@pytest.mark.parametrize("block", [1, 3])
def test_it_costs_what_the_paper_says(m: int, block: int) -> None:
    """(m² + 3m) elements a parameter; its l-th contributor computes l + 2 powers."""
    scheme = elgamal("insecure64", "lifted", block, m)
    width = modular_group(scheme.group).element_bytes

    async def story() -> None:
        scene, elements = stage(scheme), 0
        for rank, worker in enumerate(range(WORKERS, WORKERS - m, -1), start=1):
            sent = await scene.upload(worker, np.ones((1, block), np.int64), [0], 1)
            await scene.hand_in(worker, sent, [0])
            shown = sum(len(said.elements) for said in scene.messages if isinstance(said, Raise | RaiseOwn))
            raised = sum(
                len(said.elements) for said in scene.messages if isinstance(said, Raised | RaisedOwn)
            )
            uploaded = len(sent.body) + len(sent.hint)
            scene.messages.clear()
            # Each element that a worker sends is one exponentiation of its own.
            assert (uploaded + raised) // width == (rank + 2) * block
            elements += (uploaded + shown + raised) // width
        # A block's parameters are shown an earlier member's element together: with block 1 nothing is saved.
        assert elements == (m**2 + 3 * m) * block - (block - 1) * m * (m - 1) // 2

    play(story)


def test_a_new_set_begins_where_one_was_opened() -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 2))
        for version in (1, 2):
            for worker in (3, 5):
                await scene.join(worker, np.array([[worker * version]]), [6], version)
            assert (await scene.open([6])).tolist() == [[8 * version]]
            for worker in (3, 5):
                scene.workers[worker].forget([6], version)

    play(story)


def test_who_comes_while_a_sum_is_opened_joins_the_next_set() -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 2))
        for worker in (3, 5):
            await scene.join(worker, np.array([[worker]]), [6])
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(scene.open([6]))
            await asyncio.sleep(0)
            tasks.create_task(scene.join(4, np.array([[40]]), [6], version=2))
        await scene.join(3, np.array([[30]]), [6], version=2)
        assert (first.result().tolist(), (await scene.open([6])).tolist()) == ([[8]], [[70]])

    play(story)


def test_a_set_below_the_threshold_does_not_open() -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 3))
        await scene.join(1, np.array([[7]]), [0])
        await scene.join(2, np.array([[7]]), [0])
        for blocks in ([0], [5]):
            with pytest.raises(NotEnoughShares):
                await scene.open(blocks)

    play(story)


@pytest.mark.parametrize("kind", [Raise, RaiseOwn])
def test_a_newcomer_that_leaves_half_way_has_changed_nothing(kind: type[Message]) -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 2, 3))
        for worker in (1, 2):
            await scene.join(worker, np.full((2, 2), worker), [0, 1])

        async def leave(question: Question) -> Message:
            if isinstance(question, kind):
                raise PeerLeft("gone", [3])
            return await scene.ask(3, question)

        sent = await scene.upload(3, np.full((2, 2), 50), [0, 1], 1)
        with pytest.raises(PeerLeft):
            await scene.hand_in(3, sent, [0, 1], leave)
        await scene.join(4, np.full((2, 2), 4), [0, 1])
        assert (await scene.open([0, 1])).tolist() == [[7, 7], [7, 7]]

    play(story)


def test_one_that_leaves_between_two_parts_has_changed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MESSAGE_LIMIT_BYTES", 8)

    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 2))
        await scene.join(1, np.array([[1], [2]]), [0, 1])
        answered: list[Question] = []

        async def leave(question: Question) -> Message:
            if len(answered) == 3:
                raise PeerLeft("gone", [3])
            answered.append(question)
            return await scene.ask(3, question)

        sent = await scene.upload(3, np.array([[50], [50]]), [0, 1], 1)
        with pytest.raises(PeerLeft):
            await scene.hand_in(3, sent, [0, 1], leave)
        await scene.join(4, np.array([[10], [20]]), [0, 1])
        assert (await scene.open([0, 1])).tolist() == [[11], [22]]

    play(story)


def test_no_message_carries_more_elements_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, blocks = 200, range(30)
    monkeypatch.setattr(rows_module, "MESSAGE_LIMIT_BYTES", limit)

    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 2, 4))
        values = np.arange(60).reshape(30, 2)
        for worker in (8, 3, 5, 1):
            await scene.join(worker, values, blocks)
        assert max(len(getattr(said, "elements", b"")) for said in scene.messages) <= limit
        np.testing.assert_array_equal(await scene.open(blocks), 4 * values)

    play(story)


def ids(*blocks: int) -> bytes:
    return np.array(blocks, "<u4").tobytes()


ELEMENT = b"\0" * 7 + b"\2"

REFUSED: dict[str, tuple[Question, str]] = {
    "a block it did not upload": (RaiseOwn(1, ids(3), ELEMENT), "not uploaded"),
    "a list of blocks that is none": (RaiseOwn(1, b"abc", ELEMENT), "not uploaded"),
    "counts that do not fit": (Raise(1, ids(0), b"\1\1", 2 * ELEMENT), "counts"),
    "too few elements": (Raise(1, ids(0), b"\2", ELEMENT), "1 elements where 2 were due"),
    "too many elements": (RaiseOwn(1, ids(0), 2 * ELEMENT), "2 elements where 1 were due"),
    "half an element": (RaiseOwn(1, ids(0), ELEMENT[1:]), "no whole number"),
    "zero": (RaiseOwn(1, ids(0), b"\0" * 8), "outside the range"),
}


@pytest.mark.parametrize("asked", REFUSED)
def test_a_worker_blames_the_manager_for(asked: str) -> None:
    question, reason = REFUSED[asked]

    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 3))
        await scene.upload(1, np.array([[7]]), [0], 1)
        with pytest.raises(ProtocolError, match=reason) as caught:
            await scene.ask(1, question)
        assert caught.value.culprits == (0,)

    play(story)


def test_nonces_are_forgotten_with_the_version_and_not_before() -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 3))
        await scene.upload(1, np.array([[7], [8]]), [0, 1], 5)
        scene.workers[1].forget([0, 1, 2], 4)
        assert isinstance(await scene.ask(1, RaiseOwn(1, ids(0, 1), 2 * ELEMENT)), RaisedOwn)
        scene.workers[1].forget([0], 5)
        with pytest.raises(ProtocolError, match="are closed"):
            await scene.ask(1, RaiseOwn(2, ids(0), ELEMENT))
        await scene.ask(1, RaiseOwn(3, ids(1), ELEMENT))

    play(story)


@pytest.mark.parametrize("kind", [Raise, RaiseOwn])
def test_an_answer_of_another_kind_is_blamed_on_the_newcomer(kind: type[Message]) -> None:
    async def story() -> None:
        scene = stage(elgamal("insecure64", "lifted", 1, 2))
        await scene.join(1, np.array([[1]]), [0])

        async def confused(question: Question) -> Message:
            reply = await scene.ask(2, question)
            return question if isinstance(question, kind) else reply

        sent = await scene.upload(2, np.array([[2]]), [0], 1)
        with pytest.raises(UnexpectedMessage) as caught:
            await scene.hand_in(2, sent, [0], confused)
        assert caught.value.culprits == (2,)

    play(story)


@pytest.mark.parametrize("spoilt", ["hint", "body", "raised", "own"])
@pytest.mark.parametrize("alien", [b"\0" * 12, b"", "negated"], ids=["zero", "nothing", "negated"])
def test_what_is_no_element_is_blamed_on_the_newcomer(spoilt: str, alien: bytes | str) -> None:
    scheme = elgamal("insecure_schnorr96", "lifted", 1, 2)
    p = int(modular_group(scheme.group).p)

    def spoil(packed: bytes) -> bytes:
        if isinstance(alien, bytes):
            return alien
        return (p - int.from_bytes(packed, "big")).to_bytes(len(packed), "big")

    async def story() -> None:
        scene = stage(scheme)
        await scene.join(1, np.array([[1]]), [0])
        sent = await scene.upload(2, np.array([[2]]), [0], 1)
        if spoilt == "hint":
            sent = Ciphertext(sent.body, spoil(sent.hint))
        if spoilt == "body":
            sent = Ciphertext(spoil(sent.body), sent.hint)

        async def ask(question: Question) -> Message:
            reply = await scene.ask(2, question)
            if isinstance(reply, Raised) and spoilt == "raised":
                return Raised(reply.request, spoil(reply.elements))
            if isinstance(reply, RaisedOwn) and spoilt == "own":
                return RaisedOwn(reply.request, spoil(reply.elements))
            return reply

        with pytest.raises(InvalidShare) as caught:
            await scene.hand_in(2, sent, [0], ask)
        assert caught.value.culprits == (2,)

    play(story)
