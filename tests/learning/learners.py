"""Learners of the digits."""

from typing import Any

from mdl.learning.building import build_learner
from mdl.learning.datasets import digits
from mdl.learning.local import LocalLearner
from mdl.learning.settings import LearningSettings

DIGITS = digits()
DISJOINT: dict[str, Any] = {
    "model": "digits-mlp",
    "split": "disjoint",
    "batch": 16,
    "learning_rate": 0.1,
}
NORMALISED: dict[str, Any] = {**DISJOINT, "model": "tests.learning.networks:Normalised"}


def learner_of(
    party: int, changes: dict[str, Any] = DISJOINT, *, seed: int = 0, pooled: bool = False
) -> LocalLearner:
    return build_learner(
        LearningSettings(**changes), DIGITS, party=party, workers=8, epochs=1, seed=seed, pooled=pooled
    )
