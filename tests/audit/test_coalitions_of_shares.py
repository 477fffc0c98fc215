"""SSDDL's server and those who collude with it: every way to split the honest sum is as likely as another.

The real code runs in the smallest ring there is. Multiples of 2^30 modulo 2^32 are four, and what is drawn is
all of them: so all that can come about is counted, and nothing is sampled. The field of `Shamir` has no such
part. There its shares are taken apart as linear maps, and the same is decided by ranks.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from mdl.protocols.elimination import spans_modulo
from mdl.schemes import forward_secure, vector_sharing
from mdl.schemes.forward_secure import Chain, Masks
from mdl.schemes.mersenne import PRIME
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.vector_sharing import Additive, Shamir

Patch = pytest.MonkeyPatch

RING = 4
UNIT = 1 << 30
"""Multiples of it are a ring of four, within the words of four bytes."""


def outcomes(draws: int) -> list[NDArray[np.uint32]]:
    """All that so many draws can be, a column for each draw."""
    every = np.array(list(product(range(RING), repeat=draws)), np.uint32) * np.uint32(UNIT)
    return [np.ascontiguousarray(column) for column in every.T]


def encoded(value: int, count: int) -> NDArray[np.int64]:
    return np.full(count, value * UNIT, np.int64)


def seen(columns: Sequence[NDArray[np.uint32]]) -> Counter[tuple[int, ...]]:
    """How often each view comes about."""
    return Counter(zip(*((column // UNIT).tolist() for column in columns), strict=True))


def splits(total: int, honest: int) -> Iterator[tuple[int, ...]]:
    return (values for values in product(range(RING), repeat=honest) if sum(values) % RING == total)


def the_split_does_not_show(view: Callable[[Sequence[int]], Counter[tuple[int, ...]]], honest: int) -> None:
    """Views are distributed alike for all splits of a sum, and not for another sum."""
    for total in range(RING):
        first, *others = [view(values) for values in splits(total, honest)]
        assert all(other == first for other in others)
    assert view([0] * honest) != view([1] + [0] * (honest - 1))


# ------------------------------------------------------------------------------------------------
# explicit shares


def additive_view(
    monkeypatch: Patch, values: Sequence[int], members: int, *, server: bool
) -> Counter[tuple[int, ...]]:
    """What the members after the honest ones, and the server or not, hold of these values."""
    honest = len(values)
    drawn = outcomes(honest * (members - 1))
    count, draws = len(drawn[0]), iter(drawn)
    monkeypatch.setattr(vector_sharing, "_words", lambda words, rng: next(draws))
    points = range(1, members + 1)
    dealt = [Additive().share(encoded(value, count), points, rng=insecure_seeded(1)) for value in values]
    shares = [{point: np.frombuffer(share, "<u4") for point, share in each.items()} for each in dealt]
    colluders = points[honest:]
    columns = [each[point] for each in shares for point in colluders]
    if server:
        added = [
            Additive().add({dealer: each[point] for dealer, each in enumerate(dealt)}, count)
            for point in points
        ]
        columns += [np.frombuffer(total, "<u4") for total in added]
    return seen(columns)


@pytest.mark.parametrize(("honest", "members"), [(2, 2), (2, 3), (3, 3)])
def test_additive_shares_show_the_sum_of_the_honest_and_no_more(
    monkeypatch: Patch, honest: int, members: int
) -> None:
    the_split_does_not_show(lambda values: additive_view(monkeypatch, values, members, server=True), honest)


def test_members_without_the_server_have_nothing_at_all(monkeypatch: Patch) -> None:
    views = [additive_view(monkeypatch, values, 3, server=False) for values in product(range(RING), repeat=2)]
    assert all(view == views[0] for view in views)


def test_of_a_single_honest_member_the_update_shows(monkeypatch: Patch) -> None:
    views = [additive_view(monkeypatch, [value], 3, server=True) for value in range(RING)]
    assert all(not set(one) & set(other) for one, other in combinations(views, 2))


# ------------------------------------------------------------------------------------------------
# masks


def masked_view(monkeypatch: Patch, values: Sequence[int], members: int) -> Counter[tuple[int, ...]]:
    """The honest uploads, where the server and the members after the honest ones know all masks of theirs."""
    honest, points = len(values), range(1, members + 1)
    secrets = {pair: bytes(pair) * 16 for pair in combinations(points, 2)}
    hidden = [pair for pair in secrets if max(pair) <= honest]
    words = dict(zip(hidden, outcomes(len(hidden)), strict=True))
    count = RING ** len(hidden)
    known = np.full(count, UNIT, np.uint32)
    by_seed = {Chain(secret, 1).seed(1, b""): words.get(pair, known) for pair, secret in secrets.items()}

    def pieces(seed: bytes, size: int, chunk: int) -> Iterator[NDArray[np.uint8]]:
        del size, chunk
        yield by_seed[seed].view(np.uint8)

    monkeypatch.setattr(forward_secure, "stream_pieces", pieces)
    uploads = []
    for own, value in zip(points, values, strict=False):
        shared = {sum(pair) - own: secret for pair, secret in secrets.items() if own in pair}
        mask = Masks(own, shared, 1).mask(1, points, count, context=b"")
        uploads.append(encoded(value, count).astype(np.uint32) + mask)
    return seen(uploads)


@pytest.mark.parametrize(("honest", "members"), [(2, 2), (2, 4), (3, 3), (3, 5)])
def test_masked_uploads_show_the_sum_of_the_honest_and_no_more(
    monkeypatch: Patch, honest: int, members: int
) -> None:
    the_split_does_not_show(lambda values: masked_view(monkeypatch, values, members), honest)


def test_of_a_single_honest_member_masks_hide_nothing(monkeypatch: Patch) -> None:
    views = [masked_view(monkeypatch, [value], 3) for value in range(RING)]
    assert all(not set(one) & set(other) for one, other in combinations(views, 2))


# ------------------------------------------------------------------------------------------------
# polynomials


def shamir_map(monkeypatch: Patch, threshold: int, points: Sequence[int]) -> NDArray[np.int64]:
    """The shares of a dealer as a matrix: a row a point, a column for its value and each coefficient.

    Entry k of the vectors that are shared has one at the k-th unknown and zeros elsewhere.
    """
    units = np.eye(threshold, dtype=np.uint32)
    drawn = iter(units[1:])
    monkeypatch.setattr(vector_sharing, "_residues", lambda count, rng: next(drawn))
    shares = Shamir(threshold).share(units[0].astype(np.int64), points, rng=insecure_seeded(1))
    return np.array([np.frombuffer(shares[point], "<u4") for point in points], np.int64)


def rank(matrix: NDArray[np.int64]) -> int:
    return int(spans_modulo(matrix[None] % PRIME, PRIME).ranks[0])


def split_shows(monkeypatch: Patch, *, members: int, threshold: int, colluders: int) -> bool:
    """Whether what the server and some members hold depends on how the honest sum is split.

    It does not if for each change of the values that keeps their sum there is a change of the coefficients
    that keeps the view.
    """
    points, honest = range(1, members + 1), members - colluders
    shares = shamir_map(monkeypatch, threshold, points)
    held = [np.kron(np.eye(honest, dtype=np.int64)[dealer], shares[-colluders:]) for dealer in range(honest)]
    sums = np.kron(np.ones(honest, np.int64), shares)
    view = np.concatenate([*(held if colluders else []), sums])
    values = view[:, ::threshold]
    coefficients = np.delete(view, np.s_[::threshold], axis=1)
    changes = values[:, 1:] - values[:, :1]
    return rank(np.hstack([coefficients, changes])) > rank(coefficients)


@pytest.mark.parametrize(("members", "threshold"), [(3, 2), (4, 3), (5, 4), (8, 5)])
def test_polynomials_show_the_sum_of_the_honest_unless_as_many_as_open_collude(
    monkeypatch: Patch, members: int, threshold: int
) -> None:
    for colluders in range(members - 1):
        shown = split_shows(monkeypatch, members=members, threshold=threshold, colluders=colluders)
        assert shown == (colluders >= threshold)
