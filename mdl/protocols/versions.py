"""The worker's book of ∝MDL^d: which version of a block collects, what was contributed, what may be opened.

A block's versions close one after the other, each once. A contribution is made to one version; if that closes
without it, and only then, the same gradient may be contributed to the next. So a gradient is in one opened
sum at most (rule 4 of `mdl.protocols.opening`), where the manager tells all workers of the same closed sets.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.party import Message
from mdl.protocols import sets as active
from mdl.protocols.opening import OpeningRules, blame_manager
from mdl.protocols.rows import MESSAGE_LIMIT_BYTES, rows
from mdl.protocols.seats import BlockIds, Full
from mdl.protocols.sets import Sets
from mdl.schemes.threshold import KeyShare, ThresholdEncryption
from mdl.vectors import Flags, Integers

NOWHERE: Final = -1
FORGOTTEN: Final = -2
LONG_AGO: Final = -(1 << 62)


class Closing(Message, frozen=True):
    """Manager to all workers: this version of these blocks is closed, with these active sets."""

    version: int
    blocks: bytes
    sets: bytes


def closings(full: Full, workers: int) -> Iterator[Closing]:
    """Write what has closed as messages of bounded size."""
    step = MESSAGE_LIMIT_BYTES // (4 + active.width(workers))
    for first in range(0, len(full.blocks), step):
        part = slice(first, first + step)
        yield Closing(
            full.version,
            full.blocks[part].astype("<u4").tobytes(),
            active.to_bytes(full.sets[part], workers),
        )


class VersionOpener(OpeningRules):
    """The rules of opening where every block closes on its own, again and again.

    Of each block it remembers the last `window` versions that closed, which are all that can be under way.

    Args:
        window: versions of a block that may be under way at once.
        versions: which versions collect, by block, as the manager says.

    Attributes:
        versions: which versions collect, as far as this worker has been told, shape (blocks,).
    """

    def __init__(
        self,
        scheme: ThresholdEncryption,
        key_share: KeyShare,
        *,
        run: bytes,
        visibility_threshold: int,
        workers: int,
        window: int,
        versions: NDArray[np.int64],
    ) -> None:
        super().__init__(
            scheme,
            key_share,
            run=run,
            visibility_threshold=visibility_threshold,
            workers=workers,
            blocks=len(versions),
        )
        self.versions = versions
        # One place for the version that collects, and one for each that may be under way.
        self._places = window + 1
        shape = (self._places, len(versions))
        self._sets: Sets = np.zeros(shape, np.uint64)
        self._answered: Flags = np.ones(shape, np.bool_)
        self._due: Flags = np.zeros(shape, np.bool_)
        self._hint_at = np.full(shape, NOWHERE, np.int64)
        self._hints = _Hints(scheme.hint_bytes)

    def uploaded(self, blocks: BlockIds, version: int, hint: bytes) -> None:
        """Remember what was uploaded: for this version of these blocks, with one row of hint each."""
        self._hint_at[version % self._places, blocks] = self._hints.keep(hint, len(blocks))

    def uploaded_before(self, blocks: BlockIds) -> None:
        """Note that something was uploaded for the versions that collect, in a life before this one.

        The hints are forgotten, so this worker answers for none of these sets.
        """
        self._hint_at[self.versions[blocks] % self._places, blocks] = FORGOTTEN

    def closed(self, message: Closing) -> tuple[BlockIds, Flags, Sets]:
        """Take note of closed sets (rule 1).

        Returns:
            The blocks, in which of them this worker is a member, and their sets.

        Raises:
            ProtocolError: sets that may not be opened.
        """
        blocks, told = self._read(message)
        place = message.version % self._places
        mine = active.contains(told, self._key_share.point)
        if (mine & (self._hint_at[place, blocks] == NOWHERE)).any():
            raise blame_manager("a closed set counts this worker in where it uploaded nothing")
        self._forget_hints(place, blocks[~mine])
        self._sets[place, blocks] = told
        self._answered[place, blocks] = False
        self._due[place, blocks] = mine
        self.versions[blocks] += 1
        # What is remembered of the version that collected in this place before is forgotten.
        place = (message.version + 1) % self._places
        self._answered[place, blocks] = True
        self._due[place, blocks] = False
        self._forget_hints(place, blocks)
        return blocks, mine, told

    @property
    def awaits_values(self) -> bool:
        """Whether some set with this worker in it has closed, and is neither opened nor missed yet."""
        return bool(self._due.any())

    def settled(self, version: int, blocks: BlockIds) -> None:
        """Note that this version of these blocks was opened, or is missed."""
        self._due[version % self._places, blocks] = False

    def _forget_hints(self, place: int, blocks: BlockIds) -> None:
        self._hints.drop(self._hint_at[place, blocks])
        self._hint_at[place, blocks] = NOWHERE

    def _read(self, message: Closing) -> tuple[BlockIds, Sets]:
        try:
            blocks = np.frombuffer(message.blocks, "<u4").astype(np.int64)
            told = active.from_bytes(message.sets, self._workers)
        except ValueError as error:
            raise blame_manager(f"closed sets that are none: {error}") from error
        if len(told) != len(blocks) or not len(blocks) or (np.diff(blocks) <= 0).any():
            raise blame_manager("closed sets that do not fit their blocks")
        if blocks[-1] >= self._blocks or (self.versions[blocks] != message.version).any():
            raise blame_manager("closed sets of a version that does not collect, or told twice")
        if (active.sizes(told) != self._threshold).any():
            raise blame_manager(f"a closed set has not exactly m = {self._threshold} members")
        return blocks, told

    def _closed_sets(self, epoch: int, blocks: BlockIds) -> Sets:
        behind = self.versions[blocks] - epoch  # how many versions have closed since, this one counted
        if (behind < 1).any():
            raise blame_manager("asked for shares before the sets were closed")
        if (behind >= self._places).any():
            raise blame_manager("asked for shares of a version that is long over")
        return np.asarray(self._sets[epoch % self._places, blocks])

    def _answer_once(self, epoch: int, blocks: BlockIds) -> None:
        place = epoch % self._places
        if self._answered[place, blocks].any():
            raise blame_manager("asked twice for the same version of a block")
        self._answered[place, blocks] = True

    def _own_hints(self, epoch: int, blocks: BlockIds) -> bytes:
        place = epoch % self._places
        if (self._hint_at[place, blocks] == FORGOTTEN).any():
            raise blame_manager("asked to answer for a set that this worker joined in a former life")
        hints = self._hints.rows(self._hint_at[place, blocks]).tobytes()
        self._forget_hints(place, blocks)  # it answers once
        return hints


class _Hints:
    """Rows of hint, by address, in the chunks in which they came; a chunk goes with its last row."""

    _CHUNK = 1 << 32

    def __init__(self, width: int) -> None:
        self._width, self._next = width, 0
        self._chunks: dict[int, NDArray[np.uint8]] = {}
        self._left: dict[int, int] = {}

    def keep(self, hint: bytes, count: int) -> NDArray[np.int64]:
        """Keep `count` rows; give their addresses."""
        chunk, self._next = self._next, self._next + 1
        self._chunks[chunk] = rows(hint, self._width)
        self._left[chunk] = count
        return chunk * self._CHUNK + np.arange(count)

    def drop(self, addresses: NDArray[np.int64]) -> None:
        """Forget rows; an address below 0 is none."""
        chunks, counts = np.unique(addresses[addresses >= 0] // self._CHUNK, return_counts=True)
        for chunk, count in zip(chunks.tolist(), counts.tolist(), strict=True):
            self._left[chunk] -= count
            if not self._left[chunk]:
                del self._chunks[chunk], self._left[chunk]

    def rows(self, addresses: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Give rows by address, shape (len(addresses), width)."""
        found = np.empty((len(addresses), self._width), np.uint8)
        if not self._width:
            return found
        chunks = addresses // self._CHUNK
        for chunk in np.unique(chunks).tolist():
            here = chunks == chunk
            found[here] = self._chunks[chunk][addresses[here] % self._CHUNK]
        return found


