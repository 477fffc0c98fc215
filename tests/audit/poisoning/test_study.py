"""A worker with wrong labels, and what it does to the other one."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdl.audit.holdings import rows_of_workers
from mdl.audit.membership import models
from mdl.audit.poisoning import study as module
from mdl.audit.poisoning.study import (
    ALONE,
    AVERAGED,
    BARE,
    GATE,
    THRESHOLD,
    Audit,
    Case,
    Score,
    poisoned,
    study,
)
from mdl.audit.poisoning.verdict import claims, explained
from mdl.errors import ConfigError
from mdl.systems import FedAvg, Mutual
from tests.audit.taught import dataset, experiment


def case(rates: tuple[float, ...] = (0.0, 1.0), *, poisoner: int = 2, seeds: int = 1, **system: Any) -> Case:
    return Case(experiment(system), dataset(), poisoner, rates, range(1, 1 + seeds))


@cache
def whole() -> Audit:
    longer = experiment({"least_accuracy": 0.3}, epochs=16, train_limit=300)
    found = Case(longer, dataset(), 2, (0.0, 1.0), (1,))
    return Audit(found, list(study(found)), complete=True)


# -------------------------------------------------------------------------------------------------- labels


@given(seed=st.integers(0, 100), rate=st.floats(0, 1), less=st.floats(0, 1))
def test_so_many_of_the_poisoners_labels_are_shifted_by_one(seed: int, rate: float, less: float) -> None:
    labels = np.random.default_rng(seed).integers(0, 10, 60)
    rows = np.arange(10, 50)
    shifted = poisoned(labels, rows, rate, classes=10, seed=seed)
    hit = np.flatnonzero(shifted != labels)
    assert len(hit) == round(rate * len(rows))
    assert set(hit) <= set(rows)
    np.testing.assert_array_equal(shifted[hit], (labels[hit] + 1) % 10)
    fewer = poisoned(labels, rows, less * rate, classes=10, seed=seed) != labels
    assert set(np.flatnonzero(fewer)) <= set(hit)


def test_wrong_labels_do_not_move_examples_to_somebody_else() -> None:
    """Where parts go by labels, they go by the true ones."""
    found = Case(experiment(split="classes"), dataset(), 2, (1.0,), (1,))
    rows = rows_of_workers(found.experiment, found.dataset)[2]
    learner = module._learner(found, 2, 1, 1.0)
    images, labels = learner.numbered(np.arange(learner.examples))
    np.testing.assert_array_equal(images, found.dataset.train_images[rows] / np.float32(16))
    np.testing.assert_array_equal(labels, (found.dataset.train_labels[rows] + 1) % 10)


# -------------------------------------------------------------------------------------------------- ways


def test_with_the_gate_goes_the_threshold_which_is_tried_alone_too() -> None:
    found = case(least_accuracy=0.3, weight=2.0).ways
    assert list(found) == [GATE, BARE, THRESHOLD, AVERAGED]
    defences = {
        way: (system.agreement, system.least_accuracy)
        for way, system in found.items()
        if isinstance(system, Mutual)
    }
    assert defences == {GATE: (True, 0.3), BARE: (False, 0.0), THRESHOLD: (False, 0.3)}
    assert all(system.weight == 2.0 for system in found.values() if isinstance(system, Mutual))
    assert isinstance(found[AVERAGED], FedAvg)


def test_without_a_threshold_there_is_no_such_way() -> None:
    assert THRESHOLD not in case().ways


def test_of_other_systems_there_are_no_ways() -> None:
    other = experiment().model_copy(update={"system": FedAvg()})
    with pytest.raises(ConfigError, match="nobody is taught by another's answers; it hides no gradient"):
        _ = Case(other, dataset(), 2, (0.0,), (1,)).ways


# ---------------------------------------------------------------------------------------------- a real one


def test_a_wrong_peer_ruins_an_average_and_costs_little_where_opinions_are_judged() -> None:
    audit = whole()
    alone = audit.mean(ALONE, 1.0)
    assert alone is not None
    assert alone > 0.6, "or nothing could be lost"
    for way in (GATE, THRESHOLD):
        gain = audit.gain(way, 1.0)
        assert gain is not None
        assert gain > -0.08
    averaged, bare = audit.gain(AVERAGED, 1.0), audit.gain(BARE, 1.0)
    assert averaged is not None
    assert bare is not None
    assert averaged < -0.25
    assert averaged < bare
    assert not audit.refuted


def test_a_peer_that_is_not_wrong_ruins_nothing() -> None:
    for way in whole().ways:
        gain = whole().gain(way, 0.0)
        assert gain is not None
        assert gain > -0.08


def test_alone_is_what_the_honest_worker_trains_by_itself() -> None:
    for poisoner, honest in ((2, 1), (1, 2)):
        found = case(poisoner=poisoner)
        assert found.honest == honest
        first = next(iter(study(found)))
        learner = models.learner(found.experiment, found.dataset, honest)
        assert first == Score(ALONE, 0.0, 1, learner.alone(8).accuracy)


def test_an_average_of_two_kinds_of_networks_is_one_of_the_honest_workers_kind() -> None:
    kinds = experiment(model=None, models=["digits-quadratic", "digits-mlp"], epochs=1)
    found = Case(kinds, dataset(), 1, (0.0,), (1,))
    common = [module._learner(found, party, 1, 0.0, common=True) for party in (1, 2)]
    own = [module._learner(found, party, 1, 0.0) for party in (1, 2)]
    assert [str(learner.network) for learner in common] == [str(own[1].network)] * 2
    assert str(own[0].network) != str(own[1].network)
    assert {score.way for score in study(found)} == {ALONE, GATE, BARE, AVERAGED}


# ---------------------------------------------------------------------------------------------- verdicts


def scored(*gated: float, seeds: int = 1) -> Audit:
    """Training alone reaches a half; with the gate these gains are on top, at rising rates."""
    rates = tuple(float(rate) for rate in np.linspace(0, 1, len(gated)))
    found = case(rates, seeds=seeds)
    scores = [Score(ALONE, 0.0, seed, 0.5) for seed in found.seeds]
    scores += [
        Score(GATE, rate, seed, 0.5 + gain)
        for rate, gain in zip(rates, gated, strict=True)
        for seed in found.seeds
    ]
    return Audit(found, scores, complete=True)


def test_the_worst_rate_is_that_of_the_least_gain() -> None:
    worst = scored(0.02, -0.05, 0.01).worst
    assert worst is not None
    assert worst == pytest.approx((0.5, -0.05))


def test_the_standard_error_is_that_of_two_shares_of_a_half() -> None:
    assert scored(0.0).error == pytest.approx(np.sqrt(2 * 0.25 / 200))
    assert scored(0.0, seeds=4).error == pytest.approx(np.sqrt(2 * 0.25 / 800))


@pytest.mark.parametrize(
    ("gain", "held", "refuted"), [(-0.009, True, False), (-0.10, False, False), (-0.12, False, True)]
)
def test_a_loss_refutes_where_chance_does_not_explain_it(gain: float, held: bool, refuted: bool) -> None:
    audit = scored(0.0, gain)
    assert (audit.held, audit.refuted) == (held, refuted), "a point, and two standard errors of five"
    assert [claim.holds for claim in claims(audit)] == ([held] if held or refuted else [])
    assert any("NOT DECIDED" in each for each in explained(audit)) == (not held and not refuted)


def test_what_is_not_known_of_all_seeds_has_no_mean() -> None:
    audit = scored(0.0, 0.1, seeds=2)
    short = Audit(audit.case, audit.scores[:-1], complete=False)
    assert short.mean(GATE, 1.0) is None
    assert short.mean(GATE, 0.0) == 0.5
    assert short.mean(BARE, 0.0) is None
    assert short.worst == (0.0, 0.0)
    assert Audit(audit.case, [], complete=False).worst is None
