"""Transcripts: what was received, and what a witness knows should have been, as running hashes."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import permutations
from typing import Final

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.rounds import Exchange, Wanted
from mdl.party import PartyId

HOLDERS: Final = 4
HASH_BYTES: Final = sha256().digest_size
_CONFIRMED: Final = 1


class Transcripts:
    """One party's side of checking what was sent.

    A hash covers all messages of one sender to one receiver that the same party is witness of, since the
    start. Sizes and order are public, so it needs nothing between them. Parties enter a message when the
    round in which it is sent is over, so that all have entered the same messages at any time.

    Args:
        party: which party this is.
    """

    def __init__(self, party: PartyId) -> None:
        self._party = party
        others = [other for other in range(HOLDERS) if other != party]
        self._received = {pair: sha256() for pair in permutations(others, 2)}
        self._witnessed = {pair: sha256() for pair in permutations(others, 2)}

    def enter(self, sender: PartyId, witness: PartyId, receiver: PartyId, message: Tensor) -> None:
        """Enter a message, as its receiver or its witness has it; for others nothing."""
        if self._party == receiver:
            self._received[sender, witness].update(content(message))
        elif self._party == witness:
            self._witnessed[sender, receiver].update(content(message))

    def enter_handed(self, owner: PartyId, receivers: Sequence[PartyId], message: Tensor) -> None:
        """Enter what a party has sent to several, each of whom is witness to what the others got."""
        for receiver, witness in permutations(receivers, 2):
            self.enter(owner, witness, receiver, message)

    async def compare(self) -> None:
        """Have all transcripts compared by who received the messages, then hear that all others agree.

        Two rounds. Without the second, a party whose messages were right would go on to open secrets
        while another one has found a wrong message. Nobody is to blame for sure: an honest party that was
        sent a wrong number goes on to send wrong numbers itself.

        Raises:
            CheatingDetected: a message was not what its witness says, or a party does not confirm.
        """
        others = [other for other in range(HOLDERS) if other != self._party]
        size = torch.Size([2, HASH_BYTES])
        hashes = await Exchange(
            [(other, self._told(other)) for other in others],
            [Wanted(other, size, torch.uint8) for other in others],
        )
        for witness, told in zip(others, hashes, strict=True):
            senders = [sender for sender in others if sender != witness]
            for sender, row in zip(senders, told, strict=True):
                found = self._received[sender, witness].copy().digest()
                if content(row) != found:
                    raise CheatingDetected(
                        f"transcripts: party {self._party} (of 0 to 3) has got from party {sender} "
                        f"what party {witness} says should not have come"
                    )
        word = torch.tensor([_CONFIRMED], dtype=torch.uint8)
        answers = await Exchange(
            [(other, word) for other in others], [Wanted(other, word.shape, word.dtype) for other in others]
        )
        for other, answer in zip(others, answers, strict=True):
            if not torch.equal(answer, word):
                raise CheatingDetected("transcripts: a party does not confirm them", [other])

    def _told(self, receiver: PartyId) -> Tensor:
        """Give the hashes of what the receiver should have got, by sender."""
        senders = [sender for sender in range(HOLDERS) if sender not in (self._party, receiver)]
        found = [self._witnessed[sender, receiver].copy().digest() for sender in senders]
        return torch.frombuffer(bytearray(b"".join(found)), dtype=torch.uint8).reshape(2, HASH_BYTES)


def content(message: Tensor) -> bytes:
    """Give the bytes of a tensor, in the order in which they are sent."""
    return message.contiguous().numpy().tobytes()
