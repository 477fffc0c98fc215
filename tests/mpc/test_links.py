"""Protocols over a party's links: sealed, in order, of the size that is due; what is not ends by name."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected, InvalidShare, PeerLeft, PeerTimeout, ProtocolError
from mdl.mpc import links
from mdl.mpc.engine import Engine
from mdl.mpc.links import Links, Seal
from mdl.mpc.messages import Sealed
from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.rounds import Exchange, Wanted
from mdl.mpc.secret import Secret
from mdl.party import PartyId
from tests.mpc.parties import Program, opened, replicated, three

SECRETS = {frozenset(pair): os.urandom(32) for pair in ((1, 2), (1, 3), (2, 3))}


class Hall:
    """Mailboxes in memory."""

    def __init__(self) -> None:
        self.boxes: dict[tuple[PartyId, PartyId], asyncio.Queue[Sealed]] = {}
        self.sent: list[tuple[PartyId, PartyId, Sealed]] = []

    def box(self, sender: PartyId, receiver: PartyId) -> asyncio.Queue[Sealed]:
        return self.boxes.setdefault((sender, receiver), asyncio.Queue())


class Guest:
    """A party in the hall: as much of `mdl.party.Party` as links need."""

    def __init__(self, hall: Hall, own: PartyId) -> None:
        self.id, self._hall = own, hall

    async def send(self, to: PartyId, message: Sealed) -> None:
        self._hall.sent.append((self.id, to, message))
        self._hall.box(self.id, to).put_nowait(message)

    async def receive(self, *kinds: Any, sender: PartyId) -> Any:
        message = await self._hall.box(sender, self.id).get()
        return type("Envelope", (), {"message": message})

    async def to_thread(self, activity: str, fn: Any, *args: Any) -> Any:
        assert activity == "cryptography"
        return await asyncio.to_thread(fn, *args)


def linked(hall: Hall, own: PartyId, within: float = 5.0) -> Links:
    seals = {peer: Seal(SECRETS[frozenset((own, peer))], own, peer) for peer in (1, 2, 3) if peer != own}
    return Links(Guest(hall, own), (1, 2, 3), seals, within)  # type: ignore[arg-type]


async def over_links(program: Program[Tensor], engines: Sequence[Rep3], hall: Hall) -> list[Tensor]:
    return await asyncio.gather(
        *(linked(hall, engine.party + 1).drive(program(engine)) for engine in engines)
    )


async def squared(engine: Engine, secret: Secret) -> Secret:
    return await engine.scaled_product(torch.matmul, secret, secret, 8)


async def test_what_comes_out_is_what_comes_out_in_memory() -> None:
    values = torch.arange(-32, 32).reshape(8, 8) << 8
    hall = Hall()
    found = await over_links(opened(squared, values), three("nearest"), hall)
    expected, traffic = replicated(opened(squared, values), "nearest")
    assert all(torch.equal(each, expected) for each in found)
    # A tag of 16 bytes a message, and nothing else besides.
    messages = len({message[:3] for message in traffic.messages})
    carried = sum(len(message.data) for _, _, message in hall.sent)
    assert carried == sum(traffic.sent_bytes.values()) + 16 * len(hall.sent)
    assert len(hall.sent) == messages


async def test_long_messages_go_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PIECE_BYTES", 100)
    values = torch.arange(64).reshape(8, 8) << 8
    hall = Hall()
    found = await over_links(opened(squared, values), three("nearest"), hall)
    assert torch.equal(found[0], replicated(opened(squared, values), "nearest")[0])
    assert max(len(message.data) for _, _, message in hall.sent) == 116


async def swap(own: int, other: int, times: int = 2, size: int = 3) -> None:
    for _ in range(times):
        await Exchange([(other, torch.zeros(size))], [Wanted(other, torch.Size([3]), torch.float32)])


async def meet(change: Any, *, size: int = 3, within: float = 0.2) -> BaseException | None:
    """Let 1 and 2 swap twice; `change` makes what 2 sends second of it. Give how it ended for 1."""
    hall = Hall()
    box = hall.box(2, 1)
    put, count = box.put_nowait, iter(range(10))

    def altered(item: Sealed) -> None:
        for each in change(item) if next(count) == 1 else [item]:
            put(each)

    box.put_nowait = altered  # type: ignore[method-assign]
    found = await asyncio.gather(
        linked(hall, 1, within).drive(swap(0, 1)),
        linked(hall, 2, within).drive(swap(1, 0, size=size)),
        return_exceptions=True,
    )
    return found[0]


async def test_nothing_happens_to_what_is_not_changed() -> None:
    assert await meet(lambda message: [message]) is None


async def test_a_changed_bit_is_found() -> None:
    def flipped(message: Sealed) -> list[Sealed]:
        return [Sealed(bytes([message.data[0] ^ 1]) + message.data[1:])]

    error = await meet(flipped)
    assert isinstance(error, InvalidShare)
    assert error.culprits == (2,)


async def test_an_earlier_message_again_is_found() -> None:
    hall = Hall()
    first: list[Sealed] = []

    box = hall.box(2, 1)
    put = box.put_nowait

    def again(item: Sealed) -> None:
        first.append(item)
        put(first[0])

    box.put_nowait = again  # type: ignore[method-assign]
    found = await asyncio.gather(
        linked(hall, 1).drive(swap(0, 1)), linked(hall, 2).drive(swap(1, 0)), return_exceptions=True
    )
    assert isinstance(found[0], InvalidShare)


async def test_a_message_of_another_length_is_refused() -> None:
    error = await meet(lambda message: [Sealed(message.data + b"x")])
    assert isinstance(error, ProtocolError)
    assert "29 bytes where 28 were due" in str(error)


async def test_one_that_is_silent_is_named() -> None:
    error = await meet(lambda message: [])
    assert isinstance(error, PeerTimeout)
    assert error.culprits == (2,)


async def test_one_that_has_left_is_named() -> None:
    class Left(Guest):
        async def receive(self, *kinds: Any, sender: PartyId) -> Any:
            raise PeerLeft("gone", [sender])

    alone = Links(Left(Hall(), 1), (1, 2, 3), {2: Seal(bytes(32), 1, 2)}, 5.0)  # type: ignore[arg-type]
    with pytest.raises(PeerLeft):
        await alone.drive(swap(0, 1))


def test_a_seal_opens_at_the_other_end_in_order_and_nowhere_else() -> None:
    one, two, third = Seal(bytes(32), 1, 2), Seal(bytes(32), 2, 1), Seal(bytes(32), 3, 1)
    first, second = one.seal(b"first"), one.seal(b"second")
    assert two.open(first) == b"first"
    with pytest.raises(InvalidShare):
        two.open(first)
    other = Seal(bytes(32), 2, 1)
    with pytest.raises(InvalidShare):
        other.open(second)
    with pytest.raises(InvalidShare):
        third.open(first)
    with pytest.raises(InvalidShare):
        Seal(bytes(32), 1, 2).open(first)  # back to its sender
    assert partial(one.seal, b"")() != one.seal(b"")


async def test_whoever_may_have_cheated_is_named_as_a_party_of_the_run() -> None:
    async def program() -> None:
        raise CheatingDetected("a check", [0, 2])

    with pytest.raises(CheatingDetected, match="a check") as found:
        await linked(Hall(), 1).drive(program())
    assert found.value.culprits == (1, 3)
