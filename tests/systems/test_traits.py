"""What a table says of each system: who learns what, and what a loss does."""

from typing import Any, get_args

import pytest

from mdl.privacy.settings import LaplaceNoise
from mdl.systems import (
    AnySystem,
    Coordinated,
    Decentralised,
    Dynamic,
    FedAvg,
    Mutual,
    QuantisedMpc,
    SecretShared,
    Standalone,
)

EVERY = [
    Coordinated(visibility=0.5),
    Dynamic(visibility=0.5),
    FedAvg(),
    Mutual(),
    Standalone(),
    SecretShared(),
    Decentralised(),
    QuantisedMpc(),
]
PLAIN: Any = {"type": "plain"}


def test_none_is_left_out() -> None:
    assert {type(system) for system in EVERY} == set(get_args(get_args(AnySystem)[0]))


@pytest.mark.parametrize("system", EVERY, ids=lambda system: str(system.type))
def test_they_fit_into_a_table_and_agree_with_what_the_launcher_is_told(system: Any) -> None:
    traits = system.traits(8)
    assert 0 < len(traits.learns) < 170
    assert 0 < len(traits.loss) < 120
    assert ("the run ends" in traits.loss) == (not system.tolerates_loss)


@pytest.mark.parametrize(
    ("system", "who", "what"),
    [
        (FedAvg(), "manager", "every worker's parameters"),
        (Coordinated(visibility=0.5, scheme=PLAIN), "manager", "every worker's gradient"),
        (Dynamic(visibility=0.5, scheme=PLAIN), "manager", "every worker's gradient"),
        (SecretShared(mode="plain"), "server", "every worker's update"),
        (Decentralised(mode="plain"), "each node", "its neighbours' models"),
        (Standalone(pooled=True), "manager", "all training data"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_of_what_hides_nothing_it_is_said(system: Any, who: str, what: str) -> None:
    assert system.traits(8).learns.startswith(f"{who}: {what}")


def test_thresholds_are_those_of_the_run() -> None:
    traits = Coordinated(visibility=0.5, opening_threshold=6).traits(8)
    assert "the sum of at least 4 gradients" in traits.learns
    assert "any 6 workers with the manager: every gradient" in traits.learns
    assert "fewer than 4 workers" in traits.loss
    assert "while 6 workers remain" in traits.loss
    assert "of exactly 3 gradients" in Dynamic(threshold=3).traits(8).learns


def test_masks_that_cancel_open_by_subtraction_and_lose_whole_sets() -> None:
    pairwise: Any = {"type": "pairwise"}
    traits = Coordinated(visibility=0.5, scheme=pairwise).traits(8)
    assert "all members of a set but one with the manager" in traits.learns
    assert traits.loss.startswith("its blocks are missed")


def test_noise_is_told() -> None:
    noisy = Coordinated(visibility=0.5, privacy=LaplaceNoise(epsilon=1.0))
    assert "4 noisy gradients" in noisy.traits(8).learns


def test_what_the_dynamic_system_gives_away_is_told() -> None:
    assert "every new value" in Dynamic(visibility=0.5, download={"type": "all"}).traits(8).learns  # type: ignore[arg-type]
    assert "gradient is large" in Dynamic(visibility=0.5, selection="magnitude").traits(8).learns
    printed = Dynamic(visibility=0.5, mode="paper", insecure=True, scheme={"type": "elgamal"})  # type: ignore[arg-type]
    assert printed.traits(8).learns.startswith("leaks")


def test_shares_of_some_make_up_for_the_lost() -> None:
    traits = SecretShared(mode="shamir", threshold=6).traits(8)
    assert "any 6 members" in traits.learns
    assert traits.loss.startswith("up to 2 in an epoch are made up for")
    assert SecretShared().traits(8).loss.startswith("that epoch is missed")


def test_nodes_that_recover_the_lost_can_read_each_other() -> None:
    traits = Decentralised(threshold=3).traits(8)
    assert "3 of a neighbourhood: all its models" in traits.learns
    assert traits.loss == "the run goes on while 3 nodes of each neighbourhood remain"


def test_in_a_group_everybody_learns_the_sum() -> None:
    group: Any = {"type": "group"}
    assert Decentralised(graph=group).traits(8).learns.startswith("all: each epoch the sum of all models")
    assert "node 1: all models" in Decentralised(graph=group, mode="plain").traits(8).learns
    assert Decentralised(graph=group, threshold=5).traits(8).loss.endswith("without node 1 it ends")
