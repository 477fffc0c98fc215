"""What a worker's contributions have told about its data: local differential privacy, added up honestly.

Neighbours are any two data sets of one worker. What is promised for one parameter and one epoch is promised
less with every further one.

[KLS21] P. Kairouz, Z. Liu, T. Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning
with Secure Aggregation", ICML 2021. [CKS20] C. Canonne, G. Kamath, T. Steinke, "The Discrete Gaussian for
Differential Privacy", NeurIPS 2020.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from mdl.privacy import concentrated
from mdl.privacy.settings import AnyNoise, GaussianNoise, LaplaceNoise
from mdl.schemes.fixed_point import FixedPoint

DELTA: Final = 1e-6
"""The delta that is stated where neither the file nor the caller says another."""

_FOR_SATURATION: Final = 0.001
"""The share of delta that is set aside in sums for values that saturate."""

_NARROWEST: Final = 0.5
"""The least sigma, in steps, of which [KLS21, Theorem 1] speaks. Below it is wrong."""

MEANINGFUL: Final = 10.0
"""Above this epsilon no guarantee is left: e^10 times as likely is as good as certain."""


@dataclass(frozen=True)
class Spent:
    """What (epsilon, delta)-differential privacy is left of everything that one worker contributed.

    Attributes:
        epsilon: at least 0.
        delta: 0 for pure differential privacy.
        way: how it was added up: ``"plainly"``, each release's epsilon to the others', or by ``"zCDP"``
            (`mdl.privacy.concentrated`).
    """

    epsilon: float
    delta: float
    way: Literal["plainly", "zCDP"]

    @property
    def meaningful(self) -> bool:
        """Whether this bounds anything worth the name."""
        return self.epsilon <= MEANINGFUL

    def __str__(self) -> str:
        delta = f", δ = {self.delta:g}" if self.delta else ""
        verdict = "" if self.meaningful else ": a noise level, not a guarantee"
        way = "added up plainly" if self.way == "plainly" else "added up by zCDP, tighter at the price of δ"
        return f"ε = {quantity(self.epsilon)}{delta} ({way}){verdict}"


def spent(noise: AnyNoise, *, coordinates: int, epochs: int, delta: float | None = None) -> Spent:
    """Add up what a worker gives away to whoever sees its contributions one by one.

    Against those who see sums only it is an upper bound, and for Laplace noise the only one that is given:
    to know the noise of all others but one is to see the one's contribution.

    Args:
        noise: of the system.
        coordinates: k, noisy values in a contribution. For Laplace noise only k times the epochs counts, so
            a mean will do; for Gaussian noise it does not matter, as the clip is that of the whole.
        epochs: contributions; a repeated one is another.
        delta: in (0, 1); by default that of the file, or else `DELTA`.

    Returns:
        The smaller of plain addition (basic composition) and zCDP.
    """
    assert coordinates >= 0
    assert epochs >= 0
    match noise:
        case LaplaceNoise(epsilon=epsilon):
            releases = coordinates * epochs
            plain = Spent(epsilon * releases, 0.0, "plainly")
            by_rho = _by_rho(releases * concentrated.of_pure(epsilon), delta or DELTA)
            return min(plain, by_rho, key=_epsilon)
        case GaussianNoise():
            return _by_rho(epochs * concentrated.of_gaussian(noise.multiplier), delta or noise.delta or DELTA)


def spent_in_sums(
    noise: GaussianNoise,
    grid: FixedPoint,
    *,
    honest: int,
    coordinates: int,
    epochs: int,
    delta: float | None = None,
) -> Spent:
    """Add up what sums give away to a coalition that knows all but `honest` of their noises.

    The noises of the honest members add up to nearly a discrete Gaussian of variance honest * sigma^2. That
    it is only nearly one costs tau k / 4 more, next to nothing where sigma is several steps [KLS21, Theorem
    1, for sigma of 1/2 at least].

    That holds for sums of noisy values. What is added up is saturated first, and such sums tell a little
    more. If any of the honest members' values saturates with probability p, delta grows by (1 + e^epsilon) p
    at most. Where this is more than a thousandth of delta, sums are said to promise what one contribution
    does, which is true of all sums.

    Args:
        noise: of the system.
        grid: what is contributed lies on it.
        honest: members of a set outside the coalition, the one that is protected included; at least 1.
        coordinates: k, values in a contribution.
        epochs: contributions.
        delta: in (0, 1); by default as for `spent`.
    """
    assert honest >= 1
    own = spent(noise, coordinates=coordinates, epochs=epochs, delta=delta)
    sigma = noise.mechanism(grid).sigma
    if sigma < _NARROWEST:
        return own
    lack = 10 * sum(
        math.exp(-2 * (math.pi * sigma) ** 2 * member / (member + 1)) for member in range(1, honest)
    )
    each = concentrated.of_gaussian(noise.multiplier) / honest + lack * coordinates / 4
    epsilon = concentrated.epsilon(epochs * each, (1 - _FOR_SATURATION) * own.delta)
    if epsilon >= own.epsilon:
        return own
    # Discrete tails are no heavier than continuous ones a step nearer [CKS20].
    largest = grid.limit * 2.0**-grid.fraction_bits
    saturating = honest * coordinates * epochs * noise.saturating(largest)
    if saturating * (math.exp(-epsilon) + 1) > _FOR_SATURATION * own.delta * math.exp(-epsilon):
        return own
    return Spent(epsilon, own.delta, "zCDP")


def mean_variance(noise: AnyNoise, members: float) -> float:
    """Give the variance of the noise in a mean of so many gradients, or of as many with equal weights.

    For Laplace noise 2 (2 gamma / epsilon)^2 / |A|; with gamma = 1/2 that is 2 / (epsilon^2 |A|) [∝MDL,
    Theorem 1].
    """
    return noise.deviation**2 / members


def quantity(value: float) -> str:
    """Write a figure with three digits, and large ones so that they can be read."""
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if value >= size:
            return f"{value / size:,.3g}{name}" if value < 1000 * size else f"{value:.3g}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _by_rho(rho: float, delta: float) -> Spent:
    return Spent(concentrated.epsilon(rho, delta), delta, "zCDP")


def _epsilon(each: Spent) -> float:
    return each.epsilon
