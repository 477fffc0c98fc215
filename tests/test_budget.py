from typing import Any

import pytest

from mdl.budget import Budget
from mdl.config import Experiment, parse
from mdl.learning import privacy as records
from mdl.privacy import ldp, moments, record_level
from mdl.privacy.settings import GaussianNoise, LaplaceNoise

NOISY: dict[str, Any] = {"type": "laplace", "epsilon": 0.5}
PRIVATE: dict[str, Any] = {"type": "dp-sgd", "noise_multiplier": 1.0}


def experiment(*, noise: dict[str, Any] | None = None, private: dict[str, Any] | None = None) -> Experiment:
    system = {"type": "coordinated", "threshold": 3, **({"privacy": noise} if noise else {})}
    learning = {"batch": 16, **({"privacy": private} if private else {})}
    return parse({"name": "tiny", "workers": 4, "epochs": 10, "system": system, "learning": learning})


def noised(party: int, contributions: int, parameters: int) -> dict[str, Any]:
    counts = {"contributions": contributions, "parameters": parameters}
    return {"kind": "noised", "party": party, "epoch": 1, **counts}


def updated(party: int, noised: int, clipped: int = 0) -> dict[str, Any]:
    return {"kind": "updated", "party": party, "epoch": 1, "noised": noised, "clipped": clipped}


def trained(party: int, epochs: int, examples: int = 200) -> dict[str, Any]:
    return {"kind": "trained", "party": party, "epoch": 1, "examples": examples, "private_epochs": epochs}


def test_without_noise_there_is_nothing_to_spend() -> None:
    budget = Budget(experiment())
    budget.recorded({"kind": "updated", "party": 1, "epoch": 1, "saturated": 0})
    budget.recorded({"kind": "trained", "party": 1, "epoch": 1, "loss": 1.0, "examples": 9})
    assert budget.figures() is None
    assert budget.brief() is None


def test_every_noisy_parameter_counts_and_the_worker_that_released_most_is_told() -> None:
    budget = Budget(experiment(noise=NOISY))
    for event in (updated(1, 100, 10), updated(2, 100), updated(2, 60, 16)):
        budget.recorded(event)
    for event in (noised(1, 1, 100), noised(2, 1, 100), noised(2, 2, 160)):
        budget.recorded(event)
    figures = budget.figures()
    assert figures is not None
    noise = figures["noise"]
    assert (noise["worker"], noise["contributions"], noise["parameters"]) == (2, 2, 160)
    assert noise["epsilon_parameter_epoch"] == 0.5
    assert noise["epsilon"] == ldp.spent(LaplaceNoise(epsilon=0.5), coordinates=160, epochs=1).epsilon
    assert noise["clipped_share"] == pytest.approx(26 / 260)
    assert noise["deviation_of_mean"] == pytest.approx((2 * 2**2 / 3) ** 0.5)  # Theorem 1: 2 / (ε² m)
    assert "ε = 0.5 a parameter and epoch" in str(budget.brief())


def test_what_was_released_counts_though_its_epoch_never_ended() -> None:
    budget = Budget(experiment(noise=NOISY))
    for event in (noised(1, 1, 100), updated(1, 100), noised(1, 2, 200)):
        budget.recorded(event)
    assert contributions(budget) == 2


def test_a_run_that_was_taken_up_has_released_what_its_parties_counted() -> None:
    """Lines of repeated epochs were dropped; what each party has on record is told as it goes on."""
    budget = Budget(experiment(noise=NOISY))
    for event in (noised(1, 3, 300), noised(2, 3, 300), {**noised(1, 7, 700), "kind": "resumed"}):
        budget.recorded(event)
    assert contributions(budget) == 7
    figures = budget.figures()
    assert figures is not None
    expected = ldp.spent(LaplaceNoise(epsilon=0.5), coordinates=100, epochs=7)
    assert figures["noise"]["epsilon"] == expected.epsilon


def contributions(budget: Budget) -> int:
    figures = budget.figures()
    assert figures is not None
    counted: int = figures["noise"]["contributions"]
    return counted


def test_gaussian_noise_counts_contributions() -> None:
    table = {"type": "gaussian", "clip": 1.0, "noise_multiplier": 2.0}
    budget = Budget(experiment(noise=table))
    for count in (1, 2, 3):
        budget.recorded(noised(4, count, 100 * count))
    figures = budget.figures()
    assert figures is not None
    expected = ldp.spent(GaussianNoise(clip=1.0, noise_multiplier=2.0), coordinates=100, epochs=3)
    assert (figures["noise"]["epsilon"], figures["noise"]["delta"]) == (expected.epsilon, expected.delta)
    assert "epsilon_parameter_epoch" not in figures["noise"]


