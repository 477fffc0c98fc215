"""Links: where a socket may lie, who listens there, and what still arrives when one end is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mdl.errors import FrameTooLarge, HandshakeRefused, MalformedMessage, TransportError
from mdl.ledger import Ledger
from mdl.transport.frames import FRAME_LIMIT, prefix
from mdl.transport.handshake import HANDSHAKE_LIMIT, answer, call
from mdl.transport.links import Link, check_place, dial, serve, shake_hands
from tests.transport.stage import LOOPS, SECRETS, TERMS, RawWorker, raw_connection, run

each_loop = pytest.mark.parametrize("loop", LOOPS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "0.sock"


@asynccontextmanager
async def linked(path: Path) -> AsyncIterator[tuple[Link, Link]]:
    """Both ends of a fresh link: the listener's, the caller's."""
    accepted: asyncio.Queue[Link] = asyncio.Queue()
    server = await serve(path, accepted.put_nowait)
    calling = await dial(path, patience_seconds=1)
    listening = await accepted.get()
    try:
        yield listening, calling
    finally:
        await calling.close()
        await listening.close()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def accepted(path: Path) -> AsyncIterator[tuple[Link, RawWorker]]:
    """A listener's end, and a caller that says what a test wants. Closed even where the test fails."""
    links: asyncio.Queue[Link] = asyncio.Queue()
    server = await serve(path, links.put_nowait)
    try:
        async with raw_connection(path) as raw:
            link = await links.get()
            try:
                yield link, raw
            finally:
                await link.close()
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_directory_that_others_can_enter_is_refused(path: Path, mode: int) -> None:
    path.parent.chmod(mode)
    with pytest.raises(TransportError, match="mode 0700"):
        check_place(path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="no directory for the sockets"):
        check_place(tmp_path / "missing" / "0.sock")


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="at most 107 bytes"):
        check_place(tmp_path / ("x" * 120))


@each_loop
def test_a_caller_waits_for_its_listener(path: Path, loop: str) -> None:
    async def main() -> None:
        calling = asyncio.create_task(dial(path, patience_seconds=5))
        await asyncio.sleep(0.05)
        accepted: asyncio.Queue[Link] = asyncio.Queue()
        server = await serve(path, accepted.put_nowait)
        for link in (await calling, await accepted.get()):
            await link.close()
        server.close()
        await server.wait_closed()

    run(main(), loop)


@each_loop
def test_a_caller_gives_up_when_nobody_listens(path: Path, loop: str) -> None:
    async def main() -> None:
        with pytest.raises(TransportError, match="nobody listens"):
            await dial(path, patience_seconds=0.05)

    run(main(), loop)


@each_loop
def test_what_was_put_before_finish_arrives_and_then_the_end(path: Path, loop: str) -> None:
    async def main() -> None:
        async with linked(path) as (listening, calling):
            calling.put(b"first")
            calling.put(b"last")
            calling.finish()
            assert [body async for body in listening.bodies()] == [b"first", b"last"]
            with pytest.raises(ConnectionResetError):
                calling.put(b"more")

    run(main(), loop)


@each_loop
def test_what_a_killed_peer_said_is_read_even_after_a_write_to_it_failed(path: Path, loop: str) -> None:
    async def main() -> None:
        async with accepted(path) as (link, raw):
            for number in range(3):
                await raw.say(prefix(b"word") + b"word" + prefix(bytes([number])) + bytes([number]))
            raw.vanish()
            # Nothing has been read yet, and this write breaks the transport.
            link.put(bytes(1000))
            await asyncio.sleep(0.05)
            said = [body async for body in link.bodies()]
            assert said == [b"word", b"\0", b"word", b"\1", b"word", b"\2"]

    run(main(), loop)


@each_loop
def test_a_connection_taken_from_the_loop_has_lost_nothing(path: Path, loop: str) -> None:
    async def main() -> None:
        async with accepted(path) as (link, raw):
            await raw.say(prefix(b"word") + b"word" + b"early")
            assert await link.next() == b"word"
            link.put(b"the last of the loop")
            kept, early = await link.detach()
            with kept:
                assert await raw.hear() == b"the last of the loop"
                assert early == b"early"
                await raw.say(b" and late")
                assert await asyncio.to_thread(kept.recv, 100) == b" and late"
                kept.sendall(prefix(b"back") + b"back")
                assert await raw.hear() == b"back"

    run(main(), loop)


def test_an_end_inside_a_frame_is_malformed(path: Path) -> None:
    async def main() -> None:
        async with accepted(path) as (link, raw):
            await raw.say(prefix(b"whole") + b"who")
            raw.vanish()
            with pytest.raises(MalformedMessage, match="inside a frame"):
                await link.next()

    run(main())


def test_no_frame_is_sent_that_the_other_end_would_refuse(path: Path) -> None:
    async def main() -> None:
        async with linked(path) as (listening, calling):
            with pytest.raises(FrameTooLarge):
                calling.put(bytes(FRAME_LIMIT + 1))
            calling.put(b"small")
            assert await listening.next() == b"small"

    run(main())


def test_before_the_handshake_only_small_frames_are_accepted(path: Path) -> None:
    async def main() -> None:
        async with linked(path) as (listening, calling):
            calling.put(bytes(HANDSHAKE_LIMIT + 1))
            with pytest.raises(FrameTooLarge):
                await listening.next()

    run(main())


@each_loop
def test_a_handshake_widens_the_link_at_both_ends(path: Path, loop: str) -> None:
    async def main() -> None:
        async with linked(path) as (listening, calling):
            ledger = Ledger(0)
            hello, _ = await asyncio.gather(
                shake_hands(
                    listening,
                    answer(0, secrets=SECRETS, terms=TERMS, admit=lambda _hello: ""),
                    ledger,
                ),
                shake_hands(calling, call(1, 0, secret=SECRETS[1], terms=TERMS), Ledger(1)),
            )
            assert hello.caller == 1
            for sender, receiver in ((listening, calling), (calling, listening)):
                sender.put(bytes(HANDSHAKE_LIMIT + 1))
                assert len(await receiver.next() or b"") == HANDSHAKE_LIMIT + 1
            entry = ledger.turn(0)
            assert entry.sent["handshake"].messages == entry.received["handshake"].messages == 2

    run(main(), loop)


def test_a_silent_peer_is_refused_after_the_time_for_the_whole_handshake(path: Path) -> None:
    async def main() -> None:
        async with linked(path) as (listening, _):
            conversation = answer(0, secrets=SECRETS, terms=TERMS, admit=lambda _hello: "")
            with pytest.raises(HandshakeRefused, match=r"took more than 0\.05 s"):
                await shake_hands(listening, conversation, Ledger(0), timeout_seconds=0.05)

    run(main())


def test_a_peer_that_hangs_up_in_the_handshake_is_refused(path: Path) -> None:
    async def main() -> None:
        async with linked(path) as (listening, calling):
            await calling.close()
            conversation = answer(0, secrets=SECRETS, terms=TERMS, admit=lambda _hello: "")
            with pytest.raises(HandshakeRefused, match="hung up"):
                await shake_hands(listening, conversation, Ledger(0))

    run(main())
