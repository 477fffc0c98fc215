"""∝MDL^d's conversation of an upload as it is printed: shares are given on arrival [∝MDL, §V]. INSECURE.

The manager asks a newcomer to raise, for each earlier member j, (g^{s_j})^{z_j} to its nonce, and then
(g^r)^{z_i} to its key share. With the m-th arrival's answers the sum opens by itself, nobody is asked again.

What that gives away, to whom, is in `mdl.schemes.on_arrival`: even where the set is closed at m, the manager
and one worker outside it open the m-th arrival's gradient, and see the sum of m - 1. Nothing here refuses
anything for that, as the printed worker does not. `mdl audit collusion` runs the attacks.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.errors import ProtocolError, UnexpectedMessage
from mdl.party import MANAGER, Message, Party, PartyId
from mdl.protocols.rows import parts, rows
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.on_arrival import (
    Arrived,
    encrypt_keeping,
    open_sets,
    questions,
    raise_to_nonces,
    raise_to_share,
    seat,
)
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.threshold import Ciphertext, Context, KeyShare
from mdl.vectors import Integers


class Raise(Message, frozen=True):
    """Manager to a newcomer: (g^{s_j})^{z_j} of the earlier members of these blocks (Algorithm 4, line 6).

    Attributes:
        request: the answer bears it too.
        blocks: ids, uint32 each; blocks without an earlier member are left out.
        counts: earlier members of each of them, a byte each.
        elements: block by block, in the order of arrival, one for each earlier member.
    """

    request: int
    blocks: bytes
    counts: bytes
    elements: bytes


class Raised(Message, frozen=True):
    """Newcomer to manager: each of them to its nonces, a row for each (Algorithm 5, line 5)."""

    request: int
    elements: bytes


class RaiseOwn(Message, frozen=True):
    """Manager to a newcomer: (g^r)^{z_i}, a row for each of these blocks (Algorithm 4, line 10)."""

    request: int
    blocks: bytes
    elements: bytes


class RaisedOwn(Message, frozen=True):
    """Newcomer to manager: d_i, those rows to the power of its key share (Algorithm 5, line 7)."""

    request: int
    elements: bytes


Question: TypeAlias = Raise | RaiseOwn
Reply: TypeAlias = Raised | RaisedOwn
Ask: TypeAlias = Callable[[Question], Awaitable[Message]]
"""Puts a question to the newcomer and awaits the answer that bears its `request`."""


# worker


class ArrivalWorker:
    """A worker's half. It holds the nonces of what it uploaded, which are secret, until that is closed."""

    def __init__(self, scheme: ElGamal, public_key: bytes, key_share: KeyShare) -> None:
        self._scheme, self._public_key, self._key_share = scheme, public_key, key_share
        self._kept: dict[int, tuple[int, list[int]]] = {}

    async def encrypt(
        self, party: Party, plaintext: Integers, context: Context, versions: NDArray[np.int64]
    ) -> Ciphertext:
        """Encrypt the blocks of `context`, and keep their nonces (Algorithm 5, line 3).

        Args:
            party: this worker.
            plaintext: encoded gradients, shape (len(context.blocks), block size).
            context: what is encrypted.
            versions: for which version of each block, shape (len(context.blocks),); a later one than before.
        """
        ciphertext, nonces = await party.to_process(
            encrypt_keeping,
            self._scheme,
            self._public_key,
            self._key_share,
            plaintext,
            context,
            rng=SystemRandomness(),
        )
        for block, version, own in zip(context.blocks, versions.tolist(), nonces, strict=True):
            assert block not in self._kept or self._kept[block][0] < version
            self._kept[block] = (version, own)
        return ciphertext

    async def answer(self, party: Party, message: Question) -> Reply:
        """Raise what is asked for.

        Raises:
            ProtocolError: it is not about blocks that this worker uploaded for a version still open.
            InvalidShare: it shows elements that are none.
        """
        return await self.give(party, message, self.accept(message))

    def accept(self, message: Question) -> Sequence[list[int]]:
        """Decide whether to answer: at once, as a later message may say that the set is closed.

        Returns:
            The nonces of the blocks that it is about.

        Raises:
            ProtocolError: it is not about blocks that this worker uploaded for a version still open.
        """
        return self._nonces_of(message.blocks)

    async def give(self, party: Party, message: Question, nonces: Sequence[list[int]]) -> Reply:
        """Raise what is asked for, where it was accepted.

        Raises:
            ProtocolError: it counts other blocks than it names.
            InvalidShare: it shows elements that are none.
        """
        if isinstance(message, Raise):
            if len(message.counts) != len(nonces):
                raise _blame_manager("counts that do not fit the blocks")
            counts = list(message.counts)
            powers = await party.to_process(raise_to_nonces, self._scheme, message.elements, counts, nonces)
            return Raised(message.request, powers)
        powers = await party.to_process(
            raise_to_share, self._scheme, self._key_share, message.elements, len(nonces)
        )
        return RaisedOwn(message.request, powers)

    def forget(self, blocks: Sequence[int], version: int) -> None:
        """Drop the nonces of what was uploaded of these blocks for versions up to `version`, now closed."""
        for block in blocks:
            if block in self._kept and self._kept[block][0] <= version:
                del self._kept[block]

    def _nonces_of(self, blocks: bytes) -> list[list[int]]:
        try:
            return [self._kept[int(block)][1] for block in np.frombuffer(blocks, "<u4")]
        except (ValueError, KeyError):
            raise _blame_manager("blocks that were not uploaded, or are closed") from None


