"""What answers give away of two small networks."""

from functools import cache

import numpy as np
import pytest

from mdl.audit.membership import models
from mdl.audit.opinions import networks
from mdl.audit.opinions.study import Audit, Case, Networks, study
from mdl.audit.opinions.telling import KINDS
from mdl.audit.opinions.verdict import explained
from mdl.errors import ConfigError
from mdl.systems import FedAvg
from tests.audit.taught import dataset, experiment


def case(owner: int = 2, epochs: int = 30, **system: object) -> Case:
    return Case(experiment(system, epochs=epochs), dataset(), owner, 10_000, (20, 60, 4000))


@cache
def made() -> Networks:
    return networks.trained(case(), None)


@cache
def whole() -> Audit:
    return Audit(case(), list(study(case(), made())), complete=True)


def test_answers_of_a_network_that_has_learnt_by_heart_tell_who_was_trained_on() -> None:
    before = {each.answers: each.finding for each in whole().apart if "alone" in each.finding.model}
    assert list(before) == list(KINDS)
    assert before["scores"].score.auc.low > 0.5
    assert before["scores"].examples == len(case().rows[2])
    inside, outside = before["labels"].accuracy
    assert before["labels"].score.auc.value == pytest.approx((1 + inside - outside) / 2), (
        "right or wrong: all"
    )


def test_members_are_told_apart_before_and_after() -> None:
    assert [(each.finding.model, each.answers) for each in whole().apart] == [
        (name, kind) for name in ("worker 2 alone", "worker 2, taught") for kind in KINDS
    ]


def test_an_untrained_networks_answers_tell_nothing() -> None:
    start = models.learner(case().experiment, case().dataset, 2).parameters()
    drawn = models.Model("drawn", np.random.default_rng(0).permutation(start), case().rows[2], 2)
    untrained = Networks(drawn, drawn, drawn, drawn)
    found = next(iter(study(case(), untrained)))
    assert found.finding.score.auc.low < 0.5 < found.finding.score.auc.high  # type: ignore[union-attr]


def test_a_network_agrees_with_itself_and_copies_agree_more_than_what_the_asker_has() -> None:
    target, alone, own = whole().likenesses[:3]
    assert (target.name, target.agreement) == ("worker 2, taught", 1.0)
    assert (alone.name, own.name) == ("worker 1 alone", "worker 1, taught")
    copies = whole().copies("scores")
    assert [copy.questions for copy in copies] == [20, 60, 80], "no more than it has images"
    assert copies[-1].agreement > copies[0].agreement
    assert copies[-1].agreement > alone.agreement


def test_copies_are_made_of_every_kind_of_answers() -> None:
    assert all(len(whole().copies(kind)) == 3 for kind in KINDS)
    assert len(whole().likenesses) == 3 + 9


def test_either_worker_can_be_asked() -> None:
    assert (case(1).asker, case(2).asker) == (2, 1)


def test_a_copy_takes_as_many_steps_as_the_askers_own_training() -> None:
    from mdl.audit.opinions.study import _steps

    assert _steps(case().experiment, 80) == 30 * 5
    assert _steps(experiment(local_steps=7), 80) == 8 * 7


def test_it_is_said_what_this_experiment_tells() -> None:
    said = " ".join(explained(whole()))
    assert "This experiment tells scores;" in said
    assert "No limit is set on answers" in said
    limited = case(answers="labels", answers_limit=50, noise=1.5)
    said = " ".join(explained(Audit(limited, whole().results, complete=True)))
    assert "tells best classes, with noise of deviation 1.5" in said
    assert "answer 50 questions at most" in said
    assert explained(Audit(case(), [], complete=False))


def test_other_systems_tell_nothing() -> None:
    other = experiment().model_copy(update={"system": FedAvg()})
    with pytest.raises(ConfigError, match="nobody is taught"):
        _ = Case(other, dataset(), 2, 10, (10,)).system