class Offers:
    """What a worker has offered and not heard of yet: it is carried until its set closes.

    Args:
        blocks: how many there are.
        size: parameters in a block.
        max_staleness: an offer is dropped once more versions than this have closed since its gradient began
            to be computed.
    """

    def __init__(self, blocks: int, size: int, *, max_staleness: int) -> None:
        self._max_staleness = max_staleness
        self._waiting = np.zeros(blocks, np.bool_)
        self._late = np.zeros(blocks, np.bool_)
        self._values = np.zeros((blocks, size), np.int64)
        self._bases = np.zeros(blocks, np.int64)

    @property
    def free(self) -> Flags:
        """The blocks of which nothing is carried, shape (blocks,)."""
        return ~(self._waiting | self._late)

    def fresh(self, versions: NDArray[np.int64], bases: NDArray[np.int64]) -> Flags:
        """Tell for which blocks a gradient is not too stale.

        Args:
            versions: which collect now, of any blocks, shape (k,).
            bases: which collected when the gradient began to be computed, shape (k,).
        """
        return np.asarray(versions - bases <= self._max_staleness)

    def put(self, blocks: BlockIds, values: Integers, bases: NDArray[np.int64]) -> None:
        """Carry a gradient's values for some blocks, which have to be free."""
        assert self.free[blocks].all()
        self._values[blocks], self._bases[blocks] = values, bases
        self._waiting[blocks] = True

    def put_before(self, blocks: BlockIds) -> None:
        """Note that something is carried, of a life before this one: its values are forgotten."""
        self._waiting[blocks] = True
        self._bases[blocks] = LONG_AGO  # should it come too late, there is nothing to offer again

    def closed(self, blocks: BlockIds, mine: Flags) -> None:
        """Take note of sets that closed, with this worker in those that are `mine`: the others are late."""
        missed_it = blocks[~mine & self._waiting[blocks]]
        self._waiting[blocks] = False
        self._late[missed_it] = True

    def take_late(self, versions: NDArray[np.int64]) -> tuple[BlockIds, Integers]:
        """Take what is to be offered anew; it counts as waiting. What has become too stale is dropped."""
        late = np.flatnonzero(self._late)
        self._late[late] = False
        late = late[self.fresh(versions[late], self._bases[late])]
        self._waiting[late] = True
        return late, self._values[late]