def _blame_manager(what: str) -> ProtocolError:
    return ProtocolError(f"asked for shares on arrival: {what}", [MANAGER])


# manager


class Arrivals:
    """The manager's half: what it holds of every block whose set is filling.

    The caller sees to it that no two join one block at the same time, that nobody joins a set twice or a full
    one, and that all who join were dealt shares of this public key.
    """

    def __init__(self, scheme: ElGamal, public_key: bytes) -> None:
        self._scheme, self._public_key = scheme, public_key
        self._arrived: dict[int, Arrived] = {}
        self._requests = 0

    async def join(
        self,
        party: Party,
        ask: Ask,
        worker: PartyId,
        blocks: NDArray[np.int64],
        body: bytes,
        hint: bytes,
    ) -> None:
        """Seat a worker in the sets of these blocks; where anything is raised, no set has changed.

        It asks part by part: no message carries more than `mdl.protocols.rows.MESSAGE_LIMIT_BYTES` of
        elements (or one block), however many members came before.

        Args:
            party: the manager.
            ask: puts a question to the worker.
            worker: who has come.
            blocks: ids, shape (k,).
            body: its c, a row a block.
            hint: its g^{r_i}, a row a block.

        Raises:
            PeerLeft, TimeoutError: as `ask` does.
            InvalidShare: what the worker sent is malformed or no element of the group.
            UnexpectedMessage: it answered something else.
        """
        scheme = self._scheme
        bodies, hints = rows(body, scheme.body_bytes), rows(hint, scheme.hint_bytes)
        earlier = [self._arrived.get(block, Arrived()) for block in blocks.tolist()]
        most = max((len(state.members) for state in earlier), default=0)
        seated: list[Arrived] = []
        for part in parts(len(blocks), scheme.share_bytes * max(1, most)):
            upload = Ciphertext(bodies[part].tobytes(), hints[part].tobytes())
            seated += await self._exchange(party, ask, worker, blocks[part], earlier[part], upload)
        self._arrived.update(zip(blocks.tolist(), seated, strict=True))

    async def _exchange(
        self,
        party: Party,
        ask: Ask,
        worker: PartyId,
        blocks: NDArray[np.int64],
        earlier: Sequence[Arrived],
        upload: Ciphertext,
    ) -> list[Arrived]:
        public_shares, own = await party.to_process(
            questions, self._scheme, self._public_key, worker, earlier, upload.hint
        )
        raised = await self._raised(ask, worker, blocks, earlier, public_shares)
        answer = await ask(RaiseOwn(self._next_request(), _ids(blocks), own))
        if not isinstance(answer, RaisedOwn):
            raise UnexpectedMessage(f"{type(answer).__name__} in answer to RaiseOwn", [worker])
        return await party.to_process(
            seat, self._scheme, worker, earlier, upload, raised=raised, own=answer.elements
        )

    async def _raised(
        self,
        ask: Ask,
        worker: PartyId,
        blocks: NDArray[np.int64],
        earlier: Sequence[Arrived],
        public_shares: bytes,
    ) -> bytes:
        counts = np.array([len(state.members) for state in earlier], np.uint8)
        if not counts.any():
            return b""  # the first to come has nobody to help
        shown = counts > 0
        question = Raise(self._next_request(), _ids(blocks[shown]), counts[shown].tobytes(), public_shares)
        answer = await ask(question)
        if not isinstance(answer, Raised):
            raise UnexpectedMessage(f"{type(answer).__name__} in answer to Raise", [worker])
        return answer.elements

    def _next_request(self) -> int:
        self._requests += 1
        return self._requests

    async def open(self, party: Party, blocks: NDArray[np.int64]) -> Integers:
        """Open the sums of these blocks, whose sets have m members. New sets for them begin at once.

        Returns:
            Shape (len(blocks), block size).

        Raises:
            NotEnoughShares: a set has fewer than m members.
            OutOfRange: a block decodes to no sum of so many members (something a member sent is wrong).
        """
        # Taken out before anything is awaited: who joins meanwhile joins the next version.
        full = [self._arrived.pop(block, Arrived()) for block in blocks.tolist()]
        width = self._scheme.share_bytes * max((len(state.members) for state in full), default=1)
        sums = np.zeros((len(blocks), self._scheme.block), np.int64)
        for part in parts(len(blocks), width):
            sums[part] = await party.to_process(open_sets, self._scheme, full[part])
        return sums


def _ids(blocks: NDArray[np.int64]) -> bytes:
    return blocks.astype("<u4").tobytes()
