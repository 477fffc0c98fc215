"""How well losses tell members from others.

Yeom, Giacomelli, Fredrikson, Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
Overfitting", CSF 2018: an example whose loss is below a threshold is said to be a member. The rate of true
positives at few false ones is what Carlini et al., "Membership Inference Attacks From First Principles", S&P
2022, ask for.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Losses: TypeAlias = NDArray[np.float64]
"""A model's loss on each example, shape (k,)."""

FEW_FALSE: Final = 0.01
"""The rate of false positives at which true ones are counted."""

DRAWS: Final = 500
"""Bootstrap samples of a confidence interval."""

_TAIL: Final = 0.025


@dataclass(frozen=True, eq=False)
class Curve:
    """Rates of true against false positives, over all thresholds.

    Attributes:
        false: of non-members taken for members, shape (p,), ascending from 0 to 1.
        true: of members found, shape (p,).
    """

    false: NDArray[np.float64]
    true: NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Score:
    """How well one model's losses give members away.

    Attributes:
        auc: area under the curve: 0.5 tells nothing, 1 everything.
        advantage: true minus false positives where the threshold is the members' mean loss, which Yeom et
            al. let the attacker know; 0 tells nothing.
        found: members found at `FEW_FALSE` false positives.
    """

    auc: Interval
    advantage: Interval
    found: Interval


def curve(members: Losses, others: Losses) -> Curve:
    """Give the curve of all thresholds on the loss."""
    labels = np.repeat([1, 0], [len(members), len(others)])
    false, true, _ = roc_curve(labels, -np.concatenate([members, others]))
    return Curve(false, true)


def score(members: Losses, others: Losses, *, seed: int) -> Score:
    """Score an attack, with intervals from samples drawn anew with replacement.

    Args:
        members: losses on examples that were trained on.
        others: losses on as many that were not.
        seed: of the samples.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [_figures(rng.choice(members, len(members)), rng.choice(others, len(others))) for _ in range(DRAWS)]
    )
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], axis=0)
    values = _figures(members, others)
    auc, advantage, found = (Interval(*map(float, each)) for each in zip(values, low, high, strict=True))
    return Score(auc, advantage, found)


def _figures(members: Losses, others: Losses) -> tuple[float, float, float]:
    threshold = members.mean()
    advantage = float((members <= threshold).mean() - (others <= threshold).mean())
    return _auc(members, others), advantage, _found(members, others)


def _auc(members: Losses, others: Losses) -> float:
    """The chance that a member's loss is below another's; where they are equal, half of it."""
    ordered = np.sort(others)
    below, upto = np.searchsorted(ordered, members, "left"), np.searchsorted(ordered, members, "right")
    return float(1 - (below + upto).mean() / (2 * len(others)))


def _found(members: Losses, others: Losses) -> float:
    """The largest share of members below a threshold that takes at most `FEW_FALSE` of the others."""
    allowed = int(np.floor(FEW_FALSE * len(others)))
    limit = np.partition(others, allowed)[allowed]
    return float((members < limit).mean())
