from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.schemes import shamir
from mdl.schemes.groups import modular_group
from mdl.schemes.randomness import insecure_seeded

GROUP = modular_group("insecure_schnorr96")
Q = int(GROUP.q)
SMALL_Q = 11

points = st.sets(st.integers(1, 40), min_size=4, max_size=8).map(sorted)


@given(points=points, threshold=st.integers(1, 4), seed=st.integers(0, 1 << 32), data=st.data())
def test_any_threshold_shares_give_the_secret(
    points: list[int], threshold: int, seed: int, data: st.DataObject
) -> None:
    coefficients = shamir.polynomial(threshold, Q, rng=insecure_seeded(seed))
    shares = shamir.shares(coefficients, points, Q)
    chosen = data.draw(st.permutations(points))[: data.draw(st.integers(threshold, len(points)))]
    assert shamir.reconstruct({point: shares[point] for point in chosen}, Q) == coefficients[0]


def test_one_share_too_few_fits_every_secret_alike() -> None:
    # All polynomials of degree 2 over Z_11: two shares have each pair of values once for each secret.
    seen = {
        secret: sorted(
            tuple(shamir.shares((secret, a, b), [3, 7], SMALL_Q).values())
            for a in range(SMALL_Q)
            for b in range(SMALL_Q)
        )
        for secret in range(SMALL_Q)
    }
    assert all(views == seen[0] for views in seen.values())


@pytest.mark.parametrize("bad", [[0, 1, 2], [1, 2, 2], [-1, 2, 3], [1, 2, SMALL_Q], [SMALL_Q + 1, 1]])
def test_points_that_give_the_secret_away_or_divide_by_zero_are_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match="points must be"):
        shamir.lagrange_at_zero(bad, SMALL_Q)
    with pytest.raises(ValueError, match="points must be"):
        shamir.shares((1, 2), bad, SMALL_Q)


def test_the_coefficients_are_those_of_the_paper() -> None:
    # z_i is the product of -x_j / (x_i - x_j).
    z = shamir.lagrange_at_zero([1, 2, 4], 101)
    fractions = {1: (8, 3), 2: (-4, 2), 4: (2, 6)}
    assert z == {point: above * pow(below, -1, 101) % 101 for point, (above, below) in fractions.items()}


@given(threshold=st.integers(1, 4), seed=st.integers(0, 1 << 32), offset=st.integers(1, Q - 1))
def test_commitments_tell_a_true_share_from_an_altered_one(threshold: int, seed: int, offset: int) -> None:
    coefficients = shamir.polynomial(threshold, Q, rng=insecure_seeded(seed))
    commitments = shamir.commit(GROUP, [coefficients])
    for point, share in shamir.shares(coefficients, [1, 5], Q).items():
        assert shamir.lie_on(GROUP, commitments, point, [share])
        assert not shamir.lie_on(GROUP, commitments, point, [(share + offset) % Q])


@given(count=st.integers(1, 5), spoilt=st.integers(0, 4), seed=st.integers(0, 1 << 32))
def test_shares_of_several_polynomials_are_checked_together(count: int, spoilt: int, seed: int) -> None:
    rng = insecure_seeded(seed)
    polynomials = [shamir.polynomial(3, Q, rng=rng) for _ in range(count)]
    commitments = shamir.commit(GROUP, polynomials)
    own = [shamir.shares(polynomial, [4], Q)[4] for polynomial in polynomials]
    assert shamir.lie_on(GROUP, commitments, 4, own)
    own[spoilt % count] = (own[spoilt % count] + 1) % Q
    assert not shamir.lie_on(GROUP, commitments, 4, own)


def test_each_workers_verification_key_follows_from_the_commitments() -> None:
    coefficients = shamir.polynomial(3, Q, rng=insecure_seeded(0))
    commitments = shamir.commit(GROUP, [coefficients])
    for point, share in shamir.shares(coefficients, range(1, 7), Q).items():
        key = pow(int(GROUP.g), share, int(GROUP.p))
        assert shamir.verification_keys(GROUP, commitments, 3, point) == [key]


def test_every_quorum_finds_the_same_secret() -> None:
    coefficients = shamir.polynomial(3, Q, rng=insecure_seeded(1))
    shares = shamir.shares(coefficients, range(1, 7), Q)
    found = {shamir.reconstruct({p: shares[p] for p in quorum}, Q) for quorum in combinations(shares, 3)}
    assert found == {coefficients[0]}
