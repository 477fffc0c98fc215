"""What DP-SGD spends: the Gaussian mechanism on Poisson samples, composed over steps.

A record is protected with (ε, δ): whatever is told of a worker's training is at most e^ε times as likely
with the record as without it, but for events of probability δ. Neighbours differ by one record of one worker,
which one of them has and the other has not. How many records there are is taken as known.

Figures come from Google's `dp-accounting`: privacy loss distributions (PLD), and Rényi differential privacy
(RDP) as a check from above.

- [ACG+16] M. Abadi et al., "Deep Learning with Differential Privacy", CCS 2016: the mechanism.
- [MTZ19] I. Mironov, K. Talwar, L. Zhang, "Rényi Differential Privacy of the Sampled Gaussian Mechanism",
  arXiv:1908.10530: its RDP.
- [DGK+22] V. Doroshenko, B. Ghazi, P. Kamath, R. Kumar, P. Manurangsi, "Connect the Dots: Tighter Discrete
  Approximations of Privacy Loss Distributions", PoPETs 2022: its PLD.

`dp_accounting` is imported where it is used: it brings in SciPy, a second of computing, and most runs and
most processes never need it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mdl.privacy import moments

if TYPE_CHECKING:
    from dp_accounting import DpEvent

MEANINGLESS: Final = 100.0
"""Above this ε nothing is protected, and `epsilon` gives RDP's figure: a PLD would take minutes to make."""

_INTERVAL: Final = 1e-4
"""Steps of a PLD, relative to ε: fine enough for three digits, always rounded to the worse."""

_SMALLEST: Final = 0.1
"""Below this ε the steps of a PLD get no finer."""

_SLACK: Final = 3
"""A noise multiplier is calibrated with steps so many times coarser, mostly, than its ε is shown with."""


_NEARLY: Final = 0.8
"""So much of the noise that is enough by moments is mostly too little by privacy loss distributions."""


@dataclass(frozen=True)
class Sampling:
    """How one local epoch of DP-SGD uses the records.

    Attributes:
        rate: each step takes each record with this probability, independently, in (0, 1].
        steps: in an epoch.
    """

    rate: float
    steps: int


@dataclass(frozen=True)
class Guarantee:
    """(ε, δ)-differential privacy of one record.

    Attributes:
        epsilon: ε, at least 0.
        delta: δ, in (0, 1).
    """

    epsilon: float
    delta: float


def sampling(examples: int, batch: int, local_steps: int | None = None) -> Sampling:
    """Give the sampling that takes `batch` of `examples` on average.

    Args:
        examples: of the worker, at least 1.
        batch: expected examples of a step.
        local_steps: steps of an epoch; None for as many as take each example once on average.
    """
    assert examples > 0
    rate = min(1.0, batch / examples)
    return Sampling(rate, local_steps or max(1, round(1 / rate)))


def load() -> None:
    """Import the library, which takes a second or two, before its figures are waited for."""
    import dp_accounting.mechanism_calibration
    import dp_accounting.pld
    import dp_accounting.rdp  # noqa: F401


@lru_cache(maxsize=4096)
def epsilon(noise_multiplier: float, rate: float, steps: int, delta: float) -> float:
    """Give ε after `steps` by privacy loss distributions [DGK+22].

    Args:
        noise_multiplier: the noise's standard deviation divided by the clipping norm.
        rate: of sampling, in (0, 1].
        steps: all that were ever taken, at least 0.
        delta: δ, in (0, 1).

    Returns:
        An upper bound, to three digits; from `MEANINGLESS` on that of `renyi_epsilon`. Between 0.02 s and 1 s
        of computing, once for each set of arguments.
    """
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    bound = renyi_epsilon(noise_multiplier, rate, steps, delta)
    if bound > MEANINGLESS or not steps:
        return bound
    once = from_gaussian_mechanism(
        noise_multiplier,
        sampling_prob=rate,
        value_discretization_interval=_INTERVAL * max(bound, _SMALLEST),
    )
    return float(once.self_compose(steps).get_epsilon_for_delta(delta))


@lru_cache(maxsize=4096)
def renyi_epsilon(noise_multiplier: float, rate: float, steps: int, delta: float) -> float:
    """Give ε after `steps` by Rényi differential privacy [MTZ19]; arguments as for `epsilon`."""
    from dp_accounting.rdp import RdpAccountant

    if not steps:
        return 0.0
    with _quiet():
        accountant = RdpAccountant().compose(_event(noise_multiplier, rate, steps))
    return float(accountant.get_epsilon(delta))


@lru_cache(maxsize=4096)
def noise_multiplier_for(target: float, rate: float, steps: int, delta: float) -> float:
    """Give the least noise with which `epsilon` after `steps` is at most `target`.

    Args:
        target: ε, above 0.
        rate: of sampling, in (0, 1].
        steps: of the whole training, at least 1.
        delta: δ, in (0, 1).

    Returns:
        The noise multiplier, at most 1 % above the least. Half a second of computing or so, once for each
        set of arguments.
    """
    from dp_accounting.mechanism_calibration import ExplicitBracketInterval, calibrate_dp_mechanism
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    def event(noise_multiplier: float) -> "DpEvent":
        return _event(noise_multiplier, rate, steps)

    if target > MEANINGLESS:
        with _quiet():
            return float(calibrate_dp_mechanism(RdpAccountant, event, target, delta, tol=1e-3))

    def accountant() -> PLDAccountant:
        return PLDAccountant(value_discretization_interval=_SLACK * _INTERVAL * max(target, _SMALLEST))

    enough = 1.01 * moments.noise_multiplier_for(target, rate, steps, delta)
    too_little = _NEARLY * enough
    # Where records are hardly ever sampled, the bound by moments is far above what is spent.
    while accountant().compose(event(too_little)).get_epsilon(delta) <= target:
        enough, too_little = too_little, too_little / 2
    bracket = ExplicitBracketInterval(too_little, enough)
    tolerance = 1e-3 * too_little
    found = float(calibrate_dp_mechanism(accountant, event, target, delta, bracket, tol=tolerance))
    # It keeps to the target, and is to be seen to: the steps of the figure that is shown are others.
    while epsilon(found, rate, steps, delta) > target:
        found += tolerance
    return found


def _event(noise_multiplier: float, rate: float, steps: int) -> "DpEvent":
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    return SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(noise_multiplier)), steps)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself that RDP leaves out orders at which its series does not converge: others remain."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
