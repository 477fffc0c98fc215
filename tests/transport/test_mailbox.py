"""Mailbox: equal to a list that is searched from its front, whatever happens in whatever order."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mdl.errors import PeerLeft
from mdl.party import Envelope, Message
from mdl.transport.mailbox import Mailbox

LIMIT = 10


class Ping(Message, frozen=True):
    number: int = 0


class Pong(Message, frozen=True):
    number: int = 0


Wanted = tuple[tuple[type[Message], ...], int | None]

senders = st.integers(1, 3)
wanted = st.tuples(st.sampled_from([(Ping,), (Pong,), (Ping, Pong), (Message,)]), st.none() | senders)


class MailboxAgainstList(RuleBasedStateMachine):
    """The model is a list of (envelope, size) and a set of peers; receives run as tasks that are stepped."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.set_debug(True)
        self.mailbox = Mailbox(LIMIT)
        self.waiting: list[tuple[Envelope[Message], int]] = []
        self.present: set[int] = set()
        self.delivered = 0
        self.receives: list[tuple[Wanted, asyncio.Task[Envelope[Message]]]] = []
        self.departures: list[tuple[int, asyncio.Task[None]]] = []

    def first(self, kinds: tuple[type[Message], ...], sender: int | None) -> Envelope[Message] | None:
        for envelope, _ in self.waiting:
            if isinstance(envelope.message, kinds) and sender in (None, envelope.sender):
                return envelope
        return None

    def strike(self, envelope: Envelope[Message]) -> None:
        self.waiting = [entry for entry in self.waiting if entry[0] is not envelope]

    def run(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())

    def settle(self) -> None:
        """Let every task run until it waits, and check the ends of those that ended."""
        self.run(5)
        for want, task in list(self.receives):
            if task.done():
                self.receives.remove((want, task))
                self.check_end(want, task)

    def check_end(self, want: Wanted, task: asyncio.Task[Envelope[Message]]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            envelope = task.result()
            assert isinstance(envelope.message, want[0])
            assert want[1] in (None, envelope.sender)
            # No older message of its kind and sender was passed over.
            assert envelope is self.first((type(envelope.message),), envelope.sender)
            self.strike(envelope)
        else:
            assert isinstance(error, PeerLeft)
            assert self.first(*want) is None
            assert not (self.present if want[1] is None else want[1] in self.present)

    @rule(peer=senders)
    def join(self, peer: int) -> None:
        self.mailbox.join(peer)
        self.present.add(peer)

    @rule(peer=senders)
    def leave(self, peer: int) -> None:
        self.mailbox.leave(peer)
        self.present.discard(peer)
        self.settle()
        assert all(task.done() for other, task in self.departures if other == peer)
        self.departures = [(other, task) for other, task in self.departures if other != peer]

    @rule(peer=senders)
    def await_departure(self, peer: int) -> None:
        task = self.loop.create_task(self.mailbox.departure(peer))
        self.settle()
        assert task.done() == (peer not in self.present)
        if peer in self.present:
            self.departures.append((peer, task))

    @rule(sender=senders, kind=st.sampled_from([Ping, Pong]), size=st.integers(1, 5))
    def deliver(self, sender: int, kind: type[Ping] | type[Pong], size: int) -> None:
        self.delivered += 1
        envelope: Envelope[Message] = Envelope(sender, kind(self.delivered))
        self.mailbox.deliver(envelope, size)
        self.waiting.append((envelope, size))

    @rule(want=wanted)
    def take(self, want: Wanted) -> None:
        self.settle()
        expected = self.first(*want)
        assert self.mailbox.take(*want) is expected
        if expected is not None:
            self.strike(expected)

    @rule(want=wanted)
    def receive(self, want: Wanted) -> None:
        self.receives.append((want, self.loop.create_task(self.mailbox.receive(*want))))

    @precondition(lambda self: self.receives)
    @rule(which=st.integers(0, 100))
    def cancel(self, which: int) -> None:
        self.receives[which % len(self.receives)][1].cancel()

    @rule()
    def step(self) -> None:
        self.settle()

    @invariant()
    def bytes_agree(self) -> None:
        self.settle()
        for sender in range(1, 4):
            total = sum(size for envelope, size in self.waiting if envelope.sender == sender)
            assert self.mailbox.waiting_bytes(sender) == total

    @invariant()
    def nobody_waits_for_what_is_there(self) -> None:
        for want, _ in self.receives:
            assert self.first(*want) is None

    @invariant()
    def who_is_there_has_not_departed(self) -> None:
        assert not any(task.done() for _, task in self.departures)

    def teardown(self) -> None:
        for _, task in [*self.receives, *self.departures]:
            task.cancel()
        self.run(3)
        self.loop.close()


class Unsettled(MailboxAgainstList):
    """As above, but deliveries and cancellations meet between two turns of the loop."""

    @rule(
        sender=senders,
        count=st.integers(1, 3),
        cancelled=st.sets(st.integers(0, 5)),
        late=wanted,
        left=st.booleans(),
    )
    def burst(self, sender: int, count: int, cancelled: set[int], late: Wanted, left: bool) -> None:
        for _ in range(count):
            self.deliver(sender, Ping, 1)
        for which in cancelled & set(range(len(self.receives))):
            self.receives[which][1].cancel()
        self.receive(late)
        if left:
            self.leave(sender)


MailboxAgainstList.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
Unsettled.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestMailboxAgainstList = MailboxAgainstList.TestCase
TestUnsettled = Unsettled.TestCase


def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(coroutine)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def with_peers(*peers: int, limit: int = LIMIT) -> Mailbox:
    mailbox = Mailbox(limit)
    for peer in peers:
        mailbox.join(peer)
    return mailbox


async def test_the_oldest_matching_message_comes_first() -> None:
    mailbox = with_peers(1, 2)
    for sender, message in [(2, Pong(1)), (1, Ping(2)), (2, Ping(3))]:
        mailbox.deliver(Envelope(sender, message), 1)
    assert await mailbox.receive((Ping,)) == Envelope(1, Ping(2))
    assert await mailbox.receive((Ping, Pong), 2) == Envelope(2, Pong(1))
    assert await mailbox.receive((Ping, Pong)) == Envelope(2, Ping(3))


async def test_receives_that_wait_are_served_in_their_order() -> None:
    mailbox = with_peers(1)
    first, second = start(mailbox.receive((Ping,))), start(mailbox.receive((Ping,)))
    await turns()
    mailbox.deliver(Envelope(1, Ping(1)), 1)
    mailbox.deliver(Envelope(1, Ping(2)), 1)
    assert [(await first).message.number, (await second).message.number] == [1, 2]


async def test_a_receive_cancelled_after_it_was_woken_leaves_the_message_in_its_place() -> None:
    mailbox = with_peers(1)
    woken = start(mailbox.receive((Ping,)))
    await turns()
    mailbox.deliver(Envelope(1, Ping(1)), 1)
    mailbox.deliver(Envelope(1, Ping(2)), 1)
    woken.cancel()
    await turns()
    assert woken.cancelled()
    assert mailbox.take((Ping,)) == Envelope(1, Ping(1))


async def test_a_message_passes_to_the_next_who_waits_when_the_first_is_cancelled() -> None:
    mailbox = with_peers(1)
    first, second = start(mailbox.receive((Ping,))), start(mailbox.receive((Ping,)))
    await turns()
    mailbox.deliver(Envelope(1, Ping(7)), 1)
    first.cancel()
    assert (await second).message == Ping(7)


async def test_messages_of_a_peer_that_left_come_before_the_error() -> None:
    mailbox = with_peers(1, 2)
    mailbox.deliver(Envelope(1, Ping(1)), 1)
    mailbox.leave(1)
    assert (await mailbox.receive((Ping,), 1)).message == Ping(1)
    with pytest.raises(PeerLeft) as caught:
        await mailbox.receive((Ping,), 1)
    assert caught.value.culprits == (1,)


async def test_a_receive_from_anyone_fails_when_the_last_peer_leaves() -> None:
    mailbox = with_peers(1, 2)
    receive = start(mailbox.receive((Ping,)))
    await turns()
    mailbox.leave(2)
    await turns()
    assert not receive.done()
    mailbox.leave(1)
    with pytest.raises(PeerLeft, match="Ping") as caught:
        await receive
    assert caught.value.culprits == (1, 2)


async def test_a_peer_that_joins_again_can_be_waited_for() -> None:
    mailbox = with_peers(1)
    mailbox.leave(1)
    mailbox.join(1)
    receive = start(mailbox.receive((Ping,), 1))
    await turns()
    mailbox.deliver(Envelope(1, Ping(1)), 1)
    assert (await receive).sender == 1


async def test_a_departure_is_that_of_the_present_link() -> None:
    mailbox = with_peers(1)
    mailbox.leave(1)
    await mailbox.departure(1)
    mailbox.join(1)
    departure = start(mailbox.departure(1))
    await turns()
    assert not departure.done()
    mailbox.leave(1)
    mailbox.join(1)
    await departure


async def test_a_cancelled_wait_for_a_departure_is_forgotten() -> None:
    mailbox = with_peers(1)
    departure = start(mailbox.departure(1))
    await turns()
    departure.cancel()
    await turns()
    mailbox.leave(1)
    assert departure.cancelled()


async def test_room_waits_for_its_sender_to_be_read() -> None:
    mailbox = with_peers(1, 2)
    mailbox.deliver(Envelope(1, Ping()), LIMIT)
    await mailbox.room(2)
    pause = start(mailbox.room(1))
    await turns()
    assert not pause.done()
    mailbox.take((Ping,))
    await pause


async def test_room_does_not_wait_for_a_peer_that_left() -> None:
    mailbox = with_peers(1)
    mailbox.deliver(Envelope(1, Ping()), LIMIT)
    pause = start(mailbox.room(1))
    await turns()
    mailbox.leave(1)
    await pause


async def test_a_cancelled_pause_is_forgotten() -> None:
    mailbox = with_peers(1)
    mailbox.deliver(Envelope(1, Ping()), LIMIT)
    pause = start(mailbox.room(1))
    await turns()
    pause.cancel()
    await turns()
    mailbox.take((Ping,))
    await mailbox.room(1)
