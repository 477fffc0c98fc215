"""A vector piece by piece: whole whatever was broken off before, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.errors import ProtocolError
from mdl.party import MANAGER, Message
from mdl.protocols.pieces import Piece, receive_latest, receive_whole
from tests.protocols.parties import play, star_of

ENTRIES = 5
CUTS = [0, 2, 3, 5]
"""Where pieces begin and end."""


class Part(Piece, frozen=True):
    """Of a vector of `ENTRIES` entries."""


class End(Message, frozen=True):
    """There is no further one."""


def pieces(epoch: int) -> list[Part]:
    """The vector of an epoch, whose bytes all are the epoch's number."""
    return [Part(epoch, first, bytes([epoch]) * 4 * (last - first)) for first, last in pairwise(CUTS)]


@given(broken=st.lists(st.integers(0, len(CUTS) - 2), max_size=5), ends=st.booleans())
def test_whatever_was_broken_off_before_the_latest_vector_comes_whole(broken: list[int], ends: bool) -> None:
    async def story() -> None:
        manager, worker = star_of(1, [Part, End]).values()
        for epoch, count in enumerate(broken, start=1):
            for piece in pieces(epoch)[:count]:
                await manager.send(1, piece)
        last = len(broken) + 1
        for message in [End()] if ends else pieces(last):
            await manager.send(1, message)
        found = await receive_latest(worker, Part, End, sender=MANAGER, entries=ENTRIES)
        assert found == (End() if ends else (last, bytes([last]) * 4 * ENTRIES))

    play(story)


@pytest.mark.parametrize(
    "said",
    [
        [Part(2, 1, bytes(8))],
        [Part(2, 0, b"")],
        [Part(2, 0, bytes(24))],
        [Part(2, 0, bytes(8)), Part(2, 0, bytes(8))],
        [Part(2, 0, bytes(8)), Part(2, 2, bytes(16))],
        [Part(2, 0, bytes(8)), Part(3, 2, bytes(12))],
    ],
    ids=["not the first", "empty", "too long", "twice", "too long in all", "another epoch's"],
)
@pytest.mark.parametrize("latest", [False, True])
def test_a_piece_in_the_wrong_place_is_blamed_on_its_sender(said: Sequence[Part], latest: bool) -> None:
    async def story() -> None:
        manager, worker = star_of(1, [Part]).values()
        for piece in said:
            await manager.send(1, piece)
        received = (
            receive_latest(worker, Part, sender=MANAGER, entries=ENTRIES)
            if latest
            else receive_whole(worker, Part, sender=MANAGER, epoch=2, entries=ENTRIES)
        )
        with pytest.raises(ProtocolError, match="a piece of a vector in the wrong place") as caught:
            await received
        assert caught.value.culprits == (MANAGER,)

    play(story)


def test_no_piece_of_an_epoch_before_the_one_begun_fits() -> None:
    async def story() -> None:
        manager, worker = star_of(1, [Part]).values()
        await manager.send(1, pieces(2)[0])
        await manager.send(1, pieces(1)[0])
        with pytest.raises(ProtocolError):
            await receive_latest(worker, Part, sender=MANAGER, entries=ENTRIES)

    play(story)


def test_of_one_epoch_late_pieces_are_dropped() -> None:
    async def story() -> None:
        manager, worker = star_of(1, [Part]).values()
        for piece in [*pieces(1), *pieces(2)]:
            await manager.send(1, piece)
        found = await receive_whole(worker, Part, sender=MANAGER, epoch=2, entries=ENTRIES)
        assert found == bytes([2]) * 4 * ENTRIES

    play(story)
