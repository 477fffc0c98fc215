"""What a system cannot train is refused before a party starts, and whose network it is is said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mdl.config import Experiment, parse
from mdl.errors import ConfigError, DataUnavailable
from mdl.learning.models import needs_company
from mdl.learning.sizes import Sized, models_of
from mdl.rehearsal import cast
from mdl.suitability import check_networks
from mdl.tables import explanation
from tests.learning.networks import Sulking

SHAPE = (1, 8, 8)


def experiment(system: Mapping[str, Any], **learning: Any) -> Experiment:
    tables = {"name": "any", "workers": 2, "epochs": 2, "system": {"type": "mutual", **system}}
    return parse({**tables, "learning": {"model": "digits-mlp", **learning}})


def refused(found: Experiment, networks: Mapping[str, nn.Module] | None = None) -> tuple[str, ...]:
    made = {name: Sized(each, SHAPE, 10) for name, each in (networks or {}).items()}
    with pytest.raises(ConfigError) as caught:
        check_networks(found, made or models_of(found.learning, None, workers=2))
    return caught.value.problems


def linear(weight: float) -> nn.Module:
    layer = nn.Linear(64, 10)
    nn.init.constant_(layer.weight, weight)
    return nn.Sequential(nn.Flatten(), layer)


def test_a_network_that_compares_is_refused_where_nothing_can() -> None:
    (problem,) = refused(experiment({"randomness": "encryption"}))
    assert problem.startswith("learning.model: it compares (ReLU, MaxPool2d)")
    check_networks(experiment({}), models_of(experiment({}).learning, None, workers=2))


def test_of_networks_of_their_own_it_is_said_whose_cannot_be_asked() -> None:
    found = experiment({"randomness": "encryption"}, model=None, models=["digits-quadratic", "digits-mlp"])
    (problem,) = refused(found)
    assert problem.startswith("learning.models: digits-mlp of worker 2: it compares")


def test_a_network_that_both_name_is_told_of_once() -> None:
    (problem,) = refused(experiment({"randomness": "encryption"}, model=None, models=["digits-mlp"] * 2))
    assert problem.startswith("learning.models: digits-mlp of workers 1 and 2: ")


@pytest.mark.parametrize(
    "network", [nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(64, 10)), nn.Linear(64, 10)]
)
def test_layers_that_cannot_be_asked_are_refused(network: nn.Module) -> None:
    (problem,) = refused(experiment({}), {"own": network})
    assert problem.startswith("learning.model: it")


def test_a_network_for_other_examples_is_refused() -> None:
    (problem,) = refused(experiment({}), {"own": nn.Sequential(nn.Flatten(), nn.Linear(65, 10))})
    assert "cannot be asked about examples of shape (1, 8, 8)" in problem


@pytest.mark.parametrize(
    ("weight", "randomness"), [(128.0, "dealer"), (torch.nan, "dealer"), (65.0, "encryption")]
)
def test_first_weights_that_are_too_large_are_refused(weight: float, randomness: str) -> None:
    (problem,) = refused(experiment({"randomness": randomness}), {"own": linear(weight)})
    assert "before it is trained, a weight" in problem


SECURE = {"name": "any", "workers": 3, "epochs": 2, "system": {"type": "quantised-mpc"}}


def secure(**learning: Any) -> Experiment:
    return parse({**SECURE, "learning": {"model": "digits-mlp", "batch": 16, **learning}})


@pytest.mark.parametrize("weight", [1e5, torch.nan, torch.inf])
def test_first_weights_that_no_secret_number_holds_are_refused_by_name(weight: float) -> None:
    (problem,) = refused(secure(), {"own": linear(weight)})
    assert problem == (
        "learning.model: before it is trained, its 1.weight has entries that are not within ±16384"
    )
    check_networks(secure(), {"own": Sized(linear(1.0), SHAPE, 10)})


@pytest.mark.parametrize("wide", ["x_train", "x_test"])
def test_data_that_no_secret_number_holds_is_refused_by_file_and_array_before_a_party_starts(
    tmp_path: Path, wide: str
) -> None:
    small = np.ones((12, 1, 8, 8), np.float32)
    labels = np.arange(12) % 10
    for worker in (1, 2, 3):
        arrays: dict[str, Any] = {
            "x_train": small,
            "x_test": small,
            "y_train": labels,
            "y_test": labels,
            "classes": 10,
        }
        arrays |= {wide: -2e4 * small} if worker == 2 else {}
        np.savez(tmp_path / f"own-{worker}.npz", **arrays)
    learning = {"dataset": str(tmp_path / "own-{worker}.npz"), "split": "files"}
    said = rf"own-2\.npz: {wide} has entries that are not within ±16384"
    with pytest.raises(DataUnavailable, match=said):
        explanation(secure(**learning), None)
    with pytest.raises(DataUnavailable, match=said):
        cast(secure(**learning), None)
    one = secure(dataset=str(tmp_path / "own-2.npz"))
    with pytest.raises(DataUnavailable, match=said):
        explanation(one, None)
    in_the_clear = {**SECURE, "system": {"type": "fedavg"}, "learning": {"model": "digits-mlp", **learning}}
    cast(parse(in_the_clear), None)


def test_a_scale_brings_numbers_into_range(tmp_path: Path) -> None:
    x, y = np.full((12, 1, 8, 8), 2e4, np.float32), np.arange(12) % 10
    arrays: dict[str, Any] = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, "classes": 10}
    np.savez(tmp_path / "own.npz", **arrays, scale=2e4)
    cast(secure(dataset=str(tmp_path / "own.npz")), None)


def test_dp_sgd_is_refused_where_opinions_are_learnt_from() -> None:
    with pytest.raises(ConfigError, match="accounts for none on another"):
        experiment({}, privacy={"type": "dp-sgd", "epsilon": 8.0})


def test_more_classes_than_a_softmax_in_secret_takes_are_refused() -> None:
    found = experiment({"type": "quantised-mpc", "security": "dealer"})
    with pytest.raises(ConfigError, match="1,001 classes, and a softmax in secret takes 1,000 at most"):
        check_networks(found, {"own": Sized(linear(0.1), SHAPE, 1001)})
    check_networks(found, {"own": Sized(linear(0.1), SHAPE, 1000)})


OVER_EXAMPLES = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
OVER_PIXELS = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 10))


def test_one_example_a_step_is_refused_where_a_batch_is_normalised() -> None:
    def found(batch: int) -> Experiment:
        return parse({**SECURE, "system": {"type": "fedavg"}, "learning": {"batch": batch}})

    (problem,) = refused(found(1), {"own": OVER_EXAMPLES})
    assert problem.startswith("learning.batch: own normalises over a batch, and one example is none")
    for batch, network in ((2, OVER_EXAMPLES), (1, OVER_PIXELS), (1, linear(0.1))):
        check_networks(found(batch), {"own": Sized(network, SHAPE, 10)})


def test_what_normalises_is_refused_by_whoever_checks_and_looked_at_without_a_trace() -> None:
    learning = {"model": "tests.learning.networks:Normalised", "batch": 1}
    found = parse({**SECURE, "system": {"type": "fedavg"}, "learning": learning})
    for checks in (explanation, cast):
        with pytest.raises(ConfigError, match="networks:Normalised normalises over a batch"):
            checks(found, None)
    before = {name: each.clone() for name, each in OVER_EXAMPLES.state_dict().items()}
    assert needs_company(OVER_EXAMPLES.eval(), SHAPE)
    assert not OVER_EXAMPLES.training
    assert all(torch.equal(each, before[name]) for name, each in OVER_EXAMPLES.state_dict().items())


def test_a_network_that_never_trains_is_not_said_to_need_company() -> None:
    assert not needs_company(Sulking(), SHAPE)
