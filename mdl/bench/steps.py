"""One exchange in one process, each party's step apart, in the portions in which the protocols call them."""

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mdl.bench.clock import best, timed, undisturbed
from mdl.errors import SchemeError
from mdl.party import PartyId
from mdl.protocols.rows import calls, parts, rows
from mdl.schemes.randomness import SystemRandomness
from mdl.schemes.settings import Requirements
from mdl.schemes.threshold import Ciphertext, Context, ThresholdEncryption
from mdl.vectors import Integers

_RUN: Final = b"a run of mdl bench"


@dataclass(frozen=True)
class StepSeconds:
    """CPU seconds of one exchange.

    Attributes:
        encrypt: one member's.
        share: one opener's.
        manager: to cut out what openers are shown, to add, to combine.
    """

    encrypt: float
    share: float
    manager: float

    @property
    def total(self) -> float:
        """One of each."""
        return self.encrypt + self.share + self.manager


class Exchange:
    """The parties of one epoch: all its blocks have one active set, the workers 1 to |A|, and 1 to m open it.

    Args:
        scheme: how sums are hidden.
        wanted: what it was built for.
        parameters: how many are exchanged; the last block is filled up.
        stride: from one block's id to the next one's.
    """

    def __init__(
        self, scheme: ThresholdEncryption, wanted: Requirements, parameters: int, *, stride: int = 1
    ) -> None:
        self.members = tuple(range(1, wanted.members + 1))
        self.openers = tuple(range(1, scheme.threshold + 1))
        self.blocks = -(-parameters // wanted.block)
        self._scheme, self._rng = scheme, SystemRandomness()
        self._public_key, self._key_shares = scheme.deal(range(1, wanted.workers + 1), rng=self._rng)
        limit = wanted.fixed_point.limit
        shape = (len(self.members), self.blocks, wanted.block)
        self._entries = np.random.default_rng(1).integers(-limit, limit, shape, endpoint=True)
        known = self.members if scheme.members_first else ()
        self._calls = [
            (part, Context(_RUN, 1, _ids(part, stride), known))
            for part in calls(self.blocks, scheme.body_bytes + scheme.hint_bytes)
        ]
        asked = max(scheme.shown_bytes * len(self.members), scheme.share_bytes, scheme.body_bytes)
        self._openings = [
            (part, Context(_RUN, 1, _ids(part, stride), self.members, self.openers))
            for part in parts(self.blocks, asked)
        ]

    def encrypt(self, member: PartyId) -> Sequence[Ciphertext]:
        """Make one member's upload."""
        key_share, entries = self._key_shares[member], self._entries[member - 1]
        return [
            self._scheme.encrypt(self._public_key, key_share, entries[part], context, rng=self._rng)
            for part, context in self._calls
        ]

    def arrived(
        self, uploads: Sequence[Sequence[Ciphertext]]
    ) -> tuple[Sequence[list[bytes]], Sequence[list[bytes]]]:
        """Sort what the members uploaded by what is opened at once: each time their bodies, and hints."""
        bodies = [rows(b"".join(c.body for c in each), self._scheme.body_bytes) for each in uploads]
        hints = [rows(b"".join(c.hint for c in each), self._scheme.hint_bytes) for each in uploads]
        return (
            [[body[part].tobytes() for body in bodies] for part, _ in self._openings],
            [[hint[part].tobytes() for hint in hints] for part, _ in self._openings],
        )

    def shown(self, opener: PartyId, hints: Sequence[list[bytes]]) -> Sequence[list[bytes]]:
        """Cut out what one opener is shown."""
        return [[self._scheme.shown(hint, opener) for hint in each] for each in hints]

    def share(self, opener: PartyId, shown: Sequence[list[bytes]]) -> Sequence[bytes]:
        """Make one opener's answers."""
        key_share = self._key_shares[opener]
        return [
            self._scheme.decryption_share(key_share, hints, context, rng=self._rng)
            for hints, (_, context) in zip(shown, self._openings, strict=True)
        ]

    def open(
        self, bodies: Sequence[list[bytes]], answers: Mapping[PartyId, Sequence[bytes]]
    ) -> Sequence[Integers]:
        """Be the manager once all have answered; give the sums, shape (k, block) for each k blocks."""
        sums = []
        for index, (_, context) in enumerate(self._openings):
            shares = {opener: answer[index] for opener, answer in answers.items()}
            sums.append(self._scheme.combine(self._scheme.add(bodies[index], context), shares, context))
        return sums

    def check(self, sums: Sequence[Integers]) -> None:
        """Make sure that the sums are those of the entries.

        Raises:
            SchemeError: they are not: whatever was measured is no exchange.
        """
        if not np.array_equal(np.concatenate(sums), self._entries.sum(axis=0)):
            raise SchemeError("an exchange opened other sums than those of its entries")


def measure(exchange: Exchange, runs: int) -> tuple[StepSeconds, StepSeconds]:
    """Time the steps of an exchange. Its first one builds what schemes keep: tables, expanded keys.

    Returns:
        The steps' first calls, and the best of some runs after them.

    Raises:
        SchemeError: the sums are wrong.
    """
    me = exchange.members[0]
    with undisturbed():
        upload, first_encrypt = timed(lambda: exchange.encrypt(me))
        bodies, hints = exchange.arrived([upload, *map(exchange.encrypt, exchange.members[1:])])
        shown = {opener: exchange.shown(opener, hints) for opener in exchange.openers}
        timings = {opener: timed(_sharing(exchange, opener, shown[opener])) for opener in exchange.openers}
        answers = {opener: answer for opener, (answer, _) in timings.items()}
        first_share = timings[me][1] if timings else 0.0

        def manage() -> Sequence[Integers]:
            for opener in exchange.openers:
                exchange.shown(opener, hints)
            return exchange.open(bodies, answers)

        sums, first_manager = timed(manage)
        exchange.check(sums)
        share = best(_sharing(exchange, me, shown[me]), runs, first_share) if shown else 0.0
        return StepSeconds(first_encrypt, first_share, first_manager), StepSeconds(
            encrypt=best(lambda: exchange.encrypt(me), runs, first_encrypt),
            share=share,
            manager=best(manage, runs, first_manager),
        )


def manager_peak_bytes(exchange: Exchange) -> int:
    """Give the most that the manager holds of one exchange: uploads, answers, and what opening allocates."""
    bodies, hints = exchange.arrived([exchange.encrypt(member) for member in exchange.members])
    answers = {opener: exchange.share(opener, exchange.shown(opener, hints)) for opener in exchange.openers}
    held = sum(len(row) for each in (*bodies, *hints, *answers.values()) for row in each)
    tracemalloc.start()
    try:
        exchange.open(bodies, answers)
        return held + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def float32_seconds(parameters: int, members: int, runs: int) -> float:
    """Give the best CPU seconds of adding `members` vectors of float32."""
    vectors = np.random.default_rng(1).standard_normal((members, parameters), np.float32)
    total = np.empty(parameters, np.float32)

    def add() -> None:
        np.copyto(total, vectors[0])
        for vector in vectors[1:]:
            np.add(total, vector, out=total)

    with undisturbed():
        return best(add, runs)


def _sharing(
    exchange: Exchange, opener: PartyId, shown: Sequence[list[bytes]]
) -> Callable[[], Sequence[bytes]]:
    return lambda: exchange.share(opener, shown)


def _ids(part: slice, stride: int) -> Sequence[int]:
    return list(range(stride * part.start, stride * part.stop, stride))
