"""Opening sums: closed sets, decryption shares, and the rules that keep a single gradient from being opened.

Whatever the scheme, the following holds here, once and for all:

1. a set is *closed* and announced to every worker before any share is given, and has at least m members;
2. a worker answers once per (epoch, block), and only for the announced set;
3. if it is in the set, the entry that stands for it is its own: it is never shown one, but uses what it kept;
4. no second sum of the same gradients is opened over another set, not even after a crash: the announced sets
   are on disk before any share leaves, and a repeated epoch is held to them;
5. members are asked first; where one is gone, any other worker that is online helps out.

This is the worker's side, which holds even where the manager does not follow the protocol, as far as a worker
alone can tell (docs/security.md says how far that is). The manager's is `mdl.protocols.summing`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from mdl.errors import ProtocolError
from mdl.party import MANAGER, Message, Party
from mdl.protocols import sets as active
from mdl.protocols.pooled import Request, shares_of
from mdl.protocols.rows import rows
from mdl.protocols.sets import Sets
from mdl.schemes.threshold import Context, KeyShare, ThresholdEncryption
from mdl.system import Journal
from mdl.vectors import Flags


class Closed(Message, frozen=True):
    """Manager to workers: the active sets of the blocks from `first` on are closed, and these."""

    epoch: int
    first: int
    sets: bytes


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Blocks with one set and one choice of openers; hints (g^r) of all members but the receiver."""

    blocks: bytes
    members: tuple[int, ...]
    openers: tuple[int, ...]
    hints: tuple[bytes, ...]


class Open(Message, frozen=True):
    """Manager to an opener: answer for these groups (the auxiliary message of Algorithm 2, line 8)."""

    epoch: int
    request: int
    groups: tuple[Group, ...]


class Answer(Message, frozen=True):
    """Opener to manager: decryption shares d_i, one row a block, group by group (Algorithm 3, line 11)."""

    epoch: int
    request: int
    shares: tuple[bytes, ...]


# ---------------------------------------------------------------------------------------------------------
# the worker's side


class OpeningRules(ABC):
    """A worker's conscience: what it checks before it gives a decryption share, whoever keeps the book.

    Args:
        scheme: how sums are hidden.
        key_share: this worker's.
        run: the run's identity.
        visibility_threshold: m.
        workers: n.
        blocks: how many there are.
    """

    def __init__(
        self,
        scheme: ThresholdEncryption,
        key_share: KeyShare,
        *,
        run: bytes,
        visibility_threshold: int,
        workers: int,
        blocks: int,
    ) -> None:
        self._scheme, self._key_share, self._run = scheme, key_share, run
        self._threshold, self._workers, self._blocks = visibility_threshold, workers, blocks

    @abstractmethod
    def _closed_sets(self, epoch: int, blocks: NDArray[np.int64]) -> Sets:
        """Give the sets that these blocks were announced to have in `epoch`.

        Raises:
            ProtocolError: they were not all announced.
        """

    @abstractmethod
    def _answer_once(self, epoch: int, blocks: NDArray[np.int64]) -> None:
        """Note that these blocks are answered for.

        Raises:
            ProtocolError: one has been already.
        """

    @abstractmethod
    def _own_hints(self, epoch: int, blocks: NDArray[np.int64]) -> bytes:
        """Give the hints that this worker uploaded for these blocks."""

    async def answer(self, party: Party, message: Open) -> Answer:
        """Make the decryption shares that `message` asks for (rules 2 and 3).

        Raises:
            ProtocolError: it asks for what may not be opened.
            InvalidShare: it shows elements that are none.
        """
        return await self.give(party, message, self.accept(message))

    def accept(self, message: Open) -> Sequence[Request]:
        """Decide whether to answer: at once, as a later message may say that all this is long over.

        Raises:
            ProtocolError: it asks for what may not be opened.
        """
        if not message.groups:
            raise blame_manager("asked to open nothing")
        return [self._checked(message.epoch, group) for group in message.groups]

    async def give(self, party: Party, message: Open, requests: Sequence[Request]) -> Answer:
        """Make the decryption shares for what was accepted.

        Raises:
            InvalidShare: it shows elements that are none.
        """
        shares = await party.to_process(shares_of, self._scheme, self._key_share, requests)
        return Answer(message.epoch, message.request, tuple(shares))

    def _checked(self, epoch: int, group: Group) -> Request:
        if len(group.blocks) % 4:
            raise blame_manager("asked to open a list of blocks that is none")
        blocks, me = np.frombuffer(group.blocks, "<u4").astype(np.int64), self._key_share.point
        if len(blocks) == 0 or blocks[-1] >= self._blocks or (np.diff(blocks) <= 0).any():
            raise blame_manager("asked to open blocks that are none, or one twice")
        mask = sum(1 << (member - 1) for member in group.members if 0 < member <= self._workers)
        closed = self._closed_sets(epoch, blocks)
        if active.members(mask) != group.members or (closed != np.uint64(mask)).any() or not mask:
            raise blame_manager("asked to open another set than the closed one")
        if me not in group.openers or len(set(group.openers)) != self._scheme.threshold:
            raise blame_manager(
                f"asked to open among {group.openers}, where {self._scheme.threshold} must answer"
            )
        self._answer_once(epoch, blocks)
        hints = list(group.hints)
        if me in group.members:
            own = self._scheme.shown(self._own_hints(epoch, blocks), me)
            hints.insert(group.members.index(me), own)
        width = len(blocks) * self._scheme.shown_bytes
        if any(len(hint) != width for hint in hints) or len(hints) != len(group.members):
            raise blame_manager("asked to open with hints that do not fit the blocks")
        return hints, Context(self._run, epoch, blocks.tolist(), group.members, group.openers)


