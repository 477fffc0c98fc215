"""What every driver must keep: the contract of `mdl.party.Party`, as scenarios.

A driver's test gives each scenario a `Stage`: a star of manager 0 and workers 1 to `WORKERS`, fully linked,
all in one event loop (asyncio's or the driver's own), and runs it to its end. Scenarios await nothing but the
parties and asyncio's loop-neutral tools.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from typing import Any, Final, Protocol, TypeAlias

import pytest

from mdl.errors import PeerLeft
from mdl.party import Message, Party, PartyId, broadcast

WORKERS: Final = 3


class Ping(Message, frozen=True):
    number: int = 0


class Pong(Message, frozen=True):
    number: int = 0


class Bulk(Message, frozen=True):
    number: int
    body: bytes


KINDS: Final = (Ping, Pong, Bulk)
"""Every party of a stage may receive these."""


class Stage(Protocol):
    """Linked parties, and the power to make one leave and come back."""

    @property
    def parties(self) -> Mapping[PartyId, Party]: ...

    async def leave(self, party: PartyId) -> None:
        """Make a party leave in good order: what it sent before still arrives."""

    async def return_(self, worker: PartyId) -> None:
        """Link a worker that has left with the manager again, as a new object that knows of nothing."""


Scenario: TypeAlias = Callable[[Stage], Awaitable[None]]


def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine)


async def silence(awaitable: Awaitable[Any]) -> None:
    """Check that nothing comes of an awaitable for a while, and cancel it."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await awaitable


async def until_peers(party: Party, peers: Collection[PartyId]) -> None:
    async with asyncio.timeout(5):
        while list(party.peers) != sorted(peers):  # noqa: ASYNC110 - a party announces no change of its peers
            await asyncio.sleep(0.001)


async def a_party_knows_itself_and_its_peers(stage: Stage) -> None:
    assert {key: party.id for key, party in stage.parties.items()} == {key: key for key in stage.parties}
    assert list(stage.parties[0].peers) == [1, 2, 3]
    assert all(list(stage.parties[worker].peers) == [0] for worker in (1, 2, 3))


async def a_message_arrives_with_its_sender(stage: Stage) -> None:
    await stage.parties[2].send(0, Ping(7))
    envelope = await stage.parties[0].receive(Ping)
    assert (envelope.sender, envelope.message) == (2, Ping(7))


async def messages_of_one_peer_arrive_in_the_order_of_the_calls(stage: Stage) -> None:
    for number in range(50):
        await stage.parties[1].send(0, Bulk(number, bytes(number * 1000)))
    received = [(await stage.parties[0].receive(Bulk, sender=1)).message for _ in range(50)]
    assert received == [Bulk(number, bytes(number * 1000)) for number in range(50)]


async def messages_sent_at_once_arrive_whole_and_in_the_order_of_the_calls(stage: Stage) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(stage.parties[1].send(0, Bulk(number, bytes([number]) * 500_000)))
    received = [(await stage.parties[0].receive(Bulk)).message for _ in range(8)]
    assert received == [Bulk(number, bytes([number]) * 500_000) for number in range(8)]


async def a_receive_leaves_other_kinds_and_senders_to_others(stage: Stage) -> None:
    await stage.parties[1].send(0, Ping(1))
    await stage.parties[1].send(0, Pong(2))
    assert (await stage.parties[0].receive(Pong)).message == Pong(2)
    await stage.parties[2].send(0, Ping(3))
    assert (await stage.parties[0].receive(Ping, sender=2)).message == Ping(3)
    assert (await stage.parties[0].receive(Ping, Pong)).message == Ping(1)


async def parallel_receives_each_get_a_message_of_their_own(stage: Stage) -> None:
    manager = stage.parties[0]
    anyone = [start(manager.receive(Ping)) for _ in range(6)]
    by_sender = [start(manager.receive(Pong, sender=worker)) for worker in (3, 2, 1)]
    for worker in (1, 2, 3):
        for message in (Ping(worker), Ping(10 * worker), Pong(worker)):
            await stage.parties[worker].send(0, message)
    numbers = [(await receive).message.number for receive in anyone]
    assert sorted(numbers) == [1, 2, 3, 10, 20, 30]
    assert [(await receive).message.number for receive in by_sender] == [3, 2, 1]


