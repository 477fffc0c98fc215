"""Rounds: what runs side by side is exchanged at once; what nobody waits for is an error."""

import gc

import pytest
import torch
from torch import Tensor

from mdl.mpc.rounds import Exchange, Wanted, phase, play, together


async def swap(party: int, value: int, times: int) -> Tensor:
    """Swap a number with the other of two parties, so often."""
    found = torch.tensor([value])
    for _ in range(times):
        want = Wanted(1 - party, found.shape, found.dtype)
        (found,) = await Exchange([(1 - party, found)], [want])
    return found


def test_what_runs_together_takes_as_many_rounds_as_the_longest() -> None:
    async def program(party: int) -> list[Tensor]:
        return await together(*(swap(party, 10 * party + k, times=k) for k in range(5)))

    found, traffic = play({party: program(party) for party in (0, 1)})
    assert traffic.rounds == 4
    assert [int(value) for value in found[0]] == [0, 11, 2, 13, 4]
    assert traffic.sent_bytes == {0: 80, 1: 80}


def test_messages_that_are_not_kept_are_counted_all_the_same() -> None:
    (_, kept), (_, dropped) = (
        play({party: swap(party, 7, times=3) for party in (0, 1)}, kept=kept) for kept in (True, False)
    )
    assert (dropped.rounds, dropped.sent_bytes, dropped.phases) == (kept.rounds, kept.sent_bytes, kept.phases)
    assert [(*message[:3], message[3].shape, message[3].dtype) for message in dropped.messages] == [
        (*message[:3], message[3].shape, message[3].dtype) for message in kept.messages
    ]
    assert {message[3].device.type for message in dropped.messages} == {"meta"}


def test_nothing_together_is_nothing() -> None:
    found, traffic = play({0: together()})
    assert found == {0: []}
    assert traffic.rounds == 0


def test_what_does_not_come_is_told() -> None:
    async def silent() -> list[Tensor]:
        return await Exchange()

    with pytest.raises(ValueError, match="party 0 waits for"):
        play({0: swap(0, 1, 1), 1: silent()})


def test_another_type_than_the_one_waited_for_is_told() -> None:
    async def other() -> list[Tensor]:
        return await Exchange([(0, torch.zeros(1))], [Wanted(0, torch.Size([1]), torch.int64)])

    with pytest.raises(ValueError, match="party 0 waits for"):
        play({0: swap(0, 1, 1), 1: other()})


def test_what_nobody_waits_for_is_told() -> None:
    async def loud() -> list[Tensor]:
        return await Exchange([(0, torch.zeros(1))])

    async def deaf() -> list[Tensor]:
        return await Exchange()

    with pytest.raises(ValueError, match="nobody waits"):
        play({0: deaf(), 1: loud()})


def test_an_error_of_one_ends_all_that_runs_with_it() -> None:
    async def fails(party: int) -> None:
        await swap(party, 1, 1)
        raise RuntimeError("of its own")

    async def program(party: int) -> None:
        await together(swap(party, 1, 3), fails(party))

    with pytest.raises(RuntimeError, match="of its own"):
        play({party: program(party) for party in (0, 1)})


@pytest.mark.parametrize("swaps", [0, 1, 2])
def test_an_error_of_one_closes_those_under_way_and_those_not_begun(swaps: int) -> None:
    """A protocol that was never begun, and is dropped, is a warning of Python's, and so an error here."""
    ended: list[int] = []

    async def goes_on(party: int) -> None:
        try:
            await swap(party, 1, 9)
        finally:
            ended.append(party)

    async def fails(party: int) -> None:
        await swap(party, 1, swaps)
        raise RuntimeError("of its own")

    async def program(party: int) -> None:
        await together(goes_on(party), fails(party), goes_on(party))

    parties = {party: program(party) for party in (0, 1)}
    with pytest.raises(RuntimeError, match="of its own") as caught:
        play(parties)
    parties[1].close()
    # Of the second, one that was not begun has nothing to end.
    assert ended == ([0] if not swaps else [0, 0, 1, 1])
    del caught
    gc.collect()


def test_what_is_closed_from_outside_closes_all_that_runs_together() -> None:
    ended: list[int] = []

    async def goes_on(number: int) -> None:
        try:
            await swap(0, 1, 9)
        finally:
            ended.append(number)

    protocol = together(goes_on(1), goes_on(2))
    protocol.send(None)
    protocol.close()
    assert ended == [1, 2]


def test_a_phase_is_told_of_every_exchange_and_changes_nothing_else() -> None:
    async def inner() -> int:
        (got,) = await Exchange([(0, torch.ones(2))], [Wanted(0, torch.Size([2]), torch.float32)])
        await Exchange()
        return int(got.sum())

    protocol = phase("forward", inner())
    first = protocol.send(None)
    assert (first.phase, len(first.sends), len(first.wants)) == ("forward", 1, 1)
    assert protocol.send([torch.ones(2)]).phase == "forward"
    with pytest.raises(StopIteration) as end:
        protocol.send([])
    assert end.value.value == 2