class Opener(OpeningRules):
    """The rules where all blocks close together, once an epoch: what it uploaded, was told, has answered."""

    def __init__(
        self,
        scheme: ThresholdEncryption,
        key_share: KeyShare,
        *,
        run: bytes,
        visibility_threshold: int,
        workers: int,
        blocks: int,
        journal: Journal,
    ) -> None:
        super().__init__(
            scheme,
            key_share,
            run=run,
            visibility_threshold=visibility_threshold,
            workers=workers,
            blocks=blocks,
        )
        self._journal = journal
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Start an epoch: nothing uploaded, nothing closed, nothing answered."""
        assert epoch > self._epoch
        self._epoch = epoch
        self._sets: Sets = np.zeros(self._blocks, np.uint64)
        self._told = 0
        self._answered: Flags = np.zeros(self._blocks, np.bool_)
        self._row_of = np.full(self._blocks, -1, np.int64)
        self._hints = rows(b"", 0)

    def uploaded(self, blocks: NDArray[np.int64], hint: bytes) -> None:
        """Remember what was uploaded: these blocks, with one row of hint each.

        Raises:
            ProtocolError: something was uploaded in this epoch already.
        """
        if (self._row_of >= 0).any():
            raise blame_manager("called to upload twice in one epoch")
        self._row_of[blocks] = np.arange(len(blocks))
        self._hints = rows(hint, self._scheme.hint_bytes)

    async def closed(self, party: Party, message: Closed) -> None:
        """Take note of closed sets (rules 1 and 4); once all are known, put them on disk.

        Raises:
            ProtocolError: a set that may not be opened.
        """
        told = self._read(message)
        self._sets[message.first : message.first + len(told)] = told
        self._told += len(told)
        if self._told == self._blocks:
            record = self._reconciled(await earlier_sets(party, self._journal, self._epoch, self._workers))
            await keep_sets(party, self._journal, self._epoch, record, self._workers)

    def agreed(self, epoch: int, blocks: NDArray[np.int64]) -> Sets:
        """Give the closed sets of blocks that this worker encrypts for their members (rule 1).

        Raises:
            ProtocolError: they were not all announced, or this worker is not in one.
        """
        sets = self._closed_sets(epoch, blocks)
        if not active.contains(sets, self._key_share.point).all():
            raise blame_manager("asked to encrypt for a set that this worker is not in")
        return sets

    def _read(self, message: Closed) -> Sets:
        self._of_this_epoch(message.epoch)
        try:
            told = active.from_bytes(message.sets, self._workers)
        except ValueError as error:
            raise blame_manager(f"closed sets that are none: {error}") from error
        if message.first != self._told or self._told + len(told) > self._blocks:
            raise blame_manager("closed sets out of order, or told twice")
        if ((told != 0) & (active.sizes(told) < self._threshold)).any():
            raise blame_manager(f"a closed set has fewer than m = {self._threshold} members")
        mine = active.contains(told, self._key_share.point)
        if (mine & (self._row_of[message.first : message.first + len(told)] < 0)).any():
            raise blame_manager("a closed set counts this worker in where it uploaded nothing")
        return told

    def _reconciled(self, earlier: Sets | None) -> Sets:
        """What to keep on disk: a block closed in an earlier attempt at this epoch keeps that set."""
        if earlier is None:
            return self._sets
        both = (earlier != 0) & (self._sets != 0)
        if (earlier[both] != self._sets[both]).any():
            raise blame_manager("a repeated epoch closes a block over another set than the first time")
        return np.where(self._sets != 0, self._sets, earlier)

    def _closed_sets(self, epoch: int, blocks: NDArray[np.int64]) -> Sets:
        self._of_this_epoch(epoch)
        if self._told < self._blocks:
            raise blame_manager("asked to open before all sets were closed")
        return self._sets[blocks]

    def _answer_once(self, epoch: int, blocks: NDArray[np.int64]) -> None:
        if self._answered[blocks].any():
            raise blame_manager("asked twice for the same epoch and block")
        self._answered[blocks] = True

    def _own_hints(self, epoch: int, blocks: NDArray[np.int64]) -> bytes:
        return self._hints[self._row_of[blocks]].tobytes()

    def _of_this_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise blame_manager(f"a message of epoch {epoch} in epoch {self._epoch}")


async def earlier_sets(party: Party, journal: Journal, epoch: int, workers: int) -> Sets | None:
    """Give the sets that an earlier attempt at this epoch closed, or None if there was none."""
    kept = await party.to_thread("record", journal.read, "sets", epoch)
    return active.from_bytes(kept["sets"].tobytes(), workers) if kept else None


async def keep_sets(party: Party, journal: Journal, epoch: int, closed: Sets, workers: int) -> None:
    """Put the closed sets of an epoch on disk."""
    rows_of_sets = np.frombuffer(active.to_bytes(closed, workers), np.uint8)
    await party.to_thread("record", journal.write, "sets", epoch, {"sets": rows_of_sets})


def blame_manager(what: str) -> ProtocolError:
    """Make the error of a worker that refuses to open."""
    return ProtocolError(f"refused to open: {what}", [MANAGER])
