"""Secret sharing by polynomials over Z_q [Shamir79], verifiable by commitments to coefficients [Feldman87].

[Shamir79] A. Shamir, How to share a secret, CACM 22(11). [Feldman87] P. Feldman, A practical scheme for
non-interactive verifiable secret sharing, FOCS 1987. The paper draws the secret from Z_p; exponents live in
Z_q, and so does all arithmetic here.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from gmpy2 import invert

from mdl.party import PartyId
from mdl.schemes.prime_order import AnyGroup, Exponents
from mdl.system import Randomness


def polynomial(threshold: int, q: int, *, rng: Randomness) -> tuple[int, ...]:
    """Draw θ_0 ... θ_{m-1} uniformly from Z_q, m = `threshold`; θ_0 is the secret."""
    assert threshold > 0
    return tuple(rng.below(q) for _ in range(threshold))


def shares(coefficients: Sequence[int], points: Sequence[PartyId], q: int) -> dict[PartyId, int]:
    """Evaluate the polynomial at each point, in Z_q.

    Raises:
        ValueError: a point is not in [1, q), or occurs twice.
    """
    _check_points(points, q)
    return {point: _evaluate(coefficients, point, q) for point in points}


def lagrange_at_zero(points: Sequence[PartyId], q: int) -> dict[PartyId, int]:
    """Give z_i = prod_{j≠i} x_j / (x_j - x_i) mod q for each point: the secret is the sum of z_i * s_i.

    Raises:
        ValueError: a point is not in [1, q), or occurs twice.
    """
    _check_points(points, q)
    return {point: _lagrange(point, points, q) for point in points}


def reconstruct(held: Mapping[PartyId, int], q: int) -> int:
    """Recover the secret from shares by point. From fewer than the threshold comes a value that says nothing.

    Raises:
        ValueError: a point is not in [1, q).
    """
    coefficients = lagrange_at_zero(list(held), q)
    return sum(coefficients[point] * share for point, share in held.items()) % q


def commit(group: AnyGroup, polynomials: Sequence[Sequence[int]]) -> Any:
    """Commit to the coefficients of polynomials of one degree: g^{θ_0} of each, then g^{θ_1} of each..."""
    coefficients = Exponents(list(chain(*zip(*polynomials, strict=True))))
    g = group.power_table(group.generator, range(int(group.q)), uses=len(coefficients))
    return group.power_products([(g, coefficients)])


def verification_keys(group: AnyGroup, commitments: Any, threshold: int, point: PartyId) -> Any:
    """Derive g^{s_i} of a point for each polynomial from the commitments alone: the product of C_j^(i^j)."""
    count = len(commitments) // threshold
    degrees = [commitments[j * count : (j + 1) * count] for j in range(threshold)]
    q = int(group.q)
    return group.multiply([group.raised(degree, pow(point, j, q)) for j, degree in enumerate(degrees)])


def lie_on(group: AnyGroup, commitments: Any, point: PartyId, shares: Sequence[int]) -> bool:
    """Tell whether shares, one a polynomial, belong to the committed ones at `point` (Feldman's check)."""
    threshold = len(commitments) // len(shares)
    g = group.power_table(group.generator, range(int(group.q)), uses=len(shares))
    own = group.power_products([(g, Exponents(shares))])
    expected = verification_keys(group, commitments, threshold, point)
    return group.pack(own) == group.pack(expected)


def _evaluate(coefficients: Sequence[int], point: int, q: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % q
    return value


def _lagrange(own: int, points: Sequence[int], q: int) -> int:
    numerator, denominator = 1, 1
    for other in points:
        if other != own:
            numerator = numerator * other % q
            denominator = denominator * (other - own) % q
    return int(numerator * invert(denominator, q) % q)


def _check_points(points: Sequence[int], q: int) -> None:
    # Zero is where the secret lies: a party at x = 0 would hold it.
    if not all(0 < point < q for point in points):
        raise ValueError(f"points must be in [1, q): {list(points)}")
    if len(set(points)) < len(points):
        raise ValueError(f"points must be distinct: {list(points)}")
