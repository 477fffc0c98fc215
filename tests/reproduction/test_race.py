"""Curves of accuracy against time, from records and from real runs."""

from pathlib import Path

import pytest

from mdl.config import Experiment, parse
from mdl.errors import DataUnavailable, MdlError
from mdl.reproduction.costs import printed_widths
from mdl.reproduction.priced import PricedSettings, Prices, Till
from mdl.reproduction.race import SYSTEMS, arguments, curve_of, learn, need, race_for_real, seconds_to
from mdl.reproduction.virtual import Variant
from tests.reproduction.sample import setting


def experiment(which: Variant = "c", dataset: str = "digits") -> Experiment:
    model = "digits-mlp" if dataset == "digits" else "mlp"
    learning = {"dataset": dataset, "model": model, "learning_rate": 0.2, "batch": 8, "train_limit": 300}
    system = {"type": SYSTEMS[which], "threshold": 3, "block": 512, "scheme": {"type": "rlwe"}}
    return parse({"name": "race", "workers": 4, "epochs": 3, "system": system, "learning": learning})


def test_a_goal_is_reached_on_the_line_between_two_epochs() -> None:
    curve = [(10.0, 0.5), (20.0, 0.8), (30.0, 0.9)]
    assert seconds_to(0.85, curve) == pytest.approx(25)
    assert seconds_to(0.8, curve) == pytest.approx(20)
    assert seconds_to(0.25, curve) == pytest.approx(5)


def test_a_goal_that_is_never_reached_is_told_with_the_best() -> None:
    with pytest.raises(MdlError, match=r"85% accuracy was never reached, but 80\.0%"):
        seconds_to(0.85, [(10.0, 0.5), (20.0, 0.8), (30.0, 0.7)])


def test_only_the_managers_global_model_makes_the_curve() -> None:
    score = {"kind": "evaluated", "party": 0, "model": "global", "seconds": 1.0, "accuracy": 0.5}
    others = [{**score, "party": 1, "model": "own"}, {"kind": "trained", "party": 1, "seconds": 0.5}]
    assert curve_of([*others, score]) == [(1.0, 0.5)]


def test_data_that_is_missing_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="mnist"):
        need(experiment(dataset="mnist"), tmp_path)
    need(experiment(), None)


@pytest.mark.parametrize("which", ["c", "d"])
def test_what_is_learnt_is_real_and_its_time_is_the_modelled_one(which: Variant) -> None:
    scheme = PricedSettings(
        name="printed", widths=printed_widths(256, 3), prices=Prices(0.0, 0.0, 1e-3), till=Till()
    )
    given = arguments(
        experiment(which), scheme, which, training_seconds=10.0, slope_seconds=0.0, data_dir=None
    )
    curve = learn(**given)["curve"]
    assert len(curve) == 3
    # Beside training, the manager opens 2,410 parameters, filled up to 2,560, in 2.56 s.
    assert curve[0][0] > 10 + 2
    assert curve[-1][1] > curve[0][1] > 0.1


@pytest.mark.slow
@pytest.mark.alone
def test_real_processes_leave_curves_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    (curve,) = race_for_real(setting(tmp_path), {"d": experiment("d")}).values()
    assert len(curve) == 3
    assert [seconds for seconds, _ in curve] == sorted(seconds for seconds, _ in curve)
