"""Callers on real sockets: refused by name, come back, two at once, or garbage."""

import asyncio
from pathlib import Path

import pytest

from mdl.errors import HandshakeRefused, LinkedAlready, MalformedMessage, PeerTimeout
from mdl.ledger import Ledger
from mdl.transport.codec import Codec
from mdl.transport.frames import prefix
from mdl.transport.party import StreamParty
from tests.conformance.party import KINDS, Ping, until_peers
from tests.transport.stage import LOOPS, SECRETS, TERMS, meeting, party, raw_connection, run

each_loop = pytest.mark.parametrize("loop", LOOPS)


@each_loop
def test_a_caller_with_other_terms_is_told_which(loop: str) -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        terms = TERMS | {"system": "other"}
        with pytest.raises(HandshakeRefused, match="system is 'test' there and 'other' here"):
            await worker.connect(path, peer=0, secret=SECRETS[1], terms=terms)
        with pytest.raises(PeerTimeout, match="system is 'other' there and 'test' here") as caught:
            await manager.linked([1], timeout_seconds=0.1)
        assert caught.value.culprits == (1,)
        assert list(worker.peers) == list(manager.peers) == []

    meeting(check, loop)


@each_loop
def test_a_caller_with_a_wrong_secret_is_refused_and_may_try_again(loop: str) -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        with pytest.raises(HandshakeRefused, match="not who you say you are"):
            await worker.connect(path, peer=0, secret=SECRETS[2], terms=TERMS)
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        assert list(worker.peers) == [0]
        assert len(manager.refusals) == 1

    meeting(check, loop)


@each_loop
def test_a_second_caller_of_one_name_is_refused_until_the_first_has_gone(loop: str) -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        async with party(1) as double:
            with pytest.raises(HandshakeRefused, match="linked already"):
                await double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
            await worker.send(0, Ping(1))
            assert (await manager.receive(Ping)).message == Ping(1)
            await worker.close()
            await until_peers(manager, [])
            await double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS, again=True)
            await double.send(0, Ping(2))
            assert (await manager.receive(Ping)).message == Ping(2)

    meeting(check, loop)


def test_who_comes_back_waits_until_its_earlier_link_is_gone() -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        async with party(1) as double:
            back = asyncio.ensure_future(
                double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS, again=True)
            )
            while not manager.refusals:  # noqa: ASYNC110 - a party announces no refusal
                await asyncio.sleep(0.01)
            assert not back.done()
            await worker.close()
            await back
            await double.send(0, Ping(2))
            assert (await manager.receive(Ping)).message == Ping(2)

    meeting(check)


def test_who_comes_back_while_its_earlier_link_stands_is_refused_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mdl.transport.party.RELINK_SECONDS", 0.1)

    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        async with party(1) as double:
            with pytest.raises(LinkedAlready):
                await double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS, again=True)
        assert len(manager.refusals) == 2

    meeting(check)


def test_where_nobody_may_come_back_nobody_does(tmp_path: Path) -> None:
    async def check() -> None:
        path = tmp_path / "0.sock"
        async with StreamParty(0, Codec(KINDS), Ledger(0), None, lambda _fact: None, relink=False) as manager:
            await manager.listen(path, secrets=SECRETS, terms=TERMS)
            async with party(1) as worker:
                await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
            await until_peers(manager, [])
            async with party(1) as double:
                with pytest.raises(HandshakeRefused, match="goes on without whoever has left"):
                    await double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS, again=True)

    run(check())


def test_who_was_there_before_cannot_begin_anew() -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        await worker.close()
        await until_peers(manager, [])
        async with party(1) as double:
            with pytest.raises(HandshakeRefused, match="come back with what you kept"):
                await double.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)

    meeting(check)


def test_of_two_callers_at_once_one_is_linked() -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        async with party(1) as double:
            ends = await asyncio.gather(
                *(one.connect(path, peer=0, secret=SECRETS[1], terms=TERMS) for one in (worker, double)),
                return_exceptions=True,
            )
            assert sorted(isinstance(end, HandshakeRefused) for end in ends) == [False, True]
            assert list(manager.peers) == [1]

    meeting(check)


def test_nobody_calls_a_peer_twice() -> None:
    async def check(_manager: StreamParty, worker: StreamParty, path: Path) -> None:
        await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
        with pytest.raises(HandshakeRefused, match="manager was not called: you are linked already"):
            await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)

    meeting(check)


def test_nobody_calls_a_peer_that_has_left_a_run_that_goes_on_without_it() -> None:
    async def check(manager: StreamParty, _worker: StreamParty, path: Path) -> None:
        async with StreamParty(2, Codec(KINDS), Ledger(2), None, lambda _fact: None, relink=False) as strict:
            await strict.connect(path, peer=0, secret=SECRETS[2], terms=TERMS)
            await manager.close()
            await until_peers(strict, [])
            async with party(0) as again:
                await again.listen(path, secrets=SECRETS, terms=TERMS)
                with pytest.raises(
                    HandshakeRefused, match="manager was not called: this run goes on without"
                ):
                    await strict.connect(path, peer=0, secret=SECRETS[2], terms=TERMS)

    meeting(check)


@each_loop
def test_garbage_and_silence_instead_of_a_handshake_harm_nobody(loop: str) -> None:
    async def check(manager: StreamParty, worker: StreamParty, path: Path) -> None:
        async with raw_connection(path) as garbage, raw_connection(path) as silent:
            await garbage.say(prefix(b"garbage") + b"garbage")
            await garbage.ended()
            await worker.connect(path, peer=0, secret=SECRETS[1], terms=TERMS)
            await silent.ended()
        assert [type(refusal) for refusal in manager.refusals] == [MalformedMessage, HandshakeRefused]
        assert list(manager.peers) == [1]

    meeting(check, loop)
