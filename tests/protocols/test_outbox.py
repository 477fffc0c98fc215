"""Outbox: the sender goes on, the receiver gets everything in order, and who takes nothing is given up."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from mdl.party import MANAGER, Message
from mdl.protocols.outbox import Outbox
from mdl.simulator import Network
from mdl.simulator.party import SimulatedParty
from tests.protocols.parties import now, play, star_of

WITHIN = 10.0


class Note(Message, frozen=True):
    """Of 1,000 bytes, give or take."""

    number: int
    padding: bytes = bytes(1000)


STUCK = Network(bandwidth_bytes_per_second=1.0)
SLOW = Network(bandwidth_bytes_per_second=150.0)
"""Seven seconds a note: slow, but within what is given."""


def start(party: SimulatedParty, worker: int) -> tuple[Outbox, asyncio.Task[None]]:
    outbox = Outbox(party, worker, within=WITHIN)
    return outbox, asyncio.ensure_future(outbox.run())


async def take(party: SimulatedParty, count: int) -> list[int]:
    return [(await party.receive(Note, sender=MANAGER)).message.number for _ in range(count)]


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@given(pauses=st.lists(st.integers(0, 20), max_size=8), schedule=st.integers(0, 2**32))
def test_messages_arrive_in_the_order_in_which_they_were_put(pauses: list[int], schedule: int) -> None:
    async def story() -> None:
        parties = star_of(1, [Note], networks={1: SLOW})
        outbox, running = start(parties[MANAGER], 1)
        for number, pause in enumerate(pauses):
            outbox.put(Note(number))
            if pause:
                await asyncio.sleep(pause)
        assert now() == sum(pauses), "to put takes no time"
        assert await take(parties[1], len(pauses)) == list(range(len(pauses)))
        await stop(running)

    play(story, schedule=schedule)


def test_who_takes_nothing_is_given_up_and_holds_up_nobody() -> None:
    async def story() -> None:
        parties = star_of(2, [Note], networks={1: STUCK})
        boxes = {worker: start(parties[MANAGER], worker) for worker in (1, 2)}
        for number in range(3):
            for outbox, _ in boxes.values():
                outbox.put(Note(number))
        assert await take(parties[2], 3) == [0, 1, 2]
        assert now() == 0.0
        outbox, running = boxes[1]
        await running
        assert now() == WITHIN
        assert outbox.closed
        outbox.put(Note(3))
        await outbox.flushed()
        assert now() == WITHIN
        await stop(boxes[2][1])

    play(story)


def test_who_is_slow_is_not_given_up_however_much_there_is_to_take() -> None:
    async def story() -> None:
        parties = star_of(1, [Note], networks={1: SLOW})
        outbox, running = start(parties[MANAGER], 1)
        for number in range(5):
            outbox.put(Note(number))
        await outbox.flushed()
        assert now() > 3 * WITHIN
        assert await take(parties[1], 5) == list(range(5))
        await stop(running)

    play(story)


def test_flushed_waits_for_what_was_put_and_for_nothing_else() -> None:
    async def story() -> None:
        parties = star_of(1, [Note], networks={1: SLOW})
        outbox, running = start(parties[MANAGER], 1)
        await outbox.flushed()
        outbox.put(Note(1))
        flushed = asyncio.ensure_future(outbox.flushed())
        await asyncio.sleep(1)
        assert not flushed.done()
        await flushed
        assert await take(parties[1], 1) == [1]
        await stop(running)

    play(story)


def test_it_ends_when_the_receiver_leaves() -> None:
    async def story() -> None:
        parties = star_of(1, [Note])
        outbox, running = start(parties[MANAGER], 1)
        parties[1].leave()
        outbox.put(Note(1))
        outbox.put(Note(2))
        await running
        await outbox.flushed()
        assert outbox.closed

    play(story)


def test_what_is_closed_drops_what_it_has_and_takes_nothing_more() -> None:
    async def story() -> None:
        parties = star_of(1, [Note])
        outbox = Outbox(parties[MANAGER], 1, within=WITHIN)
        outbox.put(Note(1))
        outbox.close()
        outbox.put(Note(2))
        await outbox.flushed()
        await outbox.run()
        parties[MANAGER].hang_up()
        await asyncio.sleep(1)
        assert parties[1].peers == []

    play(story)


def test_closing_it_while_it_sends_loses_only_what_it_had_not_begun_to_send() -> None:
    async def story() -> None:
        parties = star_of(1, [Note], networks={1: SLOW})
        outbox, running = start(parties[MANAGER], 1)
        outbox.put(Note(1))
        outbox.put(Note(2))
        await asyncio.sleep(1)
        outbox.close()
        await running
        assert await take(parties[1], 1) == [1]

    play(story)
