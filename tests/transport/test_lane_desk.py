"""Lanes between real parties: opened from both ends, beside a link, and ended with it."""

import asyncio
import time
from pathlib import Path

import pytest

from mdl.errors import HandshakeRefused, PeerLeft, PeerTimeout
from mdl.ledger import Ledger
from mdl.party import PartyId, Rounds
from mdl.transport.handshake import call
from mdl.transport.lanes import StreamLanes
from mdl.transport.links import dial, shake_hands
from tests.conformance.party import Ping, until_peers
from tests.transport.stage import LOOPS, SECRETS, TERMS, Streams, raw_worker, run, streams

each_loop = pytest.mark.parametrize("loop", LOOPS)


async def opened(stage: Streams, workers: list[PartyId]) -> dict[PartyId, StreamLanes]:
    """Lanes between the manager and workers; the workers ask first."""
    asked = {worker: asyncio.ensure_future(stage.parties[worker].lanes([0], Ping, 5.0)) for worker in workers}
    await asyncio.sleep(0.02)
    manager = await stage.manager.lanes(workers, Ping, 5.0)
    return {0: manager, **{worker: await task for worker, task in asked.items()}}


def greet(peers: list[PartyId], size: int) -> object:
    def swap(rounds: Rounds) -> list[bytes]:
        found = []
        for number in range(3):
            for peer in peers:
                rounds.room(peer, size)[:] = bytes([number]) * size
            came = rounds.swap(dict.fromkeys(peers, size), 5.0)
            found.append({bytes(message[:1]) for message in came.values()}.pop())
        return found

    return swap


@each_loop
@pytest.mark.parametrize("size", [1, 2 << 20])
def test_parties_exchange_rounds_over_lanes_and_messages_over_links(size: int, loop: str) -> None:
    async def main() -> None:
        async with streams() as stage:
            lanes = await opened(stage, [1, 2])
            found = await asyncio.gather(
                lanes[0].run("cryptography", greet([1, 2], size)),  # type: ignore[arg-type]
                *(lanes[worker].run("cryptography", greet([0], size)) for worker in (1, 2)),  # type: ignore[arg-type]
                stage.parties[3].send(0, Ping(1)),
                stage.parties[1].send(0, Ping(2)),
            )
            assert found[:3] == [[b"\0", b"\1", b"\2"]] * 3
            assert {(await stage.manager.receive(Ping)).message.number for _ in range(2)} == {1, 2}

    run(main(), loop)


@each_loop
def test_a_killed_peer_ends_what_waits_for_it(loop: str) -> None:
    async def main() -> None:
        async with streams() as stage:
            lanes = await opened(stage, [1])
            waiting = asyncio.ensure_future(
                lanes[0].run("cryptography", lambda rounds: rounds.swap({1: 4}, 30.0))
            )
            await asyncio.sleep(0.02)
            await stage.leave(1)
            with pytest.raises(PeerLeft) as caught:
                await waiting
            assert caught.value.culprits == (1,)

    run(main(), loop)


def test_what_a_peer_sent_before_it_left_is_received() -> None:
    async def main() -> None:
        async with streams() as stage:
            lanes = await opened(stage, [1])

            def say(rounds: Rounds) -> None:
                rounds.room(0, 100_000)[:] = b"x" * 100_000
                rounds.swap({}, 5.0)

            await lanes[1].run("cryptography", say)
            await stage.leave(1)
            await until_peers(stage.manager, [2, 3])
            took = await lanes[0].run("cryptography", lambda rounds: bytes(rounds.swap({1: 100_000}, 5.0)[1]))
            assert took == b"x" * 100_000

    run(main())