def test_records_count_every_epoch_that_was_trained_and_the_model_trained_alone() -> None:
    told = experiment(private=PRIVATE)
    budget = Budget(told)
    for event in (trained(1, 3), trained(2, 4), trained(2, 5)):
        budget.recorded(event)
    private = told.learning.privacy
    assert isinstance(private, records.DpSgd)
    sampling = told.learning.sampling(200)

    def spent(epochs: int) -> float:
        return records.spent(private, sampling, epochs=epochs, planned=10).epsilon

    figures = budget.figures()
    assert figures is not None
    assert (figures["records"]["worker"], figures["records"]["epochs"]) == (2, 5)
    assert figures["records"]["epsilon"] == spent(5)
    assert "a record" in str(budget.brief())
    budget.recorded({**trained(2, 15), "kind": "evaluated", "model": "alone", "accuracy": 0.5})
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["epsilon"] == spent(15)


AIMED: dict[str, Any] = {"type": "dp-sgd", "epsilon": 8.0}


def aimed(epochs: int, epsilon: float = 8.0) -> dict[str, Any]:
    """What a worker tells that keeps to its ε over ten epochs."""
    told = experiment(private={**AIMED, "epsilon": epsilon})
    assert isinstance(told.learning.privacy, records.DpSgd)
    noise = told.learning.privacy.noise_over(10, told.learning.sampling(200))
    return {**trained(1, epochs), "noise_multiplier": noise}


def test_what_is_told_on_the_way_is_a_bound_and_called_so_until_the_aim_is_the_better_one() -> None:
    budget, said = Budget(experiment(private=AIMED)), []
    for epochs in (1, 2, 10):
        budget.recorded(aimed(epochs))
        said.append(budget.brief())
    assert said[-1] == "ε ≤ 8 a record at a worker"
    assert "(quick bound)" in str(said[0])
    figures = budget.figures()
    assert figures is not None
    assert 7.9 < figures["records"]["epsilon"] <= 8
    assert figures["records"]["noise_multiplier"] == aimed(10)["noise_multiplier"]


def test_the_noise_is_what_the_worker_says_that_it_used() -> None:
    budget = Budget(experiment(private=AIMED))
    budget.recorded({**trained(1, 10), "noise_multiplier": 2.5})
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["noise_multiplier"] == 2.5
    assert figures["records"]["epsilon"] == record_level.epsilon(2.5, 16 / 200, 120, 1e-5)


def test_beyond_the_planned_epochs_the_aim_bounds_nothing() -> None:
    budget = Budget(experiment(private=AIMED))
    budget.recorded(aimed(11))
    found = str(budget.brief())
    assert found.endswith("(quick bound)")
    assert bound_in(found) > 8


@pytest.mark.parametrize("epochs", [1, 3, 10, 20])
@pytest.mark.parametrize("private", [PRIVATE, {**PRIVATE, "noise_multiplier": 0.6}])
def test_what_is_told_on_the_way_is_never_below_what_is_spent(private: dict[str, Any], epochs: int) -> None:
    budget = Budget(experiment(private=private))
    budget.recorded(trained(1, epochs))
    figures = budget.figures()
    assert figures is not None
    assert bound_in(str(budget.brief())) >= figures["records"]["epsilon"]


def bound_in(brief: str) -> float:
    return float(brief.split()[2])


def test_a_bound_is_rounded_up_and_an_aim_of_three_digits_is_left_as_it_is() -> None:
    budget = Budget(experiment(private={**AIMED, "epsilon": 1.1}))
    budget.recorded(aimed(10, epsilon=1.1))
    assert budget.brief() == "ε ≤ 1.1 a record at a worker"
    budget = Budget(experiment(private=PRIVATE))
    budget.recorded(trained(1, 3))
    quick = moments.epsilon(1.0, 16 / 200, 36, 1e-5)
    assert quick <= bound_in(str(budget.brief())) < 1.01 * quick


def test_epochs_of_the_model_trained_alone_are_told_apart() -> None:
    budget = Budget(experiment(private=PRIVATE))
    budget.recorded(trained(1, 10))
    budget.recorded({**trained(1, 20), "kind": "evaluated", "model": "alone", "epoch": 10})
    figures = budget.figures()
    assert figures is not None
    assert (figures["records"]["epochs"], figures["records"]["epochs_alone"]) == (20, 10)


def test_fewer_examples_spend_more() -> None:
    budget = Budget(experiment(private=PRIVATE))
    budget.recorded(trained(1, 3, examples=400))
    budget.recorded(trained(2, 3, examples=100))
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["worker"] == 2


def test_private_epochs_of_a_run_that_was_taken_up_are_those_on_record() -> None:
    budget = Budget(experiment(private=PRIVATE))
    for event in (trained(1, 3), {**trained(1, 7), "kind": "resumed"}):
        budget.recorded(event)
    figures = budget.figures()
    assert figures is not None
    assert figures["records"]["epochs"] == 7
