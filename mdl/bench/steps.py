"""One exchange in one process, each party's step apart, by the calls and in the portions of the protocols."""

import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mdl.bench.clock import best, timed, undisturbed
from mdl.errors import SchemeError
from mdl.party import PartyId
from mdl.protocols import sets as active
from mdl.protocols.pooled import Opening, Request, combined, encrypted, shares_of
from mdl.protocols.rows import MESSAGE_LIMIT_BYTES, calls, parts, rows
from mdl.protocols.selection import balanced
from mdl.protocols.sets import Sets
from mdl.protocols.summing import Contribution
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


@dataclass(frozen=True)
class Arrived:
    """Blocks of one set that are opened at once, and what their members uploaded for them."""

    context: Context
    bodies: list[bytes]
    hints: list[bytes]


class Exchange:
    """The parties of one epoch. Members of a set open it.

    Args:
        scheme: how sums are hidden.
        wanted: what it was built for.
        parameters: how many are exchanged; the last block is filled up.
        drawn: whether balanced selection draws a set for each block; else all have one, the workers 1 to |A|.
    """

    def __init__(
        self, scheme: ThresholdEncryption, wanted: Requirements, parameters: int, *, drawn: bool = False
    ) -> None:
        self.blocks = -(-parameters // wanted.block)
        self._scheme, self._wanted = scheme, wanted
        points = range(1, wanted.workers + 1)
        self._public_key, self._key_shares = scheme.deal(points, rng=SystemRandomness())
        self._sets = _sets(self.blocks, wanted, drawn=drawn)
        self.members = [worker for worker in points if active.contains(self._sets, worker).any()]
        limit = wanted.fixed_point.limit
        shape = (len(self.members), self.blocks, wanted.block)
        drawn_entries = np.random.default_rng(1).integers(-limit, limit, shape, endpoint=True)
        self._entries = dict(zip(self.members, drawn_entries, strict=True))
        self._calls = {member: list(self._calls_of(member)) for member in self.members}
        self._openings = list(self._cut())

    @property
    def openers(self) -> Sequence[PartyId]:
        """Everybody who answers: all members, or nobody."""
        return self.members if self._scheme.threshold else []

    def part(self, member: PartyId) -> float:
        """Give the part of all blocks that a worker is a member of."""
        return float(active.contains(self._sets, member).mean())

    def encrypt(self, member: PartyId) -> Sequence[Ciphertext]:
        """Make one member's upload."""
        plaintexts = [plaintext for plaintext, _ in self._calls[member]]
        contexts = [context for _, context in self._calls[member]]
        return encrypted(self._scheme, self._public_key, self._key_shares[member], plaintexts, contexts)

    def arrived(self, uploads: Mapping[PartyId, Sequence[Ciphertext]]) -> Sequence[Arrived]:
        """Sort what the members uploaded by what is opened at once."""
        kept = {member: self._contribution(member, upload) for member, upload in uploads.items()}
        found = []
        for context in self._openings:
            blocks = np.array(context.blocks)
            mine = [kept[member] for member in context.members]
            hints = [upload.hint_of(blocks) if self._scheme.hint_bytes else b"" for upload in mine]
            found.append(Arrived(context, [upload.body_of(blocks) for upload in mine], hints))
        return found

    def shown(self, opener: PartyId, arrived: Sequence[Arrived]) -> Sequence[Request]:
        """Cut out what one opener is asked."""
        return [
            ([self._scheme.shown(hint, opener) for hint in each.hints], each.context)
            for each in arrived
            if opener in each.context.openers
        ]

    def share(self, opener: PartyId, requests: Sequence[Request]) -> list[bytes]:
        """Make one opener's answers, message by message."""
        return [
            share
            for batch in self._messages(requests)
            for share in shares_of(self._scheme, self._key_shares[opener], batch)
        ]

    def open(
        self, arrived: Sequence[Arrived], answers: Mapping[PartyId, Sequence[bytes]]
    ) -> Sequence[Integers]:
        """Be the manager once all have answered; give the sums, shape (k, block), of each k blocks."""
        given = {opener: iter(answer) for opener, answer in answers.items()}
        sums = []
        for each in arrived:
            openers = each.context.openers
            shares = {opener: (openers, next(given[opener])) for opener in openers}
            sums += combined(self._scheme, [Opening(each.bodies, shares, each.context)])
        return sums

    def check(self, sums: Sequence[Integers]) -> None:
        """Make sure that the sums are those of the entries.

        Raises:
            SchemeError: they are not: whatever was measured is no exchange.
        """
        for context, opened in zip(self._openings, sums, strict=True):
            blocks = np.array(context.blocks)
            if not np.array_equal(opened, sum(self._entries[member][blocks] for member in context.members)):
                raise SchemeError("an exchange opened other sums than those of its entries")

    def _calls_of(self, member: PartyId) -> Iterator[tuple[Integers, Context]]:
        """Give what a member encrypts in each call: for whoever comes, or set by set."""
        scheme, entries = self._scheme, self._entries[member]
        mine = np.flatnonzero(active.contains(self._sets, member))
        if scheme.members_first:
            for mask, at in active.groups(self._sets[mine]):
                context = Context(_RUN, 1, mine[at].tolist(), active.members(mask))
                yield entries[mine[at]], context
        else:
            for part in calls(len(mine), scheme.body_bytes + scheme.hint_bytes):
                yield entries[mine[part]], Context(_RUN, 1, mine[part].tolist())

    def _cut(self) -> Iterator[Context]:
        """Give what is opened at once: of one set, and within a message."""
        for mask, blocks in active.groups(self._sets):
            members = active.members(mask)
            for part in parts(len(blocks), max(self._asked_bytes, self._scheme.body_bytes)):
                yield Context(_RUN, 1, blocks[part].tolist(), members, members[: self._scheme.threshold])

    @property
    def _asked_bytes(self) -> int:
        """Bytes of a block in the larger of a request and its answer."""
        return max(self._scheme.shown_bytes * self._wanted.members, self._scheme.share_bytes)

    def _messages(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Put small requests together, as many as fit a message."""
        batch: list[Request] = []
        size = 0
        for request in requests:
            asked = len(request[1].blocks) * (4 + self._asked_bytes)
            if batch and size + asked > MESSAGE_LIMIT_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(request)
            size += asked
        yield batch

    def _contribution(self, member: PartyId, upload: Sequence[Ciphertext]) -> Contribution:
        blocks = np.concatenate([np.array(context.blocks) for _, context in self._calls[member]])
        order = np.argsort(blocks)
        body = rows(b"".join(each.body for each in upload), self._scheme.body_bytes)[order]
        hint = rows(b"".join(each.hint for each in upload), self._scheme.hint_bytes)
        return Contribution(blocks[order], body, hint[order] if self._scheme.hint_bytes else hint)


def _sets(blocks: int, wanted: Requirements, *, drawn: bool) -> Sets:
    present = range(1, wanted.workers + 1)
    contributes = np.zeros((blocks, wanted.workers), np.bool_)
    contributes[:, : wanted.members] = True
    if drawn:
        contributes = balanced(1, 1, present=present, blocks=blocks, each=wanted.members)
    return active.close(contributes, wanted.members)


def measure(exchange: Exchange, runs: int) -> tuple[StepSeconds, StepSeconds]:
    """Time the steps of an exchange. Its first one builds what schemes keep: tables, expanded keys.

    Where a worker is not in all sets, its time is scaled as though it were.

    Returns:
        The steps' first calls, and the best of some runs after them.

    Raises:
        SchemeError: the sums are wrong.
    """
    me = exchange.members[0]
    part = exchange.part(me)
    with undisturbed():
        upload, first_encrypt = timed(lambda: exchange.encrypt(me))
        others = {member: exchange.encrypt(member) for member in exchange.members[1:]}
        arrived = exchange.arrived({me: upload, **others})
        asked = {opener: exchange.shown(opener, arrived) for opener in exchange.openers}
        first_share = share = 0.0
        answers: dict[PartyId, list[bytes]] = {}
        if asked:
            answers[me], first_share = timed(lambda: exchange.share(me, asked[me]))
            share = best(lambda: exchange.share(me, asked[me]), runs, first_share)
            answers |= {other: exchange.share(other, asked[other]) for other in exchange.openers[1:]}

        def manage() -> Sequence[Integers]:
            for opener in exchange.openers:
                exchange.shown(opener, arrived)
            return exchange.open(arrived, answers)

        sums, first_manager = timed(manage)
        exchange.check(sums)
        encrypt = best(lambda: exchange.encrypt(me), runs, first_encrypt)
        manager = best(manage, runs, first_manager)
    return (
        StepSeconds(first_encrypt / part, first_share / part, first_manager),
        StepSeconds(encrypt / part, share / part, manager),
    )


def manager_peak_bytes(exchange: Exchange) -> int:
    """Give the most that the manager holds of one exchange: uploads, answers, and what opening allocates."""
    arrived = exchange.arrived({member: exchange.encrypt(member) for member in exchange.members})
    answers = {opener: exchange.share(opener, exchange.shown(opener, arrived)) for opener in exchange.openers}
    held = sum(len(row) for each in arrived for row in (*each.bodies, *each.hints))
    held += sum(len(share) for answer in answers.values() for share in answer)
    tracemalloc.start()
    try:
        exchange.open(arrived, answers)
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
