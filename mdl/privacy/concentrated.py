"""Zero-concentrated differential privacy (zCDP), and what it says in terms of (epsilon, delta).

[BS16] M. Bun, T. Steinke, "Concentrated Differential Privacy: Simplifications, Extensions, and Lower Bounds",
TCC 2016. [CKS20] C. Canonne, G. Kamath, T. Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS
2020.

The rho of releases that are made one after another add up [BS16, Lemma 1.7].
"""

import math
from functools import lru_cache
from typing import Final

_STEPS: Final = 70
"""Of a search; each leaves two thirds, or half, of what is left to search."""


def of_pure(epsilon: float) -> float:
    """Give rho for an epsilon-differentially private release: epsilon^2 / 2 [BS16, Proposition 1.4]."""
    return epsilon * epsilon / 2


def of_gaussian(noise_multiplier: float) -> float:
    """Give rho for discrete Gaussian noise whose sigma is z times the sensitivity: 1 / (2 z^2) [CKS20]."""
    return 1 / (2 * noise_multiplier * noise_multiplier)


def epsilon(rho: float, delta: float) -> float:
    """Give an epsilon for which rho-zCDP implies (epsilon, delta)-differential privacy.

    The least over all orders alpha > 1 of rho alpha + ln(1 - 1/alpha) + (ln(1/delta) - ln(alpha)) / (alpha -
    1) [CKS20, section 2.3]. Every order gives a bound that holds, so a search that misses the least errs on
    the safe side.
    """
    assert rho >= 0
    assert 0 < delta < 1
    if rho == 0:
        return 0.0

    def bound(logarithm: float) -> float:
        excess = math.exp(logarithm)
        alpha = 1 + excess
        return rho * alpha + math.log(excess / alpha) + (-math.log(delta) - math.log(alpha)) / excess

    low, high = -30.0, 50.0
    for _ in range(_STEPS):
        third = (high - low) / 3
        if bound(low + third) < bound(high - third):
            high -= third
        else:
            low += third
    return max(0.0, bound(low))


@lru_cache(maxsize=64)
def rho(wanted: float, delta: float) -> float:
    """Give the largest rho for which `epsilon` is at most `wanted`."""
    assert wanted > 0
    low, high = 0.0, wanted + 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon(middle, delta) <= wanted else (low, middle)
    return low
