"""A party on which whoever leaves stays gone, even once it is back."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from mdl.errors import PeerLeft
from mdl.party import Message, Party
from mdl.protocols.attendance import attendance
from mdl.simulator.loop import VirtualLoop
from mdl.simulator.network import Network, Wire
from mdl.simulator.party import SimulatedParty, no_charge
from mdl.transport.codec import Codec


class Word(Message, frozen=True):
    number: int


def actor(party: int, records: list[object] | None = None) -> SimulatedParty:
    on_record = (lambda _fact: None) if records is None else records.append
    return SimulatedParty(party, Codec([Word]), charge=no_charge, transcript=[], on_record=on_record)


class Hall:
    """A manager and two workers; worker 2 can leave and come back."""

    def __init__(self) -> None:
        self.records: list[object] = []
        self.manager, self.one = actor(0, self.records), actor(1)
        self.link(self.one)
        self.come_back()

    def link(self, worker: SimulatedParty) -> None:
        for party, peer in ((self.manager, worker), (worker, self.manager)):
            party.link(peer, Wire(Network(latency_seconds=0.1), random.Random(0)))

    def come_back(self) -> None:
        self.two = actor(2)
        self.link(self.two)


def play(story: Callable[[Hall, Party], Awaitable[None]]) -> None:
    async def main() -> None:
        hall = Hall()
        async with attendance(hall.manager) as crew:
            await asyncio.sleep(0)
            await story(hall, crew)

    loop = VirtualLoop(0)
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_while_all_stay_it_is_the_party_itself() -> None:
    async def story(hall: Hall, crew: Party) -> None:
        assert (crew.id, list(crew.peers)) == (0, [1, 2])
        await crew.send(2, Word(1))
        assert (await hall.two.receive(Word)).message == Word(1)
        await hall.one.send(0, Word(2))
        assert (await crew.receive(Word)).message == Word(2)
        assert await crew.to_process(divmod, 7, 2) == (3, 1)
        assert await crew.to_thread("record", sorted, [2, 1]) == [1, 2]
        assert await crew.lanes([1], Word, 1.0) is None  # there are none on virtual links
        crew.record("epoch", 4)
        assert hall.records == [{"seconds": 0.2, "party": 0, "kind": "epoch", "epoch": 4}]

    play(story)


def test_who_is_back_is_no_peer_and_is_neither_told_nor_awaited() -> None:
    async def story(hall: Hall, crew: Party) -> None:
        hall.two.leave()
        await crew.departure(2)
        hall.come_back()
        assert (list(hall.manager.peers), list(crew.peers)) == ([1, 2], [1])
        with pytest.raises(PeerLeft):
            await crew.send(2, Word(1))
        with pytest.raises(PeerLeft):
            await crew.receive(Word, sender=2)
        await crew.departure(2)  # it has departed: no wait

    play(story)


def test_what_was_sent_before_leaving_is_still_handed_out_first() -> None:
    async def story(hall: Hall, crew: Party) -> None:
        await hall.two.send(0, Word(5))
        hall.two.hang_up()
        await crew.departure(2)
        assert (await crew.receive(Word, sender=2)).message == Word(5)
        with pytest.raises(PeerLeft):
            await crew.receive(Word, sender=2)

    play(story)


def test_the_next_attendance_counts_who_is_back() -> None:
    async def story(hall: Hall, crew: Party) -> None:
        hall.two.leave()
        await crew.departure(2)
        hall.come_back()
        async with attendance(hall.manager) as following:
            assert list(following.peers) == [1, 2]
            await following.send(2, Word(3))
            assert (await hall.two.receive(Word)).message == Word(3)

    play(story)
