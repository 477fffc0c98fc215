"""Transcripts: what was received, and what a witness knows should have been, compared by their hashes."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import permutations
from typing import Final

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.rounds import Exchange, Received, Wanted
from mdl.party import PartyId

_HASH_SIZE: Final = torch.Size([sha256().digest_size])
_CONFIRMED: Final = 1


class Transcripts:
    """One party's side of checking what was sent, as it goes on.

    In each round every party sends every other one the hash of what that one should have received in the
    round before, of all that it is the witness of; of nothing, it says that it is still there. Not later: a
    party that was sent a wrong number would go on to tell hashes of what it has computed with it, of known
    numbers and perhaps a secret that is easy to guess. So it leaves before it tells any, and a round later,
    as it is missed, all others have left too, before they tell hashes of what they have computed with what
    it has sent.

    Parties enter a message when the round in which it is sent is over, in the order of the program, so that
    all have entered the same messages at any time. Sizes and order are public: a hash needs nothing between
    what it covers.

    Args:
        party: which party this is.
        holders: how many there are.
    """

    def __init__(self, party: PartyId, holders: int) -> None:
        self._party = party
        self._others = [other for other in range(holders) if other != party]
        self._begin()

    def _begin(self) -> None:
        """Begin anew: by witness, what was received; by receiver, what it should have received.

        Hashes are due once an exchange is over; of several side by side, the first to go on sends them.
        """
        self._due = False
        self._received = {other: sha256() for other in self._others}
        self._witnessed = {other: sha256() for other in self._others}

    def enter(self, witness: PartyId, receiver: PartyId, message: Tensor) -> None:
        """Enter a message, as its receiver or its witness has it; for others nothing."""
        if self._party == receiver:
            self._received[witness].update(_content(message))
        elif self._party == witness:
            self._witnessed[receiver].update(_content(message))

    def enter_handed(self, receivers: Iterable[PartyId], message: Tensor) -> None:
        """Enter what a party has sent to several, each of whom is witness to what the others got."""
        for receiver, witness in permutations(receivers, 2):
            self.enter(witness, receiver, message)

    async def exchange(self, sends: Sequence[tuple[PartyId, Tensor]], wants: Sequence[Wanted]) -> Received:
        """Send and receive, and compare what has been entered before: one round.

        Raises:
            CheatingDetected: a message was not what its witness says it should have been.
        """
        told = [(other, self._witnessed[other].digest()) for other in self._others] if self._due else []
        own = [(other, self._received[other].digest()) for other in self._others] if self._due else []
        self._begin()
        received = await Exchange(
            [*((receiver, _sent(digest)) for receiver, digest in told), *sends],
            [*(wanted_hash(witness) for witness, _ in own), *wants],
        )
        self._due = True
        for (witness, digest), expected in zip(own, received, strict=False):
            if not torch.equal(_sent(digest), expected):
                raise CheatingDetected(
                    f"transcripts: what party {self._party} has received (counted from 0) is not what party "
                    f"{witness} says it should be"
                )
        return received[len(own) :]

    async def compare(self) -> None:
        """Compare what is left, then hear from all others that they have found nothing: two rounds.

        Without the second, a party whose messages were right would go on to open secrets while another one
        has found a wrong message.

        Raises:
            CheatingDetected: a message was not what its witness says, or a party does not confirm.
        """
        self._due = True
        await self.exchange((), ())
        word = torch.tensor([_CONFIRMED], dtype=torch.uint8)
        answers = await Exchange(
            [(other, word) for other in self._others],
            [Wanted(other, word.shape, word.dtype) for other in self._others],
        )
        for other, answer in zip(self._others, answers, strict=True):
            if not torch.equal(answer, word):
                raise CheatingDetected("transcripts: a party does not confirm them", [other])


def wanted_hash(witness: PartyId) -> Wanted:
    """Say that a hash is to come."""
    return Wanted(witness, _HASH_SIZE, torch.uint8)


def hash_of(message: Tensor) -> Tensor:
    """Give the hash of a tensor, as it is sent."""
    return _sent(sha256(_content(message)).digest())


def _sent(digest: bytes) -> Tensor:
    return torch.frombuffer(bytearray(digest), dtype=torch.uint8)


def _content(message: Tensor) -> memoryview:
    return memoryview(message.contiguous().numpy())  # type: ignore[arg-type]  # an array is a buffer
