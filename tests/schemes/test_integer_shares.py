from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.schemes import integer_shares
from mdl.schemes.integer_shares import SECRET_BITS, STATISTICAL_BITS, IntegerSharing, evaluate
from mdl.schemes.randomness import insecure_seeded

SECRETS = st.integers(0, (1 << SECRET_BITS) - 1) | st.sampled_from([0, 1, (1 << SECRET_BITS) - 1])


@st.composite
def sharings(draw: st.DrawFn) -> IntegerSharing:
    workers = draw(st.integers(1, 20))
    return IntegerSharing(workers, draw(st.integers(1, workers)), draw(st.integers(1, 1000)))


@given(data=st.data(), sharing=sharings(), secret=SECRETS, seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_any_m_shares_give_the_secret(
    data: st.DataObject, sharing: IntegerSharing, secret: int, seed: int
) -> None:
    polynomial = sharing.polynomial(secret, rng=insecure_seeded(seed))
    assert len(polynomial) == sharing.threshold
    points = data.draw(st.permutations(range(1, sharing.workers + 1)))
    openers = points[: data.draw(st.integers(sharing.threshold, sharing.workers))]
    common, coefficients = sharing.lagrange(openers)
    shares = [evaluate(polynomial, opener) for opener in openers]
    assert all(0 <= share < 1 << sharing.share_bits for share in shares)
    opened = common * sum(z * share for z, share in zip(coefficients, shares, strict=True))
    assert opened == factorial(sharing.workers) ** 2 * secret


@given(data=st.data(), sharing=sharings(), secret=SECRETS, other=SECRETS, seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_fewer_shares_fit_every_other_secret_by_a_shift_as_small_as_proved(
    data: st.DataObject, sharing: IntegerSharing, secret: int, other: int, seed: int
) -> None:
    """The proof in the docstring, with its numbers."""
    points = data.draw(st.permutations(range(1, sharing.workers + 1)))
    coalition = points[: sharing.threshold - 1]
    polynomial = sharing.polynomial(secret, rng=insecure_seeded(seed))
    change = [Fraction(sharing.delta * (other - secret))]
    for point in coalition:
        shifted = [Fraction(0), *(-coefficient / point for coefficient in change)]
        change = [a + b for a, b in zip([*change, Fraction(0)], shifted, strict=True)]
    assert all(coefficient.denominator == 1 for coefficient in change)
    moved = [a + int(c) for a, c in zip(polynomial, change, strict=True)]
    assert moved[0] == sharing.delta * other
    assert [evaluate(moved, point) for point in coalition] == [evaluate(polynomial, p) for p in coalition]
    distance = sharing.secrets * sum(Fraction(abs(c), 1 << sharing.coefficient_bits) for c in change[1:])
    assert distance <= Fraction(1, 1 << STATISTICAL_BITS)


@pytest.mark.parametrize(
    "coalition", [(1, 2), *(pytest.param(each, marks=pytest.mark.exhaustive) for each in ((1, 3), (2, 3)))]
)
def test_what_two_of_three_see_is_nearly_the_same_for_every_secret(
    coalition: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted over all polynomials of a toy: secrets of 3 bits, distance 2^-2 at most."""
    monkeypatch.setattr(integer_shares, "SECRET_BITS", 3)
    monkeypatch.setattr(integer_shares, "STATISTICAL_BITS", 2)
    sharing = IntegerSharing(workers=3, threshold=3, secrets=1)
    a, b = np.meshgrid(*[np.arange(1 << sharing.coefficient_bits)] * 2)

    def views(secret: int) -> set[tuple[int, int]]:
        one, two = (sharing.delta * secret + a * x + b * x * x for x in coalition)
        return set(zip(one.ravel().tolist(), two.ravel().tolist(), strict=True))

    least, most = views(0), views(7)
    assert len(least) == len(most) == a.size
    assert len(least - most) / a.size <= 1 / 4
    assert least != most


def test_without_the_factor_a_share_tells_the_secret_modulo_its_point() -> None:
    """Why the secret is multiplied by n!."""
    sharing = IntegerSharing(workers=6, threshold=3, secrets=1)
    for secret in (1, 2, 3, 4):
        polynomial = sharing.polynomial(secret, rng=insecure_seeded(secret))
        assert evaluate([secret, *polynomial[1:]], 5) % 5 == secret
        assert evaluate(polynomial, 5) % 5 == 0


def test_the_sizes_of_the_standard_case() -> None:
    sharing = IntegerSharing(workers=8, threshold=4, secrets=121)
    assert (sharing.delta, sharing.coefficient_bits, sharing.share_bits) == (40320, 345, 355)


def test_the_known_coefficients() -> None:
    sharing = IntegerSharing(workers=4, threshold=3, secrets=1)
    assert sharing.lagrange((1, 2, 3)) == (24, [3, -3, 1])
    assert sharing.lagrange((4, 1, 3)) == (24, [1, 2, -2])


@pytest.mark.parametrize("openers", [(1, 2, 2), (0, 1, 2), (1, 2, 5), (1, 2), ()])
def test_openers_that_cannot_open_are_refused(openers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="openers"):
        IntegerSharing(workers=4, threshold=3, secrets=1).lagrange(openers)
