"""Two owners of a few digits that teach each other, for audits."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mdl.config import Experiment, parse
from mdl.learning.dataset import Dataset
from mdl.learning.datasets import digits

TABLES: Mapping[str, Any] = {
    "name": "taught",
    "workers": 2,
    "epochs": 8,
    "system": {"type": "mutual", "refresh": 0.5, "least_accuracy": 0.0, "timeout_seconds": 20.0},
    "learning": {
        "model": "digits-quadratic",
        "split": "disjoint",
        "train_limit": 160,
        "test_limit": 200,
        "optimiser": "momentum",
        "learning_rate": 0.1,
        "batch": 16,
    },
}


@lru_cache
def dataset() -> Dataset:
    return digits()


def experiment(system: Mapping[str, Any] | None = None, *, epochs: int = 8, **learning: Any) -> Experiment:
    tables = {**TABLES, "epochs": epochs, "learning": {**TABLES["learning"], **learning}}
    return parse({**tables, "system": {**TABLES["system"], **(system or {})}})