async def a_cancelled_receive_takes_no_message(stage: Stage) -> None:
    manager = stage.parties[0]
    await silence(manager.receive(Ping))
    receives = [start(manager.receive(Ping)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        await stage.parties[1].send(0, Ping(number))
    # The marker comes after the pings, so when it is there they have been handed to those who wait, or soon
    # will be.
    await stage.parties[1].send(0, Pong())
    await manager.receive(Pong)
    for receive in receives:
        receive.cancel()
    ends = await asyncio.gather(*receives, return_exceptions=True)
    taken = [end.message.number for end in ends if not isinstance(end, BaseException)]
    rest = [(await manager.receive(Ping)).message.number for _ in range(3 - len(taken))]
    assert taken + rest == [0, 1, 2]


async def a_cancelled_send_leaves_the_link_in_order(stage: Stage) -> None:
    worker, manager = stage.parties[1], stage.parties[0]
    sends = [start(worker.send(0, Bulk(number, bytes([number]) * 1_000_000))) for number in range(10)]
    await asyncio.sleep(0.001)
    for send in sends[::2]:
        send.cancel()
    receives = start(_bulks_until_pong(manager))
    await asyncio.gather(*sends, return_exceptions=True)
    await worker.send(0, Pong())
    received = await receives
    numbers = [message.number for message in received]
    assert all(message.body == bytes([message.number]) * 1_000_000 for message in received)
    assert numbers == sorted(numbers)
    assert set(numbers) >= {1, 3, 5, 7, 9}


async def _bulks_until_pong(party: Party) -> list[Bulk]:
    received: list[Bulk] = []
    while isinstance(message := (await party.receive(Bulk, Pong)).message, Bulk):
        received.append(message)
    return received


async def a_peer_that_left_is_no_peer_and_cannot_be_sent_to(stage: Stage) -> None:
    await stage.leave(2)
    await until_peers(stage.parties[0], [1, 3])
    with pytest.raises(PeerLeft) as caught:
        await stage.parties[0].send(2, Ping())
    assert caught.value.culprits == (2,)


async def what_a_peer_sent_before_it_left_is_handed_out_first(stage: Stage) -> None:
    for number in range(3):
        await stage.parties[2].send(0, Ping(number))
    await stage.leave(2)
    manager = stage.parties[0]
    assert [(await manager.receive(Ping, sender=2)).message.number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(PeerLeft) as caught:
        await manager.receive(Ping, sender=2)
    assert caught.value.culprits == (2,)


async def whoever_waits_for_a_peer_learns_that_it_left(stage: Stage) -> None:
    receive = start(stage.parties[0].receive(Ping, sender=1))
    await asyncio.sleep(0)
    await stage.leave(1)
    with pytest.raises(PeerLeft):
        await receive


async def a_receive_from_anyone_goes_on_until_the_last_peer_left(stage: Stage) -> None:
    manager = stage.parties[0]
    receive = start(manager.receive(Ping))
    await stage.leave(1)
    await stage.leave(3)
    await stage.parties[2].send(0, Ping(2))
    assert (await receive).sender == 2
    receive = start(manager.receive(Ping))
    await stage.leave(2)
    with pytest.raises(PeerLeft) as caught:
        await receive
    assert caught.value.culprits == (1, 2, 3)


async def the_others_go_on_when_one_leaves(stage: Stage) -> None:
    await stage.leave(1)
    await until_peers(stage.parties[0], [2, 3])
    await broadcast(stage.parties[0], [1, 2, 3], Ping(5))
    for worker in (2, 3):
        assert (await stage.parties[worker].receive(Ping)).message == Ping(5)
        await stage.parties[worker].send(0, Pong(worker))
    assert sorted([(await stage.parties[0].receive(Pong)).sender for _ in range(2)]) == [2, 3]


async def workers_learn_that_the_manager_left(stage: Stage) -> None:
    receives = [start(stage.parties[worker].receive(Ping)) for worker in (1, 2, 3)]
    await asyncio.sleep(0)
    await stage.leave(0)
    ends = await asyncio.gather(*receives, return_exceptions=True)
    assert [getattr(end, "culprits", None) for end in ends] == [(0,)] * 3


async def a_departure_is_awaited_until_the_peer_has_left(stage: Stage) -> None:
    manager = stage.parties[0]
    departures = [start(manager.departure(worker)) for worker in (1, 2, 2)]
    await silence(manager.departure(2))
    assert not any(departure.done() for departure in departures)
    await stage.leave(2)
    await asyncio.gather(*departures[1:])
    assert 2 not in manager.peers
    assert not departures[0].done()
    departures[0].cancel()


async def the_departure_of_who_is_not_there_is_no_wait(stage: Stage) -> None:
    await stage.leave(2)
    await until_peers(stage.parties[0], [1, 3])
    async with asyncio.timeout(1):
        await stage.parties[0].departure(2)
        await stage.parties[1].departure(3)  # workers have no link with one another


async def what_a_peer_sent_can_be_taken_after_its_departure(stage: Stage) -> None:
    await stage.parties[2].send(0, Ping(4))
    await stage.leave(2)
    await stage.parties[0].departure(2)
    assert (await stage.parties[0].receive(Ping, sender=2)).message == Ping(4)


async def a_departure_is_known_before_the_peer_can_be_back(stage: Stage) -> None:
    """Whoever waits for something of it is woken as well: nothing begun before lives on over the new link."""
    manager = stage.parties[0]
    there: list[list[PartyId]] = []

    async def watch() -> None:
        await manager.departure(2)
        there.append(list(manager.peers))

    watching, receive = start(watch()), start(manager.receive(Ping, sender=2))
    await asyncio.sleep(0)
    await stage.leave(2)
    await stage.return_(2)
    await until_peers(manager, [1, 2, 3])
    await watching
    assert there == [[1, 3]]
    with pytest.raises(PeerLeft):
        await receive


async def a_peer_that_is_back_is_a_peer_like_any_other(stage: Stage) -> None:
    manager = stage.parties[0]
    for number in range(3):
        await stage.leave(2)
        await until_peers(manager, [1, 3])
        await stage.return_(2)
        await until_peers(manager, [1, 2, 3])
        await stage.parties[2].send(0, Ping(number))
        assert (await manager.receive(Ping)).message == Ping(number)
        await manager.send(2, Pong(number))
        assert (await stage.parties[2].receive(Pong)).message == Pong(number)
        await silence(manager.departure(2))


async def what_a_peer_sent_before_it_left_comes_before_what_it_sends_when_it_is_back(stage: Stage) -> None:
    await stage.parties[2].send(0, Ping(1))
    await stage.leave(2)
    await until_peers(stage.parties[0], [1, 3])
    await stage.return_(2)
    await stage.parties[2].send(0, Ping(2))
    received = [(await stage.parties[0].receive(Ping, sender=2)).message.number for _ in range(2)]
    assert received == [1, 2]


async def a_party_computes_in_its_pool_and_in_its_thread(stage: Stage) -> None:
    party = stage.parties[1]
    assert await party.to_process(divmod, 17, 5) == (3, 2)
    assert await party.to_thread("training", sorted, [3, 1, 2], reverse=True) == [3, 2, 1]


async def what_fails_in_the_pool_or_the_thread_fails_here(stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError):
        await stage.parties[1].to_process(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        await stage.parties[1].to_thread("training", divmod, 1, 0)


async def methods_in_the_thread_run_one_at_a_time_in_their_order(stage: Stage) -> None:
    trace: list[str] = []

    def step(name: str) -> None:
        trace.append(f"{name} begins")
        trace.append(f"{name} ends")

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(stage.parties[1].to_thread("training", step, name))
    assert trace == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


SCENARIOS: Final[tuple[Scenario, ...]] = (
    a_party_knows_itself_and_its_peers,
    a_message_arrives_with_its_sender,
    messages_of_one_peer_arrive_in_the_order_of_the_calls,
    messages_sent_at_once_arrive_whole_and_in_the_order_of_the_calls,
    a_receive_leaves_other_kinds_and_senders_to_others,
    parallel_receives_each_get_a_message_of_their_own,
    a_cancelled_receive_takes_no_message,
    a_cancelled_send_leaves_the_link_in_order,
    a_peer_that_left_is_no_peer_and_cannot_be_sent_to,
    what_a_peer_sent_before_it_left_is_handed_out_first,
    whoever_waits_for_a_peer_learns_that_it_left,
    a_receive_from_anyone_goes_on_until_the_last_peer_left,
    the_others_go_on_when_one_leaves,
    workers_learn_that_the_manager_left,
    a_departure_is_awaited_until_the_peer_has_left,
    the_departure_of_who_is_not_there_is_no_wait,
    what_a_peer_sent_can_be_taken_after_its_departure,
    a_departure_is_known_before_the_peer_can_be_back,
    a_peer_that_is_back_is_a_peer_like_any_other,
    what_a_peer_sent_before_it_left_comes_before_what_it_sends_when_it_is_back,
    a_party_computes_in_its_pool_and_in_its_thread,
    what_fails_in_the_pool_or_the_thread_fails_here,
    methods_in_the_thread_run_one_at_a_time_in_their_order,
)


def title(scenario: Scenario) -> str:
    """Name a scenario in a test's id."""
    return getattr(scenario, "__name__", "scenario").replace("_", " ")
