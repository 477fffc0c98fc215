"""Transcripts: what was received, and what a witness knows should have been, compared by their hashes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from hashlib import sha256
from hmac import compare_digest
from itertools import permutations
from operator import xor
from typing import Final

import torch
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.keystream import KEY_BYTES, Keystream
from mdl.mpc.rounds import Exchange, Received, Wanted
from mdl.party import PartyId

_HASH_BYTES: Final = sha256().digest_size
_CONFIRMED: Final = 1


class Transcripts:
    """One party's side of checking what was sent, as it goes on.

    In each round every party sends every other one the hash of what that one should have received in the
    round before, of all that it is the witness of; of nothing, it says that it is still there. Not later: a
    party that was sent a wrong number would go on to tell hashes of what it has computed with it, of known
    numbers and perhaps a secret that is easy to guess. So it leaves before it tells any, and a round later,
    as it is missed, all others have left too, before they tell hashes of what they have computed with what
    it has sent.

    A cheat that was sent what such a party has computed with a wrong number must not learn the hash of the
    right one either, from a witness that knows nothing yet: their difference may be easy to guess too. So
    hashes are keyed. A key for each message's sender and receiver is drawn by those who know what the
    receiver does not, and the sender tells it to the receiver with the round in which the witness tells the
    hash; a sender that was misled has left by then, and without the keys of all senders whose messages it
    covers a hash is random.

    Parties enter a message when the round in which it is sent is over, in the order of the program, so that
    all have entered the same messages at any time. Sizes and order are public: a hash needs nothing between
    what it covers.

    Args:
        party: which party this is.
        holders: how many there are.
        streams: by party, what all others draw in common, for the keys; None where what is sent is itself
            too random to be guessed.
    """

    def __init__(
        self, party: PartyId, holders: int, streams: Mapping[PartyId, Keystream] | None = None
    ) -> None:
        self._party, self._holders, self._streams = party, holders, streams
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
        others = self._others if self._due else []
        keys = self._keys() if self._due else {}
        told = [(other, self._told(other, keys)) for other in others]
        own = {other: self._received[other].digest() for other in others}
        self._begin()
        size = torch.Size([_HASH_BYTES + (KEY_BYTES if self._streams else 0)])
        received = await Exchange(
            [*told, *sends], [*(Wanted(other, size, torch.uint8) for other in others), *wants]
        )
        self._due = True
        heard = {other: each.numpy().tobytes() for other, each in zip(others, received, strict=False)}
        self._verify(own, heard)
        return received[len(others) :]

    def _keys(self) -> dict[tuple[PartyId, PartyId], bytes]:
        """Draw the keys of a round, by sender and receiver; this party knows those of all other receivers."""
        found = {}
        for receiver in self._others if self._streams else []:
            assert self._streams is not None
            senders = [party for party in range(self._holders) if party != receiver]
            words = self._streams[receiver].draw(torch.Size([len(senders), KEY_BYTES]), torch.uint8)
            for sender, word in zip(senders, words, strict=True):
                found[sender, receiver] = word.numpy().tobytes()
        return found

    def _told(self, receiver: PartyId, keys: Mapping[tuple[PartyId, PartyId], bytes]) -> Tensor:
        """Give what a party is told: the hash of what it should have received, and this sender's key."""
        by_sender = {sender: key for (sender, to), key in keys.items() if to == receiver}
        key = _joined([key for sender, key in by_sender.items() if sender != self._party])
        hashed = sha256(key + self._witnessed[receiver].digest()).digest()
        return _sent(hashed + by_sender.get(self._party, b""))

    def _verify(self, own: Mapping[PartyId, bytes], heard: Mapping[PartyId, bytes]) -> None:
        """Compare what has come with what witnesses say."""
        keys = {sender: told[_HASH_BYTES:] for sender, told in heard.items()}
        for witness, digest in own.items():
            key = _joined([key for sender, key in keys.items() if sender != witness])
            if not compare_digest(sha256(key + digest).digest(), heard[witness][:_HASH_BYTES]):
                raise CheatingDetected(
                    f"transcripts: what party {self._party} has received (counted from 0) is not what party "
                    f"{witness} says it should be"
                )

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


def _joined(keys: Sequence[bytes]) -> bytes:
    """Put keys together so that all are needed."""
    mixed = reduce(xor, (int.from_bytes(key) for key in keys), 0)
    return mixed.to_bytes(KEY_BYTES) if any(keys) else b""


def wanted_hash(witness: PartyId) -> Wanted:
    """Say that a hash is to come."""
    return Wanted(witness, torch.Size([_HASH_BYTES]), torch.uint8)


def hash_of(*messages: Tensor) -> Tensor:
    """Give the hash of tensors, as it is sent; sizes are public, and nothing is needed between them."""
    found = sha256()
    for message in messages:
        found.update(_content(message))
    return _sent(found.digest())


def _sent(digest: bytes) -> Tensor:
    return torch.frombuffer(bytearray(digest), dtype=torch.uint8)


def _content(message: Tensor) -> memoryview:
    return memoryview(message.contiguous().numpy())  # type: ignore[arg-type]  # an array is a buffer
