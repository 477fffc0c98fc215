"""How fast epochs follow each other on the virtual clock, where all costs are given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdl.errors import MdlError
from mdl.reproduction.costs import printed_widths
from mdl.reproduction.priced import PricedSettings, Prices, Till
from mdl.reproduction.tempo import Tempo, Trial, arguments, simulate_epochs, tempos
from mdl.reproduction.virtual import JITTER, Pace, Variant
from tests.reproduction.sample import setting

PRICES = Prices(encrypt=3e-5, share=1.5e-5, manager=6e-5)
EPOCHS = 12


def trial(variant: Variant = "c", *, workers: int = 6, members: int = 3, prices: Prices = PRICES) -> Trial:
    scheme = PricedSettings(name="any", widths=printed_widths(256, members), prices=prices, till=Till())
    return Trial(
        variant_name=variant,
        workers=workers,
        members=members,
        parameters=100_000,
        block=1,
        scheme=scheme,
        training_seconds=10.0,
        epochs=EPOCHS,
    )


def later(trial: Trial) -> float:
    return simulate_epochs(**arguments(trial))["later"]


def test_a_worker_trains_as_long_as_is_said_and_waits_as_the_paper_has_it() -> None:
    assert list(Pace(10.0).of(0)) == []
    alike, late = np.array(Pace(10.0).of(3)), np.array(Pace(10.0, slope_seconds=5.0).of(3))
    assert alike.mean() == pytest.approx(10, rel=0.02)
    assert alike.std() == pytest.approx(10 * JITTER, rel=0.1)
    assert (late - alike).mean() == pytest.approx(15, rel=0.02)
    assert (late - alike).std() == pytest.approx(1, rel=0.1)
    assert (late >= 0).all()


def test_a_seed_is_a_pace() -> None:
    assert Pace(1.0, seed=2).of(1) == Pace(1.0, seed=2).of(1) != Pace(1.0, seed=3).of(1)
    assert Pace(1.0).of(1) != Pace(1.0).of(2)


def test_an_epoch_of_the_coordinated_variant_takes_what_its_steps_take() -> None:
    """The slowest of six trains 10 s and 1.27 deviations of 1 s; half of all is encrypted and shared.

    Their bytes take 32 ms and as much again on a link of 1 Gbit/s; the manager opens all parameters.
    """
    train = 10 + 1.267
    work = 50_000 * (PRICES.encrypt + PRICES.share) + 100_000 * PRICES.manager
    assert later(trial()) == pytest.approx(train + work, rel=0.06)


def test_what_cryptography_costs_is_felt_in_both_variants() -> None:
    dear = replace(PRICES, manager=100 * PRICES.manager)
    for variant in ("c", "d"):
        assert later(trial(variant, prices=dear)) > 30 * later(trial(variant)), variant


def test_at_their_own_pace_nobody_waits_for_the_slowest() -> None:
    assert later(trial("d")) < later(trial("c"))


def test_the_first_epoch_is_counted_once() -> None:
    assert Tempo(first=5.0, later=2.0).seconds(250) == 5.0 + 249 * 2.0


@pytest.mark.slow
def test_trials_run_in_processes_of_their_own_and_are_kept(tmp_path: Path) -> None:
    told: list[str] = []
    trials = {"one": trial(), "two": trial("d")}
    found = tempos(setting(tmp_path, tell=told.append), trials)
    assert found["one"].later == pytest.approx(later(trials["one"]))
    assert sorted(told[1:]) == ["one", "two"]
    told.clear()
    assert tempos(setting(tmp_path, tell=told.append), trials) == found
    assert told == ["2 simulations"]


@pytest.mark.slow
def test_a_trial_that_fails_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(MdlError, match="broken failed"):
        tempos(setting(tmp_path), {"broken": replace(trial(), epochs=1)})
