"""Loss-threshold membership inference on trained models, and what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdl.audit.holdings import owners
from mdl.audit.membership.models import Model, losses, module, scores
from mdl.audit.membership.scores import FEW_FALSE, Curve, Losses, Score, curve, score
from mdl.config import Experiment
from mdl.learning.dataset import Dataset
from mdl.learning.partition import Rows
from mdl.systems import Mutual, QuantisedMpc


@dataclass(frozen=True, eq=False)
class Finding:
    """What came of the attack on one model.

    Attributes:
        model: its name.
        examples: members, and as many others, that were told apart.
        accuracy: on those members, and on those others.
        score: how well losses tell them apart.
        curve: at every threshold.
    """

    model: str
    examples: int
    accuracy: tuple[float, float]
    score: Score
    curve: Curve


@dataclass(frozen=True, eq=False)
class Audit:
    """What came of it on all models.

    Attributes:
        experiment: what was audited.
        shared: on the global model; None where there is none.
        alone: on models that workers trained alone.
        complete: False if it was stopped early.
    """

    experiment: Experiment
    shared: Finding | None
    alone: Sequence[Finding]
    complete: bool

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them, the global model's first."""
        return [*([self.shared] if self.shared else []), *self.alone]


def attack(experiment: Experiment, dataset: Dataset, model: Model, limit: int) -> Finding:
    """Tell members of a model's training set from test examples by their loss.

    As many of each are drawn, so that guessing is right half the time.

    Args:
        experiment: its seed decides who is drawn.
        dataset: the test set gives those that are no members.
        model: the trained model, and what it was trained on.
        limit: of each at most so many.

    Raises:
        ConfigError: the parameters are not of the experiment's network.
    """
    members, others = drawn(experiment, dataset, model.rows, limit)
    network = module(experiment, dataset, model)
    inside = scores(network, dataset.train_images[members], dataset.scale)
    outside = scores(network, dataset.test_images[others], dataset.scale)
    return told_apart(
        model.name,
        losses(inside, dataset.train_labels[members]),
        losses(outside, dataset.test_labels[others]),
        seed=experiment.seed,
    )


def drawn(experiment: Experiment, dataset: Dataset, rows: Rows, limit: int) -> tuple[Rows, Rows]:
    """Draw members from rows of the training set, and as many others from the test set.

    Args:
        experiment: its seed decides who is drawn.
        dataset: whose.
        rows: to draw members from.
        limit: of each at most so many.
    """
    count = min(limit, len(rows), len(dataset.test_labels))
    rng = np.random.default_rng(experiment.seed)
    members = rng.choice(rows, count, replace=False)
    return members, rng.choice(len(dataset.test_labels), count, replace=False)


def told_apart(
    name: str, members: tuple[Losses, float], others: tuple[Losses, float], *, seed: int
) -> Finding:
    """Judge how well losses tell as many members from others.

    Args:
        name: of what gave the losses.
        members: their losses, and the share of them that is classified right.
        others: likewise.
        seed: of the intervals.
    """
    (inside, inside_right), (outside, outside_right) = members, others
    found = score(inside, outside, seed=seed)
    return Finding(name, len(inside), (inside_right, outside_right), found, curve(inside, outside))


def explained(audit: Audit) -> Sequence[str]:
    """Say what it means, a paragraph each."""
    return [*_shared(audit), *_alone(audit), *_what_helps(audit.experiment)]


def _shared(audit: Audit) -> list[str]:
    if audit.shared is None:
        return []
    found = audit.shared.score
    if found.auc.low <= 0.5:
        said = "do not tell members from others by this attack (the interval of the AUC reaches 0.5)"
    else:
        said = "tell something of who is in the training sets"
    return [
        f"Losses of the {audit.shared.model} {said}: AUC {found.auc}, advantage {found.advantage}, "
        f"{found.found.value:.1%} of the members found at {FEW_FALSE:.0%} false positives. Who has the model "
        f"can do this: {owners(audit.experiment)}, and whoever it is given to."
    ]


def _alone(audit: Audit) -> list[str]:
    if not audit.alone:
        return []
    mean = float(np.mean([finding.score.auc.value for finding in audit.alone]))
    models = "a model that a worker" if len(audit.alone) == 1 else f"{len(audit.alone)} models that workers"
    inside, outside = np.mean([finding.accuracy for finding in audit.alone], axis=0)
    return [
        f"For comparison, {models} trained alone: AUC {mean:.3f} on average, "
        f"accuracy {inside:.3f} on their own examples and {outside:.3f} on others."
    ]


def _what_helps(experiment: Experiment) -> list[str]:
    return [
        "Cryptography does not touch this: it hides gradients, not what the finished model remembers. "
        f"{_noise(experiment)}",
        "This is the simplest attack. Stronger ones exist (shadow models, LiRA), so a low figure here is no "
        "proof of privacy; a guarantee is what docs/privacy.md accounts for.",
    ]


def _noise(experiment: Experiment) -> str:
    """Say which noise the experiment can have that does touch it, and which it has."""
    tables: dict[str, tuple[str, Any]] = {}
    if hasattr(experiment.system, "privacy"):
        tables["system.privacy"] = "on contributions", experiment.system.privacy
    if not isinstance(experiment.system, QuantisedMpc | Mutual):
        tables["learning.privacy"] = "by DP-SGD", experiment.learning.privacy
    if not tables:
        return f"Noise in training would: {experiment.system.type!r} has none. Little overfitting helps."
    ways = " or ".join(f"{how} ([{table}])" for table, (how, _) in tables.items())
    on = [f"{table} ({noise.type})" for table, (_, noise) in tables.items() if noise.type != "none"]
    off = "Neither is" if len(tables) > 1 else "It is not"
    state = f"On in this experiment: {', '.join(on)}." if on else f"{off} on in this experiment."
    return f"Noise does: {ways}. {state}"
