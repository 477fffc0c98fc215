"""Lanes on pairs of sockets: whole messages both ways, whatever is sent when; what goes wrong is named."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import PeerLeft, PeerTimeout, ProtocolError
from mdl.ledger import Ledger, Traffic
from mdl.party import PartyId, Rounds
from mdl.transport.lanes import LENGTH_BYTES, Lane, LaneRounds, StreamLanes
from mdl.transport.work import OwnThread
from tests.transport.stage import run

Sizes = list[dict[tuple[PartyId, PartyId], int]]
"""Round by round, the bytes that go from one to another."""


@contextmanager
def meshed(parties: int) -> Iterator[dict[PartyId, list[Lane]]]:
    ends: dict[PartyId, list[Lane]] = {party: [] for party in range(parties)}
    for one, other in combinations(range(parties), 2):
        left, right = socket.socketpair()
        ends[one].append(Lane(other, left))
        ends[other].append(Lane(one, right))
    try:
        yield ends
    finally:
        for lane in (lane for lanes in ends.values() for lane in lanes):
            lane.close()


def text(number: int, sender: PartyId, receiver: PartyId, size: int) -> bytes:
    return bytes([number, sender, receiver]) * (size // 3) + bytes(size % 3)


def take_part(own: PartyId, lanes: list[Lane], rounds: Sizes) -> None:
    mine = LaneRounds(lanes)
    for number, sizes in enumerate(rounds):
        for (sender, receiver), size in sizes.items():
            if sender == own:
                mine.room(receiver, size)[:] = text(number, own, receiver, size)
        due = {sender: size for (sender, receiver), size in sizes.items() if receiver == own}
        came = mine.swap(due, 10.0)
        assert {peer: bytes(message) for peer, message in came.items()} == {
            peer: text(number, peer, own, size) for peer, size in due.items()
        }
    sent = [LENGTH_BYTES + size for sizes in rounds for (sender, _), size in sizes.items() if sender == own]
    assert mine.sent == sent


def all_take_part(parties: int, rounds: Sizes) -> None:
    with meshed(parties) as ends, ThreadPoolExecutor(parties) as threads:
        list(threads.map(lambda own: take_part(own, ends[own], rounds), range(parties)))


@st.composite
def schedules(draw: st.DrawFn) -> tuple[int, Sizes]:
    parties = draw(st.integers(2, 5))
    pairs = [(one, two) for one in range(parties) for two in range(parties) if one != two]
    sizes = st.one_of(st.integers(0, 100), st.integers(100_000, 1_000_000))
    return parties, draw(st.lists(st.dictionaries(st.sampled_from(pairs), sizes), min_size=1, max_size=4))


@given(schedule=schedules())
@settings(max_examples=40, deadline=None)
def test_whatever_is_sent_to_whom_arrives(schedule: tuple[int, Sizes]) -> None:
    all_take_part(*schedule)


@pytest.mark.parametrize("parties", [2, 3, 11])
def test_all_send_megabytes_to_all_at_once(parties: int) -> None:
    pairs = [(one, two) for one in range(parties) for two in range(parties) if one != two]
    all_take_part(parties, [dict.fromkeys(pairs, (12 << 20) // parties)] * 2)


def test_many_short_rounds_arrive_in_their_order() -> None:
    all_take_part(3, [{(0, 1): 16, (1, 2): 16, (2, 0): 16}] * 250)


def test_who_only_sends_may_run_ahead() -> None:
    """As far as the sockets hold; then it waits for whoever reads."""
    with meshed(2) as ends, ThreadPoolExecutor(1) as threads:
        ahead = threads.submit(take_part, 0, ends[0], [{(0, 1): 300_000}] * 20)
        time.sleep(0.05)
        assert not ahead.done()
        take_part(1, ends[1], [{(0, 1): 300_000}] * 20)
        ahead.result()


def test_what_was_read_before_the_lane_was_one_comes_first() -> None:
    left, right = socket.socketpair()
    with left, right:
        said = (3).to_bytes(LENGTH_BYTES) + b"one" + (4).to_bytes(LENGTH_BYTES) + b"more"
        for cut in (0, 3, LENGTH_BYTES, 10, 11, 15, len(said)):
            rounds = LaneRounds([Lane(1, left, said[:cut])])
            right.sendall(said[cut:])
            assert bytes(rounds.swap({1: 3}, 5.0)[1]) == b"one"
            assert bytes(rounds.swap({1: 4}, 5.0)[1]) == b"more"


# ------------------------------------------------------------------------------------------------
# what goes wrong


@contextmanager
def opposite() -> Iterator[tuple[LaneRounds, socket.socket]]:
    """A party's rounds with 7, whom the test plays, and with 8, who does nothing."""
    left, right = socket.socketpair()
    other, silent = socket.socketpair()
    with left, right, other, silent:
        yield LaneRounds([Lane(7, left), Lane(8, other)]), right