@each_loop
def test_closing_ends_what_waits_and_leaves_no_descriptor(loop: str) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    counts = []

    async def main() -> None:
        async with streams():
            pass  # uvloop keeps one for itself from the first server on
        counts.append(descriptors())
        async with streams() as stage:
            lanes = await opened(stage, [1, 2])
            kept = asyncio.ensure_future(stage.parties[3].lanes([0], Ping, 5.0))
            waiting = asyncio.ensure_future(
                lanes[1].run("cryptography", lambda rounds: rounds.swap({0: 4}, 30.0))
            )
            await asyncio.sleep(0.05)
            began = time.perf_counter()
            await stage.leave(1)
            assert time.perf_counter() - began < 3
            with pytest.raises(PeerLeft):
                await waiting
            await kept  # the manager never asked for that one
        await asyncio.sleep(0.05)
        counts.append(descriptors())

    run(main(), loop)
    assert counts[1] == counts[0]


def test_a_peer_that_opens_none_is_named_and_the_others_get_theirs_back() -> None:
    async def main() -> None:
        async with streams() as stage:
            one = asyncio.ensure_future(stage.parties[1].lanes([0], Ping, 5.0))
            with pytest.raises(PeerTimeout, match=r"no lane within 0\.1 s") as caught:
                await stage.manager.lanes([1, 2], Ping, 0.1)
            assert caught.value.culprits == (2,)
            with pytest.raises(PeerLeft):
                await (await one).run("cryptography", lambda rounds: rounds.swap({0: 1}, 5.0))

    run(main())


@pytest.mark.parametrize("asker", [0, 1])
def test_without_a_link_there_is_no_lane(asker: PartyId) -> None:
    async def main() -> None:
        async with streams() as stage:
            await stage.leave(1 - asker)
            await until_peers(stage.parties[asker], [2, 3] if asker == 0 else [])
            with pytest.raises(PeerLeft) as caught:
                await stage.parties[asker].lanes([1 - asker], Ping, 5.0)
            assert caught.value.culprits == (1 - asker,)

    run(main())


def test_who_waits_for_a_lane_learns_that_its_peer_left() -> None:
    async def main() -> None:
        async with streams() as stage:
            asking = asyncio.ensure_future(stage.manager.lanes([1], Ping, 5.0))
            await asyncio.sleep(0.02)
            await stage.leave(1)
            with pytest.raises(PeerLeft):
                await asking

    run(main())


def test_lanes_can_be_opened_again_once_the_first_are_used() -> None:
    async def main() -> None:
        async with streams() as stage:
            for _ in range(2):
                lanes = await opened(stage, [1])
                await asyncio.gather(
                    lanes[0].run("cryptography", greet([1], 5)),  # type: ignore[arg-type]
                    lanes[1].run("cryptography", greet([0], 5)),  # type: ignore[arg-type]
                )
            first, second = stage.parties[2].lanes([0], Ping, 5.0), stage.parties[2].lanes([0], Ping, 5.0)
            await first
            with pytest.raises(PeerLeft, match="your earlier lane waits to be used") as caught:
                await second
            assert caught.value.culprits == (0,)

    run(main())


def test_who_proves_itself_without_a_link_gets_no_lane() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage:
            link = await dial(stage.path, patience_seconds=1)
            conversation = call(1, 0, secret=SECRETS[1], terms=TERMS, lane=True)
            await stage.leave(1)
            await until_peers(stage.manager, [])
            with pytest.raises(HandshakeRefused, match="needs a link beside it"):
                await shake_hands(link, conversation, Ledger(1))
            await link.close()

    run(main())


def test_a_link_closed_for_a_fault_ends_its_lane() -> None:
    async def main() -> None:
        async with streams(workers=1) as stage, raw_worker(stage, 2) as raw:
            link = await dial(stage.path, patience_seconds=1)
            await shake_hands(link, call(2, 0, secret=SECRETS[2], terms=TERMS, lane=True), Ledger(2))
            lanes = await stage.manager.lanes([2], Ping, 5.0)
            await raw.say(b"\xff" * 100)  # no frame
            await until_peers(stage.manager, [1])
            with pytest.raises(PeerLeft):
                await lanes.run("cryptography", lambda rounds: rounds.swap({2: 1}, 5.0))
            await link.close()

    run(main())
