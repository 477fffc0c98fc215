"""What a party says of its own data before it is linked with others."""

from collections.abc import Mapping
from typing import Any

import pytest

from mdl.authority import deal_keys
from mdl.config import parse
from mdl.errors import ConfigError, OutOfRange, PeerLeft
from mdl.learning.models import build
from mdl.learning.settings import LearningSettings
from mdl.node import _fail, _naming_own_file
from mdl.orders import Orders

TABLES = {"name": "own", "workers": 2, "epochs": 1, "system": {"type": "mutual"}}


def test_a_network_that_does_not_fit_a_workers_own_file_is_told_with_the_file_and_its_classes() -> None:
    experiment = parse({**TABLES, "learning": {"dataset": "own-{worker}.npz"}})
    with pytest.raises(ConfigError) as caught, _naming_own_file(experiment, 2, 2):
        raise ConfigError(["learning.model: a score per class"])
    problem, whose = caught.value.problems
    assert problem == "learning.model: a score per class"
    assert whose.startswith("own-2.npz, of worker 2, has 2 classes: ")
    assert "`classes`" in whose


def test_of_a_module_that_is_missing_no_file_of_a_worker_is_blamed() -> None:
    experiment = parse({**TABLES, "learning": {"dataset": "own-{worker}.npz"}})
    learning = LearningSettings(model="nowhere:small")
    with pytest.raises(ConfigError) as caught, _naming_own_file(experiment, 2, 2):
        build(learning, (1, 8, 8), 2, seed=0)
    (problem,) = caught.value.problems
    assert "No module named 'nowhere'; looked for is nowhere.py" in problem


@pytest.mark.parametrize(
    ("error", "mistake"),
    [
        (ConfigError(["learning.model: it compares"]), True),
        (OutOfRange("a weight is too large"), True),
        (PeerLeft("left", [2]), False),
        (OSError("no space left on device"), False),
    ],
)
def test_a_mistake_is_what_somebody_must_set_right(error: Exception, mistake: bool) -> None:
    experiment, told = parse(TABLES), list[Mapping[str, Any]]()
    orders = Orders(experiment.model_dump(exclude_none=True), 1, deal_keys(experiment)[1], "", ".")
    assert _fail(error, told.append, orders) == 1
    assert told[0]["mistake"] is mistake
