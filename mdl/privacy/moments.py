"""A bound on what DP-SGD spends that takes some milliseconds: for progress, and to calibrate from.

It is Rényi differential privacy's. `mdl.privacy.record_level` has the tighter figure, from a library that
takes a second to import and a tenth of one for each figure.

- [MTZ19] I. Mironov, K. Talwar, L. Zhang, "Rényi Differential Privacy of the Sampled Gaussian Mechanism",
  arXiv:1908.10530.
- [CKS20] C. Canonne, G. Kamath, T. Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WHOLE: Final = np.array([*range(2, 65), 128, 256, 512, 1024])
_BETWEEN: Final = np.array([tenths / 10 for tenths in range(11, 110) if tenths % 10])
_ORDERS: Final = np.concatenate([_WHOLE, _BETWEEN])
"""Orders α at which a bound is sought. Those between whole numbers serve ε above 5 or so."""

_LEAST_NOISE: Final = 0.1
"""Below it the orders between are left out: ε means nothing there, and the integral takes long."""

_LOG_FACTORIALS: Final = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _WHOLE[-1] + 1)))])


def epsilon(noise_multiplier: float, rate: float, steps: int, delta: float) -> float:
    """Bound ε after `steps` from above; arguments as for `mdl.privacy.record_level.epsilon`.

    Another number of steps of the same mechanism costs some microseconds.
    """
    if not steps:
        return 0.0
    # Proposition 12 of [CKS20, version 4].
    moments = steps * _log_moments(noise_multiplier, rate)
    each = (moments - np.log(delta * _ORDERS)) / (_ORDERS - 1) + np.log1p(-1 / _ORDERS)
    return max(0.0, float(each.min()))


def noise_multiplier_for(target: float, rate: float, steps: int, delta: float) -> float:
    """Give a noise multiplier with which `epsilon` is at most `target`, at most 1 % above the least.

    Args:
        target: ε, above 0, and so large that there is one.
        rate: of sampling, in (0, 1].
        steps: of the whole training, at least 1.
        delta: δ, in (0, 1).
    """
    enough = 1.0
    while epsilon(enough, rate, steps, delta) > target:
        enough *= 2
    while epsilon(enough / 2, rate, steps, delta) <= target:
        enough /= 2
    too_little = enough / 2
    while enough > 1.01 * too_little:
        middle = (too_little + enough) / 2
        if epsilon(middle, rate, steps, delta) <= target:
            enough = middle
        else:
            too_little = middle
    return enough


@lru_cache(maxsize=4096)
def _log_moments(noise_multiplier: float, rate: float) -> NDArray[np.float64]:
    """Give log A_α of one step for each order: (α - 1) times its Rényi divergence [MTZ19, §3.3]."""
    if rate == 1:
        return np.asarray((_ORDERS**2 - _ORDERS) / (2 * noise_multiplier**2))
    whole = [_of_whole_order(noise_multiplier, rate, int(order)) for order in _WHOLE]
    if noise_multiplier < _LEAST_NOISE:
        return np.array([*whole, *(np.inf for _ in _BETWEEN)])
    return np.array([*whole, *(_of_any_order(noise_multiplier, rate, float(order)) for order in _BETWEEN)])


def _of_whole_order(noise_multiplier: float, rate: float, order: int) -> float:
    k = np.arange(order + 1)
    choices = _LOG_FACTORIALS[order] - _LOG_FACTORIALS[k] - _LOG_FACTORIALS[order - k]
    likely = k * np.log(rate) + (order - k) * np.log1p(-rate)
    return float(np.logaddexp.reduce(choices + likely + (k * k - k) / (2 * noise_multiplier**2)))


def _of_any_order(noise_multiplier: float, rate: float, order: float) -> float:
    """Integrate E[(1 - q + q exp((2z - 1) / 2σ²))^α] over z ~ N(0, σ²) by the trapezoidal rule.

    The integrand is analytic within πσ² of the real axis, so the error falls exponentially with the finer of
    the two scales, and is next to that of floating point.
    """
    sigma = noise_multiplier
    step = min(sigma / 6, sigma**2 / 2)
    z = np.arange(-12 * sigma, order + 12 * sigma, step)
    ratio = np.logaddexp(np.log1p(-rate), np.log(rate) + (2 * z - 1) / (2 * sigma**2))
    terms = order * ratio - z**2 / (2 * sigma**2)
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum() * step / (sigma * np.sqrt(2 * np.pi))))
