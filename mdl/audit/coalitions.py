"""Every coalition of fewer than m workers, with and without the manager, decided by linear algebra.

An adversary that multiplies elements and raises them to numbers it knows reaches exactly the span of the
exponents it holds. So whether it can reach g^M, M an honest worker's gradient, is a question of rank, and the
answer covers *all* such attacks, not only those in `mdl.audit.collusion`. (It says nothing of other attacks:
discrete logarithms, pairings, faults, what a sum itself gives away.)

The unknowns. Workers j of the coalition C know s_j, so the sharing polynomial is s(x) = a(x) + Z(x) * φ(x),
where a is known, Z(x) is the product of x - x_j over C, and φ has m - |C| unknown coefficients. Everybody
holds g^{φ_k}, from the public key's commitments, and the hints g^{r_i}; these make all multiples of φ_k and
r_i reachable, so they are left out. Unknown remain the gradients M_i and the products φ_k r_i:

    c_i                    M_i + Z(0) φ_0 r_i
    (g^R)^{s_j}            Z(x_j) * sum over k and i in R of x_j^k φ_k r_i
    a published sum        the sum of M_i over its set

Nonces and gradients of the coalition itself are known, hence zero. Ranks are computed modulo 2^31 - 1, which
NumPy multiplies without overflow; the true ones, modulo q, differ with a probability of about 2^-25.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdl.audit.views import Part
from mdl.party import PartyId

PRIME: Final = (1 << 31) - 1

Rows: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """What the manager holds at the end of a protocol, as exponents.

    Attributes:
        threshold: m, of the key.
        uploads: contributions whose c and g^r it has.
        shares: (holder j, contributions in R) of each (g^R)^{s_j}.
        sums: what was published.
        same: contributions that carry the same gradient as another (it was late there): (this, that).
    """

    threshold: int
    uploads: Sequence[Part]
    shares: Sequence[tuple[PartyId, frozenset[Part]]]
    sums: Sequence[frozenset[Part]]
    same: Sequence[tuple[Part, Part]] = ()


@dataclass(frozen=True)
class Verdict:
    """What one coalition reaches.

    Attributes:
        colluders: its workers.
        with_manager: whether the manager is one of it.
        opened: honest contributions whose gradient it reaches.
        below: whether it reaches the sum of all contributions, where they are fewer than m.
        trivial: whether a published sum has one honest member only, so that it shows that one's anyway.
    """

    colluders: tuple[PartyId, ...]
    with_manager: bool
    opened: tuple[Part, ...]
    below: bool
    trivial: bool

    @property
    def harmful(self) -> bool:
        """Whether it reaches what it must not."""
        return bool(self.opened or self.below)


def printed_on_arrival(members: int, threshold: int) -> Held:
    """∝MDL^d as printed, after workers 1, 2 ... `members` have arrived in this order."""
    parts = [(worker, 1) for worker in range(1, members + 1)]
    shares: list[tuple[PartyId, frozenset[Part]]] = []
    sums = []
    for rank, part in enumerate(parts, start=1):
        so_far = frozenset(parts[:rank])
        shares += [(earlier, frozenset({part})) for earlier, _ in parts[: rank - 1]]
        shares.append((part[0], so_far))
        if rank >= threshold:
            sums.append(so_far)
    return Held(threshold, parts, shares, sums)


def printed_coordinated(members: int, threshold: int) -> Held:
    """∝MDL^c as printed: workers 1 ... `members` are registered, upload, and answer for their sum."""
    parts = frozenset((worker, 1) for worker in range(1, members + 1))
    opened = [parts] if members >= threshold else []
    shares = [(worker, whole) for whole in opened for worker, _ in sorted(whole)]
    return Held(threshold, sorted(parts), shares, opened)


def closed_sets(members: int, workers: int, threshold: int) -> Held:
    """Our ∝MDL^c: workers 1 ... `members` are in the closed set; *all* workers have answered for it.

    The protocol asks `opening_threshold` of them. To count everybody's answer makes the claim the stronger.
    """
    parts = frozenset((worker, 1) for worker in range(1, members + 1))
    opened = [parts] if members >= threshold else []
    shares = [(worker, whole) for whole in opened for worker in range(1, workers + 1)]
    return Held(threshold, sorted(parts), shares, opened)


def two_versions(late: int, workers: int, threshold: int) -> Held:
    """Our ∝MDL^d: two versions that closed one after the other, with late contributions.

    Workers 1 ... m are in the first set. The next `late` ones had uploaded for it too, and contribute the
    same gradients to the second, under fresh nonces; workers from 1 on fill that up with new gradients. All
    workers have answered for both.
    """
    first = [(worker, 1) for worker in range(1, threshold + 1)]
    too_late = [(worker, 1) for worker in range(threshold + 1, threshold + late + 1)]
    again = [(worker, 2) for worker, _ in too_late]
    second = [*again, *((worker, 2) for worker in range(1, threshold - late + 1))]
    opened = [frozenset(first), frozenset(second)]
    shares = [(worker, parts) for parts in opened for worker in range(1, workers + 1)]
    same = list(zip(again, too_late, strict=True))
    return Held(threshold, [*first, *too_late, *second], shares, opened, same)


@dataclass(frozen=True)
class Tally:
    """All coalitions against one protocol: how many reach what they must not, of how many.

    Coalitions to which a published sum shows a single honest gradient anyway are not counted.

    Attributes:
        with_manager: by the number of workers that collude with it, from 0 to m - 1.
        workers_alone: fewer than m workers, without the manager.
    """

    with_manager: Sequence[tuple[int, int]]
    workers_alone: tuple[int, int]

    @property
    def harmful(self) -> int:
        """How many there are."""
        return sum(count for count, _ in (*self.with_manager, self.workers_alone))


def tally(held: Held, workers: int) -> Tally:
    """Judge every coalition, and count."""
    judged = [found for found in verdicts(held, workers) if not found.trivial]

    def count(chosen: Iterable[Verdict]) -> tuple[int, int]:
        harmful = [found.harmful for found in chosen]
        return sum(harmful), len(harmful)

    return Tally(
        [
            count(found for found in judged if found.with_manager and len(found.colluders) == size)
            for size in range(held.threshold)
        ],
        count(found for found in judged if not found.with_manager),
    )


def verdicts(held: Held, workers: int) -> Iterator[Verdict]:
    """Judge every coalition of fewer than m of the workers, with the manager and without."""
    for count in range(held.threshold):
        for colluders in combinations(range(1, workers + 1), count):
            for with_manager in (True, False):
                yield verdict(held, colluders, with_manager=with_manager)


def verdict(held: Held, colluders: tuple[PartyId, ...], *, with_manager: bool) -> Verdict:
    """Judge one coalition.

    Workers that collude without the manager know the hints (which count for nothing here) and the sums; that
    they know them all is more than they do.
    """
    honest = [part for part in held.uploads if part[0] not in colluders]
    known = _gradients_reached(held, colluders, honest, with_manager=with_manager)
    trivial = any(sum(part[0] not in colluders for part in parts) == 1 for parts in held.sums)
    opened = tuple(part for part in honest if _reaches(known, _indicator(held, honest, [part])))
    everything = len(held.uploads) < held.threshold and len(honest) > 1
    below = everything and _reaches(known, _indicator(held, honest, honest))
    return Verdict(colluders, with_manager, opened, below, trivial)


def _gradients_reached(
    held: Held, colluders: Sequence[PartyId], honest: Sequence[Part], *, with_manager: bool
) -> Rows:
    """Give a basis of the combinations of honest gradients that are reached, in reduced form."""
    free = held.threshold - len(colluders)
    products = free * len(honest)
    rows = [_row(products, {}, _indicator(held, honest, parts)) for parts in held.sums]
    if with_manager:
        at_zero = _vanishing(0, colluders)
        for place, part in enumerate(honest):
            mask = {place * free: at_zero}
            rows.append(_row(products, mask, _indicator(held, honest, [part])))
        for holder, parts in held.shares:
            factor = _vanishing(holder, colluders)
            share = {
                place * free + k: factor * pow(holder, k, PRIME)
                for place, part in enumerate(honest)
                if part in parts
                for k in range(free)
            }
            rows.append(_row(products, share, _indicator(held, honest, [])))
    reduced = _reduced(np.array(rows, np.int64).reshape(len(rows), products + len(honest)))
    return reduced[~reduced[:, :products].any(axis=1), products:]


def _row(products: int, entries: dict[int, int], gradients: Rows) -> Rows:
    row = np.zeros(products, np.int64)
    for column, value in entries.items():
        row[column] = value % PRIME
    return np.concatenate([row, gradients])


def _indicator(held: Held, honest: Sequence[Part], parts: Iterable[Part]) -> Rows:
    """The sum of these contributions' gradients as a row; a gradient that came twice has one column."""
    first = dict(held.same)
    row = np.zeros(len(honest), np.int64)
    for part in parts:
        if part in honest:
            row[honest.index(first.get(part, part))] += 1
    return row


def _vanishing(x: int, colluders: Sequence[PartyId]) -> int:
    """Z(x): zero where the coalition knows the share."""
    value = 1
    for colluder in colluders:
        value = value * (x - colluder) % PRIME
    return value


def _reduced(rows: Rows) -> Rows:
    """Bring rows into reduced echelon form modulo `PRIME`; rows of zeros are dropped."""
    rows = rows % PRIME
    rank = 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[rank:, column])
        if not len(below):
            continue
        pivot = rank + int(below[0])
        rows[[rank, pivot]] = rows[[pivot, rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, PRIME) % PRIME
        others = rows[:, column].copy()
        others[rank] = 0
        touched = np.flatnonzero(others)
        rows[touched] = (rows[touched] - others[touched, None] * rows[rank]) % PRIME
        rank += 1
        if rank == len(rows):
            break
    return rows[:rank]


def _reaches(basis: Rows, target: Rows) -> bool:
    """Tell whether a row is a combination of a reduced basis."""
    rest = target % PRIME
    for row in basis:
        lead = int(np.flatnonzero(row)[0])
        rest = (rest - rest[lead] * row) % PRIME
    return not rest.any()
