"""Protocols over a party's links: sealed, in order, of the size that is due; what is not ends by name.

All of it holds for both ways in which rounds are carried.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.errors import CheatingDetected, InvalidShare, PeerLeft, PeerTimeout, ProtocolError
from mdl.mpc import links, seals
from mdl.mpc.engine import Engine
from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.rounds import Exchange, Wanted, phase
from mdl.mpc.secret import Secret
from tests.mpc.halls import HALLS, Hall, LaneHall, leave_on_error
from tests.mpc.parties import Program, opened, replicated, three


@pytest.fixture(params=HALLS)
async def hall(request: pytest.FixtureRequest) -> AsyncIterator[Hall]:
    hall = HALLS[request.param]()
    yield hall
    await hall.close()


async def over_links(program: Program[Tensor], engines: Sequence[Rep3], hall: Hall) -> list[Tensor]:
    return await asyncio.gather(*(hall.links(engine.party + 1).drive(program(engine)) for engine in engines))


async def squared(engine: Engine, secret: Secret) -> Secret:
    return await engine.scaled_product(torch.matmul, secret, secret, 8)


async def test_what_comes_out_is_what_comes_out_in_memory(hall: Hall) -> None:
    values = torch.arange(-32, 32).reshape(8, 8) << 8
    found = await over_links(opened(squared, values), three("nearest"), hall)
    expected, traffic = replicated(opened(squared, values), "nearest")
    assert all(torch.equal(each, expected) for each in found)
    # A tag of 16 bytes a message, and nothing else besides.
    messages = len({message[:3] for message in traffic.messages})
    carried = sum(len(message) for _, _, message in hall.sent)
    assert carried == sum(traffic.sent_bytes.values()) + 16 * len(hall.sent)
    assert len(hall.sent) == messages


async def test_long_messages_go_in_pieces(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "PIECE_BYTES", 100)
    monkeypatch.setattr(links, "MESSAGE_BYTES", 150)
    values = torch.arange(64).reshape(8, 8) << 8
    found = await over_links(opened(squared, values), three("nearest"), hall)
    expected, traffic = replicated(opened(squared, values), "nearest")
    assert torch.equal(found[0], expected)
    sizes: dict[tuple[int, int, int], int] = defaultdict(int)
    for number, sender, receiver, tensor in traffic.messages:
        sizes[number, sender, receiver] += tensor.nbytes
    sealed = sum(size + 16 * -(-size // 100) for size in sizes.values())
    assert sum(len(message) for _, _, message in hall.sent) == sealed
    assert isinstance(hall, LaneHall) or max(len(message) for _, _, message in hall.sent) == 150


async def test_megabytes_both_ways_at_once_arrive(hall: Hall) -> None:
    """More than sockets hold: nobody may wait for the other to take its message first."""
    size = torch.Size([3 << 20])

    async def all_to_all(own: int) -> list[Tensor]:
        others = [other for other in range(3) if other != own]
        mine = torch.full(size, own, dtype=torch.uint8)
        wants = [Wanted(other, size, torch.uint8) for other in others]
        found = await Exchange([(other, mine) for other in others], wants)
        return [torch.stack((each.min(), each.max())) for each in found]

    found = await asyncio.gather(*(hall.links(own + 1).drive(all_to_all(own)) for own in range(3)))
    assert [[each.tolist() for each in one] for one in found] == [
        [[1, 1], [2, 2]],
        [[0, 0], [2, 2]],
        [[0, 0], [1, 1]],
    ]


async def test_parts_come_in_the_order_in_which_they_are_wanted(hall: Hall) -> None:
    small, wide = torch.arange(3, dtype=torch.uint8), torch.arange(5)

    async def give(to: int, *tensors: Tensor) -> None:
        await Exchange([(to, tensor) for tensor in tensors])

    async def take() -> list[Tensor]:
        return await Exchange(
            (),
            [
                Wanted(1, small.shape, small.dtype),
                Wanted(2, wide.shape, wide.dtype),
                Wanted(1, wide.shape, wide.dtype),
                Wanted(1, torch.Size([0]), torch.int64),
            ],
        )

    found, *_ = await asyncio.gather(
        hall.links(1).drive(take()),
        hall.links(2).drive(give(0, small, wide, torch.zeros(0, dtype=torch.int64))),
        hall.links(3).drive(give(0, -wide)),
    )
    assert [each.tolist() for each in found] == [small.tolist(), (-wide).tolist(), wide.tolist(), []]


async def swap(own: int, other: int, times: int = 2) -> None:
    for _ in range(times):
        await Exchange([(other, torch.zeros(3))], [Wanted(other, torch.Size([3]), torch.float32)])


async def meet(hall: Hall, within: float = 0.2) -> list[BaseException | None]:
    """Let 1 and 2 swap twice. Give how it ended for each; who fails leaves, as a party does."""
    parties = [
        leave_on_error(hall, own, hall.links(own, within).drive(swap(own - 1, 2 - own))) for own in (1, 2)
    ]
    return list(await asyncio.gather(*parties, return_exceptions=True))


async def test_nothing_happens_to_what_is_not_changed(hall: Hall) -> None:
    hall.change[2, 1, 1] = lambda message: [message]
    assert await meet(hall) == [None, None]


async def test_a_changed_bit_is_found(hall: Hall) -> None:
    hall.change[2, 1, 1] = lambda message: [bytes([message[0] ^ 1]) + message[1:]]
    error, _ = await meet(hall)
    assert isinstance(error, InvalidShare)
    assert error.culprits == (2,)


async def test_an_earlier_message_again_is_found(hall: Hall) -> None:
    hall.change[2, 1, 1] = lambda _: [next(message for sender, _, message in hall.sent if sender == 2)]
    error, _ = await meet(hall)
    assert isinstance(error, InvalidShare)


@pytest.mark.parametrize("length", [0, 27, 29, 5000])
async def test_a_message_of_another_length_is_refused(hall: Hall, length: int) -> None:
    hall.change[2, 1, 1] = lambda message: [(message + bytes(5000))[:length]]
    error, _ = await meet(hall, within=5.0)
    assert isinstance(error, ProtocolError)
    assert error.culprits == (2,)
    assert f"{length} bytes where 28 were due" in str(error)


async def test_one_that_is_silent_is_named(hall: Hall) -> None:
    hall.change[2, 1, 1] = lambda _: []
    error, _ = await meet(hall)
    assert isinstance(error, PeerTimeout)
    assert error.culprits == (2,)
    assert "timeout_seconds = 0.2" in str(error)


async def test_one_that_has_left_is_named_after_what_it_sent_has_come(hall: Hall) -> None:
    async def once() -> None:
        await swap(1, 0, times=1)

    async def vanish() -> None:
        await hall.links(2).drive(once())
        hall.leave(2)

    error, _ = await asyncio.gather(hall.links(1).drive(swap(0, 1)), vanish(), return_exceptions=True)
    assert isinstance(error, PeerLeft)
    assert error.culprits == (2,)


async def test_what_a_protocol_raises_is_raised_here(hall: Hall) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hall.links(1).drive(broken())


async def test_one_protocol_after_the_other_goes_over_the_same_links(hall: Hall) -> None:
    both = hall.links(1), hall.links(2)
    for _ in range(3):
        await asyncio.gather(both[0].drive(swap(0, 1)), both[1].drive(swap(1, 0)))


async def test_costs_are_counted_by_phase(hall: Hall) -> None:
    async def program(own: int, other: int) -> None:
        await phase("forward", swap(own, other, times=3))
        await swap(own, other, times=1)

    both = hall.links(1), hall.links(2)
    await asyncio.gather(both[0].drive(program(0, 1)), both[1].drive(program(1, 0)))
    for each in both:
        counted: dict[str, Any] = {name: (cost.rounds, cost.sent_bytes) for name, cost in each.costs.items()}
        assert counted == {"forward": (3, 36), "": (1, 12)}
        assert all(cost.computing_seconds > 0 < cost.waiting_seconds for cost in each.costs.values())


async def test_who_cheated_is_named_as_a_party_of_the_run(hall: Hall) -> None:
    async def program() -> None:
        await Exchange()
        raise CheatingDetected("a check", [0, 2])

    with pytest.raises(CheatingDetected, match="a check") as found:
        await hall.links(1).drive(program())
    assert found.value.culprits == (1, 3)
