"""`StreamParty` on real sockets: hostile, killed and slow peers, and an orderly end."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import (
    FrameTooLarge,
    HandshakeRefused,
    MalformedMessage,
    PeerLeft,
    PeerTimeout,
    TransportError,
    WorkerDied,
)
from mdl.ledger import Ledger
from mdl.party import Message, broadcast
from mdl.transport.codec import Codec
from mdl.transport.frames import FRAME_LIMIT, prefix
from mdl.transport.mailbox import MAILBOX_LIMIT
from mdl.transport.party import StreamParty
from mdl.transport.pool import crypto_pool
from tests.conformance.party import Bulk, Ping, Pong, start, until_peers
from tests.transport.stage import (
    LOOPS,
    SECRETS,
    TERMS,
    RawWorker,
    Streams,
    meeting,
    party,
    raw_connection,
    raw_worker,
    run,
    streams,
)

each_loop = pytest.mark.parametrize("loop", LOOPS)


class Unheard(Message, frozen=True):
    """A kind that nobody here may receive."""


def frame(message: Message) -> bytes:
    body = Codec([]).encode(message)
    return prefix(body) + body


async def go_on(stage: Streams) -> None:
    """Check that the link between the manager and worker 1 works."""
    await stage.parties[1].send(0, Pong(1))
    assert (await stage.manager.receive(Pong, sender=1)).message == Pong(1)
    await stage.manager.send(1, Ping(2))
    assert (await stage.parties[1].receive(Ping)).message == Ping(2)


async def put_up_with(stage: Streams, data: bytes) -> TransportError:
    """Let worker 2 say `data` and close; give the fault that the manager found."""
    async with raw_worker(stage, 2) as raw:
        await raw.say(frame(Ping(1)) + data)
    assert (await stage.manager.receive(Ping, sender=2)).message == Ping(1)
    await until_peers(stage.manager, [1])
    await go_on(stage)
    return stage.manager.faults[2]


@each_loop
@pytest.mark.parametrize(
    ("data", "fault"),
    [
        pytest.param(prefix(b"garbage") + b"garbage", MalformedMessage, id="garbage"),
        pytest.param(prefix(b"truncated") + b"trunc", MalformedMessage, id="truncated"),
        pytest.param((FRAME_LIMIT + 1).to_bytes(4), FrameTooLarge, id="oversized"),
        pytest.param(frame(Unheard()), MalformedMessage, id="unexpected"),
        pytest.param(b"\x00\x00\x00\x00", MalformedMessage, id="empty"),
    ],
)
def test_a_peer_at_fault_loses_its_link_and_nobody_else_does(
    data: bytes, fault: type[TransportError], loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            assert isinstance(await put_up_with(stage, data), fault)
            with pytest.raises(PeerLeft):
                await stage.manager.receive(Ping, sender=2)

    run(main(), loop)
    assert "manager closed its link to worker 2" in caplog.text


@settings(max_examples=10, deadline=None)
@given(data=st.binary(min_size=1, max_size=64))
def test_arbitrary_bytes_close_only_their_own_link(data: bytes) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            # No random bytes are a whole message: the shortest takes more, and names its kind.
            assert isinstance(await put_up_with(stage, data), TransportError)

    run(main())


@each_loop
def test_a_fault_is_answered_by_closing_while_the_peer_still_talks(loop: str) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2) as raw:
            await raw.say(prefix(b"garbage") + b"garbage")
            await raw.ended()
            assert list(stage.manager.peers) == [1]

    run(main(), loop)


@each_loop
def test_a_killed_peer_has_left_after_its_last_message(loop: str) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            async with raw_worker(stage, 2) as raw:
                await raw.say(frame(Ping(1)) + frame(Ping(2)))
                raw.vanish()
            await broadcast(stage.manager, [1, 2], Ping(9))
            for number in (1, 2):
                assert (await stage.manager.receive(Ping, sender=2)).message == Ping(number)
            with pytest.raises(PeerLeft) as caught:
                await stage.manager.receive(Ping, sender=2)
            assert caught.value.culprits == (2,)
            assert stage.manager.faults == {}

    run(main(), loop)


@each_loop
def test_a_sender_blocks_until_its_slow_receiver_reads(loop: str) -> None:
    messages = 100
    size = 1024 * 1024

    async def send_all(stage: Streams, sent: list[int]) -> None:
        for number in range(messages):
            await stage.parties[1].send(0, Bulk(number, bytes(size)))
            sent.append(number)

    async def settled(sent: list[int]) -> int:
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.sleep(0.2)
        return before

    async def main() -> None:
        async with streams(workers=1) as stage:
            sent: list[int] = []
            sending = start(send_all(stage, sent))
            blocked_after = await settled(sent)
            # The mailbox, and what the buffers of both ends and the kernel hold between them.
            assert MAILBOX_LIMIT // size - 1 <= blocked_after < MAILBOX_LIMIT // size + 16
            for number in range(messages):
                assert (await stage.manager.receive(Bulk)).message.number == number
            await sending

    run(main(), loop)


@each_loop
def test_a_blocked_link_does_not_block_the_others(loop: str) -> None:
    async def flood(stage: Streams) -> None:
        while True:
            await stage.manager.send(2, Bulk(0, bytes(1024 * 1024)))

    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2):
            flooding = start(flood(stage))
            await asyncio.sleep(0.05)
            await go_on(stage)
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)

    run(main(), loop)


@each_loop
def test_a_send_that_waits_is_told_when_its_peer_is_killed(loop: str) -> None:
    async def flood(stage: Streams) -> None:
        while True:
            await stage.manager.send(2, Bulk(0, bytes(1024 * 1024)))

    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2) as raw:
            floods = [start(flood(stage)) for _ in range(3)]
            await asyncio.sleep(0.05)
            raw.vanish()
            for end in await asyncio.gather(*floods, return_exceptions=True):
                assert isinstance(end, PeerLeft)
                assert end.culprits == (2,)

    run(main(), loop)


def test_a_send_cancelled_behind_others_is_not_sent() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2):
            sends = [start(stage.manager.send(2, Bulk(0, bytes(FRAME_LIMIT - 100)))) for _ in range(5)]
            await asyncio.sleep(0.05)
            waiting = start(stage.manager.send(2, Ping(1)))
            await asyncio.sleep(0)
            for send in (waiting, *sends):
                send.cancel()
            await asyncio.gather(waiting, *sends, return_exceptions=True)
            assert "Ping" not in stage.ledgers[0].turn(0).sent

    run(main())


def test_a_message_that_fits_no_frame_is_refused_and_the_link_lives() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            with pytest.raises(FrameTooLarge):
                await stage.manager.send(1, Bulk(0, bytes(FRAME_LIMIT)))
            await go_on(stage)

    run(main())


@each_loop
def test_the_ledger_counts_every_byte_at_both_ends(loop: str) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            await stage.parties[1].send(0, Bulk(1, bytes(1000)))
            await stage.parties[1].send(0, Ping(1))
            await stage.manager.receive(Ping)
            sent, received = (stage.ledgers[id].turn(0) for id in (1, 0))
            assert sent.sent == received.received
            assert sent.received == received.sent
            assert sent.sent["Ping"].size_bytes == len(frame(Ping(1)))
            assert sent.sent["handshake"].messages == 2

    run(main(), loop)


def test_overlapping_waits_count_once() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            receives = [start(stage.manager.receive(Ping)) for _ in range(3)]
            await asyncio.sleep(0.1)
            for number in range(3):
                await stage.parties[1].send(0, Ping(number))
            await asyncio.gather(*receives)
            assert 0.09 < stage.ledgers[0].turn(0).seconds["waiting"] < 0.2

    run(main())


def test_time_in_the_thread_and_in_the_pool_is_counted() -> None:
    async def main() -> None:
        ledger = Ledger(0)
        with ThreadPoolExecutor() as pool:
            async with party(0, ledger, pool) as alone:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(alone.to_process(time.sleep, 0.05))
                    tasks.create_task(alone.to_thread("training", time.sleep, 0.05))
                    tasks.create_task(alone.to_thread("evaluation", time.sleep, 0.02))
        seconds = ledger.turn(0).seconds
        assert 0.05 <= seconds["cryptography"] < 0.2
        assert 0.05 <= seconds["training"] < 0.2
        # The time it waited for its turn is not evaluation.
        assert 0.02 <= seconds["evaluation"] < 0.05

    run(main())


def test_without_a_pool_the_own_thread_computes() -> None:
    async def main() -> None:
        ledger = Ledger(0)
        async with party(0, ledger) as alone:
            name = (await alone.to_process(threading.current_thread)).name
            assert name.startswith("manager")
        assert "cryptography" in ledger.turn(0).seconds

    run(main())


@pytest.mark.slow
def test_a_pool_process_that_ends_is_reported_by_name() -> None:
    async def main() -> None:
        with crypto_pool(1) as pool:
            async with party(3, pool=pool) as alone:
                with pytest.raises(WorkerDied, match="worker 3 lost its crypto pool"):
                    await alone.to_process(os._exit, 1)

    run(main())


def test_a_fact_is_recorded_with_its_party() -> None:
    facts: list[dict[str, Any]] = []
    StreamParty(2, Codec([]), Ledger(2), None, facts.append).record("metrics", 3, loss=0.5, accuracy=1)
    assert facts == [{"party": 2, "kind": "metrics", "epoch": 3, "loss": 0.5, "accuracy": 1}]


def test_the_missing_are_named_when_time_is_up() -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        with pytest.raises(PeerTimeout) as caught:
            await manager.linked([1, 2, 3], timeout_seconds=0.05)
        assert caught.value.culprits == (2, 3)

    meeting(check)


@each_loop
def test_closing_gives_up_handshakes_waits_and_threads(loop: str) -> None:
    async def main() -> None:
        async with streams(workers=2) as stage, raw_connection(stage.path):
            done: list[str] = []

            def work() -> None:
                time.sleep(0.1)
                done.append("work")

            working = start(stage.manager.to_thread("training", work))
            queued = start(stage.manager.to_thread("training", work))
            receiving = start(stage.manager.receive(Ping))
            await asyncio.sleep(0.02)
            await stage.manager.close()
            ends = await asyncio.gather(working, queued, receiving, return_exceptions=True)
            assert [type(end) for end in ends] == [type(None), asyncio.CancelledError, PeerLeft]
            assert done == ["work"]
            assert not stage.path.exists()
            assert not any(thread.name.startswith("manager") for thread in threading.enumerate())
            await stage.manager.close()

    run(main(), loop)


@each_loop
def test_a_large_last_word_arrives_whole(loop: str) -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            sends = [start(stage.parties[1].send(0, Bulk(number, bytes(1024 * 1024)))) for number in range(3)]
            await asyncio.gather(*sends)
            await stage.parties[1].close()
            assert [(await stage.manager.receive(Bulk)).message.number for _ in range(3)] == [0, 1, 2]
            assert stage.manager.faults == {}

    run(main(), loop)


@each_loop
def test_closing_does_not_wait_long_for_a_peer_that_does_not_read(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mdl.transport.party.LINGER_SECONDS", 0.1)

    async def main() -> None:
        async with streams(workers=0) as stage, raw_worker(stage, 2):
            send = start(stage.manager.send(2, Bulk(0, bytes(FRAME_LIMIT - 100))))
            more = start(stage.manager.send(2, Bulk(0, bytes(FRAME_LIMIT - 100))))
            await asyncio.sleep(0.02)
            begin = time.perf_counter()
            await stage.manager.close()
            assert time.perf_counter() - begin < 1
            await asyncio.gather(send, more, return_exceptions=True)

    run(main(), loop)


def test_a_closed_party_links_nobody() -> None:
    async def check(_manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.close()
        with pytest.raises(HandshakeRefused, match="manager was not called: worker 1 has left"):
            await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)

    meeting(check)


def test_a_raw_worker_is_an_ordinary_peer() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2) as raw:
            assert isinstance(raw, RawWorker)
            await stage.manager.send(2, Ping(4))
            assert Codec([Ping]).decode(await raw.hear()) == Ping(4)

    run(main())