@pytest.mark.parametrize("length", [0, 9, 11, 2**40])
@pytest.mark.parametrize("early", [True, False])
def test_a_message_of_another_length_is_refused_as_soon_as_it_says_so(length: int, early: bool) -> None:
    with opposite() as (rounds, peer):
        if early:
            peer.sendall(length.to_bytes(LENGTH_BYTES))
        else:
            threading.Timer(0.02, peer.sendall, [length.to_bytes(LENGTH_BYTES)]).start()
        with pytest.raises(ProtocolError, match=f"{length} bytes where 10 were due") as caught:
            rounds.swap({7: 10}, 5.0)
        assert caught.value.culprits == (7,)


@pytest.mark.parametrize("said", [b"", b"\0\0\0", (100).to_bytes(LENGTH_BYTES) + b"only the beginning"])
def test_who_is_silent_is_named_when_time_is_up(said: bytes) -> None:
    with opposite() as (rounds, peer):
        peer.sendall(said)
        began = time.perf_counter()
        with pytest.raises(PeerTimeout, match=r"timeout_seconds = 0\.05") as caught:
            rounds.swap({7: 100}, 0.05)
        assert caught.value.culprits == (7,)
        assert 0.04 < time.perf_counter() - began < 5


def test_who_takes_nothing_is_named_when_time_is_up() -> None:
    with opposite() as (rounds, _):
        rounds.room(7, 50 << 20)
        with pytest.raises(PeerTimeout) as caught:
            rounds.swap({8: 1}, 0.1)
        assert caught.value.culprits == (7,)


