"""What a party says of its own data before it is linked with others."""

import pytest

from mdl.config import parse
from mdl.errors import ConfigError
from mdl.node import _naming_own_file

TABLES = {"name": "own", "workers": 2, "epochs": 1, "system": {"type": "mutual"}}


def test_a_network_that_does_not_fit_a_workers_own_file_is_told_with_the_file_and_its_classes() -> None:
    experiment = parse({**TABLES, "learning": {"dataset": "own-{worker}.npz"}})
    with pytest.raises(ConfigError) as caught, _naming_own_file(experiment, 2, 2):
        raise ConfigError(["learning.model: a score per class"])
    problem, whose = caught.value.problems
    assert problem == "learning.model: a score per class"
    assert whose.startswith("own-2.npz, of worker 2, has 2 classes: ")
    assert "`classes`" in whose
