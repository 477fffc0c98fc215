"""Secret sharing over the integers: for secrets that are exponents in a group whose order nobody knows.

[Rabin98] T. Rabin, A simplified approach to threshold and proactive RSA, CRYPTO '98. [Shoup00] V. Shoup,
Practical threshold signatures, EUROCRYPT 2000.

Points are 1 to n, and Δ = n!. A secret s in [0, 2^SECRET_BITS) is shared by the integer polynomial

    f(x) = Δ s + a_1 x + ... + a_{m-1} x^(m-1),   each a_i uniform in [0, 2^b).

*Any m open it.* Their Lagrange coefficients at zero are fractions whose denominators divide Δ: that of a
point j divides the product of |j - i| over the other points i, which divides (j-1)! (n-j)!. So Δ times them
are integers, with which shares add up to Δ f(0) = Δ² s.

*Fewer learn nothing of it*, but with probability 2^-STATISTICAL_BITS. Let C be m - 1 points and s' another
secret. The polynomial f + Δ (s' - s) Λ, Λ(x) = Π_{i in C} (1 - x / i), shares s' and takes the same values at
C. Its coefficients are integers, as the product of all i in C divides Δ, and they differ from those of f by
|c_i| <= Δ 2^SECRET_BITS e_i, where e_i is the i-th elementary symmetric function of the 1 / i. Two uniform
variables on 2^b integers that are shifted by c against each other are at statistical distance |c| / 2^b. So
what C sees of s and what it sees of s' are at distance at most

    Δ 2^SECRET_BITS (e_1 + ... + e_{m-1}) / 2^b <= Δ 2^SECRET_BITS (m - 1) / 2^b,

as 1 + e_1 + ... + e_{m-1} = Π_{i in C} (1 + 1 / i) <= Π_{i < m} (i + 1) / i = m. For K secrets that are
shared side by side it is K times that. Hence b = SECRET_BITS + STATISTICAL_BITS + the bits of K Δ m.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial, gcd, prod
from typing import Final

from mdl.party import PartyId
from mdl.system import Randomness

SECRET_BITS: Final = 256
STATISTICAL_BITS: Final = 64


@dataclass(frozen=True)
class IntegerSharing:
    """How secrets are shared.

    Attributes:
        workers: n; points are 1 to n.
        threshold: m, in [1, n].
        secrets: K, how many are shared side by side, at least 1.
    """

    workers: int
    threshold: int
    secrets: int

    def __post_init__(self) -> None:
        assert 1 <= self.threshold <= self.workers
        assert self.secrets >= 1

    @cached_property
    def delta(self) -> int:
        """Δ = n!."""
        return factorial(self.workers)

    @cached_property
    def coefficient_bits(self) -> int:
        """Bits b of the random coefficients."""
        return SECRET_BITS + STATISTICAL_BITS + (self.secrets * self.delta * self.threshold).bit_length()

    @cached_property
    def share_bits(self) -> int:
        """Bits of the largest share that can occur."""
        powers: int = sum(self.workers**i for i in range(1, self.threshold))
        return ((self.delta << SECRET_BITS) + (powers << self.coefficient_bits)).bit_length()

    def polynomial(self, secret: int, *, rng: Randomness) -> list[int]:
        """Draw a polynomial for a secret in [0, 2^SECRET_BITS): Δ s, a_1 ... a_{m-1}."""
        assert 0 <= secret < 1 << SECRET_BITS
        drawn = [rng.below(1 << self.coefficient_bits) for _ in range(self.threshold - 1)]
        return [self.delta * secret, *drawn]

    def lagrange(self, openers: Sequence[PartyId]) -> tuple[int, list[int]]:
        """Give G > 0 and coprime z_j, in the order of the openers: the sum of G z_j f(j) is Δ f(0).

        Raises:
            ValueError: an opener is not in [1, n], or named twice, or they are fewer than the threshold.
        """
        if len(set(openers)) < len(openers) or not all(1 <= opener <= self.workers for opener in openers):
            raise ValueError(f"openers must be distinct and in [1, {self.workers}]: {list(openers)}")
        if len(openers) < self.threshold:
            raise ValueError(f"{len(openers)} openers, threshold {self.threshold}")
        scaled = [self._coefficient(own, openers) for own in openers]
        common = gcd(*scaled)
        return common, [coefficient // common for coefficient in scaled]

    def _coefficient(self, own: PartyId, openers: Sequence[PartyId]) -> int:
        others = [other for other in openers if other != own]
        scaled: Fraction = prod(
            (Fraction(other, other - own) for other in others), start=Fraction(self.delta)
        )
        assert scaled.denominator == 1
        return int(scaled)


def evaluate(polynomial: Sequence[int], point: PartyId) -> int:
    """Evaluate an integer polynomial, its constant term first."""
    value = 0
    for coefficient in reversed(polynomial):
        value = value * point + coefficient
    return value