def test_one_that_says_a_byte_now_and_then_gains_no_time() -> None:
    with opposite() as (rounds, peer):
        stop = threading.Event()

        def trickle() -> None:
            peer.sendall((1000).to_bytes(LENGTH_BYTES))
            while not stop.wait(0.02):
                peer.send(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises(PeerTimeout):
                rounds.swap({7: 1000}, 0.3)
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("said", [b"", b"\0\0\0", (100).to_bytes(LENGTH_BYTES) + b"beginning"])
def test_one_that_is_gone_is_named_whatever_it_said(said: bytes) -> None:
    with opposite() as (rounds, peer):
        peer.sendall(said)
        peer.close()
        with pytest.raises(PeerLeft) as caught:
            rounds.swap({7: 100}, 5.0)
        assert caught.value.culprits == (7,)


@pytest.mark.parametrize("size", [10, 50 << 20])
def test_one_that_is_gone_before_it_could_be_sent_to_is_named(size: int) -> None:
    with opposite() as (rounds, peer):
        threading.Timer(0.0 if size == 10 else 0.05, peer.close).start()
        time.sleep(0.02)
        rounds.room(7, size)
        with pytest.raises(PeerLeft) as caught:
            rounds.swap({8: 1}, 5.0)
        assert caught.value.culprits == (7,)


def test_what_one_said_last_is_taken_before_it_is_found_gone() -> None:
    with opposite() as (rounds, peer):
        peer.sendall((5).to_bytes(LENGTH_BYTES) + b"words")
        peer.close()
        assert bytes(rounds.swap({7: 5}, 5.0)[7]) == b"words"


def test_who_waits_for_one_that_left_because_of_another_names_both() -> None:
    with meshed(3) as ends:
        ends[2][0].cut()  # killed
        ends[2][1].cut()
        ends[1][0].cut()  # found so, and left
        with pytest.raises(PeerLeft) as caught:
            LaneRounds(ends[0]).swap({1: 10}, 5.0)
        assert caught.value.culprits == (1, 2)


def test_one_that_is_not_needed_any_more_may_leave() -> None:
    with meshed(3) as ends:
        for lane in ends[2]:
            lane.cut()
        LaneRounds(ends[1]).room(0, 0)
        ends[1][0].push()
        assert LaneRounds(ends[0]).swap({1: 0}, 5.0).keys() == {1}


# ------------------------------------------------------------------------------------------------
# in a party's thread


@asynccontextmanager
async def threaded(ledger: Ledger) -> AsyncIterator[tuple[StreamLanes, OwnThread, socket.socket]]:
    left, right = socket.socketpair()
    thread = OwnThread("1", ledger)
    lanes = StreamLanes([Lane(2, left)], "Share", thread, ledger)
    try:
        yield lanes, thread, right
    finally:
        right.close()
        await thread.close()
        lanes.close()


def test_bytes_count_as_messages_and_waiting_as_waiting() -> None:
    async def main() -> None:
        ledger = Ledger(1)

        def exchange(rounds: Rounds) -> str:
            threading.Timer(0.2, peer.sendall, [((3).to_bytes(LENGTH_BYTES) + b"you") * 2]).start()
            for _ in range(2):
                rounds.room(2, 5)[:] = b"words"
                rounds.swap({2: 3}, 5.0)
            time.sleep(0.1)
            return "done"

        async with threaded(ledger) as (lanes, _, peer):
            assert await lanes.run("cryptography", exchange) == "done"
            await asyncio.sleep(0)
        entry = ledger.turn(1)
        assert entry.sent == {"Share": Traffic(2, 26)}
        assert entry.received == {"Share": Traffic(2, 22)}
        assert 0.15 < entry.seconds["waiting"] < 2
        assert 0.09 < entry.seconds["cryptography"] < 2

    run(main())


def test_what_fails_in_the_thread_fails_here() -> None:
    async def main() -> None:
        def fail(rounds: Rounds) -> None:
            rounds.swap({2: 3}, 0.05)

        async with threaded(Ledger(1)) as (lanes, _, _peer):
            with pytest.raises(PeerTimeout):
                await lanes.run("cryptography", fail)

    run(main())


Waits: Mapping[str, Callable[[Rounds], object]] = {
    "for a message": lambda rounds: rounds.swap({2: 3}, 60.0),
    "to send": lambda rounds: (rounds.room(2, 50 << 20), rounds.swap({}, 60.0)),
}


@pytest.mark.parametrize("wait", Waits)
def test_cancelling_ends_what_waits_and_returns_when_it_has_ended(wait: str) -> None:
    async def main() -> None:
        ended = threading.Event()

        def exchange(rounds: Rounds) -> None:
            try:
                Waits[wait](rounds)
            finally:
                time.sleep(0.05)
                ended.set()

        async with threaded(Ledger(1)) as (lanes, thread, _):
            running = asyncio.ensure_future(lanes.run("cryptography", exchange))
            await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.sleep(0.02)
            running.cancel()  # twice is no faster
            with pytest.raises(asyncio.CancelledError):
                await running
            assert ended.is_set()
            assert await thread.run("training", lambda: 3) == 3
            with pytest.raises(PeerLeft):
                await lanes.run("cryptography", exchange)

    run(main())


def test_the_other_end_is_told_at_once() -> None:
    async def main() -> None:
        async with threaded(Ledger(1)) as (lanes, _, peer):
            lanes.cut(3)  # somebody else
            waiting = asyncio.ensure_future(asyncio.to_thread(peer.recv, 10))
            await asyncio.sleep(0.02)
            assert not waiting.done()
            lanes.cut(2)
            assert await waiting == b""

    run(main())
